//! Servers (contract 2.5): their list, their options, their life.
//!
//! What a server may be is the domain's to say; that no two overlap is kept by transactions that
//! read all servers and write their guard (I6).

mod fields;
mod operate;
mod shown;

pub use operate::operate_server;
pub use shown::State;

use crate::api::reply::server::ServerPage;
use crate::api::{Listing, ServerBody};
use crate::base::ids::ServerId;
use crate::domain::event::Event;
use crate::domain::route::{self, Route};
use crate::domain::server::{
    Circumstances, NetworkMode, Previous, Protocol, ServerFields, ServerSpec, Taken as Occupied,
    wake_key,
};
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::drafts;
use crate::internal::keys::{self, Keys};
use crate::limits;
use crate::store::Tx;
use crate::store::bus::Message;
use crate::store::servers::{RouteDoc, ServerDoc, ServerKeys, ServerOptions, ServerPlace};
use shown::Around;

pub fn list_servers(asked: &Asked<'_>, query: Listing) -> Handled {
    let store = &asked.app.ground.store;
    let Some(page) = query.page else {
        let servers = store.servers(0, 0)?;
        let around = Around::read(asked.app, &servers)?;
        let shown: Vec<_> = servers.iter().map(|server| around.show(server)).collect();
        return answer::json(&shown);
    };
    let skip = u64::from(page) * u64::from(limits::SERVERS_PAGE);
    let servers = store.servers(skip, limits::SERVERS_PAGE.into())?;
    let page_total = last_page(store.server_count()?, limits::SERVERS_PAGE);
    let around = Around::read(asked.app, &servers)?;
    let servers = servers.iter().map(|server| around.show(server)).collect();
    answer::json(&ServerPage { page, page_total, servers })
}

/// Index of the last page (contract 1.5).
pub fn last_page(count: u64, size: u32) -> u32 {
    u32::try_from(count.saturating_sub(1) / u64::from(size)).unwrap_or(u32::MAX)
}

pub fn get_server(asked: &Asked<'_>, server: ServerId) -> Handled {
    shown::one(asked.app, &find(asked.app, server)?)
}

pub fn find(app: &App, server: ServerId) -> Result<ServerDoc, Failure> {
    app.ground.store.server(server)?.ok_or(NOT_FOUND)
}

/// What is stored is read back by the rules that let it in, or it is damaged.
pub fn spec(server: &ServerDoc) -> Result<ServerSpec, Failure> {
    server.spec().map_err(|damaged| damage(server, damaged))
}

pub fn stored_routes(server: &ServerDoc) -> Result<Vec<Route>, Failure> {
    server.route_list().map_err(|damaged| damage(server, damaged))
}

fn damage(server: &ServerDoc, damaged: impl std::fmt::Display) -> Failure {
    Failure::Bug(format!("server {}: {damaged}", server.id))
}

/// What this server should be has changed: for the hosts, the console, and those who wait.
pub fn tell(app: &App, server: &ServerDoc, events: &[Event]) {
    let bus = &app.ground.bus;
    bus.publish(Message::Server { server: server.id });
    bus.publish(Message::Wake { key: wake_key(server.id) });
    events.iter().for_each(|event| bus.emit(*event));
}

/// What users see of a server has changed too.
pub fn tell_users(app: &App, server: &ServerDoc) {
    server.organizations.iter().for_each(|org| app.ground.bus.emit(Event::Users(*org)));
}

pub fn create_server(asked: &Asked<'_>, body: ServerBody) -> Handled {
    let fields = fields::of(body);
    // A key is too dear for a request that is refused.
    specify(asked.app, &fields, None, asked.app.ground.store.server_places()?, false)?;
    let app = asked.app;
    // Keys may be kept for who comes again.
    let may_be_ready = asked.resume().is_none();
    let keys = match may_be_ready.then(|| app.drafts.server()).flatten() {
        Some(keys) => keys,
        None => match keys::take(asked, drafts::SERVER_KEYS, 1)? {
            Keys::There(keys) => {
                let key = keys.into_iter().next();
                let key = key.ok_or_else(|| Failure::Bug("no key came".to_owned()))?;
                drafts::server_keys(&app.ground, key)?
            }
            Keys::Later(parked) => return Ok(parked),
        },
    };
    let created = create(app, &fields, &keys);
    app.drafts.want_server();
    created
}

fn create(app: &App, fields: &ServerFields, keys: &ServerKeys) -> Handled {
    let id = app.ground.store.new_id();
    let server = app.ground.store.transaction("create a server", |tx| {
        tx.guard_places()?;
        let spec = specify(app, fields, None, tx.server_places()?, false)?;
        let routes = route::of_new_server(spec.dns_servers.first().copied());
        let routes = routes.iter().map(RouteDoc::of).collect();
        let options = ServerOptions::of(&spec);
        let server = ServerDoc::new(id, options, routes, app.ground.host, keys);
        tx.server_insert(&server)?;
        Ok::<_, Failure>(server)
    })?;
    want_dh_params(app);
    tell(app, &server, &[Event::Servers, Event::ServerRoutes(id)]);
    answer::json(&Around::default().show(&server))
}

/// What servers lack is planned as if it had been taken.
fn want_dh_params(app: &App) {
    app.ground.bus.publish(Message::PoolTaken);
}

/// The rules, with everything they depend on. Links between servers do not exist here.
fn specify(
    app: &App,
    fields: &ServerFields,
    previous: Option<Previous<'_>>,
    places: Vec<ServerPlace>,
    has_network_links: bool,
) -> Result<ServerSpec, Failure> {
    let taken: Vec<Occupied> = places.iter().map(occupied).collect();
    let around = Circumstances {
        previous,
        taken: &taken,
        has_server_links: false,
        has_network_links,
        linked_online: false,
    };
    Ok(ServerSpec::from_request(fields, &around, &app.ground.random)?)
}

/// A damaged server can not run, so what can not be read of it is not occupied either.
fn occupied(place: &ServerPlace) -> Occupied {
    let networks = [Some(&place.network), place.network_wg.as_ref()];
    let port = |port: i64| u16::try_from(port).ok();
    let main = Protocol::parse(&place.protocol).zip(port(place.port));
    let wireguard = place.port_wg.and_then(port).map(|port| (Protocol::Udp, port));
    Occupied {
        server: place.id,
        networks: networks.into_iter().flatten().filter_map(|n| n.parse().ok()).collect(),
        ports: main.into_iter().chain(wireguard).collect(),
    }
}

pub fn put_server(asked: &Asked<'_>, server: ServerId, body: ServerBody) -> Handled {
    let app = asked.app;
    let fields = fields::of(body);
    let changed =
        app.ground.store.transaction("change a server", |tx| change(app, tx, server, &fields))?;
    if let Some(generation) = changed {
        app.ground.store.addresses_forget(server, generation)?;
    }
    want_dh_params(app);
    let now = find(app, server)?;
    tell(app, &now, &[Event::Servers, Event::ServerRoutes(server)]);
    tell_users(app, &now);
    shown::one(app, &now)
}

/// Answers the new generation of addresses if the network has changed.
fn change(
    app: &App,
    tx: &mut Tx<'_>,
    id: ServerId,
    fields: &ServerFields,
) -> Result<Option<i64>, Failure> {
    let server = tx.server(id)?.ok_or(NOT_FOUND)?;
    let before = spec(&server)?;
    let previous = Previous { id, spec: &before, online: server.online };
    let bridge = fields.network_mode == NetworkMode::Bridge.as_str();
    let links = bridge && !app.ground.store.network_links(&server.organizations)?.is_empty();
    let after = specify(app, fields, Some(previous), tx.server_places()?, links)?;
    if occupies(&before) != occupies(&after) {
        tx.guard_places()?;
    }
    let mut routes = stored_routes(&server)?;
    let dns = |spec: &ServerSpec| spec.dns_servers.first().copied();
    if dns(&before) != dns(&after) {
        route::follow_dns(&mut routes, dns(&after));
    }
    let routes: Vec<RouteDoc> = routes.iter().map(RouteDoc::of).collect();
    let addresses = |spec: &ServerSpec| (spec.network, spec.bridge_range);
    let moved = addresses(&before) != addresses(&after);
    let generation = moved.then_some(server.generation + 1);
    if before.dh_param_bits != after.dh_param_bits {
        tx.dh_forget(id)?;
    }
    match tx.server_change(id, &ServerOptions::of(&after), &routes, generation)? {
        true => Ok(generation),
        false => Err(NOT_FOUND),
    }
}

/// What must not overlap with other servers'.
fn occupies(spec: &ServerSpec) -> impl PartialEq {
    let wireguard = spec.wireguard.map(|wg| (wg.network, wg.port));
    (spec.network, spec.port, spec.protocol, wireguard)
}

/// Each step can be repeated: cut short, the server is still there, stopped, and is deleted by the
/// next request. What a host still records while it ends goes in the last step.
pub fn delete_server(asked: &Asked<'_>, server: ServerId) -> Handled {
    let app = asked.app;
    let store = &app.ground.store;
    let stopped = store.server_stop(server)?.ok_or(NOT_FOUND)?;
    tell(app, &stopped, &[]);
    store.server_records_delete(server)?;
    store.transaction("delete a server", |tx| {
        let Some(now) = tx.server(server)? else { return Ok(()) };
        if let Some((org, user)) = now.primary() {
            tx.server_user_delete(org, user)?;
        }
        tx.server_delete(server)?;
        Ok::<_, Failure>(())
    })?;
    store.server_records_delete(server)?;
    tell(app, &stopped, &[Event::Servers]);
    tell_users(app, &stopped);
    answer::done()
}
