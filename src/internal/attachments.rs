//! Which organizations may use a server, and which hosts may run it (contract 2.5).
//!
//! The first organization is the primary one: its CA signs the server's certificate, whose holder
//! is a user of that organization, made and removed in the same transactions (contract 4.4).

use crate::api::reply::server::{ServerHostReply, ServerOrganizationReply};
use crate::base::ids::{HostId, OrgId, ServerId};
use crate::domain::Refusal;
use crate::domain::event::Event;
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::servers::{State, find, tell};
use crate::store::Tx;
use crate::store::counts::Living;
use crate::store::hosts::HostDoc;
use crate::store::servers::ServerDoc;
use crate::succession;

pub fn list_server_organizations(asked: &Asked<'_>, server: ServerId) -> Handled {
    let organizations = find(asked.app, server)?.organizations;
    let found = asked.app.ground.store.orgs_of(&organizations)?;
    let shown: Vec<_> =
        found.into_iter().map(|org| organization(server, org.id, org.name)).collect();
    answer::json(&shown)
}

fn organization(server: ServerId, org: OrgId, name: String) -> ServerOrganizationReply {
    ServerOrganizationReply { id: org.to_string(), server: server.to_string(), name }
}

pub fn attach_organization(asked: &Asked<'_>, server: ServerId, org: OrgId) -> Handled {
    let app = asked.app;
    let name = app
        .ground
        .store
        .transaction("attach an organization", |tx| attach(app, tx, server, org))?;
    tell_of_organization(app, server, org)?;
    answer::json(&organization(server, org, name))
}

/// Answers the organization's name.
fn attach(app: &App, tx: &mut Tx<'_>, id: ServerId, org: OrgId) -> Result<String, Failure> {
    let server = tx.server(id)?.ok_or(NOT_FOUND)?;
    let organization = tx.org(org)?.ok_or(NOT_FOUND)?;
    if server.organizations.contains(&org) {
        return Ok(organization.summary.name);
    }
    must_be_offline(&server)?;
    // Its guard: it can not be deleted at the same time.
    tx.org_add_users(org, 0)?;
    let primary = match server.primary() {
        Some(primary) => primary,
        None => succession::create(&app.ground, tx, id, &organization)?,
    };
    let organizations = [server.organizations.as_slice(), &[org]].concat();
    tx.server_set_organizations(id, &organizations, Some(primary))?;
    Ok(organization.summary.name)
}

pub fn detach_organization(asked: &Asked<'_>, server: ServerId, org: OrgId) -> Handled {
    let app = asked.app;
    let store = &app.ground.store;
    store.transaction("detach an organization", |tx| {
        let found = tx.server(server)?.ok_or(NOT_FOUND)?;
        if !found.organizations.contains(&org) {
            return tx.org(org)?.map(drop).ok_or(NOT_FOUND);
        }
        must_be_offline(&found)?;
        succession::bequeath(&app.ground, tx, &found, &[org])?;
        Ok::<_, Failure>(())
    })?;
    store.addresses_free_of_org(server, org)?;
    tell_of_organization(app, server, org)?;
    answer::done()
}

/// Makes the server's own certificate where it has lost it with the organization that signed it.
pub fn give_certificate(app: &App, server: &ServerDoc) -> Result<(), Failure> {
    if server.primary().is_some() || server.organizations.is_empty() {
        return Ok(());
    }
    let id = server.id;
    app.ground.store.transaction("make a server's certificate", |tx| {
        let server = tx.server(id)?.ok_or(NOT_FOUND)?;
        if server.primary().is_none() {
            let primary = succession::next(&app.ground, tx, id, &server.organizations)?;
            tx.server_set_organizations(id, &server.organizations, primary)?;
        }
        Ok::<_, Failure>(())
    })
}

fn must_be_offline(server: &ServerDoc) -> Result<(), Refusal> {
    if server.online { Err(Refusal::ServerNotOffline) } else { Ok(()) }
}

fn tell_of_organization(app: &App, id: ServerId, org: OrgId) -> Result<(), Failure> {
    let routes = Event::ServerRoutes(id);
    let events = [Event::Servers, routes, Event::ServerOrganizations(id), Event::Users(org)];
    tell(app, &find(app, id)?, &events);
    Ok(())
}

pub fn list_server_hosts(asked: &Asked<'_>, server: ServerId) -> Handled {
    let store = &asked.app.ground.store;
    let server = find(asked.app, server)?;
    let hosts = store.hosts(0, 0)?;
    let living = Living::among(&hosts);
    let attached = hosts.iter().filter(|host| server.hosts.contains(&host.id));
    let shown: Vec<_> =
        attached.map(|h| host(&server, h, state_on(&server, h.id, &living))).collect();
    answer::json(&shown)
}

/// Whether the server runs there; `None`: it does not run at all.
fn state_on(server: &ServerDoc, host: HostId, living: &Living) -> Option<State> {
    let there: Vec<_> =
        server.instances.iter().filter(|instance| instance.host_id == host).cloned().collect();
    match State::of(server.online, &there, living) {
        State::Offline => None,
        State::Pending => Some(State::Offline),
        State::Online => Some(State::Online),
    }
}

fn host(server: &ServerDoc, host: &HostDoc, state: Option<State>) -> ServerHostReply {
    ServerHostReply {
        id: host.id.to_string(),
        server: server.id.to_string(),
        status: state.map(State::as_str),
        name: host.name.clone(),
        address: host.effective_address().map(str::to_owned),
        address6: None,
    }
}

pub fn attach_host(asked: &Asked<'_>, server: ServerId, id: HostId) -> Handled {
    let store = &asked.app.ground.store;
    let found = store.host(id)?.ok_or(NOT_FOUND)?;
    let server = set_host(asked.app, server, id, true)?;
    tell(asked.app, &server, &[Event::ServerHosts(server.id)]);
    let state = state_on(&server, id, &store.living()?).unwrap_or(State::Offline);
    answer::json(&host(&server, &found, Some(state)))
}

/// Also of a host that is gone.
pub fn detach_host(asked: &Asked<'_>, server: ServerId, id: HostId) -> Handled {
    let before = find(asked.app, server)?;
    if !before.hosts.contains(&id) {
        asked.app.ground.store.host(id)?.ok_or(NOT_FOUND)?;
        return answer::done();
    }
    let server = set_host(asked.app, server, id, false)?;
    tell(asked.app, &server, &[Event::Servers, Event::ServerHosts(server.id)]);
    answer::done()
}

fn set_host(app: &App, id: ServerId, host: HostId, attached: bool) -> Result<ServerDoc, Failure> {
    app.ground.store.server_set_host(id, host, attached)?.ok_or(NOT_FOUND)
}
