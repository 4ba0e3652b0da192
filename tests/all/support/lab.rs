//! Hosts round one switch, each with a network of its own.
//!
//! ```text
//! h1 h2 h3  hosts of the warren   10.77.0.11 12 13   fd77::11 12 13
//! db db2..  database machines     10.77.0.50 52..
//! c1 c2 ..  VPN clients           10.77.0.101 102
//! behind(h1)  a machine that only h1 reaches: 10.99.0.2, h1 has 10.99.0.1; knows no other way
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::process::Command;

use super::place::Place;

/// A place with addresses. Everything that `Place` does, it does.
#[derive(Clone)]
pub struct Host {
    pub name: String,
    pub address: Ipv4Addr,
    pub address6: Ipv6Addr,
    place: Place,
}

impl Deref for Host {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

pub struct Lab {
    switch: Place,
    hosts: BTreeMap<String, Host>,
}

/// Cuts are made in the switch, so that the carrier stays up and loss is silent.
const SWITCH: &str = "
    ip link add lab0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0
    ip link set lab0 up
    nft -f - <<RULES
    table bridge cut {
      set pairs { type ifname . ifname; }
      set hosts { type ifname; }
      chain forward { type filter hook forward priority 0; policy accept;
        iifname @hosts drop
        oifname @hosts drop
        iifname . oifname @pairs drop
      }
    }
RULES";

impl Lab {
    pub fn new(names: &[&str]) -> Lab {
        let switch = Place::isolated();
        switch.sh(SWITCH);
        let mut lab = Lab { switch, hosts: BTreeMap::new() };
        for name in names {
            lab.add(name);
        }
        lab
    }

    pub fn host(&self, name: &str) -> &Host {
        self.hosts.get(name).unwrap_or_else(|| panic!("no host {name} in this lab"))
    }

    pub fn add(&mut self, name: &str) {
        let number = number(name);
        let host = Host {
            name: name.to_owned(),
            address: Ipv4Addr::new(10, 77, 0, number),
            address6: format!("fd77::{number}").parse().expect("an address"),
            place: Place::isolated(),
        };
        cable(&self.switch, name, &host);
        self.switch.sh(&format!("ip link set {name} master lab0 up"));
        let (address, address6) = (host.address, host.address6);
        host.sh(&format!(
            "echo 0 >/proc/sys/net/ipv4/ip_forward
             echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
             ip addr add {address}/24 dev eth0
             ip addr add {address6}/64 dev eth0 nodad
             ip link set eth0 up"
        ));
        self.hosts.insert(name.to_owned(), host);
    }

    /// A machine on a second network that only `gateway` is on, and no route to anywhere else.
    pub fn behind(&self, gateway: &str) -> Host {
        let gateway = self.host(gateway);
        let place = Place::isolated();
        cable(gateway, "eth1", &place);
        gateway.sh("ip addr add 10.99.0.1/24 dev eth1; ip link set eth1 up");
        place.sh("ip addr add 10.99.0.2/24 dev eth0; ip link set eth0 up");
        Host {
            name: format!("behind-{}", gateway.name),
            address: Ipv4Addr::new(10, 99, 0, 2),
            address6: Ipv6Addr::UNSPECIFIED,
            place,
        }
    }

    /// Silently drops all traffic of a host.
    pub fn cut(&self, host: &str) {
        self.rules(&format!("add element bridge cut hosts {{ {} }}", self.host(host).name));
    }

    /// Silently drops the traffic between two hosts.
    pub fn cut_pair(&self, a: &str, b: &str) {
        let (a, b) = (&self.host(a).name, &self.host(b).name);
        self.rules(&format!("add element bridge cut pairs {{ {a} . {b}, {b} . {a} }}"));
    }

    /// Undoes all cuts.
    pub fn heal(&self) {
        self.rules("flush set bridge cut hosts; flush set bridge cut pairs");
    }

    /// Pulls the cable: the host sees the loss of its carrier.
    pub fn unplug(&self, host: &str) {
        self.switch.sh(&format!("ip link set {} down", self.host(host).name));
    }

    pub fn plug(&self, host: &str) {
        self.switch.sh(&format!("ip link set {} up", self.host(host).name));
    }

    fn rules(&self, rules: &str) {
        self.switch.sh(&format!("nft '{rules}'"));
    }
}

fn number(name: &str) -> u8 {
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let base = match &name[..name.len() - digits.len()] {
        "h" => 10,
        "db" => 50,
        "c" => 100,
        _ => panic!("{name}: a host is h1.., db, db2.. or c1.."),
    };
    base + digits.parse().unwrap_or(0)
}

/// A cable from the port `name` of one place to `eth0` of another.
fn cable(from: &Place, name: &str, to: &Place) {
    // In the network of `from` only: the process id is one of ours, not of its namespace.
    let output = from.net(|| {
        Command::new("ip")
            .args(["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns"])
            .arg(to.pid().to_string())
            .output()
            .expect("ip")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a cable {name}: {errors}");
}
