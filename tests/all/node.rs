//! A whole host: the real daemon on a database of its own, from start to stop, through a crash, and
//! in bad surroundings.

use crate::needs;
use crate::support::daemon::{Home, user};
use crate::support::mongo::{Mongod, ReplicaSet};
use crate::support::needs::mongod;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::process::{Command, Output};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn mongod_pid(home: &Home) -> String {
    let file = std::fs::read_to_string(home.run_dir().join("mongodb/pid")).expect("a pid file");
    file.split_whitespace().next().expect("a pid").to_owned()
}

#[test]
fn a_fresh_box_runs_says_so_and_stops_without_a_trace() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let home = Home::new(&place, None);
    let daemon = home.start();
    let status = home.run(&["status", "--json"]);
    assert!(status.status.success(), "{}", text(&status));
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(json["daemon"]["running"], true);
    assert_eq!(json["hosts"][0]["online"], true);
    let second = home.run(&["run"]);
    assert_eq!(second.status.code(), Some(75), "{}", text(&second));
    assert!(text(&second).contains("another daemon"), "{}", text(&second));

    let stop = home.run(&["stop"]);
    assert!(stop.status.success(), "{}", text(&stop));
    drop(daemon);
    let left: Vec<_> = std::fs::read_dir(home.run_dir()).expect("a directory").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let after = home.run(&["status"]);
    assert_eq!(after.status.code(), Some(1));
    assert!(text(&after).contains("not running"), "{}", text(&after));
}

#[test]
fn the_database_outlives_a_killed_daemon_and_is_adopted() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let home = Home::new(&place, None);
    let mut daemon = home.start();
    let before = mongod_pid(&home);
    daemon.process.kill_9();
    let daemon = home.start();
    assert_eq!(mongod_pid(&home), before, "the same mongod");
    let ended = daemon.stop();
    assert!(ended.success(), "{ended}");
    wait_until("no process left", seconds(10), || {
        !place.sh("ps -eo args").contains("mongod --dbpath")
    });
}

#[test]
fn what_root_has_run_can_be_run_by_the_owner_of_its_state_afterwards() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let home = Home::new(&place, None).with_root();
    let (uid, gid) = user("warren");
    chown(home.state_dir(), Some(uid), Some(gid)).expect("given away");
    assert!(home.start().stop().success());
    for name in ["lock", "host-id", "place", "mongodb"] {
        let left = std::fs::metadata(home.state_dir().join(name)).expect(name);
        assert_eq!((left.uid(), left.gid()), (uid, gid), "{name}");
    }
}

#[test]
fn a_database_that_is_away_is_explained() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let home = Home::new(&place, None);
    let program = home.state_dir().with_file_name("the-mongod");
    symlink(mongod(), &program).expect("a link");
    home.set("mongod", &format!("{:?}", program.display().to_string()));
    let daemon = home.start();
    let explained = |says: &str| {
        wait_until(says, seconds(20), || {
            ["status", "doctor", "jobs"].iter().all(|what| text(&home.run(&[what])).contains(says))
        });
    };
    std::fs::remove_file(&program).expect("removed");
    place.sh(&format!("kill -9 {}", mongod_pid(&home)));
    explained("install MongoDB 5.0 or newer");
    symlink("/bin/false", &program).expect("a link");
    let log = home.state_dir().join("mongodb/log");
    wait_until("its log is named", seconds(20), || home.log().contains(&log.display().to_string()));
    drop(daemon);
}

/// Starts in surroundings that are prepared to be bad: one line, its code, and nothing changed.
#[test]
fn keys_of_a_terminal_reach_the_daemon_alone() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let home = Home::new(&place, None);
    let daemon = home.start();
    // A terminal signals the process group in its foreground.
    let listed = place.sh("ps -eo pid=,pgid=,args= | grep -E '[m]ongod --dbpath|[ ]edge( |$)'");
    let groups: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    assert_eq!(groups.len(), 2, "{listed}");
    assert!(groups.iter().all(|(pid, group)| pid == group), "{listed}");
    assert!(daemon.stop().success());
}

fn refused(home: &Home, code: i32, says: &str) {
    let output = home.run(&["run"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(says), "{says:?} is not in: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let left: Vec<_> = std::fs::read_dir(home.run_dir()).expect("a directory").collect();
    assert!(left.is_empty(), "{says}: left behind: {left:?}");
}

#[test]
fn bad_configurations_get_one_line_and_their_exit_code() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let rows: [(&str, &str, i32, &str); 7] = [
        ("log_level", "\"loud\"", 78, "warren.toml: line 4: log_level = \"loud\""),
        ("log_levle", "\"info\"", 78, "unknown field `log_levle`"),
        ("listen_https", "\"nowhere\"", 78, "listen_https"),
        ("mongodb_uri", "\"mongodb//localhost\"", 78, "mongodb_uri is not a connection string"),
        ("edge_user", "\"nobody-here\"", 69, "useradd --system"),
        ("openvpn", "\"/nonexistent/openvpn\"", 69, "apt-get install openvpn"),
        ("mongod", "\"/nonexistent/mongod\"", 69, "install MongoDB 5.0 or newer"),
    ];
    for (key, value, code, says) in rows {
        let home = Home::new(&place, None);
        home.set(key, value);
        refused(&home, code, says);
        if key == "mongod" {
            let said = text(&home.run(&["doctor"]));
            assert!(said.contains(says), "the doctor has the same cure: {said}");
        }
    }
}

#[test]
fn commands_end_with_their_code_whatever_surrounds_them() {
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let (closed, pipe) = std::io::pipe().expect("a pipe");
    drop(closed);
    let program = || Command::new(env!("CARGO_BIN_EXE_warren"));
    let code = |command: &mut Command| command.status().expect("warren").code();
    assert_eq!(code(program().arg("walk").stderr(full())), Some(64));
    assert_eq!(code(program().arg("version").stdout(full()).stderr(full())), Some(73));
    assert_eq!(code(program().arg("version").stdout(pipe)), Some(0), "as `| head` does it");
    let odd = OsStr::from_bytes(b"\xff");
    // The tests' own variables are no keys of a configuration either.
    let valid = program().arg("check-config").env_clear().env(odd, odd).output().expect("warren");
    assert!(valid.status.success(), "{valid:?}");
}

#[test]
fn check_config_says_what_it_has_read() {
    needs!(Namespaces, Mongod);
    let home = Home::new(&Place::isolated(), None);
    let said = home.run(&["check-config"]);
    assert!(said.status.success(), "{}", text(&said));
    let path = home.config().display().to_string();
    assert!(text(&said).contains(&format!("valid: {path}")), "{}", text(&said));
    std::fs::remove_file(home.config()).expect("a file");
    let said = home.run(&["check-config"]);
    assert_eq!(said.status.code(), Some(78), "{}", text(&said));
    assert!(text(&said).contains(&format!("could not read {path}: No such file")), "{said:?}");
}

#[test]
fn bad_databases_get_one_line_and_their_exit_code() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let standalone = Mongod::standalone(&place);
    let set = ReplicaSet::local();
    let wrong_password = set.uri().replace("mongodb://", "mongodb://warren:not-this-one@");
    let rows = [
        (standalone.uri(), 76, "standalone"),
        ("mongodb://127.0.0.1:1/?replicaSet=x".to_owned(), 75, "not available"),
        (wrong_password, 77, "refused the user name or password"),
    ];
    for (uri, code, says) in rows {
        refused(&Home::new(&place, Some(&uri)), code, says);
    }
}

#[test]
fn doubled_addresses_that_are_older_than_their_index_are_named_with_the_cure() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let addresses = set.client().database("warren").collection("addresses");
    let row = || doc! { "server_id": 1, "generation": 1, "address": 1, "user_id": 1 };
    addresses.insert_many([row(), row()]).run().expect("no index yet");
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    refused(&home, 76, "`warren tasks run addresses`");
}

#[test]
fn without_a_tun_device_the_cure_is_named() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    place.sh("chmod 600 /dev/net/tun");
    refused(&Home::new(&place, None), 69, "KERNEL==\"tun\", MODE=\"0666\"");
    place.sh("rm /dev/net/tun");
    refused(&Home::new(&place, None), 69, "there is no /dev/net/tun");
}

#[test]
fn a_full_disk_and_a_read_only_one_are_named_and_left_as_they_were() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let rows = [
        ("ro,size=1m", "true", "Read-only file system"),
        ("size=64k", "head -c 65536 /dev/zero >full || true", "No space left on device"),
        ("size=16m", "true", "needs 500 MB"),
    ];
    let (uid, gid) = user("warren");
    for (options, fill, says) in rows {
        let home = Home::new(&place, None);
        let state = home.state_dir().display().to_string();
        place.sh(&format!(
            "mount -t tmpfs -o {options},uid={uid},gid={gid} tmpfs {state}; cd {state}; {fill}"
        ));
        let before = place.sh(&format!("ls -A {state}"));
        refused(&home, 73, says);
        let lock_aside = |text: String| text.replace("lock\n", "");
        let after = place.sh(&format!("ls -A {state}"));
        assert_eq!(lock_aside(after), lock_aside(before), "{says}");
    }
}

#[test]
fn a_taken_port_is_named() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let _taken = place.net(|| TcpListener::bind("[::]:443").expect("a port"));
    let home = Home::new(&place, None);
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(71), "{}", text(&output));
    assert!(text(&output).contains("could not listen on [::]:443"), "{}", text(&output));
}

#[test]
fn a_copied_identity_is_refused_and_the_original_goes_on() {
    needs!(Namespaces, Mongod);
    let (place, elsewhere) = (Place::isolated(), Place::isolated());
    let set = ReplicaSet::local();
    let (home, copy) = (Home::new(&place, Some(set.uri())), Home::new(&elsewhere, Some(set.uri())));
    let mut daemon = home.start();
    let (from, to) = (home.state_dir(), copy.state_dir());
    place.sh(&format!("cp -a {}/. {}", from.display(), to.display()));
    refused(&copy, 75, "another daemon runs with this host's identity");
    assert!(daemon.process.is_running());
    assert_eq!(home.http().get("/ping").status, 200);
    // The original on another machine, after its end: nobody to wait for.
    drop(daemon);
    let moved = copy.start();
    assert!(moved.stop().success());
}

#[test]
fn a_host_whose_identity_was_taken_by_a_copy_ends() {
    needs!(Namespaces, Mongod);
    let (place, elsewhere) = (Place::isolated(), Place::isolated());
    let set = ReplicaSet::local();
    let (home, copy) = (Home::new(&place, Some(set.uri())), Home::new(&elsewhere, Some(set.uri())));
    let mut daemon = home.start();
    let (from, to) = (home.state_dir(), copy.state_dir());
    // As if it had always been there, so that its start does not watch first.
    place.sh(&format!(
        "cp -a {0}/. {1}; cd {1}
         echo \"$(cat /proc/sys/kernel/random/boot_id) $(stat -c '%d %i' host-id)\" >place",
        from.display(),
        to.display(),
    ));
    let later = copy.start();
    assert_eq!(daemon.process.wait_end(seconds(9)).code(), Some(75));
    assert!(daemon.process.log().contains("is a copy of this one"));
    assert!(later.stop().success());
}
