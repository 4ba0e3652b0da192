//! What `make bench` runs: the figures of design section 16 on real daemons, a real replica set and
//! a real tunnel, each beside its budget. It prints; it asserts nothing about speed.

mod agent;
mod api;
mod hosts;
mod idle;
mod report;
#[allow(dead_code, reason = "the lab of the tests offers more than this needs")]
#[path = "../../tests/all/support/mod.rs"]
mod support;
mod tunnel;

use agent::Agent;
use report::Report;
use support::daemon::Home;
use support::lab::Lab;
use support::mongo::ReplicaSet;
use support::needs::{Need, all_met};
use support::wait::{seconds, wait_until};

/// Long enough for both pools of a fresh box on two slow cores.
const POOLS_FULL: std::time::Duration = seconds(600);
const PASSWORD: &str = "four words of mine";

fn main() {
    // `cargo test --benches` starts it too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    assert!(
        all_met(&[Need::Namespaces, Need::Tun, Need::OpenVpn, Need::Mongod, Need::Nft]),
        "this machine can not run the benches"
    );
    let mut report = Report::default();
    report.machine();
    report.note("one machine carries all hosts, clients, the database and the measuring");
    let lab = Lab::new(&["h1", "h2", "c1"]);
    let set = ReplicaSet::local();
    let (one, two) =
        (Home::new(lab.host("h1"), Some(set.uri())), Home::new(lab.host("h2"), Some(set.uri())));
    one.set("log_level", "\"info\"");
    two.set("log_level", "\"info\"");
    idle::program(&mut report);
    idle::start(&mut report, &one);
    let first = one.start();
    let mut agent = Agent::enter(&one, &first.default_password(), PASSWORD);
    let filled = wait_until("full pools", POOLS_FULL, || pools_are_full(&mut agent));
    report.note(&format!("pools of a fresh box were full after {:.0} s", filled.as_secs_f64()));
    idle::resting(&mut report, &set, first.process.pid());
    api::creations(&mut report, &mut agent);
    tunnel::all(&mut report, &lab, &set, &mut agent, first.process.pid());
    api::status(&mut report, &one, &mut agent);
    let second = two.start();
    let mut other = Agent::enter(&two, PASSWORD, PASSWORD);
    api::events(&mut report, &mut agent, &mut other);
    let mut agents = [agent, other];
    hosts::takeover(&mut report, &lab, [&one, &two], [first, second], &mut agents);
    let daemon = one.start();
    let [mut agent, _] = agents;
    api::many_users(&mut report, &set, &mut agent);
    assert!(daemon.stop().success());
    hosts::bus(&mut report, &set);
    hosts::claims(&mut report, &set);
    report.print();
}

fn pools_are_full(agent: &mut Agent) -> bool {
    let pools = agent.get("/pool").json();
    let full = |pool: &serde_json::Value| pool["depth"].as_i64() >= pool["target"].as_i64();
    pools.as_array().is_some_and(|pools| !pools.is_empty() && pools.iter().all(full))
}
