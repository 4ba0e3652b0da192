//! What `make bench` runs: the figures of design section 16 on real daemons, a real replica set and
//! a real tunnel, each beside its budget. It prints; it asserts nothing about speed.

mod agent;
mod api;
mod hosts;
mod idle;
mod report;
#[allow(dead_code, unused_imports, reason = "the checks of the simulator are tests")]
#[path = "../../tests/sim/mod.rs"]
mod sim;
#[allow(dead_code, reason = "the lab of the tests offers more than this needs")]
#[path = "../../tests/all/support/mod.rs"]
mod support;
mod tunnel;

use agent::Agent;
use report::Report;
use support::daemon::{Daemon, Home};
use support::lab::Lab;
use support::mongo::ReplicaSet;
use support::needs::{Need, all_met};
use support::wait::{seconds, wait_until};

/// Long enough for both pools of a fresh box on two slow cores.
const POOLS_FULL: std::time::Duration = seconds(600);
const SCHEDULES: u64 = 50;
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
    if wanted("simulator") {
        simulator(&mut report);
    }
    let lab = Lab::new(&["h1", "h2", "c1"]);
    let set = ReplicaSet::local();
    let (one, two) =
        (Home::new(lab.host("h1"), Some(set.uri())), Home::new(lab.host("h2"), Some(set.uri())));
    one.set("log_level", "\"info\"");
    two.set("log_level", "\"info\"");
    let first = rest(&mut report, &one);
    let mut agent = Agent::enter(&one, &first.default_password(), PASSWORD);
    let filled = wait_until("full pools", POOLS_FULL, || pools_are_full(&mut agent));
    report.note(&format!("pools of a fresh box were full after {:.0} s", filled.as_secs_f64()));
    if wanted("rest") {
        idle::resting(&mut report, &set, first.process.pid());
    }
    // All others work with what these make.
    api::creations(&mut report, &mut agent);
    if wanted("tunnel") {
        tunnel::all(&mut report, &lab, &set, &mut agent, first.process.pid());
    }
    if wanted("status") {
        api::status(&mut report, &one, &mut agent);
    }
    let second = two.start();
    let mut other = Agent::enter(&two, PASSWORD, PASSWORD);
    if wanted("events") {
        api::events(&mut report, &mut agent, &mut other);
    }
    if wanted("users") {
        api::many_users(&mut report, &set, &mut agent);
    }
    if wanted("bus") {
        hosts::bus(&mut report, &set);
    }
    if wanted("takeover") {
        let mut agents = [agent, other];
        hosts::takeover(&mut report, &lab, &set, [&one, &two], [first, second], &mut agents);
    }
    if wanted("claims") {
        hosts::claims(&mut report, &ReplicaSet::local());
    }
    report.print();
}

/// Alone, before anything else runs.
fn simulator(report: &mut Report) {
    let (failed, speed) = sim::hunt(0, SCHEDULES);
    assert_eq!(failed, 0, "schedules fail");
    let measured = format!("{speed:.1}/s, of 4 000 steps with faults each");
    report.row("simulated schedules per second", "none", &measured);
}

/// Parts may be named: `make bench PARTS="tunnel status"`; without names all are run.
fn wanted(part: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|word| word == part)
}

/// The program, and how it starts; it runs then.
fn rest<'a>(report: &mut Report, home: &'a Home) -> Daemon<'a> {
    if wanted("rest") {
        idle::program(report);
        idle::start(report, home);
    }
    home.start()
}

fn pools_are_full(agent: &mut Agent) -> bool {
    let pools = agent.get("/pool").json();
    let full = |pool: &serde_json::Value| pool["depth"].as_i64() >= pool["target"].as_i64();
    pools.as_array().is_some_and(|pools| !pools.is_empty() && pools.iter().all(full))
}
