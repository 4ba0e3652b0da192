//! Secrets are where they belong, and nowhere that hosts tell each other, log, or show of their
//! processes (I10).

use super::rig::{
    HOSTS, Links, PASSWORD, Site, documents, hosts, primary_uri, site_with, wait_beats,
};
use crate::needs;
use crate::support::daemon::Daemon;
use crate::support::keys;
use crate::support::mongo::ReplicaSet;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::totp;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::Bson;
use serde_json::{Value, json};

/// What every private key in PEM says.
const KEY_MARK: &str = "PRIVATE KEY-----";
/// Of a long secret: this much of it, from its middle, is enough to tell.
const PART: usize = 32;

/// Everything about a host that others can see, or that is kept.
fn told(site: &Site, set: &ReplicaSet) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in ["bus", "jobs"] {
        let texts = documents(set, name).into_iter().map(|document| format!("{document}\n"));
        all.push((format!("the collection {name}"), texts.collect()));
    }
    for (name, home) in HOSTS.iter().zip(&site.homes) {
        all.push((format!("the log of {name}"), home.log()));
        let shown = site.lab.host(name).sh("for p in /proc/[0-9]*; do
               for f in cmdline environ; do tr '\\0' ' ' <$p/$f 2>/dev/null || true; echo; done
             done");
        all.push((format!("processes of {name}"), shown));
    }
    all
}

/// None of these, and no private key at all, was told to anybody; no process leaves a core file.
pub fn assert_none_told(site: &Site, set: &ReplicaSet, secrets: &[&str]) {
    for (place, text) in told(site, set) {
        assert!(!text.trim().is_empty(), "{place}: the scan sees nothing");
        assert!(!text.contains(KEY_MARK), "a private key in {place}");
        for secret in secrets {
            // Lines of a PEM may be joined in other ways.
            let line = secret.lines().max_by_key(|line| line.len()).unwrap_or_default();
            let start = line.len().saturating_sub(PART) / 2;
            let part = line.get(start..(start + PART).min(line.len())).unwrap_or(line);
            assert!(part.len() >= 6, "{part:?} is too short to be looked for");
            assert!(!text.contains(part), "a secret in {place}: {part}");
        }
    }
    for name in HOSTS {
        let limits = site.lab.host(name).sh("for p in /proc/[0-9]*; do
               grep -qs -e warren -e openvpn $p/comm || continue
               echo \"$(cat $p/comm) $(grep 'Max core file size' $p/limits | tr -s ' ')\"
             done");
        for line in limits.lines() {
            assert!(line.contains("Max core file size 0 0 "), "{name}: {line}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What was made, to be looked for: all that must stay secret.
fn live(site: &Site, set: &ReplicaSet, daemons: &[Daemon<'_>]) -> Vec<String> {
    let first = daemons[0].default_password();
    let mut console = site.sign_in(daemons).remove(0);
    let org = text(&console.post("/organization", &json!({ "name": "acme" })).ok()["id"]);
    let pin = "8642097531";
    let ann = json!({ "name": "ann", "pin": pin });
    let ann = console.post(&format!("/user/{org}"), &ann).ok()[0].clone();
    let server = json!({
        "name": "office", "network": "10.8.0.0/24", "port": 1194, "protocol": "udp",
        "cipher": "aes128", "hash": "sha256", "otp_auth": true,
    });
    let server = text(&console.post("/server", &server).ok()["id"]);
    console.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
    console.send("PUT", &format!("/server/{server}/operation/start"), None).ok();

    let admins = console.get("/admin").ok();
    let id = text(&admins[0]["id"]);
    let admin = console.get(&format!("/admin/{id}")).ok();
    let mut changed = admin.clone();
    changed["auth_api"] = json!(true);
    console.put(&format!("/admin/{id}"), &changed).ok();
    let admin = console.get(&format!("/admin/{id}")).ok();
    let (token, secret) = (text(&admin["token"]), text(&admin["secret"]));
    let mut robot = site.homes[1].http().signed_by(&token, &secret);
    robot.get("/organization").ok();

    // A client that gets in with both factors, and one that does not.
    let path = format!("/data/{org}/{}/{server}.key", text(&ann["id"]));
    let profile = console.get(&path).text();
    let otp = text(&ann["otp_secret"]);
    let codes = [(totp::now(&otp), true), ("000000".to_owned(), false)];
    for (code, is_right) in codes {
        let login = Some(("ann", format!("{pin}{code}")));
        let login = login.as_ref().map(|(name, password)| (*name, password.as_str()));
        let mut tunnel = Tunnel::start(site.lab.host("c1"), &profile, login);
        let outcome = tunnel.outcome(seconds(20));
        assert_eq!(outcome == Attempt::Connected, is_right, "{outcome:?}");
    }
    let (mut secrets, mut kinds) = (Vec::new(), Vec::new());
    let cookies = console.authentication("GET", "/state");
    secrets.extend(cookies.iter().map(|(_, value)| {
        let value = value.rsplit('=').next().unwrap_or_default();
        value.split('-').max_by_key(|part| part.len()).unwrap_or_default().to_owned()
    }));
    secrets.extend([first, PASSWORD.to_owned(), pin.to_owned(), secret, otp]);
    for name in [
        "organizations",
        "users",
        "servers",
        "settings",
        "pool",
        "administrators",
        "admin_sessions",
    ] {
        for document in documents(set, name) {
            secret_fields(&document.into(), &mut |field, value| {
                kinds.push(format!("{name}.{field}"));
                secrets.push(value.to_owned());
            });
        }
    }
    kinds.sort();
    kinds.dedup();
    println!("figure: looked for {} secrets, also {}", secrets.len(), kinds.join(", "));
    secrets
}

/// Fields of stored documents that are secret by their names or by what they say.
fn secret_fields(value: &Bson, found: &mut impl FnMut(&str, &str)) {
    const NAMES: [&str; 8] =
        ["key", "secret", "password", "hash", "token", "pin", "content", "private"];
    match value {
        Bson::Array(items) => items.iter().for_each(|item| secret_fields(item, found)),
        Bson::Document(document) => {
            for (name, value) in document {
                let is_named = NAMES.iter().any(|part| name.contains(part));
                match value {
                    Bson::String(text)
                        if text.contains(KEY_MARK) || (is_named && text.len() >= 16) =>
                    {
                        found(name, text);
                    }
                    other => secret_fields(other, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_secret_is_told_whoever_is_killed_meanwhile() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod, Faketime);
    let (site, set) = site_with(Links::Cut, 0, &["c1"]);
    let mut daemons = site.start(&set);
    keys::plant(&primary_uri(&set), 1);
    let secrets = live(&site, &set, &daemons);
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert!(secrets.len() > 20, "{}", secrets.len());
    assert_none_told(&site, &set, &secrets);
    // What is said in trouble.
    daemons[0].process.kill_9();
    set.step_down();
    wait_until("a declaration", seconds(60), || {
        hosts(&set.client()).get("h1").is_some_and(|host| !host.alive)
    });
    daemons[0] = site.homes[0].start();
    wait_beats(&set, seconds(30));
    assert_none_told(&site, &set, &secrets);
}
