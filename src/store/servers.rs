//! VPN servers: what an administrator wants, and which host runs them.

mod dh;

use super::ops::{Stored, Tx, touch};
use super::{Store, StoreError, collections};
pub use crate::api::reply::server::ServerOptions;
use crate::base::ids::{HostId, InstanceId, OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use mongodb::bson::{DateTime, Document, Timestamp, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// A route of a server. Network `virtual` is the server's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDoc {
    pub network: String,
    #[serde(default)]
    pub comment: Option<String>,
    #[serde(default)]
    pub metric: Option<i64>,
    /// Absent means true.
    #[serde(default = "yes")]
    pub nat: bool,
    #[serde(default)]
    pub nat_interface: Option<String>,
    #[serde(default)]
    pub nat_netmap: Option<String>,
    #[serde(default)]
    pub advertise: Option<bool>,
    #[serde(default)]
    pub advertise_resource: Option<Vec<String>>,
    #[serde(default)]
    pub net_gateway: bool,
}

fn yes() -> bool {
    true
}

/// A replica slot: who runs the server, and since when OpenVPN answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceDoc {
    pub instance_id: InstanceId,
    pub host_id: HostId,
    /// The holder's epoch: a host declared dead holds nothing any more (I5).
    pub epoch: i64,
    /// The server's [`ServerDoc::run`] when it was started: an older one is to be replaced.
    #[serde(default)]
    pub run: i64,
    /// `None` while it starts.
    #[serde(default)]
    pub started: Option<DateTime>,
}

/// What kept a server from starting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartFailure {
    pub host_id: HostId,
    pub cause: String,
    pub at: DateTime,
}

/// A server.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerDoc {
    #[serde(rename = "_id")]
    pub id: ServerId,
    #[serde(flatten)]
    pub options: ServerOptions,
    pub routes: Vec<RouteDoc>,
    pub organizations: Vec<OrgId>,
    pub hosts: Vec<HostId>,
    /// Should it run?
    pub online: bool,
    /// Raised by each start and restart that is asked for; instances of an older run must make way.
    #[serde(default)]
    pub run: i64,
    pub instances: Vec<InstanceDoc>,
    /// Why the latest start failed; gone with the next start that is asked for or succeeds.
    #[serde(default)]
    pub failure: Option<StartFailure>,
    /// The organization whose CA signed the server's certificate, and that certificate's holder.
    pub primary_organization: Option<OrgId>,
    pub primary_user: Option<UserId>,
    /// OpenVPN static key text.
    pub tls_auth_key: String,
    /// DH parameters of the wanted size in PEM; `None` until some are made.
    #[serde(default)]
    pub dh_params: Option<String>,
    /// Signing key of profile headers, PKCS#8 PEM (RSA-4096), and its public PKCS#1 PEM.
    pub auth_private_key: String,
    pub auth_public_key: String,
    /// X25519 pair, base64 of 32 bytes each.
    pub auth_box_private_key: String,
    pub auth_box_public_key: String,
    /// Raised when the network changes; addresses belong to a generation.
    pub generation: i64,
    /// Highest address handed out in this generation, as a number; 0: none.
    pub address_high: i64,
    pub rev: Timestamp,
}

impl Stored for ServerDoc {
    const COLLECTION: &'static str = collections::SERVERS;
}

impl InstanceDoc {
    /// Seconds since the Unix epoch.
    pub fn started_s(&self) -> Option<i64> {
        self.started.map(|at| at.timestamp_millis().div_euclid(1000))
    }
}

/// Who may use a server after somebody has gone.
#[derive(Clone, Debug)]
pub struct Succession {
    pub organizations: Vec<OrgId>,
    pub primary: Option<(OrgId, UserId)>,
    pub online: bool,
    /// What runs has another certificate to show.
    pub anew: bool,
}

/// Keys of a new server.
pub struct ServerKeys {
    pub tls_auth: Secret,
    /// Signs profile headers.
    pub signing: Secret,
    /// PKCS#1 PEM.
    pub signing_public: String,
    pub boxed: Secret,
    pub boxed_public: String,
}

impl ServerDoc {
    /// A server that nobody may use yet, on one host.
    pub fn new(
        id: ServerId,
        options: ServerOptions,
        routes: Vec<RouteDoc>,
        host: HostId,
        keys: &ServerKeys,
    ) -> ServerDoc {
        ServerDoc {
            id,
            options,
            routes,
            organizations: Vec::new(),
            hosts: vec![host],
            online: false,
            run: 0,
            instances: Vec::new(),
            failure: None,
            primary_organization: None,
            primary_user: None,
            tls_auth_key: keys.tls_auth.expose().clone(),
            dh_params: None,
            auth_private_key: keys.signing.expose().clone(),
            auth_public_key: keys.signing_public.clone(),
            auth_box_private_key: keys.boxed.expose().clone(),
            auth_box_public_key: keys.boxed_public.clone(),
            generation: 1,
            address_high: 0,
            rev: Timestamp { time: 0, increment: 0 },
        }
    }

    /// Whose certificate the server shows.
    pub fn primary(&self) -> Option<(OrgId, UserId)> {
        self.primary_organization.zip(self.primary_user)
    }
}

/// The part of a server that no other may overlap.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerPlace {
    #[serde(rename = "_id")]
    pub id: ServerId,
    pub network: String,
    #[serde(default)]
    pub network_wg: Option<String>,
    pub port: i64,
    #[serde(default)]
    pub port_wg: Option<i64>,
    pub protocol: String,
}

impl ServerPlace {
    fn fields() -> FindOptions {
        let fields = doc! { "network": 1, "network_wg": 1, "port": 1, "port_wg": 1, "protocol": 1 };
        FindOptions::builder().projection(fields).build()
    }
}

fn by_name(skip: u64, limit: i64) -> FindOptions {
    FindOptions::builder().sort(doc! { "name": 1, "_id": 1 }).skip(skip).limit(limit).build()
}

impl Store {
    /// `limit` 0: all.
    pub fn servers(&self, skip: u64, limit: i64) -> Result<Vec<ServerDoc>, StoreError> {
        self.find("list servers", doc! {}, by_name(skip, limit))
    }

    pub fn servers_of_org(&self, org: OrgId) -> Result<Vec<ServerDoc>, StoreError> {
        self.find("list an organization's servers", doc! { "organizations": org }, by_name(0, 0))
    }

    pub fn server_count(&self) -> Result<u64, StoreError> {
        self.count::<ServerDoc>("count servers", doc! {})
    }

    pub fn server(&self, id: ServerId) -> Result<Option<ServerDoc>, StoreError> {
        self.find_one("read a server", doc! { "_id": id })
    }

    /// Adds or removes a host that may run it; allowed while online. `None`: no such server.
    pub fn server_set_host(
        &self,
        id: ServerId,
        host: HostId,
        attached: bool,
    ) -> Result<Option<ServerDoc>, StoreError> {
        let change = match attached {
            true => doc! { "$addToSet": { "hosts": host } },
            false => doc! { "$pull": { "hosts": host } },
        };
        self.update_get("change a server's hosts", doc! { "_id": id }, touch(change))
    }

    /// Asks for a run of a server that is stopped or failed to start, and that somebody may use
    /// somewhere. `None`: it is not such a one; read it to see why.
    pub fn server_start(&self, id: ServerId) -> Result<Option<ServerDoc>, StoreError> {
        let idle = doc! { "$or": [{ "online": false }, { "failure": { "$ne": null } }] };
        self.server_run("start a server", id, idle)
    }

    /// Asks for a new run, whatever it does now. `None`: nobody may use it anywhere, or it is gone.
    pub fn server_restart(&self, id: ServerId) -> Result<Option<ServerDoc>, StoreError> {
        self.server_run("restart a server", id, doc! {})
    }

    fn server_run(
        &self,
        op: &'static str,
        id: ServerId,
        mut filter: Document,
    ) -> Result<Option<ServerDoc>, StoreError> {
        let present = doc! { "$exists": true };
        filter.extend(doc! { "_id": id, "organizations.0": &present, "hosts.0": present });
        let fields = doc! { "online": true, "failure": null };
        let update = touch(doc! { "$set": fields, "$inc": { "run": 1_i64 } });
        self.update_get(op, filter, update)
    }

    /// `None`: no such server.
    pub fn server_stop(&self, id: ServerId) -> Result<Option<ServerDoc>, StoreError> {
        let update = touch(doc! { "$set": { "online": false, "failure": null } });
        self.update_get("stop a server", doc! { "_id": id }, update)
    }

    /// What servers occupy.
    pub fn server_places(&self) -> Result<Vec<ServerPlace>, StoreError> {
        self.find_as::<ServerDoc, _>("list servers' networks", doc! {}, ServerPlace::fields())
    }
}

impl Tx<'_> {
    pub fn server(&mut self, id: ServerId) -> Result<Option<ServerDoc>, StoreError> {
        self.find_one("read a server", doc! { "_id": id })
    }

    /// Guard (I6): taken by whoever adds or moves a network or a port.
    pub fn guard_places(&mut self) -> Result<(), StoreError> {
        self.guard("places of servers")
    }

    /// What all servers occupy, for rules about networks and ports, which also take the guard.
    pub fn server_places(&mut self) -> Result<Vec<ServerPlace>, StoreError> {
        self.find_as::<ServerDoc, _>("list servers' networks", doc! {}, ServerPlace::fields())
    }

    /// Whether no server of an organization runs. They are written, so that of this transaction and
    /// a start one finds the other (I6).
    pub fn servers_hold_still(&mut self, org: OrgId) -> Result<bool, StoreError> {
        const OP: &str = "look whether an organization's servers run";
        let mut theirs = doc! { "organizations": org };
        self.update_many::<ServerDoc>(OP, theirs.clone(), touch(Document::new()))?;
        theirs.insert("online", true);
        Ok(self.count::<ServerDoc>(OP, theirs)? == 0)
    }

    pub fn server_insert(&mut self, server: &ServerDoc) -> Result<(), StoreError> {
        self.insert("create a server", server)
    }

    /// Replaces options and routes. `new_generation`: all addresses are void. `false`: gone.
    pub fn server_change(
        &mut self,
        id: ServerId,
        options: &ServerOptions,
        routes: &[RouteDoc],
        new_generation: Option<i64>,
    ) -> Result<bool, StoreError> {
        const OP: &str = "change a server";
        let fields = mongodb::bson::serialize_to_document(options);
        let mut fields = fields.map_err(|e| StoreError::write(OP, e.into()))?;
        let routes = mongodb::bson::serialize_to_bson(routes);
        fields.insert("routes", routes.map_err(|e| StoreError::write(OP, e.into()))?);
        if let Some(generation) = new_generation {
            fields.extend(doc! { "generation": generation, "address_high": 0_i64 });
        }
        self.server_set(OP, id, fields)
    }

    pub fn server_set_routes(
        &mut self,
        id: ServerId,
        routes: &[RouteDoc],
    ) -> Result<bool, StoreError> {
        const OP: &str = "change a server's routes";
        let routes = mongodb::bson::serialize_to_bson(routes);
        let routes = routes.map_err(|e| StoreError::write(OP, e.into()))?;
        self.server_set(OP, id, doc! { "routes": routes })
    }

    pub fn server_set_organizations(
        &mut self,
        id: ServerId,
        organizations: &[OrgId],
        primary: Option<(OrgId, UserId)>,
    ) -> Result<bool, StoreError> {
        let fields = doc! {
            "organizations": organizations.to_vec(),
            "primary_organization": primary.map(|(org, _)| org),
            "primary_user": primary.map(|(_, user)| user),
        };
        self.server_set("change a server's organizations", id, fields)
    }

    /// `false`: gone.
    pub fn server_succeed(
        &mut self,
        id: ServerId,
        succession: &Succession,
    ) -> Result<bool, StoreError> {
        let primary = succession.primary;
        let fields = doc! {
            "organizations": succession.organizations.clone(),
            "primary_organization": primary.map(|(org, _)| org),
            "primary_user": primary.map(|(_, user)| user),
            "online": succession.online,
        };
        let mut update = doc! { "$set": fields };
        if succession.anew {
            update.insert("$inc", doc! { "run": 1_i64 });
        }
        let op = "hand a server over";
        Ok(self.update::<ServerDoc>(op, doc! { "_id": id }, touch(update))?.yes())
    }

    pub fn server_delete(&mut self, id: ServerId) -> Result<bool, StoreError> {
        self.delete_many::<super::vpn::AddressDoc>(
            "free a server's addresses",
            doc! { "server_id": id },
        )?;
        Ok(self.delete::<ServerDoc>("delete a server", doc! { "_id": id })?.yes())
    }

    fn server_set(
        &mut self,
        op: &'static str,
        id: ServerId,
        fields: Document,
    ) -> Result<bool, StoreError> {
        let update = touch(doc! { "$set": fields });
        Ok(self.update::<ServerDoc>(op, doc! { "_id": id }, update)?.yes())
    }
}
