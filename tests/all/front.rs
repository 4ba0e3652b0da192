//! The front against real and hostile TLS clients, with a small application behind it.

pub mod load;
pub mod rig;

use crate::support::wait::{pause, seconds, wait_until};
use rig::{Client, Rig, answer, bounds, certificate, connector, get};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use warren::edge::front::Bounds;
use warren::http::tiers::EVERYONE;

/// Three times what a busy machine needs.
const QUICK: Duration = Duration::from_millis(1500);

/// A well-behaved client is served at once.
fn assert_serves(rig: &Rig) {
    let start = Instant::now();
    assert_eq!(rig.client().get("/hello").text(), "hello");
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn connections_are_kept_and_pipelined_requests_answered_in_order() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    for _ in 0..3 {
        assert_eq!(client.get("/hello").text(), "hello");
    }
    client.send(&[get("/a"), get("/b"), get("/hello")].concat());
    for start in ["GET /a\n", "GET /b\n", "hello"] {
        let answer = client.answer().expect("an answer");
        assert!(answer.text().starts_with(start), "{}", answer.text());
    }
    client.send(&[get("/hello").replace("GET", "HEAD"), get("/x")].concat());
    let head = client.head_only().expect("an answer");
    assert!(head.contains("\r\nContent-Length: 5"), "{head}");
    assert!(client.answer().expect("an answer").text().starts_with("GET /x\n"));
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let last = client.answer().expect("an answer");
    assert!(last.head.contains("\r\nConnection: close"), "{}", last.head);
    assert!(client.is_closed());
}

#[test]
fn nothing_forged_reaches_the_gate_and_nothing_internal_the_client() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    client.send(
        "POST /x?y=1 HTTP/1.1\r\nHost: warren.example\r\nwarren-client: 6.6.6.6\r\n\
         Warren-Url: http://evil\r\nX-Forwarded-For: 6.6.6.6\r\nPR-Validated: true\r\n\
         Connection: Cookie\r\nTE: chunked\r\nUpgrade: h2c\r\nCookie: a=b\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    let answer = client.answer().expect("an answer");
    let seen = answer.text();
    assert!(seen.contains("\nWarren-Client: 127.0.0.1\n"), "{seen}");
    assert!(seen.contains("\nWarren-Url: https://warren.example\n"), "{seen}");
    assert!(seen.contains("\nCookie: a=b\n") && seen.ends_with("\n\n{}"), "{seen}");
    for gone in ["6.6.6.6", "evil", "PR-", "Upgrade", "chunked"] {
        assert!(!seen.contains(gone), "{gone}: {seen}");
    }
    assert!(!answer.head.contains("Warren-") && !answer.head.contains("Server"), "{}", answer.head);
}

#[test]
fn doubtful_requests_are_refused_with_their_code_and_end_the_connection() {
    let rig = Rig::start(bounds());
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(20_000));
    for (request, status) in [
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000000\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50001\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nGET /", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\
             \r\n0\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
        (&long, 431),
    ] {
        let mut client = rig.client();
        client.send(request);
        let answer = client.answer().unwrap_or_else(|e| panic!("{request:?}: {e}"));
        assert_eq!(answer.status, status, "{request:?}");
        assert!(answer.head.contains("X-Frame-Options: DENY"), "{}", answer.head);
        assert!(client.is_closed(), "{request:?}");
    }
    assert_eq!(rig.app.requests.load(Ordering::SeqCst), 0);
}

#[test]
fn bodies_come_whole_whatever_their_form() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    client.send(
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    assert!(client.answer().expect("an answer").text().ends_with("\n\nhello world"));
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.answer().expect("an interim answer").status, 100);
    client.send("abc");
    assert!(client.answer().expect("an answer").text().ends_with("\n\nabc"));
    let head = format!("PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 4 << 20);
    client.send(&head);
    client.send(&"x".repeat(4 << 20));
    assert_eq!(client.answer().expect("an answer").text(), (4 << 20).to_string());
}

#[test]
fn bodies_that_are_only_announced_take_nothing_from_others() {
    let rig = Rig::start(bounds());
    let head = format!("PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n[", 4 << 20);
    let mut idle: Vec<_> = (0..40).map(|_| rig.client()).collect();
    idle.iter_mut().for_each(|client| client.send(&head));
    let mut client = rig.client();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert!(client.answer().expect("an answer").text().ends_with("\n\nabc"));
    // Many that have come in large part fill their own budget and nobody else's.
    for client in &mut idle[..12] {
        client.send(&"x".repeat(3 << 20));
    }
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert!(client.answer().expect("an answer").text().ends_with("\n\nabc"));
}

#[test]
fn a_truncated_answer_is_seen_as_such() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    client.send(&get("/short"));
    let start = Instant::now();
    assert!(client.answer().is_err());
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn a_client_that_does_not_read_stops_the_source() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    client.send(&get("/endless"));
    let produced = || rig.app.produced.load(Ordering::SeqCst);
    wait_until("the answer to begin", seconds(5), || produced() > 100_000);
    let mut last = 0;
    wait_until("the source to stand still", seconds(5), || {
        pause(Duration::from_millis(100));
        std::mem::replace(&mut last, produced()) == produced()
    });
    // What the kernel's socket buffers on the way hold, plus ours.
    assert!(produced() < 16 << 20, "{}", produced());
    assert_serves(&rig);
}

#[test]
fn stalled_handshakes_and_heads_are_cut_and_hold_nobody_up() {
    let short = Duration::from_millis(400);
    let rig = Rig::start(Bounds { handshake: short, head: short, ..bounds() });
    let mut stalled: Vec<TcpStream> = Vec::new();
    for n in 0..200 {
        let mut socket = TcpStream::connect(rig.https).expect("a connection");
        // Half send nothing at all, half the beginning of a ClientHello.
        if n % 2 == 0 {
            socket.write_all(&[22, 3, 1, 2, 0, 1, 0]).expect("sent");
        }
        stalled.push(socket);
    }
    let mut slow = rig.client();
    slow.send("GET / HTTP/1.1\r\nHo");
    assert_serves(&rig);
    let start = Instant::now();
    for mut socket in stalled {
        socket.set_read_timeout(Some(seconds(5))).expect("a time limit");
        let _ = socket.read(&mut [0; 64]);
    }
    assert!(start.elapsed() < seconds(3), "{:?}", start.elapsed());
    assert_eq!(slow.answer().expect("an answer").status, 408);
}

#[test]
fn a_thousand_idle_clients_hold_nobody_up() {
    let rig = Rig::start(bounds());
    let connector = connector();
    let mut idle: Vec<Client> = (0..1000)
        .map(|_| Client::connect_with(&connector, rig.https).expect("a TLS connection"))
        .collect();
    assert_serves(&rig);
    for client in &mut idle {
        assert_eq!(client.get("/hello").text(), "hello");
    }
}

#[test]
fn a_flood_of_pipelined_requests_is_stopped_by_back_pressure() {
    let rig = Rig::start(bounds());
    let mut flood = rig.client();
    flood.stream.get_ref().set_write_timeout(Some(Duration::from_millis(300))).expect("set");
    let block = get("/hello").repeat(1000);
    let sent = (0..2000).take_while(|_| flood.stream.write_all(block.as_bytes()).is_ok()).count();
    assert!(sent < 2000, "everything was taken");
    assert_serves(&rig);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let rig = Rig::start(Bounds { per_address: 64, ..bounds() });
    for _ in 0..1000 {
        // Closing with the redirect unread resets the connection.
        if let Ok(mut socket) = TcpStream::connect(rig.http) {
            let _ = socket.write_all(get("/").as_bytes());
        }
    }
    wait_until("the seats to be free again", seconds(5), || {
        Client::connect(rig.https).is_ok_and(|mut client| client.get("/hello").status == 200)
    });
}

#[test]
fn one_address_gets_its_share_and_a_full_house_makes_room() {
    let rig = Rig::start(Bounds { per_address: 5, ..bounds() });
    let kept: Vec<Client> = (0..5).map(|_| rig.client()).collect();
    assert!(Client::connect(rig.https).is_err());
    drop(kept);
    let rig = Rig::start(Bounds { connections: 5, loops: 1, ..bounds() });
    let mut kept: Vec<Client> = (0..5).map(|_| rig.client()).collect();
    for client in kept.iter_mut().skip(1) {
        assert_eq!(client.get("/hello").status, 200);
    }
    assert_serves(&rig);
    assert!(kept[0].is_closed(), "the one idle for longest had to go");
}

/// What the next test floods: a process of its own, with its own limit of descriptors.
#[test]
#[ignore = "part of another test"]
fn child_with_few_descriptors() {
    let few = Bounds::for_descriptors(FEW_DESCRIPTORS);
    let rig = Rig::start(Bounds { per_address: 4096, ..few });
    println!("listening on {}", rig.https);
    // Until the parent has seen enough.
    let _ = std::io::stdin().read(&mut [0]);
}

const FEW_DESCRIPTORS: usize = 128;

#[test]
fn few_descriptors_are_never_used_up() {
    let mut child = Command::new("prlimit")
        .arg(format!("--nofile={FEW_DESCRIPTORS}"))
        .arg(std::env::current_exe().expect("a path"))
        .args(["--exact", "front::child_with_few_descriptors", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("prlimit");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let address = lines.find_map(|line| Some(line.ok()?.split_once("listening on ")?.1.parse()));
    let address = address.expect("an address").expect("an address");
    let flood: Vec<_> = (0..400).map(|_| TcpStream::connect(address)).collect();
    for _ in 0..20 {
        let mut client = Client::connect(address).expect("a TLS connection");
        assert_eq!(client.get("/hello").text(), "hello");
    }
    drop(flood);
    drop(child.stdin.take());
    assert!(child.wait().expect("ended").success());
}

#[test]
fn five_hundred_parked_clients_leave_everything_else_quick() {
    let rig = Rig::start(bounds());
    let connector = connector();
    let mut parked: Vec<Client> = (0..500)
        .map(|_| Client::connect_with(&connector, rig.https).expect("a TLS connection"))
        .collect();
    parked.iter_mut().for_each(|client| client.send(&get("/wait?until=20000")));
    let asked = || rig.app.requests.load(Ordering::SeqCst);
    wait_until("all to be parked", seconds(10), || asked() >= 500);
    let mut other = rig.client();
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(other.get("/hello").text(), "hello");
    }
    let quick = start.elapsed();
    rig.publish();
    let start = Instant::now();
    for client in &mut parked {
        assert_eq!(client.answer().expect("an answer").text(), "1");
    }
    println!("100 requests beside 500 parked: {quick:?}; all woken: {:?}", start.elapsed());
    assert!(quick < seconds(1), "{quick:?}");
    assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
}

#[test]
fn a_parked_client_gets_the_kept_answer_when_its_time_is_up() {
    let rig = Rig::start(bounds());
    let mut client = rig.client();
    let start = Instant::now();
    let answer = client.get("/wait?until=700");
    assert_eq!((answer.status, answer.text()), (200, "[]"));
    assert!(!answer.head.contains("Warren-"), "{}", answer.head);
    assert!(start.elapsed() >= Duration::from_millis(650), "{:?}", start.elapsed());
    // A wake-up without news neither answers nor prolongs.
    client.send(&get("/wait?until=900"));
    let start = Instant::now();
    for n in 1..8 {
        pause(Duration::from_millis(100));
        rig.wake(if n % 2 == 0 { "news" } else { EVERYONE });
    }
    assert!((5..20).contains(&rig.app.requests.load(Ordering::SeqCst)));
    assert_eq!(client.answer().expect("an answer").text(), "[]");
    assert!(start.elapsed() < Duration::from_millis(1800), "{:?}", start.elapsed());
    assert_eq!(client.get("/hello").text(), "hello");
}

#[test]
fn news_between_the_look_and_the_parking_is_not_lost() {
    let rig = Rig::start(bounds());
    let (wakes, app) = (rig.front.wakes(), rig.app.clone());
    let gap = move || {
        app.news.fetch_add(1, Ordering::SeqCst);
        wakes.wake(app.wakeups.fetch_add(1, Ordering::SeqCst) + 1, "news");
        // Long before the answer that still says "nothing yet".
        pause(Duration::from_millis(200));
    };
    *rig.app.gap.lock().expect("unpoisoned") = Some(Box::new(gap));
    let start = Instant::now();
    assert_eq!(rig.client().get("/wait").text(), "1");
    assert!(start.elapsed() < seconds(2), "{:?}", start.elapsed());
}

#[test]
fn a_parked_client_that_leaves_is_noticed() {
    let rig = Rig::start(Bounds { per_address: 1, ..bounds() });
    let mut parked = rig.client();
    parked.send(&get("/wait?until=60000"));
    wait_until("it to be parked", seconds(5), || rig.app.requests.load(Ordering::SeqCst) == 1);
    drop(parked);
    wait_until("its seat to be free", seconds(5), || {
        Client::connect(rig.https).is_ok_and(|mut client| client.get("/hello").status == 200)
    });
}

#[test]
fn the_plain_port_redirects_and_serves_health() {
    let rig = Rig::start(bounds());
    let ask = |request: &str| {
        let mut socket = TcpStream::connect(rig.http).expect("a connection");
        socket.set_read_timeout(Some(seconds(5))).expect("a time limit");
        socket.write_all(request.as_bytes()).expect("sent");
        answer(&mut socket, &mut Vec::new()).expect("an answer")
    };
    let moved = ask("GET /a?b HTTP/1.1\r\nHost: h:80\r\n\r\n");
    assert_eq!(moved.status, 301);
    let location = format!("\r\nLocation: https://h:{}/a?b\r\n", rig.https.port());
    assert!(moved.head.contains(&location), "{}", moved.head);
    assert!(ask(&get("/ping")).text().starts_with("GET /ping"));
    assert_eq!(ask(&get("/.well-known/acme-challenge/x")).status, 404);
    assert_eq!(ask("GET / HTTP/1.0\r\n\r\n").status, 505);
}

#[test]
fn a_new_certificate_is_used_without_dropping_anyone() {
    let rig = Rig::start(bounds());
    let mut before = rig.client();
    let (chain, key) = certificate("second.example");
    rig.front.set_certificate(&chain, key.expose()).expect("a certificate");
    let subject = |client: &Client| {
        let certificate = client.stream.ssl().peer_certificate().expect("a certificate");
        format!("{:?}", certificate.subject_name())
    };
    wait_until("the new one to be shown", seconds(5), || {
        subject(&rig.client()).contains("second.example")
    });
    assert!(subject(&before).contains("first.example"));
    assert_eq!(before.get("/hello").text(), "hello");
    assert!(rig.front.set_certificate(b"", key.expose()).is_err());
}
