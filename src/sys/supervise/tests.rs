//! Real children: `sleep`, `true`, `sh`.

use super::*;
use crate::sys::process::{Identity, adopt};
use std::sync::mpsc;

fn plan(program: &str, args: &[&str]) -> (Plan, mpsc::Receiver<Identity>) {
    let (tx, started) = mpsc::channel();
    let program = program.to_owned();
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let spec = move || Spec {
        program: program.clone().into(),
        args: args.iter().map(Into::into).collect(),
        dies_with_parent: true,
        ..Spec::default()
    };
    let plan = Plan {
        name: "child".to_owned(),
        log: None,
        spec: Box::new(spec),
        started: Box::new(move |p| tx.send(p.identity().clone()).expect("the test listens")),
        adopted: None,
        stop_max: Duration::from_millis(500),
    };
    (plan, started)
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn pauses_grow_to_their_bound_and_a_long_life_forgets_them() {
    let mut backoff = Backoff::default();
    let rows = [(0, 200), (0, 400), (0, 800), (0, 1600), (29_999, 3200), (30_000, 200), (0, 400)];
    for (lived_ms, pause_ms) in rows {
        assert_eq!(backoff.pause(Duration::from_millis(lived_ms)).as_millis(), pause_ms);
    }
    let longest = (0..20).map(|_| backoff.pause(Duration::ZERO)).max();
    assert_eq!(longest, Some(CHILD_BACKOFF_MAX));
}

#[test]
fn a_child_that_dies_is_started_again_and_a_stop_ends_it() {
    let (plan, started) = plan("sleep", &["60"]);
    let clock = Clock::system();
    let supervisor = start(plan).expect("a thread");
    let first = started.recv_timeout(SOON).expect("started");
    let mut process = adopt(&first).expect("watched").expect("alive");
    process.signal(libc::SIGKILL).expect("killed");
    let second = started.recv_timeout(SOON).expect("started again");
    assert_ne!(first.pid, second.pid);
    assert!(process.wait(SOON).is_some() && adopt(&first).expect("looked").is_none());
    supervisor.stop(&clock, clock.mono() + SOON).expect("in time");
    assert!(adopt(&second).expect("looked").is_none(), "it was stopped with its supervisor");
}

#[test]
fn one_that_ignores_term_is_killed_at_the_deadline() {
    let (plan, started) = plan("sh", &["-c", "trap '' TERM; sleep 60; sleep 60"]);
    let clock = Clock::system();
    let supervisor = start(plan).expect("a thread");
    let identity = started.recv_timeout(SOON).expect("started");
    let limit = clock.mono() + SOON;
    while !ignores_term(identity.pid) {
        assert!(clock.mono() < limit, "the shell sets its trap");
        clock.pause(Duration::from_millis(1));
    }
    let begin = clock.mono();
    supervisor.stop(&clock, begin + SOON).expect("in time");
    assert!(clock.mono().since(begin) >= Duration::from_millis(500), "it got its time");
    assert!(adopt(&identity).expect("looked").is_none());
}

fn ignores_term(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (libc::SIGTERM - 1) != 0)
}

#[test]
fn a_missing_program_is_reported_and_the_stop_does_not_wait_for_the_pause() {
    let (plan, _started) = plan("/nonexistent/program", &[]);
    let clock = Clock::system();
    let supervisor = start(plan).expect("a thread");
    let event = supervisor.events().recv_timeout(SOON).expect("an event");
    assert!(matches!(event, Event::Failed(ProcessError::NotFound { .. })), "{event:?}");
    supervisor.stop(&clock, clock.mono() + SOON).expect("in time");
}

#[test]
fn another_process_with_the_same_pid_is_not_adopted() {
    let own = Identity::of(std::process::id()).expect("this process");
    assert_eq!(Identity::parse(&own.to_string()), Some(own.clone()));
    assert!(adopt(&own).expect("looked").is_some());
    let earlier = Identity { start: own.start - 1, ..own.clone() };
    assert!(adopt(&earlier).expect("looked").is_none());
    let other_boot = Identity { boot: "0".to_owned(), ..own };
    assert!(adopt(&other_boot).expect("looked").is_none());
}
