//! What this host knows of the people who may use its servers, so that admission asks the database
//! in rare cases only, and lets in whom it knows while the database is away (I7).
//!
//! It is a memory: the thread of [`crate::vpn::people`] keeps it up to date, what is not in it is
//! asked for, and nobody is refused by it alone. A user takes some 200 bytes, packed into one piece
//! of memory that is wiped when it goes.

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use crate::limits::KNOWN_USERS_MAX;
use crate::vpn::admission::{Person, PinMode};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones share the memory.
#[derive(Clone, Default)]
pub struct Known(
    /// Used by the threads of admission, of running servers and of `vpn-people`, each for a look
    /// or a change; never held across I/O or another lock.
    Arc<Mutex<Memory>>,
);

#[derive(Default)]
struct Memory {
    people: HashMap<UserId, Packed>,
    addresses: HashMap<ServerId, Addresses>,
    pin_mode: Option<PinMode>,
}

/// Of one generation of a server's network.
#[derive(Default)]
struct Addresses {
    generation: i64,
    by_user: HashMap<UserId, Ipv4Addr>,
}

/// Organization, flags and `cut`, then texts, each behind its length.
#[derive(PartialEq)]
struct Packed(Secret<Box<[u8]>>);

const IS_CLIENT: u8 = 1;
const DISABLED: u8 = 2;
const BYPASS: u8 = 4;
const FOREIGN: u8 = 8;
const HAS_PIN: u8 = 16;
/// What nearly every hash of a PIN begins with need not be kept for each.
const PIN_PREFIX: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
const USUAL_PIN: u8 = 32;

impl Packed {
    /// `None` for somebody with absurdly long texts, who is not remembered.
    fn of(person: &Person) -> Option<Packed> {
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        let pin = person.pin.as_ref().map_or("", |pin| pin.expose());
        let usual = pin.strip_prefix(PIN_PREFIX);
        let flags = flag(person.is_client, IS_CLIENT)
            | flag(person.disabled, DISABLED)
            | flag(person.bypass_secondary, BYPASS)
            | flag(person.foreign_factor, FOREIGN)
            | flag(person.pin.is_some(), HAS_PIN)
            | flag(usual.is_some(), USUAL_PIN);
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&person.org.bytes());
        out.push(flags);
        out.extend_from_slice(&person.cut.to_le_bytes());
        out.extend_from_slice(&u16::try_from(person.groups.len()).ok()?.to_le_bytes());
        let mut put = |text: &str| -> Option<()> {
            out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
            Some(())
        };
        put(&person.name)?;
        put(person.otp_secret.expose())?;
        put(usual.unwrap_or(pin))?;
        person.groups.iter().chain(&person.mac_addresses).try_for_each(|text| put(text))?;
        Some(Packed(Secret::new(out.into_boxed_slice())))
    }

    fn org(&self) -> Option<OrgId> {
        self.0.expose().first_chunk().map(|bytes| OrgId::from_bytes(*bytes))
    }

    fn unpack(&self, id: UserId) -> Option<Person> {
        let (org, rest) = self.0.expose().split_first_chunk::<12>()?;
        let ([flags], rest) = rest.split_first_chunk::<1>()?;
        let (cut, rest) = rest.split_first_chunk::<8>()?;
        let (groups, mut rest) = rest.split_first_chunk::<2>()?;
        let mut texts = Vec::new();
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let (text, after) = more.split_at_checked(u16::from_le_bytes(*length).into())?;
            texts.push(String::from_utf8(text.to_vec()).ok()?);
            rest = after;
        }
        let mut texts = texts.into_iter();
        let (name, otp_secret, pin) = (texts.next()?, texts.next()?, texts.next()?);
        let has = |bit: u8| flags & bit != 0;
        let pin = if has(USUAL_PIN) { format!("{PIN_PREFIX}{pin}") } else { pin };
        Some(Person {
            id,
            org: OrgId::from_bytes(*org),
            name,
            is_client: has(IS_CLIENT),
            disabled: has(DISABLED),
            groups: texts.by_ref().take(u16::from_le_bytes(*groups).into()).collect(),
            pin: has(HAS_PIN).then(|| Secret::new(pin)),
            otp_secret: Secret::new(otp_secret),
            bypass_secondary: has(BYPASS),
            mac_addresses: texts.collect(),
            foreign_factor: has(FOREIGN),
            cut: i64::from_le_bytes(*cut),
        })
    }
}

impl Known {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn person(&self, org: OrgId, user: UserId) -> Option<Person> {
        self.memory().people.get(&user)?.unpack(user).filter(|person| person.org == org)
    }

    /// Whether this is news. At the bound nobody is added: the database knows everybody.
    pub fn put(&self, person: &Person) -> bool {
        let Some(packed) = Packed::of(person) else { return false };
        let mut memory = self.memory();
        if memory.people.get(&person.id) == Some(&packed) {
            return false;
        }
        if memory.people.len() >= KNOWN_USERS_MAX && !memory.people.contains_key(&person.id) {
            return false;
        }
        memory.people.insert(person.id, packed);
        true
    }

    /// Whether it was known. The next time it is asked for again.
    pub fn forget(&self, user: UserId) -> bool {
        self.memory().people.remove(&user).is_some()
    }

    pub fn pin_mode(&self) -> Option<PinMode> {
        self.memory().pin_mode
    }

    pub fn put_pin_mode(&self, mode: PinMode) {
        self.memory().pin_mode = Some(mode);
    }

    pub fn address(&self, server: ServerId, generation: i64, user: UserId) -> Option<Ipv4Addr> {
        let memory = self.memory();
        let addresses = memory.addresses.get(&server).filter(|a| a.generation == generation)?;
        addresses.by_user.get(&user).copied()
    }

    pub fn put_address(&self, server: ServerId, generation: i64, user: UserId, address: Ipv4Addr) {
        let mut memory = self.memory();
        let addresses = memory.addresses.entry(server).or_default();
        if addresses.generation != generation {
            *addresses = Addresses { generation, by_user: HashMap::new() };
        }
        if addresses.by_user.len() < KNOWN_USERS_MAX {
            addresses.by_user.insert(user, address);
        }
    }

    /// Forgets those of an organization whom a whole reading of it did not show; whether any.
    pub fn sweep(&self, org: OrgId, shown: &HashSet<UserId>) -> bool {
        let mut memory = self.memory();
        let before = memory.people.len();
        memory.people.retain(|id, person| person.org() != Some(org) || shown.contains(id));
        memory.people.len() < before
    }

    /// Forgets everybody but what these organizations and servers need.
    pub fn narrow(&self, orgs: &BTreeSet<OrgId>, servers: &BTreeSet<ServerId>) {
        let mut memory = self.memory();
        memory.people.retain(|_, person| person.org().is_some_and(|org| orgs.contains(&org)));
        memory.people.shrink_to_fit();
        memory.addresses.retain(|id, _| servers.contains(id));
    }
}

#[cfg(test)]
mod tests;
