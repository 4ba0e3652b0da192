//! Routes of a server (contract 2.5). The server's own document guards them: of two changes at once
//! one runs again, and so does one that meets a start.

use crate::api::reply::route::{RouteReply, ShownRouteReply};
use crate::api::{RouteBody, RouteId};
use crate::base::ids::ServerId;
use crate::domain::event::Event;
use crate::domain::network::Network;
use crate::domain::route::{self, Origin, Route, RouteFields, Routes, Shown, Target};
use crate::domain::server::ServerSpec;
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::servers::{find, spec, stored_routes, tell};
use crate::limits;
use crate::store::servers::{RouteDoc, ServerDoc};

const TOO_MANY: Failure = Failure::Named {
    status: 400,
    id: "server_routes_too_many",
    message: "A server can not have so many routes.",
};

pub fn list_routes(asked: &Asked<'_>, server: ServerId) -> Handled {
    let found = find(asked.app, server)?;
    let (spec, stored) = (spec(&found)?, stored_routes(&found)?);
    let links = network_links(asked.app, &found)?;
    let shown = routes(&spec, &stored, &links, found.online).shown();
    let shown: Vec<_> = shown.iter().map(|shown| show(server, shown)).collect();
    answer::json(&shown)
}

pub fn create_route(asked: &Asked<'_>, server: ServerId, body: RouteBody) -> Handled {
    put(asked, server, vec![fields(body)])
}

pub fn create_routes(asked: &Asked<'_>, server: ServerId, body: Vec<RouteBody>) -> Handled {
    put(asked, server, body.into_iter().map(fields).collect())
}

pub fn put_route(asked: &Asked<'_>, server: ServerId, route: &RouteId, body: RouteBody) -> Handled {
    let network = network(route)?.to_string();
    put(asked, server, vec![RouteFields { network, ..fields(body) }])
}

pub fn delete_route(asked: &Asked<'_>, server: ServerId, route: &RouteId) -> Handled {
    let network = network(route)?;
    change(asked.app, server, |routes| {
        let left = routes.without(network)?;
        let shown = || routes.shown().iter().any(|shown| shown.network == network);
        if left.len() == routes.stored.len() && !shown() { Err(NOT_FOUND) } else { Ok(left) }
    })?;
    answer::json(&())
}

fn network(route: &RouteId) -> Result<Network, Failure> {
    route.network().parse().map_err(|_| NOT_FOUND)
}

/// All of them or none; the last one is answered.
fn put(asked: &Asked<'_>, server: ServerId, fields: Vec<RouteFields>) -> Handled {
    if fields.len() > limits::ROUTES_MAX {
        return Err(TOO_MANY);
    }
    let mut last = None;
    let spec = change(asked.app, server, |routes| {
        let accepted = routes.accept_all(&fields)?;
        last = accepted.last().cloned();
        let mut all = routes.stored.to_vec();
        accepted.into_iter().for_each(|accepted| route::upsert(&mut all, accepted));
        if all.len() > limits::ROUTES_MAX { Err(TOO_MANY) } else { Ok(all) }
    })?;
    answer::json(&last.map(|route| stored(server, &spec, &route)))
}

fn change(
    app: &App,
    id: ServerId,
    mut changed: impl FnMut(&Routes<'_>) -> Result<Vec<Route>, Failure>,
) -> Result<ServerSpec, Failure> {
    let links = network_links(app, &find(app, id)?)?;
    let (server, spec) = app.ground.store.transaction("change a server's routes", |tx| {
        let server = tx.server(id)?.ok_or(NOT_FOUND)?;
        let spec = spec(&server)?;
        let stored = stored_routes(&server)?;
        let after = changed(&routes(&spec, &stored, &links, server.online))?;
        let after: Vec<RouteDoc> = after.iter().map(RouteDoc::of).collect();
        tx.server_set_routes(id, &after)?;
        Ok::<_, Failure>((server, spec))
    })?;
    tell(app, &server, &[Event::ServerRoutes(id)]);
    Ok(spec)
}

/// Links between servers do not exist here.
fn routes<'a>(
    server: &'a ServerSpec,
    stored: &'a [Route],
    network_links: &'a [Network],
    online: bool,
) -> Routes<'a> {
    Routes { server, stored, network_links, linked: &[], online }
}

/// Networks behind users of the server.
fn network_links(app: &App, server: &ServerDoc) -> Result<Vec<Network>, Failure> {
    let links = app.ground.store.network_links(&server.organizations)?;
    Ok(links.iter().filter_map(|link| link.parse().ok()).collect())
}

fn fields(body: RouteBody) -> RouteFields {
    RouteFields {
        network: body.network,
        comment: body.comment,
        metric: body.metric,
        nat: body.nat,
        nat_interface: body.nat_interface,
        nat_netmap: body.nat_netmap,
        advertise: body.advertise,
        advertise_resource: body.advertise_resource,
        net_gateway: body.net_gateway,
    }
}

fn stored(server: ServerId, spec: &ServerSpec, route: &Route) -> RouteReply {
    let network = match route.target {
        Target::Virtual => Network::V4(spec.network),
        Target::Net(network) => network,
    };
    reply(server, network, route)
}

fn reply(server: ServerId, network: Network, route: &Route) -> RouteReply {
    RouteReply {
        id: route::id(network),
        server: server.to_string(),
        network: network.to_string(),
        comment: route.comment.clone(),
        metric: route.metric,
        nat: route.nat,
        nat_interface: route.nat_interface.clone(),
        nat_netmap: route.nat_netmap.map(|network| network.to_string()),
        advertise: route.advertise,
        advertise_resource: route.advertise_resource.clone(),
        vpc_region: None,
        vpc_id: None,
        net_gateway: route.net_gateway,
    }
}

fn show(server: ServerId, shown: &Shown) -> ShownRouteReply {
    let Shown { network, route, origin } = shown;
    ShownRouteReply {
        route: reply(server, *network, route),
        virtual_network: matches!(origin, Origin::Virtual | Origin::VirtualWireGuard),
        wg_network: (*origin == Origin::VirtualWireGuard).then_some(true),
        network_link: *origin == Origin::NetworkLink,
        server_link: matches!(origin, Origin::ServerLink | Origin::ServerLinkVirtual),
        link_virtual_network: *origin == Origin::ServerLinkVirtual,
    }
}
