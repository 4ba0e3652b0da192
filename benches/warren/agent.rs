//! A user agent that keeps its connection, as browsers and API clients do.

use crate::support::daemon::Home;
use crate::support::http::Http;
use openssl::ssl::SslStream;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub struct Agent {
    http: Http,
    stream: SslStream<TcpStream>,
    /// Bytes of the next answer that came with the last one.
    rest: Vec<u8>,
    used: Instant,
}

/// The front closes a connection that is silent for longer; then another one is made, as browsers
/// do.
const SILENT_MAX: Duration = Duration::from_secs(5);

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub took: Duration,
}

impl Answer {
    pub fn json(&self) -> Value {
        let text = || String::from_utf8_lossy(&self.body).into_owned();
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {}", text()))
    }

    pub fn ok(self) -> Answer {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Agent {
    /// Signs in; the first time the password is changed to `own`.
    pub fn enter(home: &Home, password: &str, own: &str) -> Agent {
        let mut http = home.http();
        let reply = http.login("admin", password);
        assert_eq!(reply.status, 200, "{}", reply.text());
        // A change ends all other sessions, even one to the same password.
        if password != own {
            let body = json!({ "username": "admin", "password": own });
            http.put("/settings", &body).ok();
            http.login("admin", own);
        }
        Agent::new(http)
    }

    fn new(http: Http) -> Agent {
        let stream = http.connect().expect("a connection");
        Agent { http, stream, rest: Vec::new(), used: Instant::now() }
    }

    /// The same session over another connection.
    pub fn another(&self) -> Agent {
        Agent::new(self.http.clone())
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body))
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(body))
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        if self.used.elapsed() > SILENT_MAX {
            *self = self.another();
        }
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in self.http.authentication(method, path) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            request.push_str("Content-Type: application/json\r\n");
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let begin = Instant::now();
        self.stream.write_all(request.as_bytes()).expect("a request");
        let (status, body) = self.receive();
        self.used = Instant::now();
        Answer { status, body, took: begin.elapsed() }
    }

    fn receive(&mut self) -> (u16, Vec<u8>) {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut buffer = [0; 64 * 1024];
        loop {
            if let Some((status, start, length)) = head(&bytes)
                && bytes.len() >= start + length
            {
                self.rest = bytes.split_off(start + length);
                return (status, bytes.split_off(start));
            }
            let count = self.stream.read(&mut buffer).expect("an answer");
            assert!(count > 0, "the connection ended within an answer");
            bytes.extend_from_slice(&buffer[..count]);
        }
    }
}

/// Status, and where the body begins and how long it is.
fn head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut space);
    let httparse::Status::Complete(start) = head.parse(bytes).expect("an answer") else {
        return None;
    };
    let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse().ok());
    Some((head.code.expect("a status"), start, length.expect("a length")))
}
