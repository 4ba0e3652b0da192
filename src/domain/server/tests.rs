//! Rows of the contract's table of server fields.

use super::*;
use crate::base::ids::ServerId;
use crate::base::random::Random;
use crate::domain::Refusal;

const OWN: ServerId = ServerId::from_bytes([1; 12]);
const OTHER: ServerId = ServerId::from_bytes([2; 12]);
const POST: Circumstances<'static> = Circumstances {
    previous: None,
    taken: &[],
    has_server_links: false,
    has_network_links: false,
    linked_online: false,
};

pub(crate) fn fields() -> ServerFields {
    ServerFields {
        name: "office".to_owned(),
        network: "10.20.0.0/16".to_owned(),
        port: 1194,
        protocol: "udp".to_owned(),
        cipher: "aes128".to_owned(),
        hash: "sha256".to_owned(),
        ..ServerFields::default()
    }
}

pub(crate) fn spec(change: impl FnOnce(&mut ServerFields)) -> ServerSpec {
    made(change, POST).expect("a valid server")
}

fn made(
    change: impl FnOnce(&mut ServerFields),
    around: Circumstances<'_>,
) -> Result<ServerSpec, Refusal> {
    let mut fields = fields();
    change(&mut fields);
    ServerSpec::from_request(&fields, &around, &Random::seeded(1))
}

fn put(spec: &ServerSpec, online: bool) -> Circumstances<'_> {
    Circumstances { previous: Some(Previous { id: OWN, spec, online }), ..POST }
}

fn occupied(server: ServerId) -> Taken {
    Taken {
        server,
        networks: vec!["10.20.0.0/24".parse().expect("a network")],
        ports: vec![(Protocol::Udp, 1194)],
    }
}

type Change = fn(&mut ServerFields);

#[test]
fn zero_values_mean_what_the_table_says() {
    let spec = spec(|_| ());
    assert_eq!((spec.ping_interval_s, spec.ping_timeout_s), (3, 10));
    assert_eq!((spec.ping_interval_wg_s, spec.ping_timeout_wg_s), (30, 120));
    assert_eq!((spec.link_ping_interval_s, spec.link_ping_timeout_s), (1, 5));
    assert_eq!((spec.inactive_timeout_s, spec.session_timeout_s), (None, None));
    assert_eq!((spec.max_clients, spec.max_devices, spec.replica_count), (2000, 0, 1));
    assert_eq!((spec.mss_fix, spec.tun_mtu, spec.fragment), (None, None, None));
    assert_eq!((spec.bind_address, spec.search_domain, spec.pre_connect_msg), (None, None, None));
    assert_eq!((spec.allowed_devices, spec.bridge_range, spec.wireguard), (None, None, None));
    assert_eq!((spec.network_mode, spec.dh_param_bits), (NetworkMode::Tunnel, 2048));
    assert_eq!(spec.switches, Switches::default());
}

#[test]
fn given_values_are_kept_in_their_normal_form() {
    let spec = spec(|f| {
        f.name = " Main office!".to_owned();
        f.protocol = "TCP".to_owned();
        f.groups = ["a b", "c", "ab", ""].map(str::to_owned).to_vec();
        f.dns_servers = ["8.8.8.8", "FD00::1"].map(str::to_owned).to_vec();
        f.search_domain = "a.example ,b.example,,\"c\n.example".to_owned();
        f.pre_connect_msg = "  hello there\n".to_owned();
        f.bind_address = " 192.0.2.1".to_owned();
        f.allowed_devices = "mobile".to_owned();
        (f.ping_interval, f.ping_timeout) = (10, 60);
        (f.mss_fix, f.tun_mtu, f.session_timeout, f.max_clients) = (1400, 1500, 3600, 7);
    });
    assert_eq!(spec.name, "Mainoffice!");
    assert_eq!(spec.protocol, Protocol::Tcp);
    assert_eq!(spec.groups, ["ab", "c"]);
    assert_eq!(
        spec.dns_servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["8.8.8.8", "fd00::1"]
    );
    assert_eq!(spec.search_domain.as_deref(), Some("a.example, b.example, c.example"));
    assert_eq!(spec.search_domains().count(), 3);
    assert_eq!(spec.pre_connect_msg.as_deref(), Some("hello there"));
    assert_eq!(spec.bind_address.as_deref(), Some("192.0.2.1"));
    assert_eq!(spec.allowed_devices, Some(AllowedDevices::Mobile));
    assert_eq!((spec.ping_interval_s, spec.ping_timeout_s), (10, 60));
    assert_eq!((spec.mss_fix, spec.tun_mtu), (Some(1400), Some(1500)));
    assert_eq!((spec.session_timeout_s, spec.max_clients), (Some(3600), 7));
}

#[test]
fn what_the_contract_forbids_has_its_error() {
    let rows: &[(Change, &str)] = &[
        (|f| f.name = " ".to_owned(), "missing_params"),
        (|f| f.network = "10.20.0.1/16".to_owned(), "network_invalid"),
        (|f| f.network = "8.8.8.0/24".to_owned(), "network_invalid"),
        (|f| f.network = "office".to_owned(), "network_invalid"),
        (|f| f.port = 65_536, "port_invalid"),
        (|f| f.port = -1, "port_invalid"),
        (|f| f.protocol = String::new(), "protocol_invalid"),
        (|f| f.protocol = "sctp".to_owned(), "protocol_invalid"),
        (|f| f.cipher = String::new(), "cipher_invalid"),
        (|f| f.cipher = "rot13".to_owned(), "cipher_invalid"),
        (|f| f.hash = String::new(), "hash_invalid"),
        (|f| f.dh_param_bits = 512, "dh_param_bits_invalid"),
        (|f| f.dns_servers = vec!["dns.example".to_owned()], "dns_server_invalid"),
        (|f| (f.ping_interval, f.ping_timeout) = (6, 10), "ping_interval_too_high"),
        (|f| f.ping_timeout = 7, "ping_interval_too_high"),
        (|f| (f.ping_interval_wg, f.ping_timeout_wg) = (100, 104), "ping_interval_too_high"),
        (|f| f.switches.bypass_sso_auth = true, "bypass_sso_device_auth"),
        (|f| f.search_domain = "a.example".to_owned(), "server_domain_no_dns"),
        (|f| f.switches.dns_mapping = true, "client_dns_mapping_no_dns"),
        (|f| f.bind_address = "vpn.example".to_owned(), "bind_address_invalid"),
        (|f| f.max_clients = 16_777_215, "max_clients_invalid"),
        (|f| f.max_clients = i64::MAX, "max_clients_invalid"),
        (|f| f.tun_mtu = 99, "tun_mtu_invalid"),
        (|f| f.tun_mtu = 65_536, "tun_mtu_invalid"),
        (|f| f.fragment = 67, "fragment_invalid"),
        (|f| f.fragment = 65_536, "fragment_invalid"),
        (|f| (f.fragment, f.protocol) = (1300, "tcp".to_owned()), "fragment_tcp"),
        (|f| f.network_mode = "bridge".to_owned(), "missing_params"),
        (|f| bridged(f, "10.21.0.1", "10.20.0.9"), "_bridge_network_invalid"),
        (|f| bridged(f, "10.20.0.9", "10.20.0.1"), "_bridge_network_invalid"),
        (|f| bridged(f, "here", "there"), "_bridge_network_invalid"),
        (
            |f| {
                bridged(f, "10.20.0.1", "10.20.0.9");
                f.switches.ipv6 = true;
            },
            "bridged_ipv6_invalid",
        ),
        (
            |f| {
                bridged(f, "10.20.0.1", "10.20.0.9");
                f.replica_count = 2;
            },
            "bridged_replica_invalid",
        ),
        (|f| wireguard(f, "10.30.0.1/16", 0), "network_wg_invalid"),
        (|f| wireguard(f, "10.30.0.0/24", 0), "network_wg_cidr_invalid"),
        (|f| wireguard(f, "10.20.0.0/16", 0), "network_WG_in_use"),
        (|f| wireguard(f, "10.30.0.0/16", 70_000), "port_invalid"),
        (|f| wireguard(f, "10.30.0.0/16", 1194), "port_protocol_in_use"),
    ];
    for (row, (change, id)) in rows.iter().enumerate() {
        assert_eq!(made(change, POST).map_err(Refusal::id), Err(*id), "row {row}");
    }
}

fn bridged(f: &mut ServerFields, start: &str, end: &str) {
    f.network_mode = "bridge".to_owned();
    (f.network_start, f.network_end) = (start.to_owned(), end.to_owned());
}

fn wireguard(f: &mut ServerFields, network: &str, port: i64) {
    f.switches.wg = true;
    (f.network_wg, f.port_wg) = (network.to_owned(), port);
}

#[test]
fn bridges_and_links_do_not_go_together() {
    let bridge: Change = |f| bridged(f, "10.20.0.5", "10.20.0.9");
    let linked = Circumstances { has_server_links: true, ..POST };
    let routed = Circumstances { has_network_links: true, ..POST };
    assert!(made(bridge, POST).is_ok_and(|s| s.bridge_range.is_some()));
    assert_eq!(made(bridge, linked), Err(Refusal::BridgedServerLinksInvalid));
    assert_eq!(made(bridge, routed), Err(Refusal::BridgedNetLinksInvalid));
    assert_eq!(made(|f| f.replica_count = 2, linked), Err(Refusal::ServerLinksAndReplica));
    let before = spec(|_| ());
    let around = Circumstances { linked_online: true, ..put(&before, false) };
    let moved = made(|f| f.network = "10.40.0.0/16".to_owned(), around);
    assert_eq!(moved, Err(Refusal::ServerLinksNotOffline));
}

#[test]
fn networks_and_ports_of_other_servers_are_taken() {
    let before = spec(|_| ());
    let taken = [occupied(OTHER)];
    let around = Circumstances { taken: &taken, ..POST };
    let rows: &[(Change, Option<Refusal>)] = &[
        (|_| (), Some(Refusal::NetworkInUse)),
        (|f| f.network = "10.21.0.0/16".to_owned(), Some(Refusal::PortProtocolInUse)),
        (
            |f| {
                f.network = "10.21.0.0/16".to_owned();
                f.protocol = "tcp".to_owned();
            },
            None,
        ),
        (
            |f| {
                f.network = String::new();
                f.port = 0;
            },
            None,
        ),
        (
            |f| {
                elsewhere(f);
                wireguard(f, "10.20.0.0/16", 0);
            },
            Some(Refusal::NetworkWgInUse),
        ),
        (
            |f| {
                elsewhere(f);
                wireguard(f, "10.30.0.0/16", 1194);
            },
            Some(Refusal::PortProtocolInUse),
        ),
    ];
    for (row, (change, refusal)) in rows.iter().enumerate() {
        assert_eq!(made(change, around).err(), *refusal, "row {row}");
    }
    let own = [occupied(OWN)];
    assert!(made(|_| (), Circumstances { taken: &own, ..put(&before, false) }).is_ok());
}

fn elsewhere(f: &mut ServerFields) {
    f.network = "10.21.0.0/16".to_owned();
    f.port = 1195;
}

#[test]
fn what_is_left_to_us_is_random_in_post_and_kept_in_put() {
    let empty: Change = |f| {
        (f.network, f.port) = (String::new(), 0);
        wireguard(f, "", 0);
    };
    let new = spec(empty);
    assert!((10_000..=19_998).contains(&new.port), "{}", new.port);
    assert!((215..=249).contains(&new.network.base().octets()[2]), "{}", new.network);
    let wg = new.wireguard.expect("WireGuard");
    assert!(!wg.network.overlaps(new.network) && wg.port != new.port);
    let mut kept = new.clone();
    kept.dh_param_bits = 4096;
    assert_eq!(made(empty, put(&kept, true)), Ok(kept.clone()));
    let off = made(|f| (f.network, f.port) = (String::new(), 0), put(&kept, false));
    assert_eq!(off.expect("offline").wireguard, None);
}

#[test]
fn a_running_server_changes_little() {
    let before = spec(|_| ());
    let rows: &[(Change, bool)] = &[
        (|_| (), true),
        (|f| f.name = "other".to_owned(), true),
        (|f| f.switches.hide_ovpn = true, true),
        (|f| f.switches.geo_sort = true, true),
        (|f| f.switches.force_connect = true, true),
        (|f| f.switches.block_outside_dns = true, true),
        (|f| f.replica_count = 2, true),
        (|f| f.pre_connect_msg = "hello".to_owned(), true),
        (|f| f.port = 1195, false),
        (|f| f.network = "10.30.0.0/16".to_owned(), false),
        (|f| f.cipher = "aes256".to_owned(), false),
        (|f| f.groups = vec!["a".to_owned()], false),
        (|f| f.dh_param_bits = 4096, false),
        (|f| f.switches.otp_auth = true, false),
        (|f| (f.ping_interval, f.ping_timeout) = (10, 60), false),
    ];
    for (row, (change, allowed)) in rows.iter().enumerate() {
        let online = made(change, put(&before, true));
        let expect = if *allowed { None } else { Some(Refusal::ServerNotOffline) };
        assert_eq!(online.err(), expect, "row {row}");
        assert!(made(change, put(&before, false)).is_ok(), "row {row} offline");
    }
}

#[test]
fn omitted_pings_are_ours_unless_the_server_runs_with_others() {
    let slow = spec(|f| (f.ping_interval, f.ping_timeout) = (10, 60));
    for (interval, timeout, previous, expect) in [
        (0, 0, None, (3, 10)),
        (0, 0, Some(false), (3, 10)),
        (0, 0, Some(true), (10, 60)),
        (20, 0, None, (20, 60)),
        (5, 0, None, (5, 10)),
        (0, 30, None, (3, 30)),
    ] {
        let around = previous.map_or(POST, |online| put(&slow, online));
        let spec = made(|f| (f.ping_interval, f.ping_timeout) = (interval, timeout), around)
            .expect("valid");
        assert_eq!((spec.ping_interval_s, spec.ping_timeout_s), expect, "{interval} {timeout}");
    }
}

#[test]
fn what_openvpn_just_takes_is_taken() {
    let spec = spec(|f| {
        (f.tun_mtu, f.fragment, f.max_clients) = (100, 68, 16_777_214);
        f.bind_address = "FD00::1".to_owned();
    });
    assert_eq!((spec.tun_mtu, spec.fragment, spec.max_clients), (Some(100), Some(68), 16_777_214));
    assert_eq!(spec.bind_address.as_deref(), Some("FD00::1"));
}

#[test]
fn groups_let_their_members_in() {
    let groups = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    for (server, user, admitted) in [
        (&[][..], &[][..], true),
        (&["a"], &[], false),
        (&["a", "b"], &["b"], true),
        (&["a"], &["c"], false),
    ] {
        let spec = spec(|f| f.groups = groups(server));
        assert_eq!(spec.admits(&groups(user)), admitted, "{server:?} {user:?}");
    }
}
