//! A client's connection, and what a gigabyte costs.

use crate::agent::Agent;
use crate::api::first_organization;
use crate::idle;
use crate::report::{Report, Samples};
use crate::support::lab::Lab;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::wait::{pause, seconds};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTS: usize = 20;
const TRANSFER_S: u64 = 10;

pub fn all(report: &mut Report, lab: &Lab, agent: &mut Agent, daemon: u32) {
    let org = first_organization(agent);
    let servers = agent.get("/server").ok().json();
    let server = servers[0]["id"].as_str().expect("a server").to_owned();
    let nothing = serde_json::json!({});
    agent.put(&format!("/server/{server}/organization/{org}"), &nothing).ok();
    let start = agent.put(&format!("/server/{server}/operation/start"), &nothing).ok();
    report.row("start of a server until it answers", "0.5 s", &format!("{:?}", start.took));
    let users = agent.get(&format!("/user/{org}")).ok().json();
    let user = users[0]["id"].as_str().expect("a user").to_owned();
    let profile = agent.get(&format!("/data/{org}/{user}/{server}.key")).ok();
    let profile = String::from_utf8(profile.body).expect("a profile");
    connects(report, lab, &profile);
    let behind = lab.behind("h1");
    transfer(report, lab, &profile, daemon, &behind.address.to_string(), &behind);
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

fn transfer(
    report: &mut Report,
    lab: &Lab,
    profile: &str,
    daemon: u32,
    to: &str,
    behind: &crate::support::lab::Host,
) {
    let mut tunnel = Tunnel::start(lab.host("c1"), profile, None);
    assert_eq!(tunnel.outcome(seconds(30)), Attempt::Connected);
    let mut serve = Command::new("iperf3");
    serve.args(["-s", "-1"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut serve = behind.spawn(&mut serve).expect("iperf3");
    // It listens soon; the client tries until then.
    pause(Duration::from_millis(500));
    let (mut ours, mut openvpn) = (Vec::new(), Vec::new());
    for pid in idle::family(daemon) {
        match idle::name(pid).starts_with("openvpn") {
            true => openvpn.push(pid),
            false => ours.push(pid),
        }
    }
    let before = (idle::cpu(&ours), idle::cpu(&openvpn));
    let seconds_text = TRANSFER_S.to_string();
    let output = lab.host("c1").output(&["iperf3", "-c", to, "-t", &seconds_text, "-J"]);
    let after = (idle::cpu(&ours), idle::cpu(&openvpn));
    let _ = serve.wait();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("iperf3's report");
    let bytes = json["end"]["sum_received"]["bytes"].as_f64().expect("bytes");
    let (ours, openvpn) = ((after.0 - before.0).as_secs_f64(), (after.1 - before.1).as_secs_f64());
    let gigabytes = bytes / 1e9;
    let measured = format!(
        "ratio {:.4}: OpenVPN {:.2} s/GB, daemon and edge {:.3} s/GB, {:.0} Mbit/s",
        (ours + openvpn) / openvpn,
        openvpn / gigabytes,
        ours / gigabytes,
        bytes * 8.0 / 1e6 / TRANSFER_S as f64,
    );
    report.row("CPU per GB, with the daemon's against OpenVPN's alone", "1.03", &measured);
}
