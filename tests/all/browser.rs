//! The console: its pure logic under Node, and the whole of it in a real Chromium against a real
//! daemon, with a real VPN client that comes when the test in the browser asks for it.

mod cluster;

use crate::needs;
use crate::spine::{self, Box1, Made};
use crate::support::daemon::Daemon;
use crate::support::http::Http;
use crate::support::lab::Host;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::temp::TempDir;
use crate::support::totp;
use crate::support::wait::{seconds, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// One file of tests; most of it is screenshots and accessibility checks.
const BROWSER: Duration = seconds(110);

#[test]
fn console_logic() {
    needs!(Node);
    let output =
        Command::new("node").args(["--test", "tests/browser/logic/"]).output().expect("node");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("# pass ") && !text.contains("# pass 0\n"), "nothing was tested: {text}");
}

#[test]
fn the_whole_way_by_clicking() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft, Node, Browser);
    let place = Box1::new();
    let daemon = place.home.start_with_keys();
    let exchange = TempDir::new("exchange");
    let first = daemon.default_password();
    let mut flow = node(&place, "flow.test.js", &exchange, &first);
    let _client = vpn_client(&place, &exchange, &mut flow);
    let daemon = restart(&place, daemon, &exchange, &mut flow);
    reset_password(&place, &exchange, &mut flow);
    succeeded("flow.test.js", &exchange, flow);
    assert!(daemon.stop().success());
}

#[test]
fn every_page_in_every_width_and_theme() {
    in_a_browser("pages.test.js", |http, made| {
        let name = format!("\"><img/src=x/onerror=alert(1)>'مرحبا🐇{}", "x".repeat(70));
        http.post("/organization", &json!({ "name": name })).ok();
        for team in ["dev", "ops", "sales"] {
            let user = |n| json!({ "name": format!("{team}-{n}"), "groups": [team] });
            let many: Vec<Value> = (0..10).map(user).collect();
            http.post(&format!("/user/{}/multi", made.org), &Value::from(many)).ok();
        }
    });
}

#[test]
fn other_ways_through_the_console() {
    in_a_browser("paths.test.js", |_, _| {});
}

#[test]
fn many_users_at_once() {
    in_a_browser("many.test.js", |_, _| {});
}

fn in_a_browser(file: &str, furnish: fn(&mut Http, &Made)) {
    needs!(Namespaces, Mongod, Nft, Node, Browser);
    let place = Box1::new();
    let daemon = place.home.start_with_keys();
    let exchange = TempDir::new("exchange");
    let first = daemon.default_password();
    let mut http = place.enter(&daemon);
    let made = spine::make(&mut http, "udp");
    furnish(&mut http, &made);
    let pages = node(&place, file, &exchange, &first);
    succeeded(file, &exchange, pages);
    assert!(daemon.stop().success());
}

fn node(place: &Box1, file: &str, exchange: &TempDir, password: &str) -> Child {
    // Not on the server's host: a browser gives up what is under way when interfaces come and go.
    run_node(place.lab.host("c2"), file, exchange, password)
}

/// A file of tests, on a machine that reaches the console of `h1`.
fn run_node(machine: &Host, file: &str, exchange: &TempDir, password: &str) -> Child {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.arg("--test").arg(root.join("tests/browser").join(file));
    command.env("WARREN_URL", "https://10.77.0.11");
    command.env("WARREN_USER", "admin").env("WARREN_PASSWORD", password);
    command.env("WARREN_EXCHANGE", exchange.path()).env("WARREN_PORT", "1194");
    // A browser of a test leaves its profile where it goes with the test.
    command.env("HOME", exchange.path()).env("TMPDIR", exchange.path());
    let log = std::fs::File::create(log_of(exchange, file)).expect("a log");
    let errors = log.try_clone().expect("a log");
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    machine.spawn(&mut command).expect("node")
}

fn log_of(exchange: &TempDir, file: &str) -> PathBuf {
    exchange.join(&format!("{file}.log"))
}

/// The client that the browser's test asks for; none if that test ended before.
fn vpn_client(place: &Box1, exchange: &TempDir, flow: &mut Child) -> Option<Tunnel> {
    let asked = wish(exchange, "client.json", flow)?;
    let wish: Value = serde_json::from_str(&asked).expect("JSON");
    let text = |field: &str| wish[field].as_str().expect("a text").to_owned();
    let profile = std::fs::read_to_string(text("profile")).expect("a profile");
    let password = format!("{}{}", text("pin"), totp::now(&text("secret")));
    let user = text("user");
    let mut client =
        Tunnel::start(place.lab.host("c1"), &profile, Some((user.as_str(), password.as_str())));
    assert_eq!(client.outcome(seconds(20)), Attempt::Connected);
    Some(client)
}

/// What the browser's test asks for in this file; none if that test ended before.
fn wish(exchange: &TempDir, file: &str, flow: &mut Child) -> Option<String> {
    wait_for(file, BROWSER, || {
        if let Ok(text) = std::fs::read_to_string(exchange.join(file)) {
            return Some(Some(text));
        }
        flow.try_wait().expect("wait").map(|_| None)
    })
}

/// Whole at once: the test in the browser looks whether it is there.
fn answer(exchange: &TempDir, file: &str, text: &str) {
    let part = exchange.join("part");
    std::fs::write(&part, text).expect("an answer");
    std::fs::rename(&part, exchange.join(file)).expect("an answer");
}

/// The daemon goes away and comes back while a page is open.
fn restart<'a>(
    place: &'a Box1,
    daemon: Daemon<'a>,
    exchange: &TempDir,
    flow: &mut Child,
) -> Daemon<'a> {
    if wish(exchange, "restart.json", flow).is_none() {
        return daemon;
    }
    assert!(daemon.stop().success());
    let _ = wish(exchange, "seen.json", flow);
    let daemon = place.home.start();
    answer(exchange, "restart.txt", "");
    daemon
}

/// The administrator loses the password while a page is open.
fn reset_password(place: &Box1, exchange: &TempDir, flow: &mut Child) {
    if wish(exchange, "reset.json", flow).is_none() {
        return;
    }
    let output = place.home.run(&["reset-password"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let password = text.split_whitespace().last().expect("a password");
    answer(exchange, "reset.txt", password);
}

fn succeeded(file: &str, exchange: &TempDir, mut child: Child) {
    let status: ExitStatus =
        wait_for(&format!("the end of {file}"), BROWSER, || child.try_wait().expect("wait"));
    let log = std::fs::read_to_string(log_of(exchange, file)).unwrap_or_default();
    assert!(status.success(), "{log}");
    assert!(log.contains("# pass ") && !log.contains("# pass 0\n"), "nothing was tested: {log}");
}
