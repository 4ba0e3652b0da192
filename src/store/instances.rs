//! Who runs which server: replica slots, claimed and given back by conditional writes.
//!
//! Every write names the instance it is about, and a claim names all that it saw: whoever was
//! replaced meanwhile changes nothing (I5).

use super::hosts::{HostDoc, HostStart, beginning};
use super::ops::{Tx, touch};
use super::servers::{InstanceDoc, ServerDoc, StartFailure};
use super::vpn::ClientDoc;
use super::{Store, StoreError};
use crate::base::ids::{HostId, InstanceId, OrgId, ServerId};
use crate::limits;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A living host in the life under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct HostLife {
    #[serde(rename = "_id")]
    pub id: HostId,
    pub epoch: i64,
}

/// A server as far as it is shared out among hosts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ServerSlots {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub name: String,
    pub online: bool,
    pub hosts: Vec<HostId>,
    pub replica_count: i64,
    #[serde(default)]
    pub run: i64,
    pub instances: Vec<InstanceDoc>,
    #[serde(default)]
    pub failure: Option<StartFailure>,
    /// Who may use it: this may change while it runs.
    pub organizations: Vec<OrgId>,
    pub groups: Vec<String>,
    pub allowed_devices: Option<String>,
}

/// Hosts by the epochs of their lives.
pub type SlotsAndLives = (Vec<ServerSlots>, BTreeMap<HostId, i64>);

/// A server as far as it matters to what is recorded of it.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerHeld {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub organizations: Vec<OrgId>,
    pub instances: Vec<InstanceDoc>,
}

/// A replica slot to be taken, as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub slots: &'a ServerSlots,
    /// Instances that make way: of dead holders, or this host's own of an older run.
    pub replaced: &'a [InstanceId],
    pub instance: InstanceId,
    pub host: HostId,
    pub epoch: i64,
    /// Its OpenVPN runs already.
    pub runs: bool,
}

/// What a recorded failure is about; one that has been overtaken is not written.
#[derive(Clone, Copy, Debug)]
pub enum Failed {
    Instance(InstanceId),
    /// It did not come to an instance in this run of the server.
    Run(i64),
}

/// Exactly these instances, in these lives of their holders.
fn exactly(instances: &[InstanceDoc]) -> Document {
    let count = i32::try_from(instances.len()).unwrap_or(i32::MAX);
    let mut all = vec![doc! { "instances": { "$size": count } }];
    all.extend(instances.iter().map(|i| {
        let same = doc! { "instance_id": i.instance_id, "epoch": i.epoch };
        doc! { "instances": { "$elemMatch": same } }
    }));
    doc! { "$and": all }
}

fn claim_update(claim: &Claim<'_>) -> Vec<Document> {
    let stays = doc! { "$not": [{ "$in": ["$$this.instance_id", claim.replaced.to_vec()] }] };
    let kept = doc! { "$filter": { "input": "$instances", "cond": stays } };
    let started = if claim.runs { Bson::String("$$NOW".to_owned()) } else { Bson::Null };
    let new = doc! {
        "instance_id": claim.instance,
        "host_id": claim.host,
        "epoch": claim.epoch,
        "run": claim.slots.run,
        "started": started,
    };
    let instances = doc! { "$concatArrays": [kept, [new]] };
    vec![doc! { "$set": { "instances": instances, "rev": "$$CLUSTER_TIME" } }]
}

impl Store {
    /// What a host's claims rest on: servers, and the lives of living hosts. Those are read after
    /// the servers: a holding can not be newer than what is said of its host. The other way round,
    /// what a host holds in a life begun meanwhile would seem to be nobody's.
    pub fn slots_and_lives(&self, host: HostId) -> Result<SlotsAndLives, StoreError> {
        let servers = self.server_slots(host)?;
        let lives = self.host_lives()?.into_iter().map(|life| (life.id, life.epoch)).collect();
        Ok((servers, lives))
    }

    pub fn host_lives(&self) -> Result<Vec<HostLife>, StoreError> {
        let options = FindOptions::builder().projection(doc! { "epoch": 1 }).build();
        self.find_as::<HostDoc, _>("look at the living hosts", doc! { "alive": true }, options)
    }

    /// Every server that should run anywhere, and those that `host` runs.
    pub fn server_slots(&self, host: HostId) -> Result<Vec<ServerSlots>, StoreError> {
        let fields = doc! {
            "name": 1, "online": 1, "hosts": 1, "replica_count": 1, "run": 1, "instances": 1,
            "failure": 1, "organizations": 1, "groups": 1, "allowed_devices": 1,
        };
        let options = FindOptions::builder().projection(fields).sort(doc! { "_id": 1 }).build();
        let filter = doc! { "$or": [{ "online": true }, { "instances.host_id": host }] };
        self.find_as::<ServerDoc, _>("look at the servers", filter, options)
    }

    /// The whole documents of some servers.
    pub fn servers_by_id(&self, ids: &[ServerId]) -> Result<Vec<ServerDoc>, StoreError> {
        let filter = doc! { "_id": { "$in": ids.to_vec() } };
        self.find("read servers", filter, FindOptions::default())
    }

    /// Takes the slot if there is one and everything is as it was seen. `false`: it is not.
    pub fn instance_claim(&self, claim: &Claim<'_>) -> Result<bool, StoreError> {
        let stays = |i: &&InstanceDoc| !claim.replaced.contains(&i.instance_id);
        let others = claim.slots.instances.iter().filter(stays).count();
        if i64::try_from(others).is_ok_and(|others| others >= claim.slots.replica_count.max(1)) {
            return Ok(false);
        }
        let mut filter = exactly(&claim.slots.instances);
        filter.extend(doc! {
            "_id": claim.slots.id,
            "online": true,
            "run": claim.slots.run,
            "hosts": claim.host,
            "replica_count": claim.slots.replica_count,
        });
        Ok(self.update::<ServerDoc>("claim a server", filter, claim_update(claim))?.yes())
    }

    /// Goes on with what this host held in an earlier life. `false`: it is another's by now.
    pub fn instance_restamp(
        &self,
        server: ServerId,
        instance: InstanceId,
        from_epoch: i64,
        to_epoch: i64,
    ) -> Result<bool, StoreError> {
        let old = doc! { "instance_id": instance, "epoch": from_epoch };
        let filter = doc! { "_id": server, "instances": { "$elemMatch": old } };
        let update = touch(doc! { "$set": { "instances.$.epoch": to_epoch } });
        Ok(self.update::<ServerDoc>("keep a server", filter, update)?.yes())
    }

    /// Gives a slot back, and forgets the instance's clients. `false`: it was no one's.
    pub fn instance_release(
        &self,
        server: ServerId,
        instance: InstanceId,
    ) -> Result<bool, StoreError> {
        let filter = doc! { "_id": server, "instances.instance_id": instance };
        let pull = doc! { "$pull": { "instances": { "instance_id": instance } } };
        let held = self.update::<ServerDoc>("release a server", filter, touch(pull))?.yes();
        self.instance_clients_forget(&[instance])?;
        Ok(held)
    }

    /// OpenVPN answers, for the first time or again after it failed. `false`: not held any more,
    /// or known already.
    pub fn instance_started(
        &self,
        server: ServerId,
        instance: InstanceId,
    ) -> Result<bool, StoreError> {
        let starting = doc! { "instance_id": instance, "started": null };
        let news = vec![
            doc! { "failure": { "$ne": null } },
            doc! { "instances": { "$elemMatch": starting } },
        ];
        let filter = doc! { "_id": server, "instances.instance_id": instance, "$or": news };
        let since = doc! { "started": { "$ifNull": ["$$this.started", "$$NOW"] } };
        let this = doc! { "$eq": ["$$this.instance_id", instance] };
        let started = doc! { "$mergeObjects": ["$$this", since] };
        let one = doc! { "$cond": [this, started, "$$this"] };
        let instances = doc! { "$map": { "input": "$instances", "in": one } };
        let fields = doc! { "instances": instances, "failure": null, "rev": "$$CLUSTER_TIME" };
        let update = vec![doc! { "$set": fields }];
        Ok(self.update::<ServerDoc>("record a start", filter, update)?.yes())
    }

    /// Why a start failed. `false`: that is not of interest any more.
    pub fn server_failed(
        &self,
        server: ServerId,
        host: HostId,
        what: Failed,
        cause: &str,
    ) -> Result<bool, StoreError> {
        let mut filter = doc! { "_id": server, "online": true };
        match what {
            Failed::Instance(id) => filter.insert("instances.instance_id", id),
            Failed::Run(run) => filter.insert("run", run),
        };
        let failure = doc! {
            "host_id": host,
            "cause": { "$literal": cause },
            "at": "$$NOW",
        };
        let set = doc! { "$set": { "failure": failure, "rev": "$$CLUSTER_TIME" } };
        Ok(self.update::<ServerDoc>("record why a start failed", filter, vec![set])?.yes())
    }

    /// Who uses these servers, and which instances are theirs.
    pub fn servers_held(&self, servers: &[ServerId]) -> Result<Vec<ServerHeld>, StoreError> {
        let fields = doc! { "organizations": 1, "instances": 1 };
        let options = FindOptions::builder().projection(fields).build();
        let filter = doc! { "_id": { "$in": servers.to_vec() } };
        self.find_as::<ServerDoc, _>("look at the servers", filter, options)
    }

    /// Begins a life of a host; what it held in the one before and still runs goes on without
    /// anybody having seen it unheld (design section 5).
    pub fn host_begin(
        &self,
        start: &HostStart,
        running: &[InstanceId],
    ) -> Result<HostDoc, StoreError> {
        if running.is_empty() {
            return self.host_start(start);
        }
        const OP: &str = "begin a life of this host";
        let begun = self.transaction(OP, |tx: &mut Tx<'_>| {
            tx.update::<HostDoc>(OP, doc! { "_id": start.id }, beginning(start))?;
            let host = tx.find_one::<HostDoc>(OP, doc! { "_id": start.id })?;
            let Some(host) = host else { return Ok(None) };
            for instance in running.iter().take(limits::TRANSACTION_DOCUMENTS_MAX - 1) {
                let own = doc! { "instance_id": *instance, "host_id": start.id };
                let filter = doc! { "instances": { "$elemMatch": own } };
                let update = touch(doc! { "$set": { "instances.$.epoch": host.epoch } });
                tx.update::<ServerDoc>("keep a server", filter, update)?;
            }
            Ok::<_, StoreError>(Some(host))
        })?;
        // Deleted while it was down: it registers anew.
        begun.map_or_else(|| self.host_start(start), Ok)
    }

    /// Clients of instances that are no more.
    pub fn instance_clients_forget(&self, instances: &[InstanceId]) -> Result<(), StoreError> {
        if instances.is_empty() {
            return Ok(());
        }
        let of = doc! { "instance_id": { "$in": instances.to_vec() } };
        self.delete_all::<ClientDoc>("forget clients", of).map(drop)
    }
}
