//! Servers as clients see them: the documents with what is counted around them.

use crate::api::reply::server::{InstanceReply, ServerReply};
use crate::base::ids::{OrgId, ServerId};
use crate::internal::answer::{self, Handled};
use crate::internal::app::App;
use crate::store::StoreError;
use crate::store::counts::{Connected, Living};
use crate::store::servers::{InstanceDoc, ServerDoc, StartFailure};
use std::collections::HashMap;

/// What becomes of a server's wish to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not wanted, though it may still be ending somewhere.
    Offline,
    /// Wanted, and no host has started it yet.
    Pending,
    /// OpenVPN answers.
    Online,
}

impl State {
    pub fn of(online: bool, instances: &[InstanceDoc], living: &Living) -> State {
        let answers = living.instances(instances).any(|instance| instance.started.is_some());
        match (online, answers) {
            (false, _) => State::Offline,
            (true, false) => State::Pending,
            (true, true) => State::Online,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            State::Offline => "offline",
            State::Pending => "pending",
            State::Online => "online",
        }
    }
}

/// What a list of servers shows beside their documents. By default nothing, as for a new server.
#[derive(Default)]
pub struct Around {
    living: Living,
    connected: HashMap<ServerId, Connected>,
    /// People by organization.
    people: HashMap<OrgId, i64>,
    now_s: i64,
}

impl Around {
    /// Three queries for any number of servers.
    pub fn read(app: &App, servers: &[ServerDoc]) -> Result<Around, StoreError> {
        let store = &app.ground.store;
        let living = store.living()?;
        let instances = servers.iter().flat_map(|server| living.instances(&server.instances));
        let instances: Vec<_> = instances.map(|instance| instance.instance_id).collect();
        let mut orgs: Vec<OrgId> =
            servers.iter().flat_map(|server| server.organizations.iter().copied()).collect();
        orgs.sort_unstable();
        orgs.dedup();
        Ok(Around {
            connected: store.connected_by_server(&instances)?,
            people: store.org_user_counts(&orgs)?,
            living,
            now_s: app.ground.clock.cluster_s(),
        })
    }

    pub fn show<'a>(&self, server: &'a ServerDoc) -> ServerReply<'a> {
        let state = State::of(server.online, &server.instances, &self.living);
        let started = self.living.instances(&server.instances).filter_map(InstanceDoc::started_s);
        let started = started.min().filter(|_| state == State::Online);
        let connected = self.connected.get(&server.id).copied().unwrap_or_default();
        let people = server.organizations.iter().filter_map(|org| self.people.get(org));
        ServerReply {
            id: server.id.to_string(),
            options: &server.options,
            status: state.as_str(),
            uptime: started.map(|started| (self.now_s - started).max(0)),
            users_online: connected.users,
            devices_online: connected.devices,
            user_count: people.sum(),
            sso_webauth: false,
            failure: server.failure.as_ref().map(|StartFailure { cause, .. }| cause.as_str()),
            instances: self.living.instances(&server.instances).map(|i| self.instance(i)).collect(),
        }
    }

    fn instance(&self, instance: &InstanceDoc) -> InstanceReply {
        let host = self.living.host(instance.host_id);
        InstanceReply {
            host: instance.host_id.to_string(),
            host_name: host.map(|host| host.name.clone()).unwrap_or_default(),
            started: instance.started_s(),
        }
    }
}

/// The answer that shows one server.
pub fn one(app: &App, server: &ServerDoc) -> Handled {
    let around = Around::read(app, std::slice::from_ref(server))?;
    answer::json(&around.show(server))
}
