//! [`Records`] on the database.
//!
//! What can not be known while the database is away is answered at once as [`Away`]: this host's
//! beat, which has a connection of its own, says whether it is. Calls that were under way when it
//! went end with the driver's limits.

mod look;
mod write;

use crate::base::clock::Clock;
use crate::base::ids::{HostId, InstanceId, OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use crate::bus::Bus;
use crate::domain::address::AddressPool;
use crate::domain::user::AuthType;
use crate::ground::Ground;
use crate::limits::ADDRESS_TRIES_MAX;
use crate::liveness::Status;
use crate::store::admins::Once;
use crate::store::known::KnownUser;
use crate::store::users::UserType;
use crate::store::vpn::ClientDoc;
use crate::store::{Store, StoreError};
use crate::vpn::admission::{Person, PinMode};
use crate::vpn::claims::Claims;
use crate::vpn::records::{Away, Changes, Here, Note, Outlook, Records, Session};
use crate::vpn::settings::{Guards, Server};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

pub struct Database {
    store: Store,
    bus: Bus,
    clock: Clock,
    status: Status,
    host: HostId,
    /// As it stands in lines of output.
    host_name: String,
    guards: Guards,
    /// Used by the one thread that looks, which takes it out for its look; here because all calls
    /// share this.
    claims: Mutex<Claims>,
    /// The same of the one thread that writes.
    output: Mutex<Output>,
}

/// What is remembered of servers' output.
#[derive(Default)]
struct Output {
    /// Of the chunks written.
    number: u32,
    /// Lines since it was last shortened.
    lines: HashMap<ServerId, usize>,
}

impl Database {
    pub fn new(ground: Ground, host_name: String, guards: Guards) -> Database {
        let Ground { store, bus, clock, host, status, .. } = ground;
        let (claims, output) = Default::default();
        Database { store, bus, clock, status, host, host_name, guards, claims, output }
    }

    /// Nothing is asked of a database that does not hear this host's beat.
    fn reached(&self) -> Result<&Store, Away> {
        if self.status.is_away(self.clock.mono()) { Err(Away) } else { Ok(&self.store) }
    }

    /// Several rounds, because others take addresses too; each ends with one of them further.
    fn allot(&self, server: &Server, user: UserId) -> Result<Option<Ipv4Addr>, StoreError> {
        let Some(pool) = AddressPool::routed(server.network) else { return Ok(None) };
        let (id, generation) = (server.id, server.generation);
        let (first, last) = (server.network.host(2), server.network.last());
        let first = first.map_or(0, |first| i64::from(first.to_bits()));
        let usable = (first, i64::from(last.to_bits()) - 1);
        for _ in 0..ADDRESS_TRIES_MAX {
            if let Some(address) = self.store.address_of(id, generation, user)? {
                // One outside was given for another network, by mistake or by an import.
                return Ok(ipv4(address).filter(|address| pool.contains(*address)));
            }
            match self.store.address_take_freed(id, generation, user, usable) {
                Ok(Some(address)) => return Ok(ipv4(address)),
                Ok(None) => {}
                Err(StoreError::Duplicate { .. }) => continue,
                Err(e) => return Err(e),
            }
            let highest = self.store.address_highest(id, generation)?;
            let Some(highest) = highest else { return Ok(None) };
            let Some(next) = pool.next(None, ipv4(highest).filter(|_| highest > 0)) else {
                return Ok(None);
            };
            let taken = i64::from(next.to_bits());
            match self.store.address_insert(id, generation, user, taken) {
                Ok(()) => {
                    self.store.address_raise(id, generation, taken)?;
                    return Ok(Some(next));
                }
                // Somebody else has it, so the mark lags.
                Err(StoreError::Duplicate { index, .. }) if index == "address" => {
                    self.store.address_raise(id, generation, taken)?;
                }
                Err(StoreError::Duplicate { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }
}

fn take<T: Default>(shared: &Mutex<T>) -> T {
    std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner))
}

fn put_back<T>(shared: &Mutex<T>, value: T) {
    *shared.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

fn ipv4(number: i64) -> Option<Ipv4Addr> {
    u32::try_from(number).ok().map(Ipv4Addr::from_bits)
}

/// To the caller every failure is the same; the log has what it was.
fn away<T>(result: Result<T, StoreError>) -> Result<T, Away> {
    result.map_err(|e| {
        match e.is_passing() {
            true => log::debug!("{e}"),
            false => log::error!("{e}{}", cause(&e)),
        }
        Away
    })
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(|source| format!(": {source}")).unwrap_or_default()
}

fn person(user: KnownUser) -> Person {
    Person {
        id: user.id,
        org: user.org_id,
        name: user.name,
        is_client: user.user_type == UserType::Client,
        disabled: user.disabled,
        groups: user.groups,
        pin: user.pin.map(Secret::new),
        otp_secret: Secret::new(user.otp_secret),
        bypass_secondary: user.bypass_secondary,
        mac_addresses: user.mac_addresses,
        foreign_factor: AuthType::parse(&user.auth_type) != Some(AuthType::LOCAL),
        cut: user.cut,
    }
}

fn session(client: ClientDoc) -> Option<Session> {
    Some(Session {
        id: client.id,
        server: client.server_id,
        instance: client.instance_id,
        org: client.org_id,
        user: client.user_id,
        user_name: client.user_name,
        cut: client.user_cut,
        cid: u64::try_from(client.cid).ok()?,
        platform: client.platform.unwrap_or_default(),
        device_name: client.device_name.unwrap_or_default(),
        mac_address: client.mac_addr.unwrap_or_default(),
        real_address: client.real_address,
        address: client.virt_address.parse().ok()?,
        since_s: client.connected_since,
    })
}

impl Records for Database {
    fn wanted(&self, here: &Here) -> Result<Outlook, Away> {
        self.reached()?;
        let mut claims = take(&self.claims);
        let outlook = self.look(&mut claims, here);
        put_back(&self.claims, claims);
        outlook
    }

    fn pin_mode(&self) -> Result<PinMode, Away> {
        let settings = away(self.reached()?.user_settings())?;
        Ok(match settings.pin_mode.as_deref() {
            Some("required") => PinMode::Required,
            Some("disabled") => PinMode::Disabled,
            _ => PinMode::Optional,
        })
    }

    fn people(&self, users: &[UserId]) -> Result<Vec<Person>, Away> {
        let found = away(self.reached()?.users_known(users))?;
        Ok(found.into_iter().map(person).collect())
    }

    fn people_of(&self, org: OrgId, page: &mut dyn FnMut(Vec<Person>) -> bool) -> Result<(), Away> {
        let mut last = None;
        loop {
            let users = away(self.reached()?.users_known_of(org, last.as_ref()))?;
            last = users.last().cloned();
            if last.is_none() || !page(users.into_iter().map(person).collect()) {
                return Ok(());
            }
        }
    }

    fn people_changed(&self, since_s: u32) -> Result<Changes, Away> {
        let changes = away(self.reached()?.users_changed(since_s))?;
        Ok(Changes {
            changed: changes.changed.into_iter().map(person).collect(),
            deleted: changes.deleted,
            newest_s: changes.newest_s,
        })
    }

    fn addresses_of(
        &self,
        server: ServerId,
        generation: i64,
        page: &mut dyn FnMut(Vec<(UserId, Ipv4Addr)>),
    ) -> Result<(), Away> {
        let mut after = 0;
        loop {
            let rows = away(self.reached()?.addresses_of(server, generation, after))?;
            let Some((_, last)) = rows.last() else { return Ok(()) };
            after = *last;
            let row = |(user, address)| Some((user, ipv4(address)?));
            page(rows.into_iter().filter_map(row).collect());
        }
    }

    fn use_code(&self, user: UserId, step: i64) -> Result<bool, Away> {
        let used = away(self.reached()?.otp_use(&user.to_string(), step))?;
        Ok(used == Once::First)
    }

    fn address(&self, server: &Server, user: UserId) -> Result<Option<Ipv4Addr>, Away> {
        self.reached()?;
        away(self.allot(server, user))
    }

    fn sessions(&self, instance: InstanceId) -> Result<Vec<Session>, Away> {
        let clients = away(self.reached()?.instance_clients(instance))?;
        Ok(clients.into_iter().filter_map(session).collect())
    }

    fn write(&self, notes: &[Note]) -> Result<(), Away> {
        self.reached()?;
        let mut output = take(&self.output);
        let recorded = self.record(&mut output, notes);
        put_back(&self.output, output);
        match recorded {
            // Bringing it again would not help.
            Err(e) if !e.is_passing() => {
                log::error!("something was not recorded: {e}{}", cause(&e));
                Ok(())
            }
            result => away(result),
        }
    }
}
