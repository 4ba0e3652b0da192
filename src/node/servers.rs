//! What the VPN side of a host is told.

use super::NodeError;
use crate::config::Config;
use crate::store::Store;
use crate::store::hosts::HostDoc;
use crate::vpn::Settings;
use crate::vpn::settings::Guards;
use std::net::SocketAddrV4;

pub fn settings(config: &Config, store: &Store, host: &HostDoc) -> Result<Settings, NodeError> {
    let public_address = host.effective_address().and_then(|text| text.parse().ok());
    Ok(Settings {
        openvpn: config.openvpn.clone(),
        openvpn_user: config.openvpn_user.clone(),
        run_dir: config.run_dir.clone(),
        state_dir: config.state_dir.clone(),
        host_name: host.name.clone(),
        public_address,
        guards: guards(config, &store.members()?),
    })
}

/// The console's ports here, and the database wherever it is.
fn guards(config: &Config, members: &[String]) -> Guards {
    let members: Vec<SocketAddrV4> = members.iter().filter_map(|m| m.parse().ok()).collect();
    let console = [Some(config.listen_https), config.listen_http].into_iter().flatten();
    let mut ports: Vec<u16> = console.map(|address| address.port()).collect();
    ports.extend(members.iter().map(SocketAddrV4::port));
    ports.sort_unstable();
    ports.dedup();
    let mut addresses: Vec<_> = members.iter().map(|member| *member.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Guards { addresses, ports }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_and_console_are_guarded() {
        let config = Config::load(None, std::iter::empty()).expect("the defaults");
        let members = ["10.77.0.50:27017", "10.77.0.52:27017", "db.example:27018", "/run/m.sock"];
        let guards = guards(&config, &members.map(str::to_owned));
        assert_eq!(guards.ports, [80, 443, 27017]);
        let addresses: Vec<String> = guards.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.77.0.50", "10.77.0.52"]);
    }
}
