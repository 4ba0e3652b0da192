//! What browsers and API clients send: HTTPS requests from a place of the lab.
//!
//! One connection each, closed afterwards. The server's certificate is not checked.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use openssl::base64::encode_block;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream};
use serde_json::{Value, json};

use super::place::Place;
use super::totp::unix_time;

/// Longer than any answer takes: long polls end after ten seconds, starts after thirty.
const TIMEOUT: Duration = Duration::from_secs(40);

/// One user agent: its cookies, its CSRF token or its API token.
#[derive(Clone)]
pub struct Http {
    place: Place,
    address: SocketAddr,
    cookies: Vec<(String, String)>,
    csrf: Option<String>,
    token: Option<ApiToken>,
}

#[derive(Clone)]
struct ApiToken {
    token: String,
    secret: String,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.text()))
    }

    /// The body of a success; anything else fails the test.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The contract's error id, and its status.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"].as_str().unwrap_or_default().to_owned())
    }
}

impl Http {
    pub fn new(place: &Place, address: SocketAddr) -> Http {
        Http { place: place.clone(), address, cookies: Vec::new(), csrf: None, token: None }
    }

    /// Requests signed with an API token instead of a session (contract 1.7).
    pub fn signed_by(&self, token: &str, secret: &str) -> Http {
        let token = ApiToken { token: token.to_owned(), secret: secret.to_owned() };
        Http { token: Some(token), ..Http::new(&self.place, self.address) }
    }

    /// Logs in and fetches a CSRF token, which later requests carry.
    pub fn login(&mut self, username: &str, password: &str) -> Reply {
        let body = json!({ "username": username, "password": password });
        let reply = self.post("/auth/session", &body);
        if reply.status == 200 {
            self.refresh_csrf();
        }
        reply
    }

    pub fn refresh_csrf(&mut self) {
        let state = self.get("/state").ok();
        self.csrf = state["csrf_token"].as_str().map(str::to_owned);
    }

    pub fn without_csrf(&self) -> Http {
        Http { csrf: None, ..self.clone() }
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    pub fn delete(&mut self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(body))
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, Some(body))
    }

    pub fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.try_send(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// Like `send` where the server may be away.
    pub fn try_send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> io::Result<Reply> {
        let body = body.map(Value::to_string);
        let mut headers = self.authentication(method, path);
        if let Some(body) = &body {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        let reply =
            self.send_with(method, path, &headers, body.as_deref().unwrap_or("").as_bytes())?;
        self.keep_cookies(&reply);
        Ok(reply)
    }

    /// A request with exactly these headers besides `Host` and `Connection`.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("Connection: close\r\n\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.send_raw(&bytes)
    }

    /// Any bytes at all, as hostile clients send them.
    pub fn send_raw(&self, request: &[u8]) -> io::Result<Reply> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        // A server that refuses early may reset what it has not read: what it said counts.
        let end = stream.read_to_end(&mut answer);
        if answer.is_empty() {
            end?;
        }
        parse(&answer).ok_or_else(|| io::Error::other("not an HTTP answer, or a part of one"))
    }

    /// A TLS connection to the server.
    pub fn connect(&self) -> io::Result<SslStream<TcpStream>> {
        let tcp = self.place.net(|| TcpStream::connect_timeout(&self.address, TIMEOUT))?;
        tcp.set_read_timeout(Some(TIMEOUT))?;
        tcp.set_write_timeout(Some(TIMEOUT))?;
        // Without settings of ours it verifies nothing, which is what this is for.
        let context = SslContext::builder(SslMethod::tls_client())?.build();
        let mut stream = SslStream::new(Ssl::new(&context)?, tcp)?;
        stream.connect().map_err(io::Error::other)?;
        Ok(stream)
    }

    /// The headers that say who asks.
    pub fn authentication(&self, method: &str, path: &str) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            headers.extend(token.sign(method, path, &unix_time().to_string(), &nonce()));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            headers.push(("Cookie".to_owned(), pairs.join("; ")));
        }
        if let Some(csrf) = &self.csrf {
            headers.push(("Csrf-Token".to_owned(), csrf.clone()));
        }
        headers
    }

    fn keep_cookies(&mut self, reply: &Reply) {
        for (name, value) in &reply.headers {
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let pair = value.split(';').next().unwrap_or_default();
            let Some((key, value)) = pair.split_once('=') else { continue };
            self.cookies.retain(|(known, _)| known != key);
            if !value.is_empty() {
                self.cookies.push((key.to_owned(), value.to_owned()));
            }
        }
    }
}

impl ApiToken {
    fn sign(&self, method: &str, path: &str, time: &str, nonce: &str) -> [(String, String); 4] {
        let path = path.split('?').next().unwrap_or_default();
        let text = [&self.token, time, nonce, method, path].join("&");
        [
            ("Auth-Token".to_owned(), self.token.clone()),
            ("Auth-Timestamp".to_owned(), time.to_owned()),
            ("Auth-Nonce".to_owned(), nonce.to_owned()),
            ("Auth-Signature".to_owned(), sign(&self.secret, &text)),
        ]
    }
}

/// Base64 of the HMAC-SHA256 of `text`, for tests that sign by hand.
pub fn sign(secret: &str, text: &str) -> String {
    let key = PKey::hmac(secret.as_bytes()).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("HMAC");
    encode_block(&signer.sign_oneshot_to_vec(text.as_bytes()).expect("a digest"))
}

pub fn nonce() -> String {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes).expect("randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut space);
    let httparse::Status::Complete(length) = head.parse(answer).ok()? else { return None };
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
        .collect();
    let status = head.code?;
    let mut reply = Reply { status, headers, body: answer[length..].to_vec() };
    if reply.header("transfer-encoding").is_some() {
        reply.body = unchunk(&reply.body)?;
    } else if let Some(length) = reply.header("content-length") {
        reply.body.truncate(length.parse().ok()?);
    }
    Some(reply)
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(bytes).ok()?
        else {
            return None;
        };
        let end = start + usize::try_from(size).ok()?;
        body.extend_from_slice(bytes.get(start..end)?);
        bytes = bytes.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
    }
}
