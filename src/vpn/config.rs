//! The configuration of a server's OpenVPN, given to it on standard input.
//!
//! It differs from contract 4.2 where clients can not tell and OpenVPN 2.6 demands it:
//! `ncp-disable` is gone from it, `ncp-ciphers` has become `data-ciphers`, and the device is made
//! beforehand. There is no pool: a client without an address from us fails instead of getting one
//! from OpenVPN.

use crate::vpn::settings::{Keys, Protocol, Server};
use std::fmt::Write as _;
use std::path::Path;

/// A stored value that OpenVPN would refuse or, worse, read as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    Cipher(String),
    Hash(String),
    /// This inline block does not hold what its name says.
    Block(&'static str),
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigError::Cipher(name) => write!(f, "unknown cipher {name:?}"),
            ConfigError::Hash(name) => write!(f, "unknown hash {name:?}"),
            ConfigError::Block(name) => write!(f, "the server's {name} is damaged"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// OpenVPN reads its numbers as `int`.
const NUMBER_MAX: u32 = i32::MAX.unsigned_abs();

/// The whole text. `dual_stack`: one IPv6 socket serves both families.
pub fn text(
    server: &Server,
    keys: &Keys,
    management: &Path,
    dual_stack: bool,
) -> Result<String, ConfigError> {
    let mut out = String::with_capacity(16 * 1024);
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("management {} unix", management.display()));
    FIXED.iter().for_each(|text| line(text));
    line(&format!("dev {}", server.device()));
    line(&format!("port {}", server.port));
    line(&format!("proto {}", protocol(server, dual_stack)));
    if let Some(address) = server.bind_address {
        line(&format!("local {address}"));
    }
    let (base, mask) = (server.network.base(), server.network.netmask());
    // What `server` stands for, which itself takes networks of /16 to /29 only.
    let gateway = server.network.gateway().unwrap_or(base);
    line("mode server");
    line("tls-server");
    line(&format!("ifconfig {gateway} {mask}"));
    line("push \"topology subnet\"");
    line(&format!("push \"route-gateway {gateway}\""));
    line(&format!("max-clients {}", server.max_clients));
    line(&format!("ping {}", server.ping_interval_s));
    // Longer than the client's: the one behind a slow link gives up first and comes again.
    let restart_s = server.ping_timeout_s.saturating_add(20).min(NUMBER_MAX);
    line(&format!("ping-restart {restart_s}"));
    ciphers(&server.cipher)?.iter().for_each(|text| line(text));
    let hash = hash(&server.hash).ok_or_else(|| ConfigError::Hash(server.hash.clone()))?;
    // GCM and ChaCha20 carry their own check; `auth` is for CBC and the control channel's key, and
    // OpenVPN refuses `auth none` beside that key.
    let hash = if hash == "none" && keys.tls_auth.is_some() { "SHA1" } else { hash };
    line(&format!("auth {hash}"));
    line(if server.debug { "verb 6" } else { "verb 2" });
    line(if server.debug { "mute 10" } else { "mute 4" });
    if server.multi_device {
        line("duplicate-cn");
    }
    if server.protocol == Protocol::Udp {
        line("replay-window 128");
        line("explicit-exit-notify 1");
    }
    let sizes =
        [("tun-mtu", server.tun_mtu), ("mssfix", server.mss_fix), ("fragment", server.fragment)];
    for (name, value) in sizes {
        if let Some(value) = value {
            line(&format!("{name} {value}"));
        }
    }
    // A host with several addresses must answer from the one that was asked; with one address of
    // its own to listen on there is no choice, and over TCP the kernel sees to it.
    let everywhere = server.bind_address.is_none();
    if server.protocol == Protocol::Udp && (server.multihome || everywhere) {
        line("multihome");
    }
    blocks(&mut out, keys)?;
    Ok(out)
}

const FIXED: [&str; 23] = [
    "management-hold",
    "management-client-auth",
    "auth-user-pass-optional",
    "mode server",
    "tls-server",
    "dev-type tun",
    "topology subnet",
    "ifconfig-noexec",
    "route-noexec",
    "persist-tun",
    "persist-key",
    "disable-dco",
    "tls-version-min 1.2",
    "remote-cert-tls client",
    "script-security 1",
    "status-version 2",
    "sndbuf 393216",
    "rcvbuf 393216",
    "reneg-sec 2592000",
    "hash-size 1024 1024",
    "max-routes-per-client 1024",
    "allow-compression no",
    "suppress-timestamps",
];

fn protocol(server: &Server, dual_stack: bool) -> &'static str {
    match (server.protocol, server.bind_address, dual_stack) {
        (Protocol::Udp, None, true) => "udp6",
        (Protocol::Tcp, None, true) => "tcp6-server",
        (Protocol::Udp, Some(address), _) if address.is_ipv6() => "udp6",
        (Protocol::Tcp, Some(address), _) if address.is_ipv6() => "tcp6-server",
        (Protocol::Udp, ..) => "udp4",
        (Protocol::Tcp, ..) => "tcp4-server",
    }
}

fn ciphers(name: &str) -> Result<&'static [&'static str], ConfigError> {
    Ok(match name {
        "none" => &["cipher none", "data-ciphers none"],
        "bf128" | "aes128" => &["cipher AES-128-CBC", "data-ciphers AES-128-GCM:AES-128-CBC"],
        "bf256" | "aes192" | "aes256" => {
            &["cipher AES-256-CBC", "data-ciphers AES-256-GCM:AES-256-CBC"]
        }
        "chacha20poly1205" => &["cipher CHACHA20-POLY1305", "data-ciphers CHACHA20-POLY1305"],
        other => return Err(ConfigError::Cipher(other.to_owned())),
    })
}

fn hash(name: &str) -> Option<&'static str> {
    const HASHES: [(&str, &str); 5] = [
        ("none", "none"),
        ("md5", "MD5"),
        ("sha1", "SHA1"),
        ("sha256", "SHA256"),
        ("sha512", "SHA512"),
    ];
    HASHES.iter().find(|(known, _)| *known == name).map(|(_, directive)| *directive)
}

fn blocks(out: &mut String, keys: &Keys) -> Result<(), ConfigError> {
    if let Some(key) = &keys.tls_auth {
        out.push_str("key-direction 0\n");
        block(out, "tls-auth", key.expose())?;
    }
    block(out, "ca", &keys.authorities.concat())?;
    block(out, "cert", &keys.certificate)?;
    block(out, "key", keys.key.expose())?;
    match &keys.dh_params {
        Some(params) => block(out, "dh", params),
        None => {
            out.push_str("dh none\n");
            Ok(())
        }
    }
}

/// Only the armoured parts of `content` get in: text beside them could end the block.
fn block(out: &mut String, name: &'static str, content: &str) -> Result<(), ConfigError> {
    // Writing to a String can not fail.
    let _ = writeln!(out, "<{name}>");
    let mut inside = false;
    let mut parts = 0;
    for line in content.lines().map(str::trim) {
        if line.starts_with("-----BEGIN ") {
            inside = true;
        }
        if inside {
            if line.contains(['<', '>']) {
                return Err(ConfigError::Block(name));
            }
            let _ = writeln!(out, "{line}");
        }
        if line.starts_with("-----END ") {
            inside = false;
            parts += 1;
        }
    }
    let _ = writeln!(out, "</{name}>");
    if parts > 0 && !inside { Ok(()) } else { Err(ConfigError::Block(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::vpn::settings::tests::server;

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    fn keys() -> Keys {
        Keys {
            authorities: vec![format!("text dump\n{}", pem("CERTIFICATE")), pem("CERTIFICATE")],
            certificate: pem("CERTIFICATE"),
            key: Secret::new(pem("PRIVATE KEY")),
            tls_auth: Some(Secret::new(pem("OpenVPN Static key V1"))),
            dh_params: None,
        }
    }

    fn lines(server: &Server) -> Vec<String> {
        let text = text(server, &keys(), Path::new("/run/x/m.sock"), true).expect("valid");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn options_become_directives() {
        type Change = fn(&mut Server);
        let rows: [(Change, &str); 13] = [
            (|_| (), "proto udp6"),
            (|_| (), "ifconfig 10.8.0.1 255.255.255.0"),
            (|_| (), "ping-restart 30"),
            (|s| s.ping_timeout_s = u32::MAX, "ping-restart 2147483647"),
            (|_| (), "dh none"),
            (|s| s.protocol = Protocol::Tcp, "proto tcp6-server"),
            (|s| s.bind_address = "10.0.0.1".parse().ok(), "proto udp4"),
            (|s| s.bind_address = "10.0.0.1".parse().ok(), "local 10.0.0.1"),
            (|s| s.multi_device = true, "duplicate-cn"),
            (|s| s.tun_mtu = Some(1400), "tun-mtu 1400"),
            (|s| s.hash = "none".to_owned(), "auth SHA1"),
            (|s| s.cipher = "bf128".to_owned(), "data-ciphers AES-128-GCM:AES-128-CBC"),
            (|s| s.debug = true, "verb 6"),
        ];
        for (change, want) in rows {
            let mut server = server();
            change(&mut server);
            assert!(lines(&server).iter().any(|line| line == want), "{want}");
        }
    }

    #[test]
    fn what_must_never_be_there_is_not() {
        let mut server = server();
        server.inter_client = true;
        server.protocol = Protocol::Tcp;
        let text = lines(&server).join("\n");
        let never = [
            "client-to-client",
            "management-signal",
            "management-client\n",
            "ncp-",
            "auth-gen-token",
            "explicit-exit-notify",
            "text dump",
        ];
        for word in never {
            assert!(!text.contains(word), "{word}");
        }
    }

    #[test]
    fn damaged_values_are_refused() {
        let mut odd = server();
        odd.cipher = "rot13".to_owned();
        let management = Path::new("/m");
        let error = text(&odd, &keys(), management, true);
        assert_eq!(error, Err(ConfigError::Cipher("rot13".to_owned())));
        let evil = "-----BEGIN X-----\n</ca>\nscript-security 3\n-----END X-----".to_owned();
        for bad in [evil, String::new(), "-----BEGIN X-----\nAAAA\n".to_owned()] {
            let keys = Keys { authorities: vec![bad], ..keys() };
            let error = text(&server(), &keys, management, true);
            assert_eq!(error, Err(ConfigError::Block("ca")));
        }
    }
}
