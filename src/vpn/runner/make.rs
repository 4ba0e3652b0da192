//! What a running server is made of: directory, tunnel device, firewall table, process, and the
//! record by which a later life of the daemon finds it.

use super::Actor;
use crate::base::ids::{InstanceId, ServerId};
use crate::base::secret::Secret;
use crate::sys::process::{self, Identity, Output, Spec};
use crate::sys::tun::{self, Tun};
use crate::sys::users::{self, User};
use crate::sys::{dirs, fd, nft};
use crate::vpn::{config, firewall, settings};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where servers run on this host.
#[derive(Clone, Debug)]
pub struct Place {
    pub openvpn: PathBuf,
    /// System user that OpenVPN runs as.
    pub user_name: String,
    /// Others may enter it, because OpenVPN's user must.
    pub run_dir: PathBuf,
    pub host_name: String,
    /// Where clients reach this host: a route that covers it gets an exception.
    pub public_address: Option<std::net::Ipv4Addr>,
    /// The host has IPv6, so one socket serves both families.
    pub dual_stack: bool,
}

impl Place {
    fn directory(&self, server: ServerId) -> PathBuf {
        directory(&self.run_dir, server)
    }

    pub(super) fn socket(&self, server: ServerId) -> PathBuf {
        self.directory(server).join("management.sock")
    }

    fn record(&self, server: ServerId) -> PathBuf {
        record(&self.run_dir, server)
    }
}

fn directory(run_dir: &Path, server: ServerId) -> PathBuf {
    run_dir.join(format!("{DIRECTORY_PREFIX}{server}"))
}

fn record(run_dir: &Path, server: ServerId) -> PathBuf {
    run_dir.join(format!("{RECORD_PREFIX}{server}"))
}

const DIRECTORY_PREFIX: &str = "openvpn-";
const RECORD_PREFIX: &str = "instance-";
/// Size of packets inside the tunnel where the server does not say.
const MTU: u16 = 1500;

/// An OpenVPN that an earlier life of the daemon started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub server: ServerId,
    pub instance: InstanceId,
    /// The server's run that it belongs to.
    pub run: i64,
    pub identity: Identity,
    /// Of the configuration it runs with.
    pub digest: String,
}

impl Record {
    fn text(&self) -> String {
        format!("{} {}\n{}\n{}\n", self.instance, self.run, self.digest, self.identity)
    }

    fn parse(server: ServerId, text: &str) -> Option<Record> {
        let mut lines = text.lines();
        let (instance, run) = lines.next()?.split_once(' ')?;
        let (instance, run) = (instance.parse().ok()?, run.parse().ok()?);
        let digest = lines.next()?.to_owned();
        let identity = Identity::parse(lines.next()?)?;
        Some(Record { server, instance, run, identity, digest })
    }
}

/// The records of a run directory; what can not be read is left alone.
pub fn records_in(run_dir: &Path) -> Vec<Record> {
    let Ok(entries) = std::fs::read_dir(run_dir) else { return Vec::new() };
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let server = name.strip_prefix(RECORD_PREFIX)?.parse().ok()?;
        Record::parse(server, &std::fs::read_to_string(entry.path()).ok()?)
    };
    entries.flatten().filter_map(read).collect()
}

/// Servers of which something is in a run directory, also where a crash left no record.
pub fn servers_in(run_dir: &Path) -> BTreeSet<ServerId> {
    let Ok(entries) = std::fs::read_dir(run_dir) else { return BTreeSet::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let id = |name: String| {
        let id = name.strip_prefix(RECORD_PREFIX).or(name.strip_prefix(DIRECTORY_PREFIX))?;
        id.parse().ok()
    };
    names.filter_map(id).collect()
}

/// The line of OpenVPN's output that says why it ended: the first that names an error.
pub(super) fn cause_in(said: &str) -> Option<String> {
    let telling = ["error", "fatal", "cannot", "can't", "failed", "options"];
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let named = lines().find(|line| {
        let line = line.to_lowercase();
        telling.iter().any(|word| line.contains(word))
    });
    named.or_else(|| lines().next_back()).map(str::to_owned)
}

impl Actor {
    /// Everything for one life of the process. Idempotent: what is left of an earlier one goes.
    pub(super) fn make(&mut self) -> Result<(), String> {
        let place = self.around.place.clone();
        let (server, directory) = (self.server.clone(), place.directory(self.server.id));
        let user = users::user(&place.user_name).map_err(|e| chain(&e))?;
        tun::check_node(&place.user_name, user).map_err(|e| chain(&e))?;
        let owner = User { uid: user.uid, gid: users::current().gid };
        dirs::create(&directory, 0o770, Some(owner)).map_err(|e| chain(&e))?;
        let socket = place.socket(server.id);
        // One of an earlier process.
        let _ = std::fs::remove_file(&socket);
        let text = config::text(&server, &self.plan.keys, &socket, place.dual_stack);
        let text = text.map_err(|e| chain(&e))?;
        let gateway = server.network.gateway().ok_or("the network has no room for a gateway")?;
        let device = Tun {
            name: server.device(),
            owner: user,
            addresses: vec![format!("{gateway}/{}", server.network.prefix())],
            mtu: server.tun_mtu.unwrap_or(MTU),
        };
        // The firewall is there before the device it is about.
        self.load_firewall()?;
        tun::create(&device).map_err(|e| chain(&e))?;
        self.start_process(text, &directory, user)
    }

    pub(super) fn load_firewall(&self) -> Result<(), String> {
        let blocked = self.clients.blocked();
        let rules = firewall::ruleset(&self.server, &self.plan.guards, &blocked);
        nft::apply(&rules).map_err(|e| chain(&e))
    }

    fn start_process(&mut self, text: String, directory: &Path, user: User) -> Result<(), String> {
        let place = self.around.place.clone();
        let (said, write) = fd::lossy_pipe().map_err(|e| chain(&e))?;
        let digest = crate::base::ids::to_hex(&openssl::sha::sha256(text.as_bytes()));
        let process = process::spawn(Spec {
            program: place.openvpn.clone(),
            args: vec!["--config".into(), "stdin".into()],
            directory: Some(directory.to_owned()),
            run_as: (users::current().uid != user.uid).then(|| user.run_as()),
            stdin: Some(Secret::new(text.into_bytes())),
            stdout: Output::Fd(write),
            ..Spec::default()
        });
        let process = process.map_err(|e| chain(&e))?;
        let record = Record {
            server: self.server.id,
            instance: self.plan.instance,
            run: self.plan.run,
            identity: process.identity().clone(),
            digest,
        };
        let path = place.record(self.server.id);
        self.process = Some(process);
        self.process_number += 1;
        self.said = Some(said);
        dirs::write_atomically(&path, record.text().as_bytes(), 0o600).map_err(|e| chain(&e))
    }
}

/// Takes away everything that was made for a server; what is not there is not missed. Answers what
/// could not be done.
pub fn clear(run_dir: &Path, server: ServerId) -> Vec<String> {
    let problems = [
        tun::delete(&settings::device(server)).err().map(|e| chain(&e)),
        nft::delete_table(&settings::table(server)).err().map(|e| chain(&e)),
    ];
    // Both may be gone already.
    let _ = std::fs::remove_dir_all(directory(run_dir, server));
    let _ = std::fs::remove_file(record(run_dir, server));
    let problems = problems.into_iter().flatten();
    problems.map(|problem| format!("after server {server}: {problem}")).collect()
}

/// An error with what caused it.
pub(in crate::vpn) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let identity = Identity { pid: 7, start: 8, boot: "b".to_owned() };
        let server = ServerId::from_bytes([1; 12]);
        let instance = InstanceId::from_bytes([2; 12]);
        let record = Record { server, instance, run: 3, identity, digest: "d".to_owned() };
        assert_eq!(Record::parse(server, &record.text()), Some(record));
        assert_eq!(Record::parse(server, "torn"), None);
    }

    #[test]
    fn servers_are_found_by_record_or_directory() {
        let dir = std::env::temp_dir().join(format!("warren-servers-in-{}", std::process::id()));
        let id = |n| ServerId::from_bytes([n; 12]);
        std::fs::create_dir_all(directory(&dir, id(1))).expect("a directory");
        std::fs::create_dir_all(directory(&dir, id(2))).expect("a directory");
        for (path, text) in [(record(&dir, id(2)), ""), (record(&dir, id(3)), "torn")] {
            std::fs::write(path, text).expect("a record");
        }
        std::fs::write(dir.join("instance-of-nothing"), "").expect("a file");
        let found = servers_in(&dir);
        std::fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(found, [id(1), id(2), id(3)].into());
        assert_eq!(servers_in(&dir), BTreeSet::new(), "no directory");
    }

    #[test]
    fn the_cause_is_the_line_that_names_it() {
        let said = "OpenVPN 2.6\nOptions error: Unrecognized option (x:1)\nUse --help\n";
        assert_eq!(cause_in(said).as_deref(), Some("Options error: Unrecognized option (x:1)"));
        assert_eq!(cause_in("one\ntwo\n").as_deref(), Some("two"));
        assert_eq!(cause_in(""), None);
    }
}
