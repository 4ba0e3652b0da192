//! What repairs read and mend, in batches.

use crate::base::ids::{ClientId, HostId, InstanceId, OrgId, ServerId, UserId};
use crate::limits;
use crate::store::hosts::HostDoc;
use crate::store::ops::{Stored, ms, touch};
use crate::store::organizations::OrgDoc;
use crate::store::servers::ServerDoc;
use crate::store::users::UserDoc;
use crate::store::vpn::{AddressDoc, ClientDoc};
use crate::store::{Store, StoreError};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::HashSet;
use std::hash::Hash;

/// A host that counts as alive and does not beat.
#[derive(Clone, Debug, Deserialize)]
pub struct SilentHost {
    pub name: String,
    pub silent_ms: i64,
}

/// A client's record, as far as its repair needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientRow {
    #[serde(rename = "_id")]
    pub id: ClientId,
    pub org_id: OrgId,
}

/// A row of an address, as far as its repair needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct AddressRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    pub server_id: ServerId,
    #[serde(default)]
    pub user_id: Option<UserId>,
}

/// Whom a server names.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerRefs {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub organizations: Vec<OrgId>,
    pub hosts: Vec<HostId>,
    pub primary_organization: Option<OrgId>,
}

#[derive(Deserialize)]
struct OnlyId<T> {
    #[serde(rename = "_id")]
    id: T,
}

/// The next documents in order of their ids.
fn after<T: Into<Bson>>(last: Option<T>) -> (Document, FindOptions) {
    let filter = last.map_or(doc! {}, |last| doc! { "_id": { "$gt": last } });
    let sort = doc! { "_id": 1 };
    (filter, FindOptions::builder().sort(sort).limit(limits::REPAIR_BATCH).build())
}

impl Store {
    /// Hosts that count as alive and whose beat is older than it may be, by the server's clock.
    pub fn hosts_silent(&self) -> Result<Vec<SilentHost>, StoreError> {
        let silent_ms = doc! { "$subtract": ["$$NOW", "$beat_at"] };
        let stages = vec![
            doc! { "$match": { "alive": true } },
            doc! { "$project": { "name": 1, "silent_ms": silent_ms } },
            doc! { "$match": { "silent_ms": { "$gt": ms(limits::HOST_SILENCE_REPORTED) } } },
            doc! { "$limit": limits::REPAIR_BATCH },
        ];
        self.aggregate::<HostDoc, _>("look for silent hosts", stages)
    }

    /// Instances that clients are recorded under.
    pub fn client_instances(&self) -> Result<Vec<InstanceId>, StoreError> {
        // Sorted so that the index alone is read, one entry of each instance.
        let stages = vec![
            doc! { "$sort": { "instance_id": 1 } },
            doc! { "$group": { "_id": "$instance_id" } },
        ];
        let found = self.aggregate::<ClientDoc, OnlyId<_>>("list clients' instances", stages)?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// Instances that servers name: started or starting.
    pub fn server_instances(&self) -> Result<HashSet<InstanceId>, StoreError> {
        let stages = vec![
            doc! { "$unwind": "$instances" },
            doc! { "$project": { "_id": "$instances.instance_id" } },
        ];
        let found = self.aggregate::<ServerDoc, OnlyId<_>>("list instances", stages)?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// Some clients of an instance.
    pub fn clients_of_instance(&self, id: InstanceId) -> Result<Vec<ClientRow>, StoreError> {
        let options = FindOptions::builder()
            .limit(limits::REPAIR_BATCH)
            .projection(doc! { "org_id": 1 })
            .build();
        let filter = doc! { "instance_id": id };
        self.find_as::<ClientDoc, _>("list an instance's clients", filter, options)
    }

    /// Forgets clients; answers how many were there.
    pub fn clients_forget(&self, ids: &[ClientId]) -> Result<u64, StoreError> {
        let these = doc! { "_id": { "$in": ids.to_vec() } };
        self.delete_all::<ClientDoc>("forget clients", these)
    }

    pub fn addresses_after(
        &self,
        last: Option<&AddressRow>,
    ) -> Result<Vec<AddressRow>, StoreError> {
        let (filter, mut options) = after(last.map(|row| row.id));
        options.projection = Some(doc! { "server_id": 1, "user_id": 1 });
        self.find_as::<AddressDoc, _>("list addresses", filter, options)
    }

    /// The rows are free again, unless their user has changed.
    pub fn addresses_free(&self, user: UserId, rows: &[AddressRow]) -> Result<u64, StoreError> {
        let ids: Vec<ObjectId> = rows.iter().map(|row| row.id).collect();
        let these = doc! { "_id": { "$in": ids }, "user_id": user };
        let update = doc! { "$unset": { "user_id": "" } };
        self.update_all::<AddressDoc>("free addresses", these, update)
    }

    pub fn addresses_delete(&self, rows: &[AddressRow]) -> Result<u64, StoreError> {
        let ids: Vec<ObjectId> = rows.iter().map(|row| row.id).collect();
        let these = doc! { "_id": { "$in": ids } };
        self.delete_all::<AddressDoc>("delete addresses", these)
    }

    pub fn servers_after(&self, last: Option<ServerId>) -> Result<Vec<ServerRefs>, StoreError> {
        let (filter, mut options) = after(last);
        let fields = doc! { "organizations": 1, "hosts": 1, "primary_organization": 1 };
        options.projection = Some(fields);
        self.find_as::<ServerDoc, _>("list servers' references", filter, options)
    }

    /// Takes references out of a server. `false`: it is gone.
    pub fn server_forget(
        &self,
        id: ServerId,
        organizations: &[OrgId],
        hosts: &[HostId],
    ) -> Result<bool, StoreError> {
        const OP: &str = "take references out of a server";
        let gone = doc! { "$in": organizations.to_vec() };
        let pull = doc! { "organizations": &gone, "hosts": { "$in": hosts.to_vec() } };
        let there =
            self.update::<ServerDoc>(OP, doc! { "_id": id }, touch(doc! { "$pull": pull }))?;
        let nobody = doc! { "primary_organization": Bson::Null, "primary_user": Bson::Null };
        let primary = doc! { "_id": id, "primary_organization": gone };
        self.update::<ServerDoc>(OP, primary, touch(doc! { "$set": nobody }))?;
        Ok(there.yes())
    }

    pub fn users_missing(&self, ids: HashSet<UserId>) -> Result<Vec<UserId>, StoreError> {
        self.missing::<UserDoc, _>("look for users", ids)
    }

    pub fn servers_missing(&self, ids: HashSet<ServerId>) -> Result<Vec<ServerId>, StoreError> {
        self.missing::<ServerDoc, _>("look for servers", ids)
    }

    pub fn orgs_missing(&self, ids: HashSet<OrgId>) -> Result<Vec<OrgId>, StoreError> {
        self.missing::<OrgDoc, _>("look for organizations", ids)
    }

    pub fn hosts_missing(&self, ids: HashSet<HostId>) -> Result<Vec<HostId>, StoreError> {
        self.missing::<HostDoc, _>("look for hosts", ids)
    }

    /// Those of `ids` that no document has.
    fn missing<T, I>(&self, op: &'static str, ids: HashSet<I>) -> Result<Vec<I>, StoreError>
    where
        T: Stored,
        I: Into<Bson> + for<'de> Deserialize<'de> + Hash + Eq + Copy + Send + Sync + Unpin,
    {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<Bson> = ids.iter().map(|id| (*id).into()).collect();
        let filter = doc! { "_id": { "$in": wanted } };
        let options = FindOptions::builder().projection(doc! { "_id": 1 }).build();
        let there = self.find_as::<T, OnlyId<I>>(op, filter, options)?;
        let there: HashSet<I> = there.into_iter().map(|row| row.id).collect();
        Ok(ids.difference(&there).copied().collect())
    }
}
