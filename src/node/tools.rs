//! What a host needs of its machine before anything is begun: programs, the tun device, users.

use super::NodeError;
use crate::config::Config;
use crate::sys::run::{RunError, run};
use crate::sys::{tun, users};

/// A program by which words it says its version, and Debian's package of it.
fn programs(config: &Config) -> [(String, &'static str, &'static str); 3] {
    [
        (config.openvpn.display().to_string(), "--version", "openvpn"),
        ("nft".to_owned(), "--version", "nftables"),
        ("ip".to_owned(), "-V", "iproute2"),
    ]
}

/// Refused while nothing has been changed: a host that can not run servers is no host.
pub fn check(config: &Config) -> Result<(), NodeError> {
    for (program, flag, package) in programs(config) {
        match run(&program, &[flag]) {
            Err(e) if e.not_installed() => return Err(NodeError::Tool { program, package }),
            // OpenVPN 2.6 says its version and ends with 1 in some builds: it is there.
            Ok(_) | Err(RunError::Failed { .. }) => {}
            Err(e) => return Err(NodeError::Run(e)),
        }
    }
    let user = users::user(&config.openvpn_user)?;
    Ok(tun::check_node(&config.openvpn_user, user)?)
}
