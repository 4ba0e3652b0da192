//! Front, gate and wake-ups together, before an internal tier that is a real one of our own layer.

use crate::front::rig::{Client, certificate, get};
use crate::support::temp::TempDir;
use crate::support::wait::{seconds, wait_until};
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use warren::base::clock::Clock;
use warren::base::log::Format;
use warren::base::secret::Secret;
use warren::edge::launch::{Launch, Launcher};
use warren::edge::start::{Message, Numbers, Settings, WebCertificate};
use warren::edge::{self, EdgeError, EdgeStart, Outgoing, Routes, Sockets};
use warren::http::tiers::{self, Park};
use warren::http::wakeups::{Sending, Wakeups};
use warren::http::{Options, Request, Response, Server};
use warren::sys::process::{self, Exit, Process};
use warren::sys::{fd, users};

/// An internal tier that runs.
struct Running {
    inside: Arc<Inside>,
    _server: Server,
    _sending: Sending,
}

impl std::ops::Deref for Running {
    type Target = Inside;

    fn deref(&self) -> &Inside {
        &self.inside
    }
}

/// What stands in for its business.
struct Inside {
    seen: Mutex<Vec<Request>>,
    news: AtomicU64,
    listened: AtomicU64,
    wakeups: Wakeups,
}

impl Inside {
    fn start(socket: &Path, news: u64) -> Running {
        let (wakeups, sending) = Wakeups::start().expect("a thread");
        let (seen, listened) = (Mutex::default(), AtomicU64::new(0));
        let inside = Arc::new(Inside { seen, news: AtomicU64::new(news), listened, wakeups });
        let listener = UnixListener::bind(socket).expect("a socket");
        let token = Some(Secret::from("t0ken".to_owned()));
        let options = Options { name: "inside", workers: 4, body_bytes_max: 50_000, token };
        let handler = Arc::clone(&inside);
        let server = Server::start(listener, options, move |request| handler.handle(request));
        Running { inside, _server: server.expect("an internal tier"), _sending: sending }
    }

    fn handle(&self, request: Request) -> Response {
        let response = match request.path() {
            tiers::WAKEUPS_PATH => {
                self.listened.fetch_add(1, Ordering::SeqCst);
                return self.wakeups.stream();
            }
            tiers::SESSION_PATH => match request.header("Cookie") {
                Some("session=good") => Response::empty(200),
                _ => Response::empty(401),
            },
            "/event" => self.event(),
            "/status" => Response::json(200, b"{}".to_vec()),
            _ => Response::text(404, "404: Not Found"),
        };
        self.seen.lock().expect("unpoisoned").push(request);
        response
    }

    fn event(&self) -> Response {
        let seq = self.wakeups.published();
        match self.news.load(Ordering::SeqCst) {
            0 => {
                let (key, until) = ("events".to_owned(), seconds(20));
                let park = Park { key, until, seq, resume: Some("r1".to_owned()) };
                Response::json(200, b"[]".to_vec()).with(tiers::PARK, park.to_string())
            }
            n => Response::json(200, format!("[{n}]").into_bytes()),
        }
    }

    fn publish(&self) {
        self.news.fetch_add(1, Ordering::SeqCst);
        self.wakeups.publish("events");
    }

    fn asked(&self) -> usize {
        self.seen.lock().expect("unpoisoned").len()
    }

    fn last(&self) -> Request {
        self.seen.lock().expect("unpoisoned").last().expect("a request").clone()
    }
}

struct Rig {
    channel: UnixStream,
    edge: JoinHandle<Result<(), EdgeError>>,
    inside: Running,
    https: SocketAddr,
    internal: PathBuf,
    _dir: TempDir,
}

fn typing(request: &Request) -> Result<Outgoing, Response> {
    let target = request.target.clone();
    if target.starts_with("/unknown") {
        return Err(Response::text(404, "404: Not Found"));
    }
    Ok(Outgoing {
        method: request.method.clone(),
        target,
        body: request.body.clone(),
        signed_path: None,
    })
}

fn settings(dir: &TempDir, https_port: u16) -> Settings {
    Settings {
        internal: dir.join("internal.sock"),
        gate: dir.join("gate.sock"),
        token: Secret::from("t0ken".to_owned()),
        https_port,
        log_format: Format::Json,
        log_level: log::LevelFilter::Off,
    }
}

fn web_certificate(name: &str) -> WebCertificate {
    let (chain_pem, key_pem) = certificate(name);
    WebCertificate { chain_pem, key_pem }
}

impl Rig {
    fn start() -> Rig {
        let dir = TempDir::new("edge");
        let https = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = https.local_addr().expect("an address");
        let settings = settings(&dir, address.port());
        let internal = settings.internal.clone();
        let gate = UnixListener::bind(&settings.gate).expect("a socket");
        let sockets = Sockets { https, http: None, gate };
        let routes = Routes { typing, body_limit: |_, _| 50_000 };
        let (mut channel, other_end) = UnixStream::pair().expect("a pair");
        let start = EdgeStart { sockets, channel: other_end, descriptors_max: 1024 };
        let edge = thread::spawn(move || edge::run(start, routes, &Clock::system()));
        Message::Settings(settings).send(&mut channel).expect("sent");
        Message::Certificate(web_certificate("edge.example")).send(&mut channel).expect("sent");
        let inside = Inside::start(&internal, 0);
        Rig { channel, edge, inside, https: address, internal, _dir: dir }
    }

    fn wait_until_listened(&self) {
        let listened = || self.inside.listened.load(Ordering::SeqCst) > 0;
        wait_until("the stream to be open", seconds(5), listened);
    }

    fn client(&self) -> Client {
        Client::connect(self.https).expect("a TLS connection")
    }
}

#[test]
fn what_goes_in_and_comes_out_is_the_contracts() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.send(
        "PUT /status?x=1 HTTP/1.1\r\nHost: w.example\r\nAuth-Token: t\r\nAuth-Signature: s\r\n\
         Csrf-Token: c\r\nCookie: session=good\r\nUser-Agent: u\r\n\
         Content-Type: application/json\r\nWarren-Token: forged\r\nContent-Length: 2\r\n\r\n{}",
    );
    let answer = client.answer().expect("an answer");
    assert_eq!(answer.status, 200);
    let seen = rig.inside.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/status?x=1"));
    for (name, value) in [
        (tiers::CLIENT, "127.0.0.1"),
        (tiers::URL, "https://w.example"),
        (tiers::RAW_BODY, "e30="),
        ("Auth-Token", "t"),
        ("Csrf-Token", "c"),
        ("Cookie", "session=good"),
        ("Content-Type", "application/json"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.header("User-Agent"), None);
    for header in [
        "Strict-Transport-Security: max-age=31536000; includeSubDomains",
        "Cache-Control: no-cache, no-store, must-revalidate",
        "X-Content-Type-Options: nosniff",
        "Content-Type: application/json",
    ] {
        assert_eq!(answer.head.matches(header).count(), 1, "{header}: {}", answer.head);
    }
    let refused = client.get("/unknown");
    assert_eq!((refused.status, refused.text()), (404, "404: Not Found"));
    assert!(refused.head.contains("\r\nCache-Control: no-store\r\n"), "{}", refused.head);
    assert!(!refused.head.contains("Server"), "{}", refused.head);
}

#[test]
fn pages_follow_the_session() {
    let rig = Rig::start();
    let mut client = rig.client();
    let mut ask = |target: &str, cookie: &str| {
        client.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
        client.answer().expect("an answer")
    };
    let moved = ask("/", "session=bad");
    assert!(moved.status == 302 && moved.head.contains("\r\nLocation: /login\r\n"));
    let moved = ask("/login", "session=good");
    assert!(moved.status == 302 && moved.head.contains("\r\nLocation: /\r\n"));
    assert_ne!(ask("/", "session=good").status, 302);
    let page = ask("/login", "session=bad");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("\r\nContent-Security-Policy: default-src 'self';"));
    assert_eq!(ask("/robots.txt", "x").text(), "User-agent: *\nDisallow: /\n");
    assert_eq!(ask("/s/../../etc/passwd", "x").status, 404);
}

#[test]
fn an_event_reaches_a_parked_browser_at_once() {
    let rig = Rig::start();
    rig.wait_until_listened();
    let mut client = rig.client();
    client.send(&get("/event"));
    wait_until("it to be parked", seconds(5), || rig.inside.asked() == 1);
    let start = Instant::now();
    rig.inside.publish();
    let answer = client.answer().expect("an answer");
    println!("from the event to the browser: {:?}", start.elapsed());
    assert_eq!(answer.text(), "[1]");
    assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
    assert_eq!(rig.inside.last().header(tiers::RESUME), Some("r1"));
}

#[test]
fn a_restart_inside_costs_503_and_then_wakes_everyone() {
    let Rig { channel, edge: _, inside, https, internal, _dir } = Rig::start();
    let status = || Client::connect(https).expect("a TLS connection").get("/status");
    wait_until("the stream to be open", seconds(5), || inside.listened.load(Ordering::SeqCst) > 0);
    let mut parked = Client::connect(https).expect("a TLS connection");
    parked.send(&get("/event"));
    wait_until("it to be parked", seconds(5), || inside.asked() == 1);
    drop(inside);
    let answer = status();
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("\r\nRetry-After: "), "{}", answer.head);
    // News of which nobody was told.
    let _inside = Inside::start(&internal, 1);
    assert_eq!(parked.answer().expect("an answer").text(), "[1]");
    assert_eq!(status().status, 200);
    drop(channel);
}

#[test]
#[ignore = "a measurement"]
fn requests_per_second_through_both_tiers() {
    let rig = Rig::start();
    for connections in [1, 4, 16, 32] {
        let open = || rig.client();
        crate::front::load::measure("front, gate, internal", connections, "/status", open);
    }
}

#[test]
fn it_lives_as_long_as_its_channel_and_takes_certificates_from_there() {
    let mut rig = Rig::start();
    let mut parked = rig.client();
    parked.send(&get("/event"));
    Message::Certificate(web_certificate("second.example")).send(&mut rig.channel).expect("sent");
    wait_until("the new certificate", seconds(5), || subject(rig.https).contains("second.example"));
    drop(rig.channel);
    rig.edge.join().expect("no panic").expect("no error");
    assert!(parked.is_closed());
}

/// What the next test starts as another user: the real life of the edge process.
#[test]
#[ignore = "part of another test"]
fn child_edge() {
    let numbers = std::env::var(NUMBERS).expect("numbers");
    let numbers = Numbers::from_args(numbers.split(' ').map(OsString::from)).expect("numbers");
    let start = EdgeStart::inherit(numbers).expect("descriptors");
    let routes = Routes { typing, body_limit: |_, _| 50_000 };
    edge::run(start, routes, &Clock::system()).expect("no error");
}

const NUMBERS: &str = "WARREN_TEST_EDGE";

#[test]
fn the_process_has_no_rights_and_ends_with_its_parents_channel() {
    let dir = TempDir::new("launch");
    let internal = dir.join("internal.sock");
    let _inside = Inside::start(&internal, 0);
    fs::set_permissions(&internal, fs::Permissions::from_mode(0o666)).expect("permissions");
    let https = fd::listen_tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = https.local_addr().expect("an address");
    let launch = Launch {
        // Also where other users may not look: in somebody's home.
        program: "/proc/self/exe".into(),
        user: users::user("nobody").expect("a user"),
        https,
        http: None,
        settings: settings(&dir, address.port()),
    };
    let launcher = Launcher::new(launch, web_certificate("first.example"));
    let mut process = start(&launcher);
    let status = || Client::connect(address).ok()?.answer_to(&get("/status"));
    wait_until("it to serve", seconds(5), || status() == Some(200));

    let of_process = |file: &str| fs::read(format!("/proc/{}/{file}", process.pid()));
    let text = String::from_utf8(of_process("status").expect("a status")).expect("text");
    for line in ["Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    let resident = text.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
    println!("the edge process: {resident}");
    let arguments = String::from_utf8(of_process("cmdline").expect("arguments")).expect("text");
    assert!(!arguments.contains("t0ken") && !arguments.contains("internal.sock"), "{arguments}");

    launcher.set_certificate(web_certificate("second.example"));
    wait_until("the new certificate", seconds(5), || subject(address).contains("second.example"));
    // Another one takes over the same listener, with the newest certificate.
    let mut second = start(&launcher);
    assert_eq!(process.wait(seconds(5)), Some(Exit::Code(0)));
    wait_until("it to serve", seconds(5), || status() == Some(200));
    assert!(subject(address).contains("second.example"));
    drop(launcher);
    assert_eq!(second.wait(seconds(5)), Some(Exit::Code(0)));
}

fn start(launcher: &Launcher) -> Process {
    let mut spec = launcher.spec();
    let numbers = spec.args.split_off(1).join(" ".as_ref());
    spec.env = vec![(NUMBERS.into(), numbers)];
    spec.args = ["--exact", "edge::child_edge", "--ignored"].map(OsString::from).to_vec();
    process::spawn(spec).expect("a process")
}

fn subject(address: SocketAddr) -> String {
    let client = Client::connect(address).expect("a TLS connection");
    let certificate = client.stream.ssl().peer_certificate().expect("a certificate");
    format!("{:?}", certificate.subject_name())
}
