//! Keys and certificates, judged by the `openssl` program.

use super::*;
use crate::base::ids::{OrgId, UserId};
use crate::base::random::Random;
use crate::base::secret::Secret;
use std::path::PathBuf;
use std::process::Command;

const NOW_S: i64 = 1_795_000_000;
const DAY_S: i64 = 86_400;

fn subject(user: u8) -> Subject {
    let mut id = [0; 12];
    id[11] = user;
    Subject { org: OrgId::from_bytes([7; 12]), user: UserId::from_bytes(id) }
}

fn ca(kind: KeyKind) -> Issuer {
    Issuer::create(PrivateKey::generate(kind).expect("key"), subject(1), NOW_S).expect("CA")
}

/// A directory of files that goes with the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let dir = std::env::temp_dir().join(format!("warren-pki-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("directory");
        Files(dir)
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("file");
        path.display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit success and everything the program said.
fn openssl(args: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(args).output().expect("the openssl program");
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn every_kind_of_key_survives_its_text_form() {
    for kind in KeyKind::ALL {
        if kind == KeyKind::Rsa4096 {
            continue; // seconds of work for the code path of the smaller one
        }
        let key = PrivateKey::generate(kind).expect("key");
        let pem = key.to_pem().expect("PEM");
        assert!(pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"), "{kind}");
        let back = PrivateKey::from_pem(&pem).expect("own PEM");
        assert_eq!(back.kind(), Some(kind));
        assert_eq!(kind.as_str().parse::<KeyKind>().ok(), Some(kind));
        assert_eq!(format!("{back:?}"), format!("PrivateKey({kind})"));
    }
    assert!("rsa1024".parse::<KeyKind>().is_err());
}

#[test]
fn openssl_accepts_what_each_kind_of_ca_issues_to_each_kind_of_key() {
    let files = Files::new("verify");
    for ca_kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        let ca = ca(ca_kind);
        let ca_file = files.put("ca.pem", &ca.certificate().to_pem().expect("PEM"));
        for kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
            let key = PrivateKey::generate(kind).expect("key");
            for (role, purpose, right) in [
                (Role::Client, "sslclient", true),
                (Role::Client, "sslserver", false),
                (Role::Server, "sslserver", true),
                (Role::Server, "sslclient", true),
            ] {
                let leaf = ca.issue(&key, subject(2), role, NOW_S).expect("certificate");
                assert!(leaf.belongs_to(&key) && !leaf.belongs_to(ca.key()));
                let leaf_file = files.put("leaf.pem", &leaf.to_pem().expect("PEM"));
                let time = NOW_S.to_string();
                let args = ["-x509_strict", "-attime", &time, "-purpose", purpose];
                let (good, said) =
                    openssl(&[&["verify", "-CAfile", &ca_file], &args[..], &[&leaf_file]].concat());
                assert_eq!(good, right, "{ca_kind} {kind} {role:?} {purpose}: {said}");
            }
        }
    }
}

#[test]
fn a_ca_is_what_the_contract_says() {
    let ca = ca(KeyKind::P256);
    let files = Files::new("ca");
    let file = files.put("ca.pem", &ca.certificate().to_pem().expect("PEM"));
    let (_, text) = openssl(&["x509", "-noout", "-text", "-in", &file]);
    for line in [
        "Issuer: O = 070707070707070707070707, CN = 000000000000000000000001",
        "Subject: O = 070707070707070707070707, CN = 000000000000000000000001",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "X509v3 Basic Constraints: critical\n                CA:TRUE",
        "X509v3 Subject Key Identifier",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(ca.certificate().not_after_s().ok(), Some(NOW_S + 10_000 * DAY_S));
    assert_eq!(ca.certificate().not_before_s().ok(), Some(NOW_S - DAY_S));
    assert_eq!(ca.certificate().subject().ok(), Some(subject(1)));
}

#[test]
fn leaves_carry_their_usage_and_end_with_their_ca() {
    let ca = ca(KeyKind::P256);
    let files = Files::new("leaf");
    let later_s = NOW_S + 9_999 * DAY_S;
    for (kind, role, usage, extended) in [
        (KeyKind::P256, Role::Client, "Digital Signature\n", "TLS Web Client Authentication\n"),
        (
            KeyKind::Rsa2048,
            Role::Server,
            "Digital Signature, Key Encipherment\n",
            "TLS Web Server Authentication, TLS Web Client Authentication\n",
        ),
    ] {
        let key = PrivateKey::generate(kind).expect("key");
        let leaf = ca.issue(&key, subject(2), role, later_s).expect("certificate");
        let file = files.put("leaf.pem", &leaf.to_pem().expect("PEM"));
        let (_, text) = openssl(&["x509", "-noout", "-text", "-in", &file]);
        let usage = format!("X509v3 Key Usage: critical\n                {usage}");
        for part in [usage.as_str(), extended, "X509v3 Authority Key Identifier", "CA:FALSE"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(leaf.not_after_s().ok(), ca.certificate().not_after_s().ok());
        assert_eq!(leaf.subject().ok(), Some(subject(2)));
        let (_, said) = openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", &file]);
        let shown = said.trim().rsplit('=').next().unwrap_or("").replace(':', "").to_lowercase();
        assert_eq!(leaf.fingerprint().ok(), Some(shown));
    }
}

#[test]
fn the_serial_number_is_the_contracts_vector() {
    let user: UserId = "65a000000000000000000002".parse().expect("id");
    let ca = ca(KeyKind::P256);
    let key = PrivateKey::generate(KeyKind::P256).expect("key");
    let leaf = ca.issue(&key, Subject { user, ..subject(1) }, Role::Client, NOW_S).expect("leaf");
    assert_eq!(leaf.serial().ok().as_deref(), Some("8BEE199CAB5CDD7"));
}

#[test]
fn a_stored_pair_is_taken_back_only_if_it_is_one() {
    let (one, other) = (ca(KeyKind::P256), ca(KeyKind::P256));
    let dumped = format!("Certificate:\n    Data:\n{}", one.certificate().to_pem().expect("PEM"));
    let certificate = Certificate::from_pem(&dumped).expect("text before the PEM is skipped");
    assert!(Issuer::restore(one.key().clone(), certificate.clone()).is_ok());
    let mixed = Issuer::restore(other.key().clone(), certificate);
    assert!(matches!(mixed, Err(PkiError::KeyMismatch)));
    assert!(Certificate::from_pem("no certificate").is_err());
    assert!(PrivateKey::from_pem(&Secret::new("no key".into())).is_err());
}

#[test]
fn the_web_certificate_fits_its_names() {
    let names = ["vpn.example.com", "192.0.2.7", "fd00::7"].map(str::to_owned);
    let (key, certificate) = web::issue(&names, &Random::system(), NOW_S).expect("certificate");
    assert!(certificate.belongs_to(&key));
    let files = Files::new("web");
    let file = files.put("web.pem", &certificate.to_pem().expect("PEM"));
    let time = NOW_S.to_string();
    let verify = |check: &[&str]| {
        let fixed = ["verify", "-CAfile", &file, "-attime", &time, "-purpose", "sslserver"];
        openssl(&[&fixed[..], check, &[&file]].concat())
    };
    for (check, right) in [
        (["-verify_hostname", "vpn.example.com"], true),
        (["-verify_hostname", "other.example.com"], false),
        (["-verify_ip", "192.0.2.7"], true),
        (["-verify_ip", "fd00::7"], true),
        (["-verify_ip", "192.0.2.8"], false),
    ] {
        let (good, said) = verify(&check);
        assert_eq!(good, right, "{check:?}: {said}");
    }
    assert!(web::issue(&[], &Random::system(), NOW_S).is_ok(), "a box may not know its names yet");
}

#[test]
fn a_static_key_has_2048_bits_in_openvpns_form() {
    let text = static_key(&Random::system());
    let lines: Vec<&str> = text.expose().lines().collect();
    assert_eq!(lines.len(), 18);
    assert_eq!(lines[0], "-----BEGIN OpenVPN Static key V1-----");
    assert_eq!(lines[17], "-----END OpenVPN Static key V1-----");
    let hex = |line: &&str| line.len() == 32 && line.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(lines[1..17].iter().all(hex));
    assert_ne!(text, static_key(&Random::system()));
}

#[test]
fn a_signing_key_is_shown_as_pkcs1_lines() {
    let key = PrivateKey::generate(KeyKind::Rsa2048).expect("key");
    let lines = key.signing_lines().expect("lines");
    assert_eq!(lines[0], "-----BEGIN RSA PUBLIC KEY-----");
    assert_eq!(lines[lines.len() - 1], "-----END RSA PUBLIC KEY-----");
    let files = Files::new("sign");
    let file = files.put("public.pem", &lines.join("\n"));
    let (good, said) = openssl(&["rsa", "-RSAPublicKey_in", "-noout", "-text", "-in", &file]);
    assert!(good && said.contains("2048 bit"), "{said}");
    assert!(PrivateKey::generate(KeyKind::P256).expect("key").signing_lines().is_err());
}

#[test]
fn a_box_key_survives_its_text_form() {
    let key = BoxKey::generate().expect("key");
    let private = key.private().expect("private");
    let back = BoxKey::restore(&private).expect("own text");
    assert_eq!(back.public().ok(), key.public().ok());
    assert_eq!(key.public().expect("public").len(), 44);
    assert!(BoxKey::restore(&Secret::new("c2hvcnQ=".into())).is_err());
}
