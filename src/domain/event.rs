//! The console's events (contract 2.7): what clients are told has changed.

use crate::base::ids::{HostId, OrgId, ServerId};

/// Something that clients may want to load again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Settings,
    Administrators,
    Organizations,
    Users(OrgId),
    Log,
    /// Clients accept a host id as well as none.
    Hosts(Option<HostId>),
    Servers,
    /// Ours: somebody changed a job, or long work got on.
    Jobs,
    /// Ours: somebody wants a task to run.
    Tasks,
    ServerRoutes(ServerId),
    ServerOrganizations(ServerId),
    ServerHosts(ServerId),
    ServerOutput(ServerId),
    ThemeLight,
    ThemeDark,
}

impl Event {
    /// The kinds that are about an organization, and about a server.
    pub const OF_ORGANIZATIONS: [fn(OrgId) -> Event; 1] = [Event::Users];
    pub const OF_SERVERS: [fn(ServerId) -> Event; 4] =
        [Event::ServerRoutes, Event::ServerOrganizations, Event::ServerHosts, Event::ServerOutput];

    /// The field `type` of the answer.
    pub const fn kind(self) -> &'static str {
        match self {
            Event::Settings => "settings_updated",
            Event::Administrators => "administrators_updated",
            Event::Organizations => "organizations_updated",
            Event::Users(_) => "users_updated",
            Event::Log => "log_updated",
            Event::Hosts(_) => "hosts_updated",
            Event::Servers => "servers_updated",
            Event::Jobs => "jobs_updated",
            Event::Tasks => "tasks_updated",
            Event::ServerRoutes(_) => "server_routes_updated",
            Event::ServerOrganizations(_) => "server_organizations_updated",
            Event::ServerHosts(_) => "server_hosts_updated",
            Event::ServerOutput(_) => "server_output_updated",
            Event::ThemeLight => "theme_light",
            Event::ThemeDark => "theme_dark",
        }
    }

    /// The field `resource_id`.
    pub fn resource(self) -> Option<String> {
        match self {
            Event::Users(org) => Some(org.to_string()),
            Event::Hosts(host) => host.map(|host| host.to_string()),
            Event::ServerRoutes(id)
            | Event::ServerOrganizations(id)
            | Event::ServerHosts(id)
            | Event::ServerOutput(id) => Some(id.to_string()),
            _ => None,
        }
    }
}
