//! The client profile: a JSON header in comment lines, then OpenVPN's directives (contract 3.2,
//! 4.1), and its digest for profile sync (3.5).
//!
//! Design section 10 adds the lines that let a client of a dead host move on within seconds:
//! `connect-retry`, `server-poll-timeout` and, over UDP, `explicit-exit-notify`.

use super::names::random_name;
use super::server::{Cipher, Hash, NetworkMode, Protocol, ServerSpec};
use crate::base::ids::{OrgId, ServerId, UserId, to_hex};
use crate::base::random::Random;
use crate::base::secret::Secret;
use serde_json::{Map, Value, json};
use std::net::Ipv6Addr;

/// How long clients may keep a token, and OpenVPN a data key.
const TTL_S: u32 = 2_592_000;

/// An address under which clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remote {
    /// Host name, IPv4 or IPv6 address without brackets.
    pub address: String,
    pub priority: i64,
}

/// How the shared key in front of TLS is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Auth,
    Crypt,
}

/// What the client is told about its own behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientRules {
    /// Setting `client_reconnect`.
    pub reconnect: bool,
    pub restrict_client: bool,
    /// Setting `sso_client_cache`: the client may cache a token.
    pub cache_token: bool,
}

/// Everything a profile says, but for the user's secrets.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    pub user: (UserId, &'a str),
    pub organization: (OrgId, &'a str),
    pub server_id: ServerId,
    pub server: &'a ServerSpec,
    pub remotes: &'a [Remote],
    /// `https://addr[:port]`; empty where sync is off.
    pub sync_hosts: &'a [String],
    /// PEM lines of the server's signing key.
    pub signing_lines: &'a [String],
    pub box_public_key: &'a str,
    /// PEM of the CAs of the server's organizations.
    pub authorities: &'a [String],
    pub certificate: &'a str,
    pub tls: Option<(TlsMode, &'a Secret<String>)>,
    /// Which factors the typed password has.
    pub password_mode: Option<&'a str>,
    pub rules: ClientRules,
}

/// What only the full profile holds.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    pub key: &'a Secret<String>,
    pub sync_token: &'a Secret<String>,
    pub sync_secret: &'a Secret<String>,
}

/// File and archive member of a profile, raw names (contract 3.1).
pub fn file_name(organization: &str, user: &str, server: &str) -> String {
    format!("{organization}_{user}_{server}.ovpn")
}

/// The parts of a text that are random on purpose.
struct Chance {
    id: String,
    name: String,
    remotes: Vec<Remote>,
}

impl Profile<'_> {
    /// What a client imports.
    pub fn full(&self, credentials: &Credentials<'_>, random: &Random) -> Secret<String> {
        let header = self.header(Some(&self.sync_hash()), Some(credentials));
        Secret::new(self.text(&header, Some(credentials), &self.chance(random)))
    }

    /// `conf` of a sync answer: without keys and secrets, which the client keeps.
    pub fn synced(&self, random: &Random) -> String {
        self.text(&self.header(Some(&self.sync_hash()), None), None, &self.chance(random))
    }

    /// Digest of what a sync would deliver, in one order and without what is random.
    pub fn sync_hash(&self) -> String {
        let mut remotes = self.remotes.to_vec();
        remotes.sort();
        let fixed = Chance { id: String::new(), name: String::new(), remotes };
        let text = self.text(&self.header(None, None), None, &fixed);
        let digest = openssl::sha::sha256(text.as_bytes());
        to_hex(digest.get(..16).unwrap_or(&digest))
    }

    fn chance(&self, random: &Random) -> Chance {
        let mut remotes = self.remotes.to_vec();
        for at in (1..remotes.len()).rev() {
            let other = usize::try_from(random.below(at as u64 + 1)).unwrap_or(at);
            remotes.swap(at, other);
        }
        Chance { id: to_hex(&random.bytes::<16>()), name: random_name(random), remotes }
    }

    fn text(&self, header: &Value, credentials: Option<&Credentials<'_>>, by: &Chance) -> String {
        let mut out = String::with_capacity(16 * 1024);
        // Pretty JSON: only the outermost braces stand alone, which is what clients look for.
        for line in format!("{header:#}").lines() {
            out.push('#');
            out.push_str(line);
            out.push('\n');
        }
        for line in self.directives(by) {
            out.push_str(&line);
            out.push('\n');
        }
        let authorities: Vec<&str> = self.authorities.iter().map(|ca| pem(ca)).collect();
        block(&mut out, "ca", &authorities.join("\n"));
        if let (Some((mode, key)), Some(_)) = (self.tls, credentials) {
            let tag = if mode == TlsMode::Auth { "tls-auth" } else { "tls-crypt" };
            block(&mut out, tag, key.expose().trim());
        }
        block(&mut out, "cert", pem(self.certificate));
        if let Some(credentials) = credentials {
            block(&mut out, "key", credentials.key.expose().trim());
        }
        out
    }

    fn directives(&self, by: &Chance) -> Vec<String> {
        let server = self.server;
        let mut lines = vec![
            "ignore-unknown-option data-ciphers".to_owned(),
            format!("setenv UV_ID {}", by.id),
            format!("setenv UV_NAME {}", by.name),
            "client".to_owned(),
        ];
        let mut put = |text: &str| lines.push(text.to_owned());
        let device = if server.network_mode == NetworkMode::Bridge { "tap" } else { "tun" };
        put(&format!("dev {device}"));
        put(&format!("dev-type {device}"));
        remote_lines(server, &by.remotes).iter().for_each(|line| put(line));
        put("nobind");
        put("persist-tun");
        ciphers(server).into_iter().for_each(&mut put);
        put(&format!("auth {}", self.auth()));
        ["verb 4", "mute 4", "push-peer-info"].into_iter().for_each(&mut put);
        put(&format!("ping {}", server.ping_interval_s));
        put(&format!("ping-restart {}", server.ping_timeout_s));
        ["hand-window 70", "server-poll-timeout 4", "connect-retry 1 2"]
            .into_iter()
            .for_each(&mut put);
        if server.protocol == Protocol::Udp {
            put("explicit-exit-notify 1");
        }
        put(&format!("reneg-sec {TTL_S}"));
        ["sndbuf 393216", "rcvbuf 393216", "remote-cert-tls server"].into_iter().for_each(&mut put);
        if let Some(mtu) = server.tun_mtu {
            put(&format!("tun-mtu {mtu}"));
        }
        if server.switches.block_outside_dns {
            put("ignore-unknown-option block-outside-dns");
            put("block-outside-dns");
        }
        if self.password_mode.is_some() {
            put("auth-user-pass");
        }
        if matches!(self.tls, Some((TlsMode::Auth, _))) {
            put("key-direction 1");
        }
        lines
    }

    /// OpenVPN refuses `auth none` beside `tls-auth`; both ends then use SHA-1.
    fn auth(&self) -> &'static str {
        match self.server.hash {
            Hash::None if matches!(self.tls, Some((TlsMode::Auth, _))) => "SHA1",
            Hash::None => "none",
            Hash::Md5 => "MD5",
            Hash::Sha1 => "SHA1",
            Hash::Sha256 => "SHA256",
            Hash::Sha512 => "SHA512",
        }
    }

    fn header(&self, sync_hash: Option<&str>, credentials: Option<&Credentials<'_>>) -> Value {
        let (server, switches) = (self.server, &self.server.switches);
        let mut sync_hosts = self.sync_hosts.to_vec();
        sync_hosts.sort();
        let priority = |r: &Remote| (r.address.clone(), json!({ "priority": r.priority }));
        let remotes: Map<String, Value> = self.remotes.iter().map(priority).collect();
        let mut header = json!({
            "version": 1,
            "user": self.user.1,
            "organization": self.organization.1,
            "server": server.name,
            "user_id": self.user.0.to_string(),
            "organization_id": self.organization.0.to_string(),
            "server_id": self.server_id.to_string(),
            "wg": switches.wg,
            "hide_ovpn": switches.hide_ovpn,
            "ovpn_dco": switches.ovpn_dco,
            "server_public_key": self.signing_lines,
            "server_box_public_key": self.box_public_key,
            "sync_hosts": sync_hosts,
            "sync_hash": sync_hash,
            "dynamic_firewall": switches.dynamic_firewall,
            "device_auth": switches.device_auth,
            "force_connect": switches.force_connect,
            "sso_auth": switches.sso_auth && !switches.bypass_sso_auth,
            "push_auth": false,
            "push_auth_ttl": TTL_S,
            "disable_reconnect": !self.rules.reconnect || server.session_timeout_s.is_some(),
            "restrict_client": self.rules.restrict_client,
            "token": self.rules.cache_token,
            "token_ttl": TTL_S,
            // A key would name a service on the internet; nothing here phones home.
            "geo_sort": null,
            "password_mode": self.password_mode,
            "remotes_data": remotes,
        });
        if let Some(fields) = header.as_object_mut() {
            if let Some(message) = &server.pre_connect_msg {
                fields.insert("pre_connect_msg".to_owned(), json!(message));
            }
            if let Some(credentials) = credentials {
                fields.insert("sync_token".to_owned(), json!(credentials.sync_token.expose()));
                fields.insert("sync_secret".to_owned(), json!(credentials.sync_secret.expose()));
            }
        }
        header
    }
}

/// IPv6 first, each group in the order given.
fn remote_lines(server: &ServerSpec, remotes: &[Remote]) -> Vec<String> {
    let is_v6 = |r: &&Remote| r.address.parse::<Ipv6Addr>().is_ok();
    let (v6, v4): (Vec<&Remote>, Vec<&Remote>) = remotes.iter().partition(is_v6);
    let (proto4, proto6) = match server.protocol {
        Protocol::Udp => ("udp", "udp6"),
        Protocol::Tcp => ("tcp-client", "tcp6-client"),
    };
    let line = |proto| move |r: &Remote| format!("remote {} {} {proto}", r.address, server.port);
    let mut lines: Vec<String> = v6.into_iter().map(line(proto6)).collect();
    lines.extend(v4.into_iter().map(line(proto4)));
    if lines.len() > 1 {
        lines.push("remote-random".to_owned());
    }
    lines
}

/// Contract 4.3, the client's side.
fn ciphers(server: &ServerSpec) -> [&'static str; 2] {
    match (server.cipher, server.switches.ovpn_dco) {
        // Clients since 2.6 would not offer it by themselves.
        (Cipher::None, _) => ["cipher none", "data-ciphers none"],
        (Cipher::ChaCha20, _) => ["cipher CHACHA20-POLY1305", "data-ciphers CHACHA20-POLY1305"],
        (Cipher::Bf128 | Cipher::Aes128, false) => {
            ["cipher AES-128-CBC", "data-ciphers AES-128-GCM:AES-128-CBC"]
        }
        (Cipher::Bf128 | Cipher::Aes128, true) => {
            ["cipher AES-128-GCM", "data-ciphers AES-128-GCM"]
        }
        (Cipher::Bf256 | Cipher::Aes192 | Cipher::Aes256, false) => {
            ["cipher AES-256-CBC", "data-ciphers AES-256-GCM:AES-256-CBC"]
        }
        (Cipher::Bf256 | Cipher::Aes192 | Cipher::Aes256, true) => {
            ["cipher AES-256-GCM", "data-ciphers AES-256-GCM"]
        }
    }
}

/// Without the dump that imported certificates carry in front.
fn pem(text: &str) -> &str {
    text.find("-----BEGIN").and_then(|at| text.get(at..)).unwrap_or(text).trim()
}

fn block(out: &mut String, tag: &str, content: &str) {
    out.push_str(&format!("<{tag}>\n{content}\n</{tag}>\n"));
}

#[cfg(test)]
mod tests;
