//! Profiles that administrators download: their parts, their archive, and that OpenVPN takes them.

use super::{NOBODY, Rig, create_org, create_user, id, oid};
use crate::needs;
use crate::support::http::{Http, Reply};
use crate::support::ovpn::Tunnel;
use crate::support::place::Place;
use crate::support::wait::seconds;
use mongodb::bson::doc;
use openssl::x509::X509;
use serde_json::{Value, json};
use std::io::Read;
use warren::pki::{KeyKind, PrivateKey};

#[test]
fn profiles_have_all_that_a_client_needs() {
    needs!(Namespaces, Mongod, Tun, OpenVpn);
    let rig = Rig::new();
    rig.home.configure("public_address = \"vpn.example.com\"\nlisten_https = \"[::]:443\"\n");
    rig.fill(KeyKind::Rsa4096, 3);
    rig.fill_with(KeyKind::Rsa2048, 4, || PrivateKey::generate(KeyKind::Rsa2048).expect("a key"));
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let (org, other) = (create_org(&mut http, "acme"), create_org(&mut http, "other"));
    let user = id(&create_user(&mut http, &org, &json!({ "name": "zoë", "groups": ["ops"] })));
    let tar = format!("/data/{org}/{user}.tar");
    assert_eq!(http.get(&tar).error(), (404, "profile_no_server".to_owned()));

    let udp = json!({ "name": "office", "otp_auth": true, "cipher": "aes128" });
    let office = rig.server(&mut http, &org, &udp);
    http.put(&format!("/server/{office}/organization/{other}"), &json!({})).ok();
    let tcp = json!({
        "name": "über", "network": "10.31.1.0/24", "port": 1195, "protocol": "tcp",
        "groups": ["ops"], "tun_mtu": 1400, "pre_connect_msg": "hello",
    });
    let second = rig.server(&mut http, &org, &tcp);
    let others =
        json!({ "name": "closed", "network": "10.32.1.0/24", "port": 1196, "groups": ["x"] });
    let closed = rig.server(&mut http, &org, &others);
    let foreign = json!({ "name": "foreign", "network": "10.33.1.0/24", "port": 1197 });
    let foreign = rig.server(&mut http, &other, &foreign);

    let key = |server: &str| format!("/data/{org}/{user}/{server}.key");
    let profile = check_profile(&rig, &mut http, &key(&office), [&org, &other, &user, &office]);
    check_openvpn(&profile, "UDP");
    let reply = http.get(&key(&second));
    assert_eq!(disposition(&reply), "attachment; filename=\"acme_zoe_uber.ovpn\"");
    assert!(reply.text().contains("\nremote vpn.example.com 1195 tcp-client\n"));
    assert!(reply.text().contains("\ntun-mtu 1400\n"));
    assert_eq!(header(&reply.text())["pre_connect_msg"], "hello");
    assert_eq!(header(&reply.text())["password_mode"], json!(null));
    check_openvpn(&reply.text(), "TCP");
    check_archive(&mut http, &tar, &["acme_zoë_office.ovpn", "acme_zoë_über.ovpn"]);
    check_password_mode(&mut http, &org, &user, &key(&office));

    for path in [
        key(&closed),
        key(&foreign),
        key(NOBODY),
        format!("/data/{other}/{user}.tar"),
        format!("/data/{NOBODY}/{user}.tar"),
        format!("/data/{org}/{NOBODY}.tar"),
        format!("/data/{org}/{NOBODY}/{office}.key"),
    ] {
        assert_eq!(http.get(&path).status, 404, "{path}");
    }
    assert_eq!(rig.home.http().get(&tar).status, 401, "for administrators only");
    assert_eq!(http.without_csrf().get(&tar).status, 200, "a link in the console has no token");
    check_hosts(&rig, &mut http, &key(&office), &office, &tar);
    assert!(daemon.stop().success());
}

fn disposition(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("content-disposition").expect("a name")
}

/// As clients read it (contract 3.2).
fn header(profile: &str) -> Value {
    let lines = profile.lines().skip_while(|line| *line != "#{");
    let mut json = String::new();
    for line in lines {
        json.push_str(line.strip_prefix('#').expect("a comment"));
        if line == "#}" {
            return serde_json::from_str(&json).expect("JSON");
        }
    }
    panic!("no header in {profile}");
}

fn block<'a>(profile: &'a str, tag: &str) -> &'a str {
    let (open, close) = (format!("<{tag}>\n"), format!("</{tag}>"));
    let rest = profile.split_once(&open).expect(tag).1;
    rest.split_once(&close).expect(tag).0
}

fn check_profile(rig: &Rig, http: &mut Http, path: &str, ids: [&String; 4]) -> String {
    let [org, other, user, server] = ids;
    let reply = http.get(path);
    assert_eq!(disposition(&reply), "attachment; filename=\"acme_zoe_office.ovpn\"");
    assert_eq!(reply.header("content-type"), Some("application/ovpn"));
    let profile = reply.text();
    let header = header(&profile);
    for (field, value) in [
        ("user", json!("zoë")),
        ("organization", json!("acme")),
        ("server", json!("office")),
        ("user_id", json!(user)),
        ("organization_id", json!(org)),
        ("server_id", json!(server)),
        ("sync_hosts", json!(["https://vpn.example.com"])),
        ("password_mode", json!("otp")),
        ("remotes_data", json!({ "vpn.example.com": { "priority": 0 } })),
    ] {
        assert_eq!(header[field], value, "{field}");
    }
    for field in ["sync_token", "sync_secret", "sync_hash"] {
        assert_eq!(header[field].as_str().map(str::len), Some(32), "{field}");
    }
    assert_eq!(header["server_public_key"][0], "-----BEGIN RSA PUBLIC KEY-----");
    assert!(profile.contains("\nremote vpn.example.com 1194 udp\n"), "{profile}");
    assert!(profile.contains("\nauth-user-pass\n") && profile.contains("\nkey-direction 1\n"));

    let stored = |org: &String| {
        let org = rig.store.org_with_keys(org.parse().expect("an id")).expect("a read");
        org.expect("an organization").ca_certificate.trim().to_owned()
    };
    let authorities = format!("{}\n{}\n", stored(org), stored(other));
    assert_eq!(block(&profile, "ca"), authorities, "those of all the server's organizations");
    let certificate = X509::from_pem(block(&profile, "cert").as_bytes()).expect("a certificate");
    let key = openssl::pkey::PKey::private_key_from_pem(block(&profile, "key").as_bytes());
    assert!(key.expect("a key").public_eq(&*certificate.public_key().expect("a key")));
    assert!(block(&profile, "tls-auth").contains("OpenVPN Static key V1"));

    // Again: only what is random by contract has changed.
    let fixed = |text: &str| {
        let random = ["setenv UV_ID ", "setenv UV_NAME "];
        let lines = text.lines().filter(|line| !random.iter().any(|start| line.starts_with(start)));
        lines.collect::<Vec<_>>().join("\n")
    };
    let again = http.get(path).text();
    assert_ne!(again, profile);
    assert_eq!(fixed(&again), fixed(&profile));
    profile
}

/// The real program takes every line of it and begins to connect.
fn check_openvpn(profile: &str, protocol: &str) {
    let place = Place::isolated();
    // Nobody answers, but there is a way.
    let profile = profile.replace("vpn.example.com", "127.0.0.1");
    let mut client = Tunnel::start(&place, &profile, Some(("x", "123456")));
    let trying =
        if protocol == "UDP" { "UDPv4 link remote" } else { "Attempting to establish TCP" };
    client.process.wait_log(trying, seconds(15));
    for complaint in ["Options error", "WARNING: Your certificate", "Unrecognized option"] {
        assert!(!client.process.log().contains(complaint), "{}", client.process.log());
    }
}

fn check_archive(http: &mut Http, path: &str, members: &[&str]) {
    let reply = http.get(path);
    assert_eq!(disposition(&reply), "attachment; filename=\"zoe.tar\"");
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    let mut archive = tar::Archive::new(reply.body.as_slice());
    let mut found = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        found.push(entry.path().expect("a path").display().to_string());
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        assert!(text.contains("<key>") && header(&text)["user"] == "zoë");
    }
    assert_eq!(found, members);
}

fn check_password_mode(http: &mut Http, org: &str, user: &str, path: &str) {
    let mut mode = |change: Value| {
        let mut body = json!({ "name": "zoë", "groups": ["ops"] });
        for (field, value) in change.as_object().expect("fields") {
            body[field] = value.clone();
        }
        http.put(&format!("/user/{org}/{user}"), &body).ok();
        let profile = http.get(path).text();
        assert_eq!(
            profile.contains("\nauth-user-pass\n"),
            !header(&profile)["password_mode"].is_null()
        );
        header(&profile)["password_mode"].clone()
    };
    assert_eq!(mode(json!({ "pin": "123456" })), "otp_pin");
    assert_eq!(mode(json!({ "auth_type": "yubico" })), "yubikey");
    assert_eq!(mode(json!({ "auth_type": "local", "bypass_secondary": true })), json!(null));
    assert_eq!(mode(json!({})), "otp");
}

/// Addresses are the hosts' configured ones, else their own names; a server without hosts has none.
fn check_hosts(rig: &Rig, http: &mut Http, path: &str, server: &str, tar: &str) {
    let host = |fields| {
        let done = rig.collection("hosts").update_one(doc! {}, doc! { "$set": fields }).run();
        done.expect("a write");
    };
    host(doc! { "public_address": null, "hostname": "gateway", "web_port": 8443_i64 });
    let profile = http.get(path).text();
    assert!(profile.contains("\nremote gateway 1194 udp\n"));
    assert_eq!(header(&profile)["sync_hosts"], json!(["https://gateway:8443"]));
    host(doc! { "public_address": "[fd00::7]" });
    let profile = http.get(path).text();
    assert!(profile.contains("\nremote fd00::7 1194 udp6\n"));
    assert_eq!(header(&profile)["sync_hosts"], json!(["https://[fd00::7]:8443"]));

    let id = id(&http.get("/host").ok()[0]);
    http.delete(&format!("/server/{server}/host/{id}")).ok();
    assert_eq!(http.get(path).error(), (404, "profile_no_host".to_owned()));
    check_archive(http, tar, &["acme_zoë_über.ovpn"]);
    let set = doc! { "$set": { "hosts": [] } };
    rig.collection("servers")
        .update_many(doc! { "_id": { "$ne": oid(server) } }, set)
        .run()
        .expect("a write");
    assert_eq!(http.get(tar).error(), (404, "profile_no_server".to_owned()));
}
