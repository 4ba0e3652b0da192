//! Addresses of servers that are gone or of an earlier network go; those of users that are gone are
//! free again; of two rows with one address, or with one user, one stays; one outside the server's
//! network goes; and who is connected has a row that keeps the address.

mod rules;

use super::{Report, Round};
use crate::base::ids::{InstanceId, UserId};
use crate::bus::Message;
use crate::domain::address::AddressPool;
use crate::store::tasks::{AddressRow, ConnectedClient, ServerNet};
use crate::store::{Store, StoreError};
use rules::Need;
use std::collections::{HashMap, HashSet};

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let store = &round.ground.store;
    let mut report = Report::default();
    // Rows first: the server that one names was there before.
    for server in store.address_servers()? {
        if !round.goes_on()? {
            return Ok(report);
        }
        let Some(net) = store.server_net(server)? else {
            note(&mut report, store.addresses_delete_of(server)?);
            continue;
        };
        note(&mut report, store.addresses_delete_old(server, net.generation)?);
        let one = One { round, store, net: &net };
        one.by_address(&mut report)?;
        one.by_user(&mut report)?;
    }
    for server in store.client_servers()? {
        if let Some(net) = store.server_net(server)? {
            One { round, store, net: &net }.connected(&mut report)?;
        }
    }
    Ok(report)
}

fn note(report: &mut Report, count: u64) {
    report.add(usize::try_from(count).unwrap_or(usize::MAX), count);
}

/// The addresses of one server.
struct One<'a> {
    round: &'a Round<'a>,
    store: &'a Store,
    net: &'a ServerNet,
}

impl One<'_> {
    /// Outside, doubled, or of nobody.
    fn by_address(&self, report: &mut Report) -> Result<(), StoreError> {
        let pool = rules::pool(self.net);
        let mut from = i64::MIN;
        while self.round.goes_on()? {
            let rows = self.store.addresses_from(self.net.id, self.net.generation, from)?;
            let (gone, stay) = rules::outside_or_doubled(&rows, pool);
            for row in gone {
                report.add(1, u64::from(self.store.address_delete(row)?));
            }
            let users: HashSet<UserId> = stay.iter().filter_map(|row| row.user_id).collect();
            let missing: HashSet<UserId> = self.store.users_missing(users)?.into_iter().collect();
            let of_nobody = |row: &&&AddressRow| row.user_id.is_some_and(|u| missing.contains(&u));
            for row in stay.iter().filter(of_nobody) {
                report.add(1, u64::from(self.store.address_free(row)?));
            }
            match rows.last() {
                // It is seen again, in case another row has the same address.
                Some(end) if end.address > from => from = end.address,
                _ => break,
            }
        }
        Ok(())
    }

    /// Users with more than one.
    fn by_user(&self, report: &mut Report) -> Result<(), StoreError> {
        let mut from = None;
        while self.round.goes_on()? {
            let (id, generation) = (self.net.id, self.net.generation);
            let rows = self.store.addresses_of_users_from(id, generation, from)?;
            for row in rules::doubled_users(&rows) {
                report.add(1, u64::from(self.store.address_free(row)?));
            }
            let end = rows.last().and_then(|row| row.user_id);
            if end.is_none() || end == from {
                break;
            }
            from = end;
        }
        Ok(())
    }

    /// Clients whose address nobody keeps for them: somebody else could get it.
    fn connected(&self, report: &mut Report) -> Result<(), StoreError> {
        let Some(pool) = rules::pool(self.net) else { return Ok(()) };
        let mut last = None;
        while self.round.goes_on()? {
            let clients = self.store.clients_after(self.net.id, last)?;
            let Some(end) = clients.last() else { break };
            last = Some(end.id);
            self.keep(&self.here(&clients, pool)?, report)?;
        }
        Ok(())
    }

    /// Clients of instances that the server names and users that there are, with their addresses.
    fn here<'c>(
        &self,
        clients: &'c [ConnectedClient],
        pool: AddressPool,
    ) -> Result<Vec<(&'c ConnectedClient, i64)>, StoreError> {
        let named: HashSet<InstanceId> =
            self.net.instances.iter().map(|instance| instance.instance_id).collect();
        let users = clients.iter().map(|client| client.user_id).collect();
        let missing = self.store.users_missing(users)?;
        let is_here = |client: &&ConnectedClient| {
            named.contains(&client.instance_id) && !missing.contains(&client.user_id)
        };
        let with_address = |client| rules::inside(client, pool).map(|address| (client, address));
        Ok(clients.iter().filter(is_here).filter_map(with_address).collect())
    }

    fn keep(
        &self,
        clients: &[(&ConnectedClient, i64)],
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if clients.is_empty() {
            return Ok(());
        }
        let (id, generation) = (self.net.id, self.net.generation);
        let addresses: Vec<i64> = clients.iter().map(|(_, address)| *address).collect();
        let users: Vec<UserId> = clients.iter().map(|(client, _)| client.user_id).collect();
        let rows = self.store.addresses_among(id, generation, &addresses, &users)?;
        let by_address: HashMap<i64, &AddressRow> =
            rows.iter().map(|row| (row.address, row)).collect();
        let by_user: HashMap<UserId, i64> =
            rows.iter().filter_map(|row| Some((row.user_id?, row.address))).collect();
        for (client, address) in clients {
            let (user, own) = (client.user_id, by_user.get(&client.user_id).copied());
            let mended = match rules::need(*address, own, by_address.get(address).copied()) {
                Need::Nothing => continue,
                Need::Row => {
                    let inserted = self.store.address_insert(id, generation, user, *address);
                    or_somebody_was_faster(inserted.map(|()| true))?
                }
                Need::Take(row) => or_somebody_was_faster(self.store.address_give(row, user))?,
                Need::Cut => {
                    let cut = self.store.client_cut(id, client.id)?;
                    self.round.ground.bus.publish(Message::CutClient { client: client.id });
                    cut
                }
            };
            report.add(1, u64::from(mended));
        }
        Ok(())
    }
}

fn or_somebody_was_faster(result: Result<bool, StoreError>) -> Result<bool, StoreError> {
    match result {
        Err(StoreError::Duplicate { .. }) => Ok(false),
        result => result,
    }
}
