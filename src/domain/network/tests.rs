//! Rows of networks.

use super::*;

fn net(text: &str) -> Network4 {
    text.parse().expect(text)
}

#[test]
fn only_strict_networks_are_read() {
    for (text, good) in [
        ("10.0.0.0/8", true),
        ("0.0.0.0/0", true),
        ("192.0.2.1/32", true),
        ("::/0", true),
        ("fd00:1::/64", true),
        ("fd00::1/128", true),
        ("10.0.0.1/8", false),
        ("10.0.0.0", false),
        ("10.0.0.0/33", false),
        ("10.0.0.0/+8", false),
        ("10.0.0.0/", false),
        ("10.0.0/8", false),
        ("10.0.0.0/255.0.0.0", false),
        ("fd00::1/64", false),
        ("::/129", false),
        (" 10.0.0.0/8", false),
        ("", false),
    ] {
        let parsed = text.parse::<Network>();
        assert_eq!(parsed.is_ok(), good, "{text}");
        if let Ok(net) = parsed {
            assert_eq!(net.to_string(), text);
        }
    }
}

#[test]
fn overlap_is_containment_one_way_or_the_other() {
    for (a, b, overlap) in [
        ("10.0.0.0/8", "10.20.0.0/16", true),
        ("10.20.0.0/16", "10.0.0.0/8", true),
        ("10.20.0.0/16", "10.20.0.0/16", true),
        ("10.20.0.0/16", "10.21.0.0/16", false),
        ("0.0.0.0/0", "192.168.1.0/24", true),
    ] {
        assert_eq!(net(a).overlaps(net(b)), overlap, "{a} {b}");
    }
    assert!(!Network::ANY4.overlaps(Network::ANY6));
    assert!(Network::ANY6.contains("fd00::1".parse().expect("address")));
    assert!(!Network::ANY6.contains("192.0.2.1".parse().expect("address")));
}

#[test]
fn hosts_are_counted_from_the_base_without_the_broadcast() {
    for (text, n, host) in [
        ("10.20.0.0/16", 1, Some("10.20.0.1")),
        ("10.20.0.0/16", 65_534, Some("10.20.255.254")),
        ("10.20.0.0/16", 65_535, None),
        ("10.20.0.0/16", 0, None),
        ("255.255.255.0/24", 300, None),
        ("10.0.0.0/30", 2, Some("10.0.0.2")),
    ] {
        assert_eq!(net(text).host(n).map(|a| a.to_string()).as_deref(), host, "{text} {n}");
    }
    let lan = net("10.20.0.0/16");
    assert_eq!(lan.gateway(), Some(Ipv4Addr::new(10, 20, 0, 1)));
    assert_eq!(lan.netmask(), Ipv4Addr::new(255, 255, 0, 0));
    assert_eq!(lan.last(), Ipv4Addr::new(10, 20, 255, 255));
    assert_eq!(lan.index_of(Ipv4Addr::new(10, 20, 1, 2)), Some(258));
    assert_eq!(lan.index_of(Ipv4Addr::new(10, 21, 0, 0)), None);
    assert_eq!(net("0.0.0.0/0").netmask(), Ipv4Addr::UNSPECIFIED);
}

#[test]
fn server_networks_lie_in_the_private_ranges() {
    for (text, good) in [
        ("10.0.0.0/8", true),
        ("10.20.0.0/16", true),
        ("100.64.0.0/10", true),
        ("100.0.0.0/8", false),
        ("172.16.0.0/12", true),
        ("172.32.0.0/16", false),
        ("192.0.0.0/24", true),
        ("192.0.2.0/24", false),
        ("192.168.1.0/24", true),
        ("192.0.0.0/8", false),
        ("198.18.0.0/15", true),
        ("198.20.0.0/16", false),
        ("6.0.0.0/8", true),
        ("7.1.0.0/16", true),
        ("11.0.0.0/8", true),
        ("21.0.0.0/8", true),
        ("22.0.0.0/8", true),
        ("26.0.0.0/8", true),
        ("28.0.0.0/8", true),
        ("29.0.0.0/8", true),
        ("30.0.0.0/8", true),
        ("33.0.0.0/8", true),
        ("8.0.0.0/8", false),
        ("0.0.0.0/0", false),
        ("10.0.0.0/30", true),
        ("10.0.0.0/31", false),
        ("10.0.0.1/16", false),
        ("fd00::/64", false),
        ("", false),
    ] {
        assert_eq!(server_network(text).is_ok(), good, "{text}");
    }
}

#[test]
fn a_random_network_is_free_and_prefers_the_upper_ones() {
    let random = Random::seeded(5);
    let mut taken = Vec::new();
    for round in 0..235 {
        let net = random_network(&taken, &random).expect("235 of them are free");
        let x = net.base().octets()[2];
        assert!(if round < 35 { 215..=249 } else { 15..=214 }.contains(&x), "{round}: {net}");
        assert!(!taken.contains(&net));
        taken.push(net);
    }
    assert_eq!(random_network(&taken, &random), None);
    assert_eq!(random_network(&[net("192.168.0.0/16")], &random), None);
}

#[test]
fn ipv6_follows_from_ipv4() {
    for (v4, v6, address, address6) in [
        ("192.168.230.0/24", "fd00:c0a8:e600::/64", "192.168.230.5", "192:168:230:5"),
        ("10.20.0.0/16", "fd00:a140::/64", "10.20.0.2", "10:20:0:2"),
        ("172.16.8.0/24", "fd00:ac10:800::/64", "172.16.8.99", "172:16:8:99"),
        ("10.20.48.0/24", "fd00:a143::/64", "10.20.48.2", "10:20:48:2"),
    ] {
        let derived = derived_ipv6(net(v4));
        assert_eq!(derived.to_string(), v6);
        let whole = derived_ipv6_address(derived, address.parse().expect("address"));
        let expect = format!("{}:{address6}", v6.trim_end_matches("::/64"));
        let groups = expect.matches(':').count() + 1;
        let expect = match groups {
            8 => expect,
            n => {
                let zeros = vec!["0"; 8 - n].join(":");
                expect.replacen(address6, &format!("{zeros}:{address6}"), 1)
            }
        };
        assert_eq!(whole, expect.parse::<Ipv6Addr>().expect("address"), "{v4}");
    }
}
