//! Answers: those of the gate as they are passed on, and the few the front makes itself. Pure.

use super::framing::Refusal;
use crate::edge::headers;
use crate::http::tiers::{self, Park};
use crate::limits;
use std::fmt::Write as _;

/// The head of a gate's answer, made ready for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status line and headers without the empty line: the connection's own header follows.
    pub head: String,
    /// Bytes of body that follow.
    pub body: usize,
    pub park: Option<Park>,
}

/// The gate said something that is no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid;

/// Reads the head of an answer; `None` until it is whole. Also tells where its body begins.
pub fn parse(input: &[u8], to_head: bool) -> Result<Option<(Answer, usize)>, Invalid> {
    let mut fields = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let start = match parsed.parse(input) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) if input.len() <= limits::ANSWER_HEAD_BYTES_MAX => {
            return Ok(None);
        }
        _ => return Err(Invalid),
    };
    let status = parsed.code.filter(|code| *code >= 200).ok_or(Invalid)?;
    let mut answer = Answer { head: String::new(), body: 0, park: None };
    let mut length = None;
    let reason = parsed.reason.unwrap_or_default();
    // Writing to a String can not fail, here and below.
    let _ = write!(answer.head, "HTTP/1.1 {status} {reason}\r\n");
    for field in parsed.headers.iter() {
        let value = std::str::from_utf8(field.value).map_err(|_| Invalid)?;
        if field.name.eq_ignore_ascii_case("Content-Length") {
            length = Some(value.parse().map_err(|_| Invalid)?);
        } else if field.name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err(Invalid);
        } else if field.name.eq_ignore_ascii_case(tiers::PARK) {
            answer.park = Some(Park::parse(value).ok_or(Invalid)?);
            continue;
        } else if headers::is_internal(field.name) {
            continue;
        }
        let _ = write!(answer.head, "{}: {value}\r\n", field.name);
    }
    let bodiless = to_head || matches!(status, 204 | 304);
    answer.body = if bodiless { 0 } else { length.ok_or(Invalid)? };
    Ok(Some((answer, start)))
}

/// The front's own answer to what it does not serve; the connection closes after it.
pub fn refuse(refusal: Refusal, secure: bool) -> String {
    let (status, text) = match refusal {
        Refusal::Malformed(_) => ("400 Bad Request", true),
        Refusal::BodyTooLong => ("400 Bad Request", false),
        Refusal::TooSlow => ("408 Request Timeout", true),
        Refusal::Expectation => ("417 Expectation Failed", true),
        Refusal::HeadTooLong => ("431 Request Header Fields Too Large", true),
        Refusal::NoAnswer => ("502 Bad Gateway", true),
        Refusal::Busy => ("503 Service Unavailable", true),
        Refusal::Late => ("504 Gateway Timeout", true),
        Refusal::Version => ("505 HTTP Version Not Supported", true),
    };
    let extra = if refusal == Refusal::Busy { "Retry-After: 1\r\n" } else { "" };
    closing(status, secure, extra, text)
}

/// Sends a client of the plain port to HTTPS.
pub fn redirect(location: &str) -> String {
    closing("301 Moved Permanently", false, &format!("Location: {location}\r\n"), true)
}

pub fn not_found() -> String {
    closing("404 Not Found", false, "", true)
}

/// A short answer of ours, after which the connection closes.
fn closing(status: &str, secure: bool, extra: &str, with_text: bool) -> String {
    let mut out = format!("HTTP/1.1 {status}\r\n{extra}");
    for (name, value) in headers::SECURITY.into_iter().chain(headers::transport(secure)) {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    let text = if with_text { status.replacen(' ', ": ", 1) } else { String::new() };
    let _ = write!(
        out,
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         \r\n{text}",
        text.len()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_headers_end_here() {
        let input = b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: d\r\nWarren-Thing: 1\r\n\
            Connection: keep-alive\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n{}";
        let (answer, start) = parse(input, false).expect("valid").expect("whole");
        let want = "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n";
        assert_eq!(answer.head, want);
        assert_eq!((answer.body, &input[start..]), (2, &b"{}"[..]));
        assert_eq!(parse(&input[..60], false), Ok(None));
        assert_eq!(parse(input, true).expect("valid").expect("whole").0.body, 0);
    }

    #[test]
    fn an_answer_without_a_plain_length_is_none() {
        for input in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 101 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nWarren-Park: events\r\n\r\n",
            b"SSH-2.0\r\n\r\n",
        ] {
            assert_eq!(parse(input, false), Err(Invalid), "{input:?}");
        }
        let none = b"HTTP/1.1 304 Not Modified\r\n\r\n";
        assert_eq!(parse(none, false).expect("valid").expect("whole").0.body, 0);
    }

    #[test]
    fn refusals_say_when_to_come_back_and_close() {
        let text = refuse(Refusal::Busy, true);
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(text.contains("Retry-After: 1\r\n") && text.contains("Connection: close\r\n"));
        assert!(text.contains("Strict-Transport-Security"));
        assert!(
            refuse(Refusal::BodyTooLong, false)
                .ends_with("Content-Length: 0\r\nConnection: close\r\n\r\n")
        );
    }
}
