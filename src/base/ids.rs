//! Identifiers that can not be mixed up. Their text forms are those of the contract (1.4).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

/// A 12-byte object id of the kind `K`; text form 24 lower-case hex digits.
pub struct Id<K>([u8; 12], PhantomData<fn() -> K>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $marker:ident => $alias:ident;)*) => {$(
        #[doc(hidden)]
        #[derive(Clone, Copy)]
        pub enum $marker {}
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )*};
}

kinds! {
    /// An administrator.
    Admin => AdminId;
    /// An organization.
    Org => OrgId;
    /// A user (also a CA's and a server's own certificate holder).
    User => UserId;
    /// A VPN server.
    Server => ServerId;
    /// A connected client of a server.
    Client => ClientId;
    /// A job of the queue.
    Job => JobId;
    /// A pooled resource.
    Pooled => PooledId;
    /// An event of the console's ring.
    Event => EventId;
    /// One running OpenVPN of a server.
    Instance => InstanceId;
}

impl<K> Id<K> {
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Id(bytes, PhantomData)
    }

    pub const fn bytes(self) -> [u8; 12] {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not the hex form of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an identifier")
    }
}
impl std::error::Error for BadId {}

impl<K> FromStr for Id<K> {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Ok(Id(from_hex(text)?, PhantomData))
    }
}

/// A host: 32 lower-case hex digits, made once and kept in its state directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId([u8; 16]);

impl HostId {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        HostId(bytes)
    }
}
impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}
impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for HostId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Ok(HostId(from_hex(text)?))
    }
}

/// Who holds something: a host in one of its lives. A declaration of death raises the epoch, which
/// frees everything held by the old one at once (design section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    pub host: HostId,
    pub epoch: i64,
}

/// Number handed out with each holding; every write that finishes the work carries it (I5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub i64);

pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], BadId> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(BadId);
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Ok(out)
}

fn nibble(digit: u8) -> Result<u8, BadId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BadId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_hex_of_their_length_and_nothing_else() {
        let text = "65a000000000000000000001";
        assert_eq!(text.parse::<OrgId>().map(|id| id.to_string()).as_deref(), Ok(text));
        for bad in ["", "65a0", "65A000000000000000000001", "65a00000000000000000000g"] {
            assert_eq!(bad.parse::<OrgId>(), Err(BadId), "{bad}");
        }
        assert!("0123456789abcdef0123456789abcdef".parse::<HostId>().is_ok());
    }
}
