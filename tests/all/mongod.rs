//! The supervised local database: real `mongod` processes.

use crate::needs;
use crate::support::needs::mongod as program;
use crate::support::temp::TempDir;
use crate::support::wait::{seconds, wait_until};
use std::os::unix::net::UnixStream;
use std::path::Path;
use warren::base::clock::Clock;
use warren::mongod::{MongodError, Settings, start};
use warren::sys::process::{Identity, adopt};

fn settings(dir: &TempDir) -> Settings {
    Settings {
        program: program().into(),
        state_dir: dir.join("state"),
        run_dir: dir.join("run"),
        user: "warren".to_owned(),
    }
}

fn identity(settings: &Settings) -> Identity {
    let text = std::fs::read_to_string(settings.run_dir.join("mongodb/pid")).expect("a pid file");
    Identity::parse(&text).expect("an identity")
}

#[test]
fn it_answers_without_a_port_survives_the_daemon_and_stops_without_a_trace() {
    needs!(Mongod);
    let (dir, clock) = (TempDir::new("mongod"), Clock::system());
    let settings = settings(&dir);
    let first = start(&settings, &clock).expect("it starts");
    let who = identity(&settings);
    let fds = std::fs::read_dir(format!("/proc/{}/net", who.pid)).map(drop);
    assert!(fds.is_ok() && !listens_on_tcp(who.pid), "it listens on a Unix socket only");
    assert!(UnixStream::connect(first.member()).is_ok());

    // As after kill -9 of the daemon: nobody stopped it, and a new life finds it.
    std::mem::forget(first);
    let second = start(&settings, &clock).expect("it is adopted");
    assert_eq!(identity(&settings), who, "the same process");
    second.stop(&clock, clock.mono() + seconds(10)).expect("a clean stop");
    assert!(adopt(&who).expect("looked").is_none());
    assert!(!settings.run_dir.join("mongodb").exists());
    assert!(
        std::fs::read_to_string(dir.join("state/mongodb/log")).expect("a log").contains("exit")
    );
}

/// Whether one of the process's descriptors is a listening TCP socket.
fn listens_on_tcp(pid: u32) -> bool {
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("descriptors")
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    ["tcp", "tcp6"].iter().any(|table| {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words[3] == "0A" && own.contains(&format!("socket:[{}]", words[9]))
        })
    })
}

#[test]
fn one_that_dies_is_started_again() {
    needs!(Mongod);
    let (dir, clock) = (TempDir::new("mongod-dies"), Clock::system());
    let settings = settings(&dir);
    let mongod = start(&settings, &clock).expect("it starts");
    let first = identity(&settings);
    let mut process = adopt(&first).expect("looked").expect("alive");
    process.kill().expect("killed");
    wait_until("another mongod", seconds(20), || {
        identity(&settings) != first && UnixStream::connect(mongod.member()).is_ok()
    });
    mongod.stop(&clock, clock.mono() + seconds(10)).expect("a clean stop");
}

#[test]
fn bad_surroundings_are_named() {
    needs!(Mongod);
    let (dir, clock) = (TempDir::new("mongod-bad"), Clock::system());
    let good = settings(&dir);
    let absent = Settings { program: "/nonexistent/mongod".into(), ..good.clone() };
    let error = start(&absent, &clock).expect_err("no program");
    assert!(matches!(error, MongodError::NotInstalled { .. }), "{error}");
    let old = Settings { program: "true".into(), ..good.clone() };
    assert!(matches!(start(&old, &clock).expect_err("no version"), MongodError::TooOld { .. }));
    let read_only = Settings { state_dir: Path::new("/proc/warren").to_owned(), ..good.clone() };
    let error = start(&read_only, &clock).expect_err("not writable");
    assert!(error.to_string().contains("could not create /proc/warren"), "{error}");
    let nobody = Settings { user: "warren-no-such-user".to_owned(), ..good.clone() };
    assert!(matches!(start(&nobody, &clock).expect_err("no user"), MongodError::User(_)));

    // Files of another kind: mongod itself ends, and its log says why.
    std::fs::create_dir_all(dir.join("state/mongodb/data")).expect("a directory");
    std::fs::write(dir.join("state/mongodb/data/WiredTiger"), "nonsense").expect("written");
    std::fs::write(dir.join("state/mongodb/data/storage.bson"), "nonsense").expect("written");
    let error = start(&good, &clock).expect_err("broken files");
    assert!(matches!(error, MongodError::Ended { .. }), "{error}");
    assert!(error.to_string().len() > 40, "{error}");
}
