//! Which address a user gets on a server (contract 4.4, design section 10).

use super::network::Network4;
use std::net::Ipv4Addr;

/// The addresses of a server that users can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool {
    first: u32,
    last: u32,
}

impl AddressPool {
    /// Everything after the gateway; `None` if the network has no room for a client.
    pub fn routed(network: Network4) -> Option<AddressPool> {
        AddressPool::between(network.host(2)?, network.last().to_bits().checked_sub(1)?)
    }

    /// A bridged server's range, both ends included.
    pub fn bridged(start: Ipv4Addr, end: Ipv4Addr) -> Option<AddressPool> {
        AddressPool::between(start, end.to_bits())
    }

    fn between(first: Ipv4Addr, last: u32) -> Option<AddressPool> {
        let first = first.to_bits();
        (first <= last).then_some(AddressPool { first, last })
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address.to_bits())
    }

    /// How many users fit.
    pub fn len(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    pub fn is_empty(self) -> bool {
        false
    }

    /// A freed address first, else the one above the highest ever assigned; `None` when the
    /// network is full. A freed one outside (the network has changed) is passed over.
    pub fn next(self, freed: Option<Ipv4Addr>, highest: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        if let Some(address) = freed.filter(|a| self.contains(*a)) {
            return Some(address);
        }
        let above = highest.map_or(Some(self.first), |a| a.to_bits().checked_add(1))?;
        let address = Ipv4Addr::from_bits(above.max(self.first));
        self.contains(address).then_some(address)
    }
}

/// The user's WireGuard address: the same host bits in the WireGuard network.
pub fn mirrored(address: Ipv4Addr, from: Network4, to: Network4) -> Option<Ipv4Addr> {
    to.host(from.index_of(address)?)
}

/// Key of a network in imported address rows: FNV-1a-32 of `network-start-end` (contract 5, 6).
pub fn imported_key(network: Network4, range: Option<(Ipv4Addr, Ipv4Addr)>) -> u32 {
    let text = match range {
        Some((start, end)) => format!("{network}-{start}-{end}"),
        None => format!("{network}--"),
    };
    text.bytes()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ipv4Addr {
        text.parse().expect(text)
    }

    fn net(text: &str) -> Network4 {
        text.parse().expect(text)
    }

    #[test]
    fn a_freed_address_goes_first_then_the_next_above_the_highest() {
        let pool = AddressPool::routed(net("10.20.0.0/29")).expect("room");
        for (freed, highest, next) in [
            (None, None, Some("10.20.0.2")),
            (None, Some("10.20.0.2"), Some("10.20.0.3")),
            (Some("10.20.0.2"), Some("10.20.0.4"), Some("10.20.0.2")),
            (None, Some("10.20.0.5"), Some("10.20.0.6")),
            (None, Some("10.20.0.6"), None),
            (Some("10.20.0.3"), Some("10.20.0.6"), Some("10.20.0.3")),
            (Some("10.99.0.3"), Some("10.20.0.3"), Some("10.20.0.4")),
            (Some("10.20.0.1"), None, Some("10.20.0.2")),
            (None, Some("10.19.0.1"), Some("10.20.0.2")),
            (None, Some("255.255.255.255"), None),
        ] {
            let got = pool.next(freed.map(at), highest.map(at));
            assert_eq!(got, next.map(at), "{freed:?} {highest:?}");
        }
        assert_eq!(pool.len(), 5);
    }

    #[test]
    fn small_and_bridged_pools() {
        assert_eq!(AddressPool::routed(net("10.0.0.0/30")).map(AddressPool::len), Some(1));
        assert_eq!(AddressPool::routed(net("10.0.0.0/31")), None);
        let pool = AddressPool::bridged(at("10.0.0.50"), at("10.0.0.51")).expect("room");
        assert_eq!(pool.next(None, None), Some(at("10.0.0.50")));
        assert_eq!(pool.next(None, Some(at("10.0.0.51"))), None);
        assert_eq!(AddressPool::bridged(at("10.0.0.51"), at("10.0.0.50")), None);
    }

    #[test]
    fn wireguard_mirrors_the_host_bits() {
        let (main, wg) = (net("10.20.0.0/16"), net("10.30.0.0/16"));
        assert_eq!(mirrored(at("10.20.1.7"), main, wg), Some(at("10.30.1.7")));
        assert_eq!(mirrored(at("10.21.1.7"), main, wg), None);
    }

    #[test]
    fn the_key_of_imported_rows_is_the_contracts_vector() {
        assert_eq!(imported_key(net("10.20.0.0/16"), None), 1_357_710_008);
    }
}
