//! Facts about this machine.

use std::io;
use std::time::Duration;

/// Changes with every boot.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

pub fn name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
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
    fn the_machine_is_described() {
        assert_eq!(boot_id().expect("a boot id").len(), 36);
        assert!(uptime() > Duration::ZERO && resident_bytes() > 0);
        assert!(!name().is_empty() && !kernel_release().is_empty());
    }
}
