//! Facts about this machine.

use crate::sys::run::run;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

/// This host's own IPv4 address towards the rest of the world: what the kernel would send from (no
/// packet is sent), or without a default route the first one that is not of this host alone.
pub fn address() -> Option<Ipv4Addr> {
    let towards_all = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // An address for documentation: only the default route leads to it.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    };
    if let Ok(IpAddr::V4(address)) = towards_all() {
        return Some(address);
    }
    let text = run("ip", &["-4", "-o", "addr", "show", "scope", "global"]).ok()?;
    let mut found = text.lines().filter_map(|line| line.split_once(" inet "));
    found.next()?.1.split('/').next()?.parse().ok()
}

/// IPv4 networks this host is on, each `10.0.0.0/24`, loopback apart and devices whose names begin
/// with `own`: the servers' tunnels.
pub fn networks(own: &str) -> Vec<String> {
    match run("ip", &["-4", "-o", "route", "show", "scope", "link"]) {
        Ok(text) => on_link(&text, own),
        Err(_) => Vec::new(),
    }
}

fn on_link(routes: &str, own: &str) -> Vec<String> {
    let network = |line: &str| {
        let mut words = line.split_whitespace();
        let network = words.next().filter(|network| network.contains('/'))?;
        let device = words.skip_while(|word| *word != "dev").nth(1)?;
        (!device.starts_with(own)).then(|| network.to_owned())
    };
    routes.lines().filter_map(network).collect()
}

/// Changes with every boot.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

pub fn name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Whether the kernel speaks IPv6 in this network namespace.
pub fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

pub fn kernel_release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// Time since the machine started.
pub fn uptime() -> Duration {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.0))
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// What Warren needs of the kernel and this one lacks, each as a short name.
pub fn missing_features() -> Vec<&'static str> {
    let checks = [
        ("pidfd (Linux 5.3)", super::process::Identity::of(std::process::id()).is_ok()),
        ("tun (CONFIG_TUN)", std::path::Path::new("/dev/net/tun").exists()),
        ("IPv4 forwarding control", std::path::Path::new(super::forward::IPV4).exists()),
    ];
    checks.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_those_of_other_devices() {
        let routes = "10.77.0.0/24 dev eth0 proto kernel src 10.77.0.11 \n\
                      10.8.0.0/24 dev wrna0000000001 proto kernel src 10.8.0.1 \n\
                      192.0.2.9 dev eth0 \n172.17.0.0/16 dev docker0 linkdown \n";
        assert_eq!(on_link(routes, "wrn"), ["10.77.0.0/24", "172.17.0.0/16"]);
    }

    #[test]
    fn the_machine_is_described() {
        assert_eq!(boot_id().expect("a boot id").len(), 36);
        assert!(uptime() > Duration::ZERO && resident_bytes() > 0);
        assert!(!name().is_empty() && !kernel_release().is_empty());
    }
}
