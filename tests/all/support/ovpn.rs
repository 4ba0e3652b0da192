//! A real OpenVPN client with a profile as users get it.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::place::Place;
use super::process::Process;
use super::temp::TempDir;
use super::wait::wait_for;

pub struct Tunnel {
    pub process: Process,
    place: Place,
    _dir: TempDir,
}

/// How an attempt to connect ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    Connected,
    /// The server said no; its reason may be empty.
    Refused(String),
}

impl Tunnel {
    /// Starts connecting. The device is `tun0`; its routes are those that the server pushes.
    pub fn start(place: &Place, profile: &str, login: Option<(&str, &str)>) -> Tunnel {
        let dir = TempDir::new("client");
        let path = dir.join("profile.ovpn");
        write_private(&path, profile);
        let mut command = Command::new("openvpn");
        command.arg("--config").arg(&path).args(["--dev", "tun0"]);
        if let Some((username, password)) = login {
            write_private(&dir.join("login"), &format!("{username}\n{password}\n"));
            command.arg("--auth-user-pass").arg(dir.join("login"));
        }
        let process = Process::start(place, &mut command, &dir.join("log"));
        Tunnel { process, place: place.clone(), _dir: dir }
    }

    /// Waits for the first verdict of the server.
    pub fn outcome(&mut self, limit: Duration) -> Attempt {
        wait_for("an answer of the VPN server", limit, || {
            let log = self.process.log();
            if log.contains("Initialization Sequence Completed") {
                return Some(Attempt::Connected);
            }
            if let Some(rest) = log.split("AUTH_FAILED").nth(1) {
                let reason = rest.lines().next().unwrap_or_default();
                return Some(Attempt::Refused(reason.trim_start_matches(',').to_owned()));
            }
            assert!(self.process.is_running(), "the VPN client ended");
            None
        })
    }

    /// How often the tunnel has come up so far.
    pub fn connections(&self) -> usize {
        self.process.log().matches("Initialization Sequence Completed").count()
    }

    /// The client's own address in the tunnel.
    pub fn address(&self) -> Ipv4Addr {
        let text = self.place.sh("ip -4 -o addr show dev tun0");
        let address = text.split("inet ").nth(1).and_then(|rest| rest.split('/').next());
        address.expect("an address of tun0").parse().expect("an address")
    }
}

fn write_private(path: &Path, text: &str) {
    let mut file =
        fs::File::options().write(true).create_new(true).mode(0o600).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("a file");
}
