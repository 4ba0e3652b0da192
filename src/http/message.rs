//! Requests and responses as handlers see them.

use std::borrow::Cow;
use std::io::{Read, Write};

/// A whole request; its body is within the server's limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query as received.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// Text after the first `?`; empty without one.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// First value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a handler answers.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub body: Body,
}

/// The body of a [`Response`].
pub enum Body {
    Bytes(Vec<u8>),
    Static(&'static [u8]),
    /// Exactly this many bytes; one that ends early truncates the answer, and the reader notices.
    Reader(usize, Box<dyn Read + Send>),
    /// The connection itself: status line and headers are the taker's to write as well.
    HandOver(Box<dyn FnOnce(Box<dyn Write + Send>) + Send>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::Static(bytes) => write!(f, "Static({})", bytes.len()),
            Body::Reader(len, _) => write!(f, "Reader({len})"),
            Body::HandOver(_) => write!(f, "HandOver"),
        }
    }
}

impl Response {
    pub fn new(status: u16, body: Body) -> Response {
        Response { status, headers: Vec::new(), body }
    }

    pub fn empty(status: u16) -> Response {
        Response::new(status, Body::Static(b""))
    }

    pub fn text(status: u16, text: impl Into<String>) -> Response {
        let body = Body::Bytes(text.into().into_bytes());
        Response::new(status, body).with("Content-Type", "text/plain; charset=utf-8")
    }

    pub fn json(status: u16, json: Vec<u8>) -> Response {
        Response::new(status, Body::Bytes(json)).with("Content-Type", "application/json")
    }

    /// The taker gets the connection and writes everything; for streams between our processes.
    pub fn hand_over(take: impl FnOnce(Box<dyn Write + Send>) + Send + 'static) -> Response {
        Response::new(200, Body::HandOver(Box::new(take)))
    }

    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
