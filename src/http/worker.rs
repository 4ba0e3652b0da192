//! One thread of a [`super::Server`]: receive, read, handle, answer.
//!
//! tiny_http allocates the unread rest of a body at once when a request is dropped: announcing
//! 30 GB ends the process. So a request that announces more than the server's limit is never
//! dropped: it is given up with its connection (a descriptor and 3 kB are lost). Only a broken edge
//! does that; after [`crate::limits::HTTP_GIVEN_UP_MAX`] such requests the server stops receiving
//! and its owner notices ([`super::Server::is_broken`]).

use super::message::{Body, Request, Response};
use super::{Shared, tiers};
use crate::base::secret::Secret;
use crate::thread::guard;
use std::io::{self, Read};
use std::sync::atomic::Ordering;

pub(super) fn run(shared: &Shared) {
    while !shared.stopping.load(Ordering::Acquire) && !shared.is_broken() {
        match shared.inner.recv() {
            Ok(received) => serve(shared, received),
            // `unblock()` was called.
            Err(_) if shared.stopping.load(Ordering::Acquire) => return,
            // Accepting has failed and tiny_http does not try again: only a restart helps.
            Err(error) => panic!("no more requests can be received: {error}"),
        }
    }
}

fn serve(shared: &Shared, mut received: tiny_http::Request) {
    if received.body_length().is_some_and(|len| len > shared.options.body_bytes_max) {
        give_up(shared, received);
        return;
    }
    let request = match read(shared, &mut received) {
        Ok(request) => request,
        Err(status) => return answer(received, Response::empty(status)),
    };
    if !is_admitted(shared.options.token.as_ref(), &request) {
        return answer(received, Response::empty(403));
    }
    let target = request.path().to_owned();
    let response = guard(|| shared.handler.handle(request)).unwrap_or_else(|reason| {
        log::error!("the handler of {target} panicked: {reason}");
        Response::text(500, "500: Internal Server Error")
    });
    answer(received, response);
}

fn is_admitted(token: Option<&Secret>, request: &Request) -> bool {
    let Some(token) = token.map(|token| token.expose().as_bytes()) else { return true };
    let shown = request.header(tiers::TOKEN).unwrap_or_default().as_bytes();
    shown.len() == token.len() && openssl::memcmp::eq(shown, token)
}

fn give_up(shared: &Shared, received: tiny_http::Request) {
    log::error!("gave up a request whose announced body is too long");
    shared.given_up.fetch_add(1, Ordering::Relaxed);
    std::mem::forget(received);
}

/// The status to answer with is the error.
fn read(shared: &Shared, received: &mut tiny_http::Request) -> Result<Request, u16> {
    let max = shared.options.body_bytes_max as u64;
    let mut body = Vec::with_capacity(received.body_length().unwrap_or(0));
    let read = received.as_reader().take(max + 1).read_to_end(&mut body);
    match read {
        Ok(read) if read as u64 > max => return Err(413),
        Ok(read) if received.body_length().is_some_and(|len| len != read) => return Err(400),
        Ok(_) => {}
        Err(_) => return Err(400),
    }
    let headers = received.headers().iter();
    let headers = headers.map(|h| (h.field.as_str().to_string(), h.value.to_string())).collect();
    let (method, target) = (received.method().as_str().to_owned(), received.url().to_owned());
    Ok(Request { method, target, headers, body })
}

fn answer(received: tiny_http::Request, response: Response) {
    let (len, reader): (usize, Box<dyn Read + Send>) = match response.body {
        Body::Bytes(bytes) => (bytes.len(), Box::new(io::Cursor::new(bytes))),
        Body::Static(bytes) => (bytes.len(), Box::new(bytes)),
        Body::Reader(len, reader) => (len, Box::new(reader.take(len as u64))),
        Body::HandOver(take) => return take(received.into_writer()),
    };
    let mut headers = Vec::with_capacity(response.headers.len() + 1);
    // An empty value here keeps tiny_http from adding its own; the front drops the header.
    headers.extend(header("Server", ""));
    for (name, value) in &response.headers {
        headers.extend(header(name, value));
    }
    let status = tiny_http::StatusCode(response.status);
    let out = tiny_http::Response::new(status, headers, reader, Some(len), None)
        .with_chunked_threshold(usize::MAX);
    // A client that is gone needs no answer.
    if let Err(error) = received.respond(out) {
        log::debug!("an answer could not be written: {error}");
    }
}

/// Headers that are no plain ASCII line are a bug of the handler and left out.
fn header(name: &str, value: &str) -> Option<tiny_http::Header> {
    if value.bytes().any(|b| b.is_ascii_control()) {
        log::error!("header {name} holds control characters");
        return None;
    }
    let made = tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes());
    made.inspect_err(|()| log::error!("header {name} is not ASCII")).ok()
}
