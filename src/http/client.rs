//! A blocking client for servers on Unix sockets: one request per connection.

use crate::limits;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer whose body is still to be read.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Announced length of the body; `None`: until the connection ends.
    pub length: Option<usize>,
    pub body: Box<dyn Read + Send>,
}

#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens there.
    Connect(io::Error),
    /// The connection broke, or its time was up.
    Io(io::Error),
    /// What came back is no HTTP answer within our bounds.
    Answer,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Connect(_) => write!(f, "could not connect"),
            ClientError::Io(_) => write!(f, "the connection broke"),
            ClientError::Answer => write!(f, "the answer is not valid"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Connect(source) | ClientError::Io(source) => Some(source),
            ClientError::Answer => None,
        }
    }
}

impl ClientError {
    pub fn is_timeout(&self) -> bool {
        use io::ErrorKind::{TimedOut, WouldBlock};
        matches!(self, ClientError::Io(e) if matches!(e.kind(), TimedOut | WouldBlock))
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The whole body, which must not be longer than `max`.
    pub fn read_body(self, max: usize) -> Result<Vec<u8>, ClientError> {
        let mut out = Vec::new();
        let read = self.body.take(max as u64 + 1).read_to_end(&mut out).map_err(ClientError::Io)?;
        let whole = self.length.is_none_or(|length| length == read);
        if read <= max && whole { Ok(out) } else { Err(ClientError::Answer) }
    }
}

/// Sends one request and reads the head of the answer. `patience` bounds each wait for bytes.
/// Headers must be clean single lines; `Content-Length` and `Connection` are added.
pub fn ask(
    path: &Path,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    patience: Duration,
) -> Result<Reply, ClientError> {
    let mut stream = UnixStream::connect(path).map_err(ClientError::Connect)?;
    stream.set_read_timeout(Some(patience)).map_err(ClientError::Io)?;
    stream.set_write_timeout(Some(patience)).map_err(ClientError::Io)?;
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    stream.write_all(&out).map_err(ClientError::Io)?;
    read_head(stream, method == "HEAD")
}

fn read_head(mut stream: UnixStream, head_only: bool) -> Result<Reply, ClientError> {
    let mut input = Vec::with_capacity(2048);
    loop {
        if let Some((mut reply, consumed)) = parse(&input)? {
            let rest = io::Cursor::new(input.split_off(consumed));
            if head_only || matches!(reply.status, 204 | 304) {
                reply.length = Some(0);
            }
            let all = rest.chain(stream);
            reply.body = match reply.length {
                Some(length) => Box::new(all.take(length as u64)),
                None => Box::new(all),
            };
            return Ok(reply);
        }
        if input.len() > limits::ANSWER_HEAD_BYTES_MAX {
            return Err(ClientError::Answer);
        }
        let mut chunk = [0; 2048];
        match stream.read(&mut chunk) {
            Ok(0) => return Err(ClientError::Answer),
            Ok(n) => input.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(ClientError::Io(e)),
        }
    }
}

fn parse(input: &[u8]) -> Result<Option<(Reply, usize)>, ClientError> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let consumed = match head.parse(input) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ClientError::Answer),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = head.headers.iter().map(|h| (h.name.to_owned(), text(h.value))).collect();
    let status = head.code.ok_or(ClientError::Answer)?;
    let mut reply = Reply { status, headers, length: None, body: Box::new(io::empty()) };
    if reply.header("Transfer-Encoding").is_some() {
        return Err(ClientError::Answer);
    }
    let length = reply.header("Content-Length").map(str::parse).transpose();
    reply.length = length.map_err(|_| ClientError::Answer)?;
    Ok(Some((reply, consumed)))
}
