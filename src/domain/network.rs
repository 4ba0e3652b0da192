//! IPv4 and IPv6 networks in CIDR form, strictly: no host bits, no bare addresses.

use crate::base::random::Random;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The text was not a strict network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadNetwork;

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a network in CIDR form")
    }
}

impl std::error::Error for BadNetwork {}

macro_rules! network {
    ($(#[$doc:meta])* $name:ident, $address:ident, $bits:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            base: $bits,
            prefix: u8,
        }

        impl $name {
            /// `None` if host bits are set or the prefix is too long.
            pub const fn new(base: $address, prefix: u8) -> Option<$name> {
                if prefix as u32 > $bits::BITS {
                    return None;
                }
                let net = $name { base: base.to_bits(), prefix };
                if net.base & !net.mask_bits() == 0 { Some(net) } else { None }
            }

            /// The network of this prefix length that `address` lies in.
            pub const fn around(address: $address, prefix: u8) -> $name {
                let prefix = if prefix as u32 > $bits::BITS { $bits::BITS as u8 } else { prefix };
                let net = $name { base: address.to_bits(), prefix };
                $name { base: net.base & net.mask_bits(), prefix }
            }

            const fn mask_bits(self) -> $bits {
                match $bits::MAX.checked_shl($bits::BITS - self.prefix as u32) {
                    Some(mask) => mask,
                    None => 0,
                }
            }

            pub const fn base(self) -> $address {
                $address::from_bits(self.base)
            }

            pub const fn prefix(self) -> u8 {
                self.prefix
            }

            pub const fn netmask(self) -> $address {
                $address::from_bits(self.mask_bits())
            }

            /// The highest address: broadcast in IPv4.
            pub const fn last(self) -> $address {
                $address::from_bits(self.base | !self.mask_bits())
            }

            pub const fn contains(self, address: $address) -> bool {
                address.to_bits() & self.mask_bits() == self.base
            }

            /// Whether all of `other` lies within.
            pub const fn covers(self, other: $name) -> bool {
                self.prefix <= other.prefix && self.contains(other.base())
            }

            pub const fn overlaps(self, other: $name) -> bool {
                self.covers(other) || other.covers(self)
            }

            /// The address `n` above the base; none if that is the highest one or beyond.
            pub const fn host(self, n: $bits) -> Option<$address> {
                match self.base.checked_add(n) {
                    Some(bits) if n > 0 && bits < self.last().to_bits() => {
                        Some($address::from_bits(bits))
                    }
                    _ => None,
                }
            }

            /// The first host: gateway and resolver of a server's network.
            pub const fn gateway(self) -> Option<$address> {
                self.host(1)
            }

            /// How far `address` is above the base; none if it lies outside.
            pub const fn index_of(self, address: $address) -> Option<$bits> {
                if self.contains(address) { Some(address.to_bits() - self.base) } else { None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.base(), self.prefix)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadNetwork;
            fn from_str(text: &str) -> Result<$name, BadNetwork> {
                let (base, prefix) = text.split_once('/').ok_or(BadNetwork)?;
                let digits = prefix.bytes().all(|b| b.is_ascii_digit());
                let prefix = prefix.parse().ok().filter(|_| digits).ok_or(BadNetwork)?;
                let base = base.parse().map_err(|_| BadNetwork)?;
                $name::new(base, prefix).ok_or(BadNetwork)
            }
        }
    };
}

network! {
    /// An IPv4 network.
    Network4, Ipv4Addr, u32
}
network! {
    /// An IPv6 network.
    Network6, Ipv6Addr, u128
}

/// A network of either family; IPv4 sorts first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    V4(Network4),
    V6(Network6),
}

impl Network {
    pub const ANY4: Network = Network::V4(Network4 { base: 0, prefix: 0 });
    pub const ANY6: Network = Network::V6(Network6 { base: 0, prefix: 0 });

    /// The network that holds this address alone.
    pub const fn of_address(address: IpAddr) -> Network {
        match address {
            IpAddr::V4(a) => Network::V4(Network4::around(a, 32)),
            IpAddr::V6(a) => Network::V6(Network6::around(a, 128)),
        }
    }

    pub const fn is_v6(self) -> bool {
        matches!(self, Network::V6(_))
    }

    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Network::V4(n), IpAddr::V4(a)) => n.contains(a),
            (Network::V6(n), IpAddr::V6(a)) => n.contains(a),
            _ => false,
        }
    }

    pub fn overlaps(self, other: Network) -> bool {
        match (self, other) {
            (Network::V4(a), Network::V4(b)) => a.overlaps(b),
            (Network::V6(a), Network::V6(b)) => a.overlaps(b),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::V4(n) => n.fmt(f),
            Network::V6(n) => n.fmt(f),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        match text.parse() {
            Ok(net) => Ok(Network::V4(net)),
            Err(BadNetwork) => text.parse().map(Network::V6),
        }
    }
}

const fn private(a: u8, b: u8, c: u8, prefix: u8) -> Network4 {
    Network4::around(Ipv4Addr::new(a, b, c, 0), prefix)
}

/// Where servers' networks may lie (contract 2.5).
const PRIVATE: [Network4; 16] = [
    private(10, 0, 0, 8),
    private(100, 64, 0, 10),
    private(172, 16, 0, 12),
    private(192, 0, 0, 24),
    private(192, 168, 0, 16),
    private(198, 18, 0, 15),
    private(6, 0, 0, 8),
    private(7, 0, 0, 8),
    private(11, 0, 0, 8),
    private(21, 0, 0, 8),
    private(22, 0, 0, 8),
    private(26, 0, 0, 8),
    private(28, 0, 0, 8),
    private(29, 0, 0, 8),
    private(30, 0, 0, 8),
    private(33, 0, 0, 8),
];

/// Longest prefix that leaves an address for a client beside the gateway.
const SERVER_PREFIX_MAX: u8 = 30;

/// A network that a server may have.
pub fn server_network(text: &str) -> Result<Network4, BadNetwork> {
    let net: Network4 = text.parse()?;
    let fits = net.prefix() <= SERVER_PREFIX_MAX && PRIVATE.iter().any(|range| range.covers(net));
    if fits { Ok(net) } else { Err(BadNetwork) }
}

/// A free `192.168.x.0/24`, x from 215 to 249, or from 15 when those are taken.
pub fn random_network(taken: &[Network4], random: &Random) -> Option<Network4> {
    let pick = |range: std::ops::RangeInclusive<u8>| {
        let free: Vec<Network4> = range
            .map(|x| private(192, 168, x, 24))
            .filter(|net| !taken.iter().any(|t| t.overlaps(*net)))
            .collect();
        let at = usize::try_from(random.below(free.len() as u64)).unwrap_or(0);
        free.get(at).copied()
    };
    pick(215..=249).or_else(|| pick(15..=214))
}

/// The IPv6 network that a server's clients get beside `net` (contract 4.4): the digits of the
/// IPv4 number in hexadecimal, without leading zeros, four to a group.
pub fn derived_ipv6(net: Network4) -> Network6 {
    let digits = format!("{:x}", net.base);
    let group = |range: std::ops::RangeFrom<usize>| {
        let text = digits.get(range).unwrap_or("");
        u16::from_str_radix(text.get(..4).unwrap_or(text), 16).unwrap_or(0)
    };
    let base = Ipv6Addr::new(0xfd00, group(0..), group(4..), 0, 0, 0, 0, 0);
    Network6::around(base, 64)
}

/// The address of `address` within [`derived_ipv6`]: its four numbers, written as decimal text.
pub fn derived_ipv6_address(net: Network6, address: Ipv4Addr) -> Ipv6Addr {
    let bits = address.octets().into_iter().fold(0_u128, |bits, octet| {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        let text = u128::from(hundreds) << 8 | u128::from(tens) << 4 | u128::from(ones);
        bits << 16 | text
    });
    Ipv6Addr::from_bits(net.base | bits)
}

#[cfg(test)]
mod tests;
