//! What lists and the status page count, in few queries however long the list is.
//!
//! An instance counts only while its host leads the life in which it holds it (I5), and a client
//! only with its instance: nothing has to be tidied up before the numbers are right.

use super::hosts::HostDoc;
use super::organizations::{OrgDoc, living};
use super::servers::{InstanceDoc, ServerDoc};
use super::users::UserDoc;
use super::vpn::ClientDoc;
use super::{Store, StoreError};
use crate::base::ids::{HostId, InstanceId, OrgId, ServerId};
use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::HashMap;

/// A host as far as it matters to what it holds.
#[derive(Clone, Debug, Deserialize)]
pub struct HostBrief {
    #[serde(rename = "_id")]
    pub id: HostId,
    pub name: String,
    pub epoch: i64,
    pub alive: bool,
}

/// A server as far as it is counted.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerBrief {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub online: bool,
    pub organizations: Vec<OrgId>,
    pub hosts: Vec<HostId>,
    pub instances: Vec<InstanceDoc>,
}

/// A server as far as `warren status` shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerGlance {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub name: String,
    pub network: String,
    pub port: i64,
    pub protocol: String,
    pub online: bool,
    pub hosts: Vec<HostId>,
    pub instances: Vec<InstanceDoc>,
}

/// Who is connected to something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connected {
    pub users: i64,
    pub devices: i64,
}

/// Organizations, and people in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OrgTotals {
    pub orgs: i64,
    pub users: i64,
}

/// Which recorded instances are real: those of living hosts, in the life under way.
#[derive(Clone, Debug, Default)]
pub struct Living(HashMap<HostId, HostBrief>);

impl Living {
    pub fn of(hosts: Vec<HostBrief>) -> Living {
        Living(hosts.into_iter().map(|host| (host.id, host)).collect())
    }

    pub fn among(hosts: &[HostDoc]) -> Living {
        let brief = |host: &HostDoc| {
            let (id, name) = (host.id, host.name.clone());
            HostBrief { id, name, epoch: host.epoch, alive: host.alive }
        };
        Living::of(hosts.iter().map(brief).collect())
    }

    pub fn host(&self, id: HostId) -> Option<&HostBrief> {
        self.0.get(&id)
    }

    pub fn holds(&self, instance: &InstanceDoc) -> bool {
        let host = self.host(instance.host_id);
        host.is_some_and(|host| host.alive && host.epoch == instance.epoch)
    }

    pub fn instances<'a>(
        &'a self,
        recorded: &'a [InstanceDoc],
    ) -> impl Iterator<Item = &'a InstanceDoc> {
        recorded.iter().filter(|instance| self.holds(instance))
    }
}

#[derive(Deserialize)]
struct Group<K> {
    #[serde(rename = "_id")]
    key: K,
    users: i64,
    devices: i64,
}

impl Store {
    pub fn living(&self) -> Result<Living, StoreError> {
        let fields = doc! { "name": 1, "epoch": 1, "alive": 1 };
        let options = FindOptions::builder().projection(fields).build();
        self.find_as::<HostDoc, _>("look at the hosts", doc! {}, options).map(Living::of)
    }

    pub fn server_briefs(&self) -> Result<Vec<ServerBrief>, StoreError> {
        let fields = doc! { "online": 1, "organizations": 1, "hosts": 1, "instances": 1 };
        let options = FindOptions::builder().projection(fields).build();
        self.find_as::<ServerDoc, _>("look at the servers", doc! {}, options)
    }

    /// By name.
    pub fn server_glances(&self) -> Result<Vec<ServerGlance>, StoreError> {
        let fields = doc! {
            "name": 1, "network": 1, "port": 1, "protocol": 1, "online": 1, "hosts": 1,
            "instances": 1,
        };
        let sort = doc! { "name": 1, "_id": 1 };
        let options = FindOptions::builder().projection(fields).sort(sort).build();
        self.find_as::<ServerDoc, _>("look at the servers", doc! {}, options)
    }

    pub fn connected_by_server(
        &self,
        instances: &[InstanceId],
    ) -> Result<HashMap<ServerId, Connected>, StoreError> {
        self.connected(instances, "server_id")
    }

    pub fn connected_by_host(
        &self,
        instances: &[InstanceId],
    ) -> Result<HashMap<HostId, Connected>, StoreError> {
        self.connected(instances, "host_id")
    }

    fn connected<K: DeserializeOwned + std::hash::Hash + Eq + Send + Sync + Unpin>(
        &self,
        instances: &[InstanceId],
        by: &str,
    ) -> Result<HashMap<K, Connected>, StoreError> {
        if instances.is_empty() {
            return Ok(HashMap::new());
        }
        let pair = doc! { "by": format!("${by}"), "user": "$user_id" };
        let total = doc! { "_id": "$_id.by", "users": { "$sum": 1_i64 },
        "devices": { "$sum": "$devices" } };
        let groups: Vec<Group<K>> = self.aggregate::<ClientDoc, _>(
            "count connected clients",
            vec![
                doc! { "$match": { "instance_id": { "$in": instances.to_vec() } } },
                doc! { "$group": { "_id": pair, "devices": { "$sum": 1_i64 } } },
                doc! { "$group": total },
            ],
        )?;
        let entry = |Group { key, users, devices }| (key, Connected { users, devices });
        Ok(groups.into_iter().map(entry).collect())
    }

    /// People connected anywhere; one with two devices counts once.
    pub fn users_online(&self, instances: &[InstanceId]) -> Result<i64, StoreError> {
        #[derive(Deserialize)]
        struct Total {
            users: i64,
        }
        if instances.is_empty() {
            return Ok(0);
        }
        let totals: Vec<Total> = self.aggregate::<ClientDoc, _>(
            "count connected users",
            vec![
                doc! { "$match": { "instance_id": { "$in": instances.to_vec() } } },
                doc! { "$group": { "_id": "$user_id" } },
                doc! { "$group": { "_id": null, "users": { "$sum": 1_i64 } } },
            ],
        )?;
        Ok(totals.first().map_or(0, |total| total.users))
    }

    pub fn org_totals(&self) -> Result<OrgTotals, StoreError> {
        let all = doc! { "_id": null, "orgs": { "$sum": 1_i64 },
        "users": { "$sum": "$user_count" } };
        let stages = vec![doc! { "$match": living() }, doc! { "$group": all }];
        let totals = self.aggregate::<OrgDoc, OrgTotals>("count organizations", stages)?;
        Ok(totals.into_iter().next().unwrap_or_default())
    }

    /// People of each of these organizations.
    pub fn org_user_counts(&self, orgs: &[OrgId]) -> Result<HashMap<OrgId, i64>, StoreError> {
        #[derive(Deserialize)]
        struct Count {
            #[serde(rename = "_id")]
            id: OrgId,
            user_count: i64,
        }
        if orgs.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = doc! { "_id": { "$in": orgs.to_vec() } };
        let options = FindOptions::builder().projection(doc! { "user_count": 1 }).build();
        let counts: Vec<Count> =
            self.find_as::<OrgDoc, _>("count users of organizations", filter, options)?;
        Ok(counts.into_iter().map(|count| (count.id, count.user_count)).collect())
    }

    /// Networks behind people of these organizations.
    pub fn network_links(&self, orgs: &[OrgId]) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Links {
            network_links: Vec<String>,
        }
        if orgs.is_empty() {
            return Ok(Vec::new());
        }
        let some = doc! { "$exists": true };
        let filter = doc! { "org_id": { "$in": orgs.to_vec() }, "network_links.0": some };
        let options = FindOptions::builder().projection(doc! { "network_links": 1 }).build();
        let found: Vec<Links> =
            self.find_as::<UserDoc, _>("list networks behind users", filter, options)?;
        Ok(found.into_iter().flat_map(|links| links.network_links).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u8, epoch: i64, alive: bool) -> HostBrief {
        HostBrief { id: HostId::from_bytes([number; 16]), name: String::new(), epoch, alive }
    }

    fn instance(host: u8, epoch: i64) -> InstanceDoc {
        InstanceDoc {
            instance_id: InstanceId::from_bytes([host; 12]),
            host_id: HostId::from_bytes([host; 16]),
            epoch,
            run: 1,
            started: None,
        }
    }

    #[test]
    fn an_instance_is_real_while_its_host_leads_that_life() {
        let living = Living::of(vec![host(1, 5, true), host(2, 5, false)]);
        for (number, epoch, real) in
            [(1, 5, true), (1, 4, false), (1, 6, false), (2, 5, false), (3, 5, false)]
        {
            assert_eq!(living.holds(&instance(number, epoch)), real, "host {number}, {epoch}");
        }
        let recorded = [instance(1, 5), instance(2, 5)];
        let held: Vec<_> = living.instances(&recorded).map(|i| i.host_id).collect();
        assert_eq!(held, [HostId::from_bytes([1; 16])]);
    }
}
