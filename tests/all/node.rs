//! A whole host: the real daemon on a database of its own, from start to stop, through a crash, and
//! in bad surroundings.

use crate::needs;
use crate::support::daemon::Home;
use crate::support::mongo::Mongod;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_until};
use std::net::TcpListener;
use std::process::Output;

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
fn bad_surroundings_get_one_line_and_their_exit_code() {
    needs!(Namespaces, Mongod);
    let place = Place::isolated();
    let standalone = Mongod::standalone(&place);
    let uri = standalone.uri();
    let unknown_key = "log_levle = \"info\"\n";
    let rows: [(&str, Option<&str>, i32, &str); 4] = [
        (unknown_key, None, 78, "unknown field `log_levle`"),
        ("edge_user = \"nobody-here\"\n", None, 69, "useradd --system"),
        ("", Some(&uri), 76, "standalone"),
        ("", Some("mongodb://127.0.0.1:1/?replicaSet=x"), 75, "not available"),
    ];
    for (config, uri, code, says) in rows {
        let home = Home::new(&place, uri);
        home.configure(config);
        let output = home.run(&["run"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{config}{uri:?}: {said}");
        assert!(said.contains(says), "{config}{uri:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
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
