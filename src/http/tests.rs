//! The layer over tiny_http, over real sockets.

use super::*;
use crate::base::random::Random;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn serve(handler: impl Handler) -> (Server, PathBuf) {
    serve_with(None, handler)
}

fn serve_with(token: Option<Secret>, handler: impl Handler) -> (Server, PathBuf) {
    let name = format!("warren-http-{}.sock", Random::system().alphanumeric(12));
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("a socket");
    let options = Options { name: "t", workers: 2, body_bytes_max: 1000, token };
    (Server::start(listener, options, handler).expect("a server"), path)
}

fn echo(request: Request) -> Response {
    match request.path() {
        "/panic" => panic!("on purpose"),
        "/stream" => Response::hand_over(|mut out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\n\r\nline\n");
        }),
        _ => Response::new(207, Body::Bytes(request.body)).with("X-Query", request.target),
    }
}

#[test]
fn a_request_comes_back_whole() {
    let (_server, path) = serve(echo);
    let body = vec![b'x'; 1000];
    let reply = client::ask(&path, "PUT", "/a?b=c", &[], &body, PATIENCE).expect("an answer");
    assert_eq!(reply.status, 207);
    assert_eq!(reply.header("x-query"), Some("/a?b=c"));
    assert_eq!(reply.header("server"), Some(""));
    assert_eq!(reply.read_body(1000).expect("a body"), body);
}

#[test]
fn a_panic_is_answered_and_the_thread_lives() {
    let (_server, path) = serve(echo);
    for _ in 0..5 {
        let reply = client::ask(&path, "GET", "/panic", &[], b"", PATIENCE).expect("an answer");
        assert_eq!(reply.status, 500);
    }
}

#[test]
fn an_absurd_body_neither_ends_the_process_nor_passes() {
    let (server, path) = serve(echo);
    for n in 0..limits::HTTP_GIVEN_UP_MAX {
        assert!(!server.is_broken(), "{n}");
        let mut client = UnixStream::connect(&path).expect("a connection");
        let head = b"PUT / HTTP/1.1\r\nContent-Length: 30000000000\r\n\r\n";
        client.write_all(head).expect("sent");
        let reached = || server.shared.given_up.load(std::sync::atomic::Ordering::Relaxed) > n;
        wait_until(reached);
    }
    assert!(server.is_broken());
}

#[test]
fn a_taker_writes_the_answer_itself() {
    let (_server, path) = serve(echo);
    let reply = client::ask(&path, "GET", "/stream", &[], b"", PATIENCE).expect("an answer");
    assert_eq!(reply.length, None);
    assert_eq!(reply.read_body(100).expect("a body"), b"line\n");
}

#[test]
fn only_who_shows_the_token_is_heard() {
    let (_server, path) = serve_with(Some(Secret::from("t0ken".to_owned())), echo);
    for (shown, status) in [("t0ken", 207), ("t0kem", 403), ("t0ken1", 403), ("", 403)] {
        let head = [(tiers::TOKEN, shown)];
        let reply = client::ask(&path, "GET", "/", &head, b"", PATIENCE).expect("an answer");
        assert_eq!(reply.status, status, "{shown}");
    }
    let reply = client::ask(&path, "GET", "/", &[], b"", PATIENCE).expect("an answer");
    assert_eq!(reply.status, 403);
}

#[test]
fn a_truncated_answer_is_an_error() {
    let short = |_| Response::new(200, Body::Reader(10, Box::new(&b"short"[..])));
    let (_server, path) = serve(short);
    let reply = client::ask(&path, "GET", "/", &[], b"", PATIENCE).expect("a head");
    assert!(matches!(reply.read_body(100), Err(client::ClientError::Answer)));
}

#[test]
fn stop_ends_every_thread_and_removes_the_socket() {
    let clock = Clock::system();
    let (server, path) = serve(echo);
    assert!(server.stop(&clock, clock.mono() + PATIENCE).is_empty());
    wait_until(|| !path.exists());
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    while !condition() {
        assert!(clock.mono().as_millis() < 5000, "not in time");
        clock.pause(Duration::from_millis(2));
    }
}
