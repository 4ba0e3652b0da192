//! A real front on loopback before a small application, and raw TLS clients.

use crate::support::temp::TempDir;
use crate::support::wait::seconds;
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use warren::base::clock::Clock;
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::edge::front::{Bounds, Config, Front};
use warren::http::{Body, Options, Request, Response, Server};
use warren::pki::web;
use warren::sys::fd;

pub struct Rig {
    pub front: Front,
    pub app: Arc<App>,
    pub https: SocketAddr,
    pub http: SocketAddr,
    _server: Server,
    _dir: TempDir,
}

/// What the application behind the front has seen, and what its waiters wait for.
#[derive(Default)]
pub struct App {
    pub requests: AtomicUsize,
    /// Bytes of `/endless` that were read from it.
    pub produced: Arc<AtomicUsize>,
    /// Wake-ups published.
    pub wakeups: AtomicU64,
    /// Number of the newest news.
    pub news: AtomicU64,
    /// Runs between "nothing yet" and its answer, once.
    pub gap: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

pub fn bounds() -> Bounds {
    Bounds { connections: 4096, per_address: 4096, ..Bounds::for_descriptors(1 << 20) }
}

pub fn certificate(name: &str) -> (Vec<u8>, Secret<Vec<u8>>) {
    let issued = web::issue(&[name.to_owned()], &Random::system(), Clock::system().cluster_s());
    let (key, certificate) = issued.expect("a certificate");
    let key = key.to_pem().expect("a key").expose().clone().into_bytes();
    (certificate.to_pem().expect("a certificate").into_bytes(), Secret::new(key))
}

impl Rig {
    pub fn start(bounds: Bounds) -> Rig {
        let dir = TempDir::new("front");
        let gate = dir.join("gate.sock");
        let app = Arc::new(App::default());
        let listener = UnixListener::bind(&gate).expect("a socket");
        let options = Options { name: "app", workers: 6, body_bytes_max: 5 << 20, token: None };
        let handler = Arc::clone(&app);
        let handler = move |request: Request| handler.handle(&request);
        let server = Server::start(listener, options, handler).expect("an application");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let https = fd::listen_tcp(any).expect("a port");
        let http = fd::listen_tcp(any).expect("a port");
        let (https_at, http_at) = (address(&https), address(&http));
        let (chain_pem, key_pem) = certificate("first.example");
        let config = Config {
            https,
            http: Some(http),
            https_port: https_at.port(),
            chain_pem,
            key_pem,
            gate,
            body_limit: |_, path| if path == "/large" { 4 << 20 } else { 50_000 },
            bounds,
        };
        let front = Front::start(config, &Clock::system()).expect("a front");
        Rig { front, app, https: https_at, http: http_at, _server: server, _dir: dir }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.https).expect("a TLS connection")
    }

    /// Publishes one piece of news and wakes those who wait for it.
    pub fn publish(&self) {
        self.app.news.fetch_add(1, Ordering::SeqCst);
        self.wake("news");
    }

    pub fn wake(&self, key: &str) {
        let n = self.app.wakeups.fetch_add(1, Ordering::SeqCst) + 1;
        self.front.wakes().wake(n, key);
    }
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

impl App {
    fn handle(&self, request: &Request) -> Response {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match request.path() {
            "/hello" => Response::text(200, "hello"),
            "/wait" => self.wait(request),
            "/short" => Response::new(200, Body::Reader(1000, Box::new(&b"too short"[..]))),
            "/endless" => {
                let count = Arc::clone(&self.produced);
                Response::new(200, Body::Reader(1 << 30, Box::new(Counted(count))))
            }
            "/large" => Response::text(200, request.body.len().to_string()),
            _ => {
                let headers = request.headers.iter().map(|(k, v)| format!("{k}: {v}\n"));
                let head = format!(
                    "{} {}\n{}",
                    request.method,
                    request.target,
                    headers.collect::<String>()
                );
                let body = String::from_utf8_lossy(&request.body);
                Response::text(200, format!("{head}\n{body}")).with("Warren-Inside", "secret")
            }
        }
    }

    /// `?after=<n>`: answers with the number of the news once it is above n.
    fn wait(&self, request: &Request) -> Response {
        let seq = self.wakeups.load(Ordering::SeqCst);
        let news = self.news.load(Ordering::SeqCst);
        let field = |name: &str| request.query().split('&').find_map(|p| p.strip_prefix(name));
        let after = request.header("Warren-Resume").or(field("after=")).unwrap_or("0");
        let until = field("until=").unwrap_or("5000");
        if after.parse::<u64>().expect("a number") < news {
            return Response::text(200, news.to_string());
        }
        if let Some(gap) = self.gap.lock().expect("unpoisoned").take() {
            gap();
        }
        let park = format!("news; until={until}; seq={seq}; resume={after}");
        Response::json(200, b"[]".to_vec()).with("Warren-Park", park)
    }
}

struct Counted(Arc<AtomicUsize>);

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        buf.fill(b'x');
        self.0.fetch_add(buf.len(), Ordering::SeqCst);
        Ok(buf.len())
    }
}

/// One TLS connection that sends what it is told and reads answers.
pub struct Client {
    pub stream: SslStream<TcpStream>,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

pub fn connector() -> SslConnector {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("a connector");
    connector.set_verify(SslVerifyMode::NONE);
    connector.build()
}

impl Client {
    pub fn connect(to: SocketAddr) -> io::Result<Client> {
        Client::connect_with(&connector(), to)
    }

    pub fn connect_with(connector: &SslConnector, to: SocketAddr) -> io::Result<Client> {
        let socket = TcpStream::connect(to)?;
        socket.set_read_timeout(Some(seconds(10)))?;
        socket.set_write_timeout(Some(seconds(10)))?;
        socket.set_nodelay(true)?;
        let stream = connector.connect("warren.example", socket).map_err(io::Error::other)?;
        Ok(Client { stream, read: Vec::new() })
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("sent");
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.send(&get(target));
        self.answer().expect("an answer")
    }

    /// The status of an answer, if there is one.
    pub fn answer_to(&mut self, request: &str) -> Option<u16> {
        self.stream.write_all(request.as_bytes()).ok()?;
        Some(self.answer().ok()?.status)
    }

    /// Reads one answer; an error if the connection ends before it is whole.
    pub fn answer(&mut self) -> io::Result<Answer> {
        answer(&mut self.stream, &mut self.read)
    }

    /// Reads one answer to a HEAD request.
    pub fn head_only(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                let head = std::mem::replace(&mut self.read, rest);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            let mut chunk = [0; 1024];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.read.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// Whether the other side has closed.
    pub fn is_closed(&mut self) -> bool {
        !matches!(self.stream.read(&mut [0; 16]), Ok(n) if n > 0)
    }
}

pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: warren.example\r\n\r\n")
}

pub fn answer(stream: &mut impl Read, read: &mut Vec<u8>) -> io::Result<Answer> {
    let mut chunk = [0; 8192];
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
            let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |text| text.parse().expect("a length"));
            if read.len() >= end + 4 + length {
                let rest = read.split_off(end + 4 + length);
                let body = std::mem::replace(read, rest).split_off(end + 4);
                return Ok(Answer { status, head, body });
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&chunk[..n]),
        }
    }
}
