//! What passes between hosts: messages, claims of jobs, and a server whose host was killed.

use crate::agent::Agent;
use crate::api::server_body;
use crate::idle::family;
use crate::report::{Report, Samples};
use crate::support::daemon::{Daemon, Home};
use crate::support::lab::{Host, Lab};
use crate::support::mongo::ReplicaSet;
use crate::support::place::signal;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Document, doc, oid::ObjectId};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use warren::base::clock::Clock;
use warren::base::ids::{Holder, HostId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus::{self, Bus, Heard, Message, Subscription};
use warren::limits;
use warren::pki::KeyKind;
use warren::store::Store;
use warren::store::jobs::{NewJob, Work};
use warren::thread::Stop;

const MESSAGES: usize = 300;
const FLOOD: usize = 20_000;
const JOBS: usize = 2_000;
const KILLS: usize = 20;
/// Beyond the servers of the other parts.
const SERVER: usize = 7;

fn store(set: &ReplicaSet) -> Store {
    let uri = Secret::new(set.uri().to_owned());
    Store::connect(&uri, Clock::system(), Random::system()).expect("a store")
}

fn host_id(number: usize) -> HostId {
    HostId::from_bytes([u8::try_from(number).expect("few hosts"); 16])
}

/// Two hosts that are nothing but a bus each, in this process.
pub fn bus(report: &mut Report, set: &ReplicaSet) {
    let host = |number| {
        let store = store(set);
        let clock = store.clock().clone();
        bus::spawn(store, host_id(number), clock).expect("a bus")
    };
    let ((speaker, _speaking), (listener, _listening)) = (host(201), host(202));
    let ear = listener.subscribe("bench");
    wait_until("an open bus", seconds(15), || {
        speaker.publish(Message::Wake { key: "open".to_owned() });
        ear.next(&Stop::never(), Duration::from_millis(50)).is_some()
    });
    drain(&ear);
    let one = |n| {
        // As messages come: not in step with anything.
        pause(Duration::from_micros(2_000 + (n as u64 * 797) % 5_000));
        let begin = Instant::now();
        say(&speaker, n);
        hear(&ear);
        begin.elapsed()
    };
    let took = Samples::of((0..MESSAGES).map(one).collect());
    report.row("bus: published on host A to heard on host B", "none", &took.text());
    let begin = Instant::now();
    let mut heard = 0;
    for said in 0..FLOOD {
        say(&speaker, said);
        // A subscriber that lags this far loses its backlog.
        while said - heard >= limits::BUS_SUBSCRIBER_MAX / 2 {
            hear(&ear);
            heard += 1;
        }
    }
    (heard..FLOOD).for_each(|_| hear(&ear));
    let rate = FLOOD as f64 / begin.elapsed().as_secs_f64();
    let measured = format!("{rate:.0}/s, both hosts and mongod on these cores");
    report.row("bus: messages from host A to host B, batched by the outbox", "none", &measured);
}

fn say(bus: &Bus, n: usize) {
    bus.publish(Message::Wake { key: format!("bench/{n}") });
}

fn hear(ear: &Subscription) {
    let heard = ear.next(&Stop::never(), seconds(15));
    assert!(matches!(heard, Some(Heard::Message(_))), "{heard:?}");
}

fn drain(ear: &Subscription) {
    while ear.next(&Stop::never(), Duration::from_millis(300)).is_some() {}
}

/// Jobs that nobody works at, claimed by hosts that do nothing else.
pub fn claims(report: &mut Report, set: &ReplicaSet) {
    let stores: Vec<Store> = (0..10).map(|_| store(set)).collect();
    for hosts in [1, 3, 10] {
        plant_jobs(set, &stores[0]);
        let start = Barrier::new(hosts + 1);
        let (start, mut begin, mut claimed) = (&start, Instant::now(), Vec::new());
        thread::scope(|scope| {
            let claim = |(number, store)| scope.spawn(move || claim_all(number, store, start));
            let threads: Vec<_> = stores[..hosts].iter().enumerate().map(claim).collect();
            start.wait();
            begin = Instant::now();
            claimed = threads.into_iter().map(|thread| thread.join().expect("a host")).collect();
        });
        let took = begin.elapsed().as_secs_f64();
        assert_eq!(claimed.iter().sum::<usize>(), JOBS, "each once");
        let most = claimed.iter().max().copied().unwrap_or(0);
        let least = claimed.iter().min().copied().unwrap_or(0);
        let measured = format!("{:.0}/s, {least} to {most} a host", JOBS as f64 / took);
        report.row(&format!("claims of jobs by {hosts} hosts"), "none", &measured);
    }
    jobs(set).delete_many(doc! {}).run().expect("no jobs");
}

fn claim_all(number: usize, store: &Store, start: &Barrier) -> usize {
    let holder = Holder { host: host_id(210 + number), epoch: 1 };
    start.wait();
    let claim = || store.job_claim(holder, false, Duration::ZERO).expect("an answer");
    std::iter::from_fn(claim).count()
}

fn jobs(set: &ReplicaSet) -> mongodb::sync::Collection<Document> {
    set.client().database("warren").collection("jobs")
}

fn plant_jobs(set: &ReplicaSet, store: &Store) {
    let (coll, id) = (jobs(set), store.new_id());
    coll.delete_many(doc! {}).run().expect("no jobs");
    let work = Work::PrivateKey(KeyKind::Rsa2048);
    store.job_insert(NewJob { id, work, reserved_for: None }).expect("a job");
    let one = coll.find_one(doc! {}).run().expect("a database").expect("a job");
    let copy = |_| {
        let mut copy = one.clone();
        copy.insert("_id", ObjectId::new());
        copy
    };
    coll.insert_many((1..JOBS).map(copy)).run().expect("jobs");
}

/// How long the clients of a killed host wait until another one answers them.
pub fn takeover(
    report: &mut Report,
    lab: &Lab,
    set: &ReplicaSet,
    homes: [&Home; 2],
    daemons: [Daemon<'_>; 2],
    agents: &mut [Agent; 2],
) {
    let names = ["h1", "h2"];
    let server = shared_server(&mut agents[0]);
    let knock = Knock::with_key_of(set, &server);
    let places = names.map(|name| lab.host(name));
    let client = lab.host("c1");
    let mut daemons = daemons.map(Some);
    let mut took = Vec::new();
    for n in 0..KILLS {
        let runs = || (0..2).find(|at| knock.is_answered(client, places[*at]));
        let mut holder = None;
        wait_until("a host that runs the server", seconds(30), || {
            holder = runs();
            holder.is_some()
        });
        let victim = holder.expect("just seen");
        let heir = 1 - victim;
        wait_until("two living hosts", seconds(30), || both_online(&mut agents[heir]));
        // Not in step with the heir's beat.
        pause(Duration::from_millis(1_000 + (n as u64 * 617) % 1_000));
        let begin = Instant::now();
        kill(daemons[victim].take().expect("it runs"));
        wait_until("the other host", seconds(30), || knock.is_answered(client, places[heir]));
        took.push(begin.elapsed());
        daemons[victim] = Some(homes[victim].start());
    }
    let what = "host killed with its OpenVPN, to OpenVPN answering on another host";
    let all: Vec<String> = took.iter().map(|t| format!("{:.2}", t.as_secs_f64())).collect();
    let samples = Samples::of(took);
    report.row(what, "none", &format!("{}; in order, s: {}", samples.text(), all.join(" ")));
    let nothing = json!({});
    agents[0].put(&format!("/server/{server}/operation/stop"), &nothing).ok();
}

/// On both hosts, one replica.
fn shared_server(agent: &mut Agent) -> String {
    // One without users: how many there are is measured elsewhere.
    let organizations = agent.get("/organization").ok().json();
    let org = organizations[1]["id"].as_str().expect("an organization").to_owned();
    let body = server_body("shared", SERVER);
    let server = agent.post("/server", &body).ok().json();
    let server = server["id"].as_str().expect("an id").to_owned();
    let nothing = json!({});
    agent.put(&format!("/server/{server}/organization/{org}"), &nothing).ok();
    let hosts = agent.get("/host").ok().json();
    for host in hosts.as_array().expect("hosts") {
        let id = host["id"].as_str().expect("an id");
        let attach = agent.put(&format!("/server/{server}/host/{id}"), &nothing);
        assert_eq!(attach.status, 200, "{}", String::from_utf8_lossy(&attach.body));
    }
    agent.put(&format!("/server/{server}/operation/start"), &nothing).ok();
    server
}

fn both_online(agent: &mut Agent) -> bool {
    let hosts = agent.get("/host").json();
    let online = |host: &serde_json::Value| host["status"] == "online";
    hosts.as_array().is_some_and(|hosts| hosts.len() == 2 && hosts.iter().all(online))
}

fn kill(mut daemon: Daemon<'_>) {
    let all = family(daemon.process.pid());
    daemon.process.kill_9();
    for pid in all.into_iter().skip(1) {
        // The edge may have followed its parent by itself.
        if crate::idle::name(pid).starts_with("openvpn") {
            signal(pid, libc::SIGKILL);
        }
    }
}

/// First packets of a handshake, as `tls-auth` wants them.
struct Knock {
    key: PKey<Private>,
}

impl Knock {
    /// With the key that is in the profiles of this server.
    fn with_key_of(set: &ReplicaSet, server: &str) -> Knock {
        let id = ObjectId::parse_str(server).expect("an id");
        let servers = set.client().database("warren").collection::<Document>("servers");
        let found = servers.find_one(doc! { "_id": id }).run().expect("a database");
        let found = found.expect("a server");
        let text = found.get_str("tls_auth_key").expect("a key");
        let hex = text.lines().filter(|line| line.bytes().all(|b| b.is_ascii_hexdigit()));
        let hex: String = hex.collect();
        // Of two pairs of keys clients sign with the second one's second.
        let digits = hex.as_bytes()[2 * 192..2 * 212].chunks(2);
        let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).expect("hex"), 16);
        let bytes: Vec<u8> = digits.map(|two| byte(two).expect("hex")).collect();
        Knock { key: PKey::hmac(&bytes).expect("a key") }
    }

    /// Whether OpenVPN answers.
    fn is_answered(&self, from: &Host, to: &Host) -> bool {
        const HARD_RESET_CLIENT_V2: u8 = 7 << 3;
        const HARD_RESET_SERVER_V2: u8 = 8 << 3;
        let port = 12_000 + u16::try_from(SERVER).expect("small");
        let socket = from.net(|| UdpSocket::bind("0.0.0.0:0").expect("a socket"));
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let now = warren::base::clock::wall_ms() / 1000;
        let time = u32::try_from(now).expect("a time").to_be_bytes();
        let session = [&[HARD_RESET_CLIENT_V2], &ObjectId::new().bytes()[4..]].concat();
        let replay = [&1_u32.to_be_bytes()[..], &time].concat();
        // No acknowledgements, and packet number 0.
        let rest = [0; 5];
        let mut signer = Signer::new(MessageDigest::sha1(), &self.key).expect("a signer");
        let signed = [&replay[..], &session, &rest].concat();
        let code = signer.sign_oneshot_to_vec(&signed).expect("a code");
        let packet = [&session[..], &code, &replay, &rest].concat();
        let sent = socket.send_to(&packet, SocketAddr::from((to.address, port)));
        let mut answer = [0; 256];
        sent.is_ok()
            && socket.recv(&mut answer).is_ok_and(|n| n > 0 && answer[0] == HARD_RESET_SERVER_V2)
    }
}
