//! What the plain port answers (contract 1.1): a redirect to HTTPS, except for the two health paths
//! and ACME challenges. Pure; the front's bounds apply to this port as to the other.

/// The answer to a request on the plain port.
#[derive(Debug, PartialEq, Eq)]
pub enum Plain {
    /// 301 to this address.
    Redirect(String),
    /// Served as on the other port.
    Serve,
    NotFound,
}

pub fn answer(host: &str, target: &str, https_port: u16) -> Plain {
    if target.starts_with("/.well-known/acme-challenge/") {
        return Plain::NotFound;
    }
    if target.starts_with("/check") || target.starts_with("/ping") {
        return Plain::Serve;
    }
    let name = without_port(host);
    Plain::Redirect(match https_port {
        443 => format!("https://{name}{target}"),
        port => format!("https://{name}:{port}{target}"),
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, _)) if host.ends_with(']') || name.is_empty() => host,
        Some((name, _)) => name,
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_goes_to_https() {
        for (host, target, port, want) in [
            ("a.example", "/", 443, "https://a.example/"),
            ("a.example:80", "/x?y=1", 8443, "https://a.example:8443/x?y=1"),
            ("[2001:db8::1]", "/", 443, "https://[2001:db8::1]/"),
            ("[2001:db8::1]:80", "/", 8443, "https://[2001:db8::1]:8443/"),
        ] {
            assert_eq!(answer(host, target, port), Plain::Redirect(want.to_owned()));
        }
        assert_eq!(answer("a", "/ping", 443), Plain::Serve);
        assert_eq!(answer("a", "/check", 443), Plain::Serve);
        assert_eq!(answer("a", "/.well-known/acme-challenge/x", 443), Plain::NotFound);
    }
}
