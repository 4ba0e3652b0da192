//! Profiles as clients read them.

use super::*;
use crate::domain::server::tests::spec;
use crate::domain::server::{AllowedDevices, ServerFields};

/// What a test changes; everything else is a plain server with two hosts.
struct Case {
    server: ServerSpec,
    remotes: Vec<Remote>,
    tls: Option<TlsMode>,
    password_mode: Option<&'static str>,
    rules: ClientRules,
}

fn case(change: impl FnOnce(&mut ServerFields)) -> Case {
    let remote = |address: &str| Remote { address: address.to_owned(), priority: 1 };
    Case {
        server: spec(change),
        remotes: ["192.0.2.1", "vpn.example.com", "fd00::1"].map(remote).to_vec(),
        tls: Some(TlsMode::Auth),
        password_mode: None,
        rules: ClientRules { reconnect: true, ..ClientRules::default() },
    }
}

/// Lets `look` see the case's profile.
fn with<T>(case: &Case, look: impl FnOnce(&Profile<'_>, &Credentials<'_>) -> T) -> T {
    let secret = |text: &str| Secret::new(text.to_owned());
    let (tls, key) = (secret("# shared\nSHARED\n"), secret("-----BEGIN KEY-----\nKEY\n"));
    let (token, sync_secret) = (secret("TOKEN"), secret("SECRET"));
    let profile = Profile {
        user: (UserId::from_bytes([1; 12]), "alice\n#}"),
        organization: (OrgId::from_bytes([2; 12]), "acme"),
        server_id: ServerId::from_bytes([3; 12]),
        server: &case.server,
        remotes: &case.remotes,
        sync_hosts: &["https://b".to_owned(), "https://a:8443".to_owned()],
        signing_lines: &["-----BEGIN".to_owned(), "-----END".to_owned()],
        box_public_key: "Ym94",
        authorities: &["-----BEGIN CA1-----\n".to_owned(), "-----BEGIN CA2-----".to_owned()],
        certificate: "Certificate:\n    Data\n-----BEGIN CERT-----\nCERT\n",
        tls: case.tls.map(|mode| (mode, &tls)),
        password_mode: case.password_mode,
        rules: case.rules,
    };
    let credentials = Credentials { key: &key, sync_token: &token, sync_secret: &sync_secret };
    look(&profile, &credentials)
}

fn full(case: &Case) -> String {
    with(case, |p, c| p.full(c, &Random::seeded(1)).expose().clone())
}

/// The header by the rules of the desktop clients' parser.
fn header(profile: &str) -> Value {
    let lines = profile.lines().skip_while(|line| *line != "#{").skip(1);
    let inner: Vec<&str> = lines.take_while(|line| *line != "#}").collect();
    let inner = inner.iter().map(|line| line.strip_prefix('#').expect("a comment line"));
    let text = format!("{{{}}}", inner.collect::<Vec<_>>().join("\n"));
    serde_json::from_str(&text).expect("valid JSON")
}

fn directives(profile: &str) -> Vec<&str> {
    profile.lines().filter(|line| !line.starts_with('#')).take_while(|l| *l != "<ca>").collect()
}

#[test]
fn a_profile_is_written_in_the_contracts_order() {
    let mut one = case(|_| ());
    one.remotes.truncate(1);
    one.password_mode = Some("pin");
    let text = full(&one);
    let lines = directives(&text);
    let (id, name) = (lines[1], lines[2]);
    assert_eq!(id.strip_prefix("setenv UV_ID ").map(str::len), Some(32));
    assert!(name.starts_with("setenv UV_NAME "), "{name}");
    let rest: Vec<&str> = [&lines[..1], &lines[3..]].concat();
    assert_eq!(
        rest,
        [
            "ignore-unknown-option data-ciphers",
            "client",
            "dev tun",
            "dev-type tun",
            "remote 192.0.2.1 1194 udp",
            "nobind",
            "persist-tun",
            "cipher AES-128-CBC",
            "data-ciphers AES-128-GCM:AES-128-CBC",
            "auth SHA256",
            "verb 4",
            "mute 4",
            "push-peer-info",
            "ping 3",
            "ping-restart 10",
            "hand-window 70",
            "server-poll-timeout 4",
            "connect-retry 1 2",
            "explicit-exit-notify 1",
            "reneg-sec 2592000",
            "sndbuf 393216",
            "rcvbuf 393216",
            "remote-cert-tls server",
            "auth-user-pass",
            "key-direction 1",
        ]
    );
    let blocks = text.split_once("<ca>").map(|(_, blocks)| blocks);
    assert_eq!(
        blocks,
        Some(
            "\n-----BEGIN CA1-----\n-----BEGIN CA2-----\n</ca>\n<tls-auth>\n# shared\nSHARED\n\
             </tls-auth>\n<cert>\n-----BEGIN CERT-----\nCERT\n</cert>\n<key>\n-----BEGIN KEY-----\n\
             KEY\n</key>\n"
        )
    );
}

#[test]
fn options_of_the_server_show_and_the_others_do_not() {
    type Row = (fn(&mut ServerFields), &'static [&'static str], &'static [&'static str]);
    let rows: &[Row] = &[
        (
            |f| f.protocol = "tcp".to_owned(),
            &["remote 192.0.2.1 1194 tcp-client", "remote fd00::1 1194 tcp6-client"],
            &["explicit-exit-notify 1"],
        ),
        (|f| f.cipher = "none".to_owned(), &["cipher none"], &[]),
        (
            |f| f.cipher = "bf256".to_owned(),
            &["cipher AES-256-CBC", "data-ciphers AES-256-GCM:AES-256-CBC"],
            &[],
        ),
        (|f| f.cipher = "aes192".to_owned(), &["cipher AES-256-CBC"], &[]),
        (|f| f.cipher = "chacha20poly1205".to_owned(), &["data-ciphers CHACHA20-POLY1305"], &[]),
        (|f| f.switches.ovpn_dco = true, &["cipher AES-128-GCM", "data-ciphers AES-128-GCM"], &[]),
        (|f| f.hash = "md5".to_owned(), &["auth MD5"], &[]),
        (|f| f.hash = "sha1".to_owned(), &["auth SHA1"], &[]),
        (|f| f.hash = "sha512".to_owned(), &["auth SHA512"], &[]),
        (|f| f.hash = "none".to_owned(), &["auth SHA1", "key-direction 1"], &["auth none"]),
        (|f| f.tun_mtu = 1400, &["tun-mtu 1400"], &[]),
        (
            |f| f.switches.block_outside_dns = true,
            &["ignore-unknown-option block-outside-dns", "block-outside-dns"],
            &[],
        ),
        (
            |f| {
                f.network_mode = "bridge".to_owned();
                (f.network_start, f.network_end) = ("10.20.0.5".to_owned(), "10.20.0.9".to_owned());
            },
            &["dev tap", "dev-type tap"],
            &["dev tun"],
        ),
        (
            |f| {
                (f.switches.lzo_compression, f.switches.jumbo_frames) = (true, true);
                (f.mss_fix, f.fragment, f.max_clients, f.switches.multihome) =
                    (1300, 1300, 5, true);
            },
            &["nobind"],
            &["mssfix 1300", "fragment 1300", "multihome", "max-clients 5"],
        ),
        (|_| (), &["remote-random"], &["auth-user-pass", "block-outside-dns"]),
    ];
    for (row, (change, present, absent)) in rows.iter().enumerate() {
        let text = full(&case(change));
        let lines = directives(&text);
        for line in *present {
            assert!(lines.contains(line), "row {row}: {line}\n{text}");
        }
        for line in *absent {
            assert!(!lines.contains(line), "row {row}: {line}\n{text}");
        }
    }
}

#[test]
fn the_shared_key_is_used_as_the_setting_says() {
    for (tls, hash, present, absent) in [
        (Some(TlsMode::Auth), "sha1", "key-direction 1\n", "<tls-crypt>"),
        (Some(TlsMode::Crypt), "none", "<tls-crypt>\n# shared\n", "key-direction"),
        (Some(TlsMode::Crypt), "none", "auth none\n", "<tls-auth>"),
        (None, "none", "auth none\n", "<tls-"),
    ] {
        let text = full(&Case { tls, ..case(|f| f.hash = hash.to_owned()) });
        assert!(text.contains(present) && !text.contains(absent), "{tls:?}\n{text}");
    }
}

#[test]
fn ipv6_remotes_come_first_and_each_group_is_shuffled() {
    let mut many = case(|_| ());
    let v4 = (1..=6).map(|n| format!("192.0.2.{n}"));
    let v6 = (1..=6).map(|n| format!("fd00::{n}"));
    many.remotes = v4.chain(v6).map(|address| Remote { address, priority: 0 }).collect();
    let order = |seed| {
        let text = with(&many, |p, c| p.full(c, &Random::seeded(seed)).expose().clone());
        let remotes = text.lines().filter(|l| l.starts_with("remote ")).map(str::to_owned);
        remotes.collect::<Vec<_>>()
    };
    let (one, two) = (order(1), order(2));
    assert_ne!(one, two);
    assert!(one[..6].iter().all(|l| l.ends_with(" udp6")), "{one:?}");
    assert!(one[6..].iter().all(|l| l.ends_with(" udp")), "{one:?}");
}

#[test]
fn the_header_has_the_contracts_fields() {
    let mut rich = case(|f| {
        f.switches.wg = true;
        f.network_wg = "10.30.0.0/16".to_owned();
        f.pre_connect_msg = "say \"hello\"\n#{\nto all".to_owned();
        (f.switches.sso_auth, f.switches.force_connect) = (true, true);
        f.session_timeout = 60;
        f.allowed_devices = "desktop".to_owned();
    });
    rich.password_mode = Some("otp_pin");
    assert_eq!(rich.server.allowed_devices, Some(AllowedDevices::Desktop));
    let header = header(&full(&rich));
    let hash = with(&rich, |p, _| p.sync_hash());
    let expect = json!({
        "version": 1, "user": "alice\n#}", "organization": "acme", "server": "office",
        "user_id": "010101010101010101010101", "organization_id": "020202020202020202020202",
        "server_id": "030303030303030303030303", "wg": true, "hide_ovpn": false,
        "ovpn_dco": false, "server_public_key": ["-----BEGIN", "-----END"],
        "server_box_public_key": "Ym94", "sync_hosts": ["https://a:8443", "https://b"],
        "sync_hash": hash, "sync_token": "TOKEN", "sync_secret": "SECRET",
        "dynamic_firewall": false, "device_auth": false, "force_connect": true,
        "sso_auth": true, "push_auth": false, "push_auth_ttl": 2_592_000,
        "disable_reconnect": true, "restrict_client": false, "token": false,
        "token_ttl": 2_592_000, "geo_sort": null, "password_mode": "otp_pin",
        "remotes_data": {
            "192.0.2.1": { "priority": 1 }, "vpn.example.com": { "priority": 1 },
            "fd00::1": { "priority": 1 },
        },
        "pre_connect_msg": "say \"hello\"\n#{\nto all",
    });
    assert_eq!(header, expect);
}

#[test]
fn no_other_line_looks_like_the_headers_ends() {
    let text = full(&case(|f| f.pre_connect_msg = "a\n#{\n#}\nb".to_owned()));
    for end in ["#{", "#}"] {
        assert_eq!(text.lines().filter(|line| *line == end).count(), 1, "{end}\n{text}");
    }
    assert!(text.starts_with("#{\n"));
}

#[test]
fn a_synced_profile_has_no_secrets_but_its_direction_and_certificates() {
    let text = with(&case(|_| ()), |p, _| p.synced(&Random::seeded(1)));
    for secret in ["KEY", "SHARED", "TOKEN", "SECRET", "tls-auth>", "<key>", "sync_token"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
    for kept in ["key-direction 1", "<ca>\n", "<cert>\n", "\"sync_hash\""] {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
}

#[test]
fn the_sync_hash_changes_with_the_profile_and_with_nothing_else() {
    let base = case(|_| ());
    let hash = |case: &Case| with(case, |p, _| p.sync_hash());
    let first = hash(&base);
    assert!(first.len() == 32 && first.bytes().all(|b| b.is_ascii_hexdigit()));
    let mut turned = case(|_| ());
    turned.remotes.reverse();
    assert_eq!(hash(&turned), first, "the order of hosts does not matter");
    let mut fewer = case(|_| ());
    fewer.remotes.pop();
    let changed = [
        case(|f| f.port = 1195),
        case(|f| f.cipher = "aes256".to_owned()),
        case(|f| f.tun_mtu = 1400),
        case(|f| f.pre_connect_msg = "hello".to_owned()),
        Case { password_mode: Some("pin"), ..case(|_| ()) },
        Case { rules: ClientRules::default(), ..case(|_| ()) },
        fewer,
    ];
    for (row, case) in changed.iter().enumerate() {
        assert_ne!(hash(case), first, "row {row}");
    }
    assert_eq!(hash(&case(|f| f.max_clients = 7)), first, "clients do not see it");
}

#[test]
fn openvpn_reads_every_variant() {
    // Options are read before keys: the program stops at our stand-in for a certificate.
    let variants: [fn(&mut ServerFields); 5] = [
        |_| (),
        |f| f.protocol = "tcp".to_owned(),
        |f| f.cipher = "none".to_owned(),
        |f| f.hash = "none".to_owned(),
        |f| (f.switches.block_outside_dns, f.tun_mtu) = (true, 1400),
    ];
    for (row, change) in variants.into_iter().enumerate() {
        let name = format!("warren-profile-{row}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, full(&case(change))).expect("file");
        let out = std::process::Command::new("openvpn").arg("--config").arg(&path).output();
        let _ = std::fs::remove_file(&path);
        let said = String::from_utf8_lossy(&out.expect("openvpn").stdout).into_owned();
        assert!(!said.contains("Options error"), "row {row}\n{said}");
        assert!(
            said.contains("Cannot load inline certificate"),
            "row {row}: options passed\n{said}"
        );
    }
}
