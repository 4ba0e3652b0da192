//! What repairs read and mend, in batches.

use crate::base::ids::{ClientId, HostId, InstanceId, OrgId, ServerId, UserId};
use crate::limits;
use crate::store::hosts::HostDoc;
use crate::store::ops::{Stored, ms, touch};
use crate::store::organizations::OrgDoc;
use crate::store::servers::{InstanceDoc, ServerDoc, StartFailure};
use crate::store::users::{UserDoc, UserType};
use crate::store::vpn::ClientDoc;
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
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

/// Whom a server names.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerRefs {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub organizations: Vec<OrgId>,
    pub hosts: Vec<HostId>,
    #[serde(default)]
    pub primary_organization: Option<OrgId>,
    #[serde(default)]
    pub primary_user: Option<UserId>,
}

/// What a server should run, and what it does.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerRun {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub name: String,
    pub online: bool,
    #[serde(default)]
    pub failure: Option<StartFailure>,
    pub hosts: Vec<HostId>,
    pub replica_count: i64,
    pub instances: Vec<InstanceDoc>,
}

/// Whether a host lives, and since when it has not beaten.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HostPulse {
    #[serde(rename = "_id")]
    pub id: HostId,
    pub epoch: i64,
    pub alive: bool,
    /// By the server's clock.
    pub silent_ms: i64,
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
        let found = self.distinct::<ClientDoc, _>("list clients' instances", "instance_id")?;
        Ok(found.into_iter().collect())
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

    pub fn servers_after(&self, last: Option<ServerId>) -> Result<Vec<ServerRefs>, StoreError> {
        let (filter, mut options) = after(last);
        let fields = doc! {
            "organizations": 1, "hosts": 1, "primary_organization": 1, "primary_user": 1,
        };
        options.projection = Some(fields);
        self.find_as::<ServerDoc, _>("list servers' references", filter, options)
    }

    /// Takes hosts out of a server. `false`: it is gone.
    pub fn server_forget_hosts(&self, id: ServerId, hosts: &[HostId]) -> Result<bool, StoreError> {
        const OP: &str = "take hosts out of a server";
        let pull = doc! { "$pull": { "hosts": { "$in": hosts.to_vec() } } };
        Ok(self.update::<ServerDoc>(OP, doc! { "_id": id }, touch(pull))?.yes())
    }

    /// What should run, and who runs it, in order of the servers' ids.
    pub fn server_runs_after(&self, last: Option<ServerId>) -> Result<Vec<ServerRun>, StoreError> {
        let (filter, mut options) = after(last);
        options.projection = Some(doc! {
            "name": 1, "online": 1, "failure": 1, "hosts": 1, "replica_count": 1, "instances": 1,
        });
        self.find_as::<ServerDoc, _>("list servers' replicas", filter, options)
    }

    pub fn host_pulses(&self) -> Result<Vec<HostPulse>, StoreError> {
        let silent_ms = doc! { "$subtract": ["$$NOW", "$beat_at"] };
        let fields = doc! { "epoch": 1, "alive": 1, "silent_ms": silent_ms };
        let stages = vec![doc! { "$project": fields }];
        self.aggregate::<HostDoc, _>("look at the hosts", stages)
    }

    /// Frees a slot that is still held as it was seen. `false`: it is not.
    pub fn instance_prune(
        &self,
        server: ServerId,
        instance: InstanceId,
        epoch: i64,
    ) -> Result<bool, StoreError> {
        let seen = doc! { "instance_id": instance, "epoch": epoch };
        let filter = doc! { "_id": server, "instances": { "$elemMatch": &seen } };
        let pull = touch(doc! { "$pull": { "instances": seen } });
        Ok(self.update::<ServerDoc>("free a dead host's slot", filter, pull)?.yes())
    }

    /// Organizations that users name.
    pub fn orgs_of_users(&self) -> Result<HashSet<OrgId>, StoreError> {
        self.distinct::<UserDoc, _>("list users' organizations", "org_id")
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

    /// Those that are no holder of a server's certificate.
    pub fn server_users_missing(&self, ids: HashSet<UserId>) -> Result<Vec<UserId>, StoreError> {
        let holders = doc! { "type": UserType::Server.as_str() };
        self.missing_among::<UserDoc, _>("look for servers' certificates", holders, ids)
    }

    /// All values of a field that has an index.
    pub(super) fn distinct<T, I>(
        &self,
        op: &'static str,
        field: &str,
    ) -> Result<HashSet<I>, StoreError>
    where
        T: Stored,
        I: for<'de> Deserialize<'de> + Hash + Eq + Send + Sync + Unpin,
    {
        // Sorted so that the index alone is read, one entry of each value.
        let group = doc! { "_id": format!("${field}") };
        let stages = vec![doc! { "$sort": { field: 1 } }, doc! { "$group": group }];
        let found = self.aggregate::<T, OnlyId<I>>(op, stages)?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// Those of `ids` that no document has.
    fn missing<T, I>(&self, op: &'static str, ids: HashSet<I>) -> Result<Vec<I>, StoreError>
    where
        T: Stored,
        I: Into<Bson> + for<'de> Deserialize<'de> + Ord + Copy + Send + Sync + Unpin,
    {
        self.missing_among::<T, I>(op, doc! {}, ids)
    }

    fn missing_among<T, I>(
        &self,
        op: &'static str,
        mut filter: Document,
        ids: HashSet<I>,
    ) -> Result<Vec<I>, StoreError>
    where
        T: Stored,
        I: Into<Bson> + for<'de> Deserialize<'de> + Ord + Copy + Send + Sync + Unpin,
    {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // In one order, so that the simulator replays a seed.
        let ids: BTreeSet<I> = ids.into_iter().collect();
        let wanted: Vec<Bson> = ids.iter().map(|id| (*id).into()).collect();
        filter.insert("_id", doc! { "$in": wanted });
        let options = FindOptions::builder().projection(doc! { "_id": 1 }).build();
        let there = self.find_as::<T, OnlyId<I>>(op, filter, options)?;
        let there: BTreeSet<I> = there.into_iter().map(|row| row.id).collect();
        Ok(ids.difference(&there).copied().collect())
    }
}
