//! Hosts, and the counts of everything (contract 2.6, 2.7).

mod snapshot;
mod status;

pub use status::{Status, get_status};

use crate::api::Listing;
use crate::api::reply::host::{HostPage, HostReply};
use crate::base::ids::{HostId, InstanceId, OrgId};
use crate::internal::answer::{self, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::servers::last_page;
use crate::limits;
use crate::store::StoreError;
use crate::store::counts::{Connected, Living, ServerBrief};
use crate::store::hosts::HostDoc;
use std::collections::{HashMap, HashSet};

pub fn list_hosts(asked: &Asked<'_>, query: Listing) -> Handled {
    let store = &asked.app.ground.store;
    let users = Users::read(asked.app)?;
    let now_s = asked.app.ground.clock.cluster_s();
    let show = |host: HostDoc| {
        let (of, online) = (users.of(host.id), users.online(&host));
        HostReply { user_count: Some(of), users_online: Some(online), ..shown(host, now_s) }
    };
    let Some(page) = query.page else {
        let hosts: Vec<_> = store.hosts(0, 0)?.into_iter().map(show).collect();
        return answer::json(&hosts);
    };
    let skip = u64::from(page) * u64::from(limits::HOSTS_PAGE);
    let hosts = store.hosts(skip, limits::HOSTS_PAGE.into())?.into_iter().map(show).collect();
    let page_total = last_page(store.host_count()?, limits::HOSTS_PAGE);
    answer::json(&HostPage { page, page_total, hosts })
}

pub fn get_host(asked: &Asked<'_>, host: HostId) -> Handled {
    let host = asked.app.ground.store.host(host)?.ok_or(NOT_FOUND)?;
    answer::json(&shown(host, asked.app.ground.clock.cluster_s()))
}

/// Users by host: those who may connect there, and those who are.
struct Users {
    servers: Vec<ServerBrief>,
    /// By organization.
    people: HashMap<OrgId, i64>,
    connected: HashMap<HostId, Connected>,
}

impl Users {
    /// Four queries for any number of hosts.
    fn read(app: &App) -> Result<Users, StoreError> {
        let store = &app.ground.store;
        let (servers, living) = (store.server_briefs()?, store.living()?);
        let orgs: HashSet<OrgId> =
            servers.iter().flat_map(|server| server.organizations.iter().copied()).collect();
        let orgs: Vec<OrgId> = orgs.into_iter().collect();
        Ok(Users {
            people: store.org_user_counts(&orgs)?,
            connected: store.connected_by_host(&running(&servers, &living))?,
            servers,
        })
    }

    fn of(&self, host: HostId) -> i64 {
        let servers = self.servers.iter().filter(|server| server.hosts.contains(&host));
        let orgs: HashSet<&OrgId> = servers.flat_map(|server| &server.organizations).collect();
        orgs.into_iter().filter_map(|org| self.people.get(org)).sum()
    }

    fn online(&self, host: &HostDoc) -> i64 {
        self.connected.get(&host.id).map_or(0, |connected| connected.users)
    }
}

/// Instances that run, of all servers.
fn running(servers: &[ServerBrief], living: &Living) -> Vec<InstanceId> {
    let held = servers.iter().flat_map(|server| living.instances(&server.instances));
    held.map(|instance| instance.instance_id).collect()
}

fn shown(host: HostDoc, now_s: i64) -> HostReply {
    let started_s = host.started.timestamp_millis().div_euclid(1000);
    let last_seen = host.beat_at.timestamp_millis().div_euclid(1000);
    let public_addr = host.effective_address().map(str::to_owned);
    HostReply {
        id: host.id.to_string(),
        name: host.name,
        hostname: host.hostname,
        instance_id: None,
        status: if host.alive { "online" } else { "offline" },
        uptime: host.alive.then_some((now_s - started_s).max(0)),
        last_seen,
        version: host.version,
        user_count: None,
        users_online: None,
        local_networks: host.local_networks,
        public_addr,
        public_address: host.public_address,
        public_addr6: None,
        public_address6: None,
        routed_subnet6: None,
        routed_subnet6_wg: None,
        proxy_ndp: None,
        link_addr: None,
        link_address: None,
        sync_address: None,
        local_addr: host.auto_local_address,
        local_address: None,
        local_addr6: None,
        local_address6: None,
        availability_group: host.availability_group,
        priority: Some(host.priority),
    }
}
