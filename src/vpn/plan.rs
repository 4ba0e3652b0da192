//! From documents to what can be run. Pure; a server whose documents do not fit together is not
//! run, and says why.

use crate::base::ids::{OrgId, UserId};
use crate::base::secret::Secret;
use crate::domain::network::Network;
use crate::domain::route::{self, Target};
use crate::domain::server::{AllowedDevices, NetworkMode, Protocol, ServerSpec};
use crate::pki::DhSize;
use crate::store::papers::{Authority, ServerIdentity};
use crate::store::server_options::Damaged;
use crate::store::servers::ServerDoc;
use crate::store::users::UserType;
use crate::vpn::settings::{self, Devices, Keys, Route, Server};
use std::collections::HashMap;
use std::fmt;

/// Certificates and keys by whom they belong to.
#[derive(Default)]
pub struct Papers {
    authorities: HashMap<OrgId, String>,
    identities: HashMap<UserId, ServerIdentity>,
}

impl Papers {
    pub fn of(authorities: Vec<Authority>, identities: Vec<ServerIdentity>) -> Papers {
        Papers {
            authorities: authorities.into_iter().map(|a| (a.org, a.certificate)).collect(),
            identities: identities.into_iter().map(|i| (i.id, i)).collect(),
        }
    }
}

/// Why a server can not be run as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Damaged(Damaged),
    NoOrganization,
    /// An attached organization does not exist any more.
    OrganizationGone(OrgId),
    NoCertificate,
    /// It asks for a protection that is not there: running without it would be worse.
    Absent(&'static str),
    RouteNetmap(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Damaged(e) => e.fmt(f),
            Fault::NoOrganization => f.write_str("no organization is attached to the server"),
            Fault::OrganizationGone(org) => {
                write!(f, "organization {org} does not exist any more; detach it from the server")
            }
            Fault::NoCertificate => f.write_str(
                "the server's own certificate is missing; detach its organizations and attach \
                 them again",
            ),
            Fault::Absent(what) => write!(f, "{what} is not supported; switch it off"),
            Fault::RouteNetmap(network) => {
                write!(f, "the route to {network} maps addresses, which is not supported")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<Damaged> for Fault {
    fn from(e: Damaged) -> Fault {
        Fault::Damaged(e)
    }
}

/// What OpenVPN and admission need to know of a server.
pub fn server(doc: &ServerDoc) -> Result<Server, Fault> {
    let spec = doc.spec()?;
    supported(&spec)?;
    if doc.organizations.is_empty() {
        return Err(Fault::NoOrganization);
    }
    let bind = spec.bind_address.as_deref().map(str::parse).transpose();
    Ok(Server {
        id: doc.id,
        name: spec.name.clone(),
        network: spec.network,
        generation: doc.generation,
        port: spec.port,
        protocol: match spec.protocol {
            Protocol::Udp => settings::Protocol::Udp,
            Protocol::Tcp => settings::Protocol::Tcp,
        },
        bind_address: bind.map_err(|_| Damaged { field: "bind_address" })?,
        cipher: spec.cipher.as_str().to_owned(),
        hash: spec.hash.as_str().to_owned(),
        ping_interval_s: spec.ping_interval_s,
        ping_timeout_s: spec.ping_timeout_s,
        max_clients: spec.max_clients,
        multi_device: spec.switches.multi_device,
        inter_client: spec.switches.inter_client,
        restrict_routes: spec.switches.restrict_routes,
        otp_auth: spec.switches.otp_auth,
        allowed_devices: spec.allowed_devices.map(devices),
        debug: spec.switches.debug,
        multihome: spec.switches.multihome,
        tun_mtu: spec.tun_mtu,
        mss_fix: spec.mss_fix,
        fragment: spec.fragment,
        dns_servers: spec.dns_servers.clone(),
        search_domains: spec.search_domains().map(str::to_owned).collect(),
        groups: spec.groups.clone(),
        organizations: doc.organizations.clone(),
        routes: routes(&doc.route_list()?)?,
    })
}

pub fn devices(allowed: AllowedDevices) -> Devices {
    match allowed {
        AllowedDevices::Mobile => Devices::Mobile,
        AllowedDevices::Desktop => Devices::Desktop,
    }
}

/// What would let in somebody, or open something, that the administrator wants shut.
fn supported(spec: &ServerSpec) -> Result<(), Fault> {
    let switches = &spec.switches;
    let rows = [
        (spec.network_mode == NetworkMode::Bridge, "network mode bridge"),
        (switches.sso_auth && !switches.bypass_sso_auth, "single sign-on at each connection"),
        (switches.device_auth, "the check of registered devices"),
        (switches.dynamic_firewall, "the dynamic firewall"),
    ];
    match rows.into_iter().find(|(wanted, _)| *wanted) {
        Some((_, what)) => Err(Fault::Absent(what)),
        None => Ok(()),
    }
}

fn routes(stored: &[route::Route]) -> Result<Vec<Route>, Fault> {
    let mut routes = Vec::new();
    for route in stored {
        // The server's own network needs no route through the tunnel.
        let Target::Net(network) = route.target else { continue };
        if route.nat_netmap.is_some() {
            return Err(Fault::RouteNetmap(network.to_string()));
        }
        routes.push(routed(network, route));
    }
    Ok(routes)
}

fn routed(network: Network, route: &route::Route) -> Route {
    Route {
        network,
        nat: route.nat,
        nat_interface: route.nat_interface.clone(),
        metric: route.metric,
        net_gateway: route.net_gateway,
    }
}

/// Without them TLS uses elliptic curves.
fn dh_params(doc: &ServerDoc) -> Option<String> {
    let size = DhSize::of_bits(doc.options.dh_param_bits).filter(|size| size.is_usable());
    doc.dh_params.clone().filter(|_| size.is_some())
}

/// What proves who the server is, and who may knock.
pub fn keys(doc: &ServerDoc, papers: &Papers) -> Result<Keys, Fault> {
    let authority =
        |org: &OrgId| papers.authorities.get(org).cloned().ok_or(Fault::OrganizationGone(*org));
    let authorities = doc.organizations.iter().map(authority).collect::<Result<_, _>>()?;
    let identity = doc.primary_user.and_then(|user| papers.identities.get(&user));
    let identity = identity.filter(|identity| identity.user_type == UserType::Server);
    let identity = identity.ok_or(Fault::NoCertificate)?;
    let tls_auth = Some(&doc.tls_auth_key).filter(|key| !key.is_empty());
    Ok(Keys {
        authorities,
        certificate: identity.certificate.clone(),
        key: Secret::new(identity.private_key.clone()),
        tls_auth: tls_auth.map(|key| Secret::new(key.clone())),
        dh_params: dh_params(doc),
    })
}

#[cfg(test)]
mod tests;
