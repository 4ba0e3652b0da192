//! Where a request begins and ends: strict, pure, and written down as a table in its tests.
//!
//! httparse is lenient (bare line feeds, leading empty lines), so its input is checked first. What
//! is doubtful is refused and the connection closed: nobody behind can disagree about framing.
//! Only the headers of [`COPIED`] go on to the gate, so a client can forge none of ours.

use crate::limits;

/// What is kept of a client's headers. All but `Cookie` may come once only.
pub const COPIED: [&str; 10] = [
    "Accept-Encoding",
    "Auth-Nonce",
    "Auth-Signature",
    "Auth-Timestamp",
    "Auth-Token",
    "Content-Type",
    "Cookie",
    "Csrf-Token",
    "If-None-Match",
    "User-Agent",
];

/// A request's head, valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    /// Origin form, visible ASCII.
    pub target: String,
    pub host: String,
    pub copied: Vec<(&'static str, String)>,
    pub body: BodyLength,
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    Bytes(usize),
    Chunked,
}

/// Why a request is not served; the connection ends with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400; the text is for tests and the log at debug level only.
    Malformed(&'static str),
    /// 400 with an empty body, by the contract.
    BodyTooLong,
    /// 408.
    TooSlow,
    /// 417.
    Expectation,
    /// 431.
    HeadTooLong,
    /// 502: the gate did not answer properly.
    NoAnswer,
    /// 503: more work than the bounds allow.
    Busy,
    /// 504: the gate did not answer in time.
    Late,
    /// 505.
    Version,
}

use Refusal::Malformed;

/// Length of a whole head in `input`, its empty line included. `scanned` remembers how far earlier
/// calls have looked, so that slow senders cost no more than quick ones.
pub fn head_end(input: &[u8], scanned: &mut usize) -> Result<Option<usize>, Refusal> {
    let start = scanned.saturating_sub(3);
    for (at, pair) in input.windows(2).enumerate().skip(start) {
        match pair {
            [b'\r', b'\n'] if at == 0 => return Err(Malformed("leading line break")),
            [b'\r', b'\n'] => {
                let end = at + 2;
                if line_break_before(input, at) {
                    return if end <= limits::HEAD_BYTES_MAX {
                        Ok(Some(end))
                    } else {
                        Err(Refusal::HeadTooLong)
                    };
                }
            }
            [b'\n', _] if at == 0 => return Err(Malformed("leading line break")),
            [before, b'\n'] if *before != b'\r' => return Err(Malformed("bare line feed")),
            [b'\r', _] => return Err(Malformed("bare carriage return")),
            [b'\n', b' ' | b'\t'] => return Err(Malformed("folded header")),
            [_, 0] => return Err(Malformed("zero byte")),
            _ => {}
        }
    }
    if input.len() > limits::HEAD_BYTES_MAX {
        return Err(Refusal::HeadTooLong);
    }
    *scanned = input.len();
    Ok(None)
}

fn line_break_before(input: &[u8], at: usize) -> bool {
    at >= 2 && input.get(at - 2..at) == Some(b"\r\n")
}

/// Parses a whole head, as delimited by [`head_end`].
pub fn parse(head: &[u8]) -> Result<Head, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(used)) if used == head.len() => {}
        Ok(_) => return Err(Malformed("head")),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(httparse::Error::Version) if names_a_version(head) => return Err(Refusal::Version),
        Err(_) => return Err(Malformed("head")),
    }
    if parsed.version != Some(1) {
        return Err(Refusal::Version);
    }
    let method = parsed.method.unwrap_or_default();
    if method.is_empty() || method.len() > 16 || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Malformed("method"));
    }
    let target = parsed.path.unwrap_or_default();
    if !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(Malformed("target"));
    }
    let fields = Fields::read(parsed.headers)?;
    Ok(Head {
        method: method.to_owned(),
        target: target.to_owned(),
        host: fields.host.ok_or(Malformed("no host"))?,
        body: match (fields.length, fields.chunked) {
            (Some(_), true) => return Err(Malformed("length and transfer encoding")),
            (None, true) => BodyLength::Chunked,
            (length, false) => BodyLength::Bytes(length.unwrap_or(0)),
        },
        keep_alive: !fields.close,
        expects_continue: fields.expects_continue,
        copied: fields.copied,
    })
}

/// Whether the request line has three parts, the last being some version of HTTP.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|b| *b == b' ').skip(2);
    parts.next().is_some_and(|part| part.starts_with(b"HTTP/")) && parts.next().is_none()
}

#[derive(Default)]
struct Fields {
    host: Option<String>,
    length: Option<usize>,
    chunked: bool,
    close: bool,
    expects_continue: bool,
    copied: Vec<(&'static str, String)>,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Fields, Refusal> {
        let mut fields = Fields::default();
        for header in headers {
            fields.take(header)?;
        }
        Ok(fields)
    }

    fn take(&mut self, header: &httparse::Header<'_>) -> Result<(), Refusal> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("Host") {
            let host = ascii(header.value)?;
            if self.host.is_some() || !is_host(host) {
                return Err(Malformed("host"));
            }
            self.host = Some(host.to_owned());
        } else if is("Content-Length") {
            if self.length.is_some() {
                return Err(Malformed("two lengths"));
            }
            self.length = Some(length(header.value)?);
        } else if is("Transfer-Encoding") {
            if self.chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("transfer encoding"));
            }
            self.chunked = true;
        } else if is("Connection") {
            let tokens = ascii(header.value)?.split(',').map(str::trim);
            self.close |= tokens.into_iter().any(|token| token.eq_ignore_ascii_case("close"));
        } else if is("Expect") {
            if !header.value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::Expectation);
            }
            self.expects_continue = true;
        } else if let Some(name) = COPIED.into_iter().find(|name| is(name)) {
            self.copy(name, ascii(header.value)?)?;
        }
        Ok(())
    }

    fn copy(&mut self, name: &'static str, value: &str) -> Result<(), Refusal> {
        match self.copied.iter_mut().find(|(known, _)| *known == name) {
            None => self.copied.push((name, value.to_owned())),
            Some((_, cookies)) if name == "Cookie" => {
                cookies.push_str("; ");
                cookies.push_str(value);
            }
            Some(_) => return Err(Malformed("header twice")),
        }
        Ok(())
    }
}

/// Visible ASCII, spaces and tabs: what every reader behind understands alike.
fn ascii(value: &[u8]) -> Result<&str, Refusal> {
    let plain = value.iter().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t'));
    match std::str::from_utf8(value) {
        Ok(text) if plain => Ok(text.trim()),
        _ => Err(Malformed("header value")),
    }
}

fn length(value: &[u8]) -> Result<usize, Refusal> {
    let digits = ascii(value)?;
    if digits.is_empty() || digits.len() > 10 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed("length"));
    }
    digits.parse().map_err(|_| Malformed("length"))
}

/// Host names, addresses and ports; it is used to build links.
fn is_host(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
