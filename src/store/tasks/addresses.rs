//! What the repair of addresses reads and mends: a server at a time, its rows in order.

use crate::base::ids::{ClientId, InstanceId, ServerId, UserId};
use crate::limits;
use crate::store::servers::{InstanceDoc, ServerDoc};
use crate::store::vpn::{AddressDoc, ClientDoc};
use crate::store::{Store, StoreError};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::HashSet;

/// A server as far as its addresses depend on it.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerNet {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub network: String,
    #[serde(default)]
    pub network_start: Option<String>,
    #[serde(default)]
    pub network_end: Option<String>,
    pub generation: i64,
    pub instances: Vec<InstanceDoc>,
}

/// A row of an address.
#[derive(Clone, Debug, Deserialize)]
pub struct AddressRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    pub address: i64,
    #[serde(default)]
    pub user_id: Option<UserId>,
}

impl AddressRow {
    #[cfg(test)]
    pub fn of(number: u8, address: i64, user_id: Option<UserId>) -> AddressRow {
        AddressRow { id: ObjectId::from_bytes([number; 12]), address, user_id }
    }
}

/// A client as far as its address is concerned.
#[derive(Clone, Debug, Deserialize)]
pub struct ConnectedClient {
    #[serde(rename = "_id")]
    pub id: ClientId,
    pub instance_id: InstanceId,
    pub user_id: UserId,
    pub virt_address: String,
}

fn batch(sort: Document) -> FindOptions {
    FindOptions::builder().sort(sort).limit(limits::REPAIR_BATCH).build()
}

impl Store {
    /// Servers that addresses belong to, whether they are there or not.
    pub fn address_servers(&self) -> Result<HashSet<ServerId>, StoreError> {
        self.distinct::<AddressDoc, _>("list servers of addresses", "server_id")
    }

    /// Servers that clients are recorded under.
    pub fn client_servers(&self) -> Result<HashSet<ServerId>, StoreError> {
        self.distinct::<ClientDoc, _>("list servers of clients", "server_id")
    }

    pub fn server_net(&self, id: ServerId) -> Result<Option<ServerNet>, StoreError> {
        let fields = doc! {
            "network": 1, "network_start": 1, "network_end": 1, "generation": 1, "instances": 1,
        };
        let options = FindOptions::builder().projection(fields).build();
        let op = "read a server's network";
        let found = self.find_as::<ServerDoc, ServerNet>(op, doc! { "_id": id }, options)?;
        Ok(found.into_iter().next())
    }

    /// All addresses of a server that is gone; answers how many.
    pub fn addresses_delete_of(&self, server: ServerId) -> Result<u64, StoreError> {
        self.delete_all::<AddressDoc>("delete addresses", doc! { "server_id": server })
    }

    /// Addresses of earlier generations; answers how many.
    pub fn addresses_delete_old(&self, server: ServerId, now: i64) -> Result<u64, StoreError> {
        let old = doc! { "server_id": server, "generation": { "$lt": now } };
        self.delete_all::<AddressDoc>("delete old addresses", old)
    }

    /// By address, from this one on; older rows of one address first.
    pub fn addresses_from(
        &self,
        server: ServerId,
        generation: i64,
        from: i64,
    ) -> Result<Vec<AddressRow>, StoreError> {
        let rest = doc! { "$gte": from };
        let filter = doc! { "server_id": server, "generation": generation, "address": rest };
        let by_address = batch(doc! { "address": 1 });
        let mut rows: Vec<AddressRow> =
            self.find_as::<AddressDoc, _>("list addresses", filter, by_address)?;
        rows.sort_by_key(|row| (row.address, row.id));
        Ok(rows)
    }

    /// By user, from this one on; without free ones.
    pub fn addresses_of_users_from(
        &self,
        server: ServerId,
        generation: i64,
        from: Option<UserId>,
    ) -> Result<Vec<AddressRow>, StoreError> {
        let mut rest = doc! { "$exists": true, "$ne": Bson::Null };
        if let Some(from) = from {
            rest.insert("$gte", from);
        }
        let filter = doc! { "server_id": server, "generation": generation, "user_id": rest };
        self.find_as::<AddressDoc, _>("list addresses", filter, batch(doc! { "user_id": 1 }))
    }

    /// Rows of some addresses, and of some users.
    pub fn addresses_among(
        &self,
        server: ServerId,
        generation: i64,
        addresses: &[i64],
        users: &[UserId],
    ) -> Result<Vec<AddressRow>, StoreError> {
        let of = |field: &str, some: Document| {
            let filter = doc! { "server_id": server, "generation": generation, field: some };
            self.find_as::<AddressDoc, _>("list addresses", filter, FindOptions::default())
        };
        let mut rows: Vec<AddressRow> = of("address", doc! { "$in": addresses.to_vec() })?;
        rows.extend(of("user_id", doc! { "$in": users.to_vec() })?);
        Ok(rows)
    }

    /// Deletes a row, unless its user has changed. `false`: it has, or it is gone.
    pub fn address_delete(&self, row: &AddressRow) -> Result<bool, StoreError> {
        let same = doc! { "_id": row.id, "user_id": row.user_id };
        Ok(self.delete::<AddressDoc>("delete an address", same)?.yes())
    }

    /// The row is free again, unless its user has changed. `false`: it has, or it is gone.
    pub fn address_free(&self, row: &AddressRow) -> Result<bool, StoreError> {
        let Some(user) = row.user_id else { return Ok(false) };
        let same = doc! { "_id": row.id, "user_id": user };
        let update = doc! { "$unset": { "user_id": "" } };
        Ok(self.update::<AddressDoc>("free an address", same, update)?.yes())
    }

    /// Gives a free row to a user. `false`: it is not free any more. `Duplicate`: the user has one.
    pub fn address_give(&self, row: &AddressRow, user: UserId) -> Result<bool, StoreError> {
        let free = doc! { "_id": row.id, "user_id": Bson::Null };
        let update = doc! { "$set": { "user_id": user } };
        Ok(self.update::<AddressDoc>("give an address back", free, update)?.yes())
    }

    /// Clients of a server in order of their ids, without those that are being cut off.
    pub fn clients_after(
        &self,
        server: ServerId,
        last: Option<ClientId>,
    ) -> Result<Vec<ConnectedClient>, StoreError> {
        let mut filter = doc! { "server_id": server, "cut": { "$ne": true } };
        if let Some(last) = last {
            filter.insert("_id", doc! { "$gt": last });
        }
        let mut options = batch(doc! { "_id": 1 });
        options.projection = Some(doc! { "instance_id": 1, "user_id": 1, "virt_address": 1 });
        self.find_as::<ClientDoc, _>("list a server's clients", filter, options)
    }
}
