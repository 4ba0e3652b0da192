//! A client's connection, and what a gigabyte costs.

use crate::agent::Agent;
use crate::api::first_organization;
use crate::idle::{self, Cpu};
use crate::report::{Report, Samples};
use crate::support::lab::{Host, Lab};
use crate::support::mongo::ReplicaSet;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::process::Process;
use crate::support::temp::TempDir;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{Document, doc};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTS: usize = 20;
const TRANSFER_S: u64 = 5;
const ROUNDS: usize = 3;

pub fn all(report: &mut Report, lab: &Lab, set: &ReplicaSet, agent: &mut Agent, daemon: u32) {
    let org = first_organization(agent);
    let servers = agent.get("/server").ok().json();
    let server = servers[0]["id"].as_str().expect("a server").to_owned();
    let nothing = serde_json::json!({});
    agent.put(&format!("/server/{server}/organization/{org}"), &nothing).ok();
    let start = agent.put(&format!("/server/{server}/operation/start"), &nothing).ok();
    report.row(
        "start of a server until it answers",
        "0.5 s",
        &format!("{:.0} ms", start.took.as_secs_f64() * 1e3),
    );
    let users = agent.get(&format!("/user/{org}")).ok().json();
    let user = users[0]["id"].as_str().expect("a user").to_owned();
    let profile = agent.get(&format!("/data/{org}/{user}/{server}.key")).ok();
    let profile = String::from_utf8(profile.body).expect("a profile");
    connects(report, lab, &profile);
    transfers(report, lab, set, &profile, daemon);
}

fn connects(report: &mut Report, lab: &Lab, profile: &str) {
    let mut took = Vec::new();
    for _ in 0..CONNECTS {
        let begin = Instant::now();
        let mut tunnel = Tunnel::start(lab.host("c1"), profile, None);
        assert_eq!(tunnel.outcome(seconds(30)), Attempt::Connected);
        took.push(begin.elapsed());
        tunnel.process.terminate(seconds(10));
    }
    let samples = Samples::of(took);
    report.row("client connect, process start to tunnel", "p50 60 ms", &samples.text());
}

/// Alternately through the server under Warren and through a bare OpenVPN of the same settings and
/// keys, so that whatever else the machine does is in both.
fn transfers(report: &mut Report, lab: &Lab, set: &ReplicaSet, profile: &str, daemon: u32) {
    let behind = lab.behind("h1");
    let ours = idle::family(daemon);
    let (mut under, mut bare) = (Cost::default(), Cost::default());
    for _ in 0..ROUNDS {
        under.add(&transfer(lab, &behind, profile, &ours));
        let (server, profile) = bare_server(lab, set, profile);
        bare.add(&transfer(lab, &behind, &profile, &[server.process.pid()]));
    }
    let measured = format!(
        "ratio {:.3}: {:.2} s/GB with daemon and edge, {:.2} s/GB bare; {:.0} and {:.0} Mbit/s",
        under.per_gigabyte() / bare.per_gigabyte(),
        under.per_gigabyte(),
        bare.per_gigabyte(),
        under.mbit_per_second(),
        bare.mbit_per_second(),
    );
    report.row("CPU per GB through a tunnel, against bare OpenVPN", "ratio 1.03", &measured);
}

#[derive(Default)]
struct Cost {
    cpu: Duration,
    bytes: f64,
    seconds: f64,
}

impl Cost {
    fn add(&mut self, other: &Cost) {
        self.cpu += other.cpu;
        self.bytes += other.bytes;
        self.seconds += other.seconds;
    }

    fn per_gigabyte(&self) -> f64 {
        self.cpu.as_secs_f64() / (self.bytes / 1e9)
    }

    fn mbit_per_second(&self) -> f64 {
        self.bytes * 8.0 / 1e6 / self.seconds
    }
}

/// Downloads for a while; answers what these processes of the server's side have used.
fn transfer(lab: &Lab, behind: &Host, profile: &str, pids: &[u32]) -> Cost {
    let client = lab.host("c1");
    let mut tunnel = Tunnel::start(client, profile, None);
    assert_eq!(tunnel.outcome(seconds(30)), Attempt::Connected);
    let mut serve = Command::new("iperf3");
    serve.args(["-s", "-1"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut serve = behind.spawn(&mut serve).expect("iperf3");
    wait_until("iperf3", seconds(10), || behind.sh("ss -Hltn sport = :5201").contains("5201"));
    let (to, time) = (behind.address.to_string(), TRANSFER_S.to_string());
    let before = Cpu::of(pids);
    let output = client.output(&["iperf3", "-c", &to, "-R", "-t", &time, "-J"]);
    let cpu = Cpu::of(pids).since(&before, pids);
    // It ends by itself after one client, unless none came.
    let _ = serve.kill();
    let _ = serve.wait();
    tunnel.process.terminate(seconds(10));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("iperf3's report");
    let sum = &json["end"]["sum_received"];
    let number = |name: &str| sum[name].as_f64().unwrap_or_else(|| panic!("no {name}: {json}"));
    Cost { cpu, bytes: number("bytes"), seconds: number("seconds") }
}

struct Bare {
    process: Process,
    _dir: TempDir,
}

/// OpenVPN without Warren on the same host, and the profile for it.
fn bare_server(lab: &Lab, set: &ReplicaSet, profile: &str) -> (Bare, String) {
    let database = set.client().database("warren");
    let first = |name: &str, filter| {
        let all = database.collection::<Document>(name);
        let found = all.find_one(filter).sort(doc! { "_id": 1 }).run();
        found.expect("a database").expect("a document")
    };
    let server = first("servers", doc! { "name": "server-0" });
    let id = |document: &Document, name: &str| document.get_object_id(name).expect(name);
    let user = first("users", doc! { "resource_id": id(&server, "_id") });
    let org = first("organizations", doc! { "_id": id(&user, "org_id") });
    let text = |document: &Document, name: &str| document.get_str(name).expect(name).to_owned();
    let block = |tag: &str, content: &str| format!("<{tag}>\n{}\n</{tag}>\n", content.trim());
    let config = [
        BARE.to_owned(),
        block("tls-auth", &text(&server, "tls_auth_key")),
        block("ca", &text(&org, "ca_certificate")),
        block("cert", &text(&user, "certificate")),
        block("key", &text(&user, "private_key")),
    ];
    let dir = TempDir::new("bare");
    let path = dir.join("server.conf");
    std::fs::write(&path, config.concat()).expect("a configuration");
    let host = lab.host("h1");
    host.sh("nft 'add table ip bare; flush table ip bare; add chain ip bare post \
             { type nat hook postrouting priority srcnat; }; \
             add rule ip bare post ip saddr 10.30.0.0/16 masquerade'");
    let mut command = Command::new("openvpn");
    command.arg("--config").arg(&path);
    let mut process = Process::start(host, &mut command, &dir.join("log"));
    process.wait_log("Initialization Sequence Completed", seconds(10));
    let other = profile.replace(" 12000 ", &format!(" {BARE_PORT} "));
    assert_ne!(profile, other, "another port");
    (Bare { process, _dir: dir }, other)
}

const BARE_PORT: u16 = 12_099;

/// What `src/vpn/config.rs` says for the first server, without what belongs to Warren. The device
/// is one whose traffic the host may forward.
const BARE: &str = "
port 12099
proto udp4
dev wrnbare
dev-type tun
topology subnet
server 10.30.0.0 255.255.0.0
push \"route 10.99.0.0 255.255.255.0\"
keepalive 10 60
cipher AES-128-CBC
data-ciphers AES-128-GCM:AES-128-CBC
auth SHA1
tls-version-min 1.2
remote-cert-tls client
persist-tun
persist-key
disable-dco
verb 2
mute 4
sndbuf 393216
rcvbuf 393216
reneg-sec 2592000
replay-window 128
multihome
dh none
key-direction 0
";
