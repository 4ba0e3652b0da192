//! Organizations, people and servers past the API, for repairs and guards to work on.

use super::rig::{Host, collection};
use crate::support::mongo::ReplicaSet;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use std::sync::atomic::{AtomicI64, Ordering};
use warren::base::ids::{HostId, OrgId, ServerId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::domain::server::{Circumstances, ServerFields, ServerSpec};
use warren::domain::user::{UserFields, UserSpec};
use warren::ground::Ground;
use warren::pki::{Issuer, KeyKind, PrivateKey, Subject};
use warren::store::organizations::{OrgDoc, OrgSummary};
use warren::store::servers::{ServerDoc, ServerKeys, ServerOptions};
use warren::store::users::{Created, UserDoc, UserKeys, UserSummary};
use warren::succession::{self, SuccessionError};

static NEXT_PORT: AtomicI64 = AtomicI64::new(2000);

/// An organization with a quick kind of CA.
pub fn organization(ground: &Ground, name: &str) -> OrgDoc {
    let (org, user): (OrgId, UserId) = (ground.store.new_id(), ground.store.new_id());
    let key = PrivateKey::generate(KeyKind::P256).expect("a key");
    let subject = Subject { org, user };
    let issuer = Issuer::create(key.clone(), subject, ground.clock.cluster_s()).expect("a CA");
    let summary = OrgSummary {
        id: org,
        name: name.to_owned(),
        auth_api: false,
        auth_token: None,
        auth_secret: None,
        ca_user_id: user,
        ca_expires: issuer.certificate().not_after_s().expect("a date"),
        user_count: 0,
    };
    let key = key.to_pem().expect("PEM").expose().clone();
    let made = OrgDoc::new(summary, key, issuer.certificate().to_pem().expect("PEM"));
    ground.store.org_insert(&made).expect("an organization");
    made
}

/// People without usable keys.
pub fn people(ground: &Ground, org: &OrgDoc, count: usize) -> Vec<UserId> {
    let user = |n: usize| {
        let fields = UserFields { name: format!("planted-{n:05}"), ..UserFields::default() };
        let spec = UserSpec::from_request(&fields, None).expect("valid");
        let id = ground.store.new_id();
        let summary = UserSummary::person(org.id, id, &spec, "OTP".to_owned());
        let text = String::new;
        let (private_key, certificate) = (text(), text());
        let (sync_token, sync_secret) = (text(), text());
        let keys = UserKeys { private_key, certificate, sync_token, sync_secret };
        UserDoc { summary, keys }
    };
    let users: Vec<UserDoc> = (0..count).map(user).collect();
    for chunk in users.chunks(100) {
        let done = ground.store.users_create(org.id, &org.ca_certificate, chunk);
        assert!(matches!(done, Ok(Created::Yes { .. })), "{done:?}");
    }
    users.iter().map(|user| user.id).collect()
}

/// A server of this network on this host, for these organizations; the first one signs.
pub fn server(host: &Host, network: &str, orgs: &[&OrgDoc]) -> ServerId {
    let ground = &host.ground;
    let fields = ServerFields {
        name: format!("server-{network}"),
        network: network.to_owned(),
        // No two of a test.
        port: NEXT_PORT.fetch_add(1, Ordering::Relaxed),
        protocol: "udp".to_owned(),
        cipher: "aes128".to_owned(),
        hash: "sha256".to_owned(),
        ..ServerFields::default()
    };
    let around = Circumstances {
        previous: None,
        taken: &[],
        has_server_links: false,
        has_network_links: false,
        linked_online: false,
    };
    let spec = ServerSpec::from_request(&fields, &around, &Random::system()).expect("valid");
    let secret = || Secret::new(String::new());
    let keys = ServerKeys {
        tls_auth: secret(),
        signing: secret(),
        signing_public: String::new(),
        boxed: secret(),
        boxed_public: String::new(),
    };
    let (id, options) = (ground.store.new_id(), ServerOptions::of(&spec));
    // It lacks nothing: else the pools had something to make.
    let dh_params = Some(String::new());
    let made =
        ServerDoc { dh_params, ..ServerDoc::new(id, options, Vec::new(), ground.host, &keys) };
    let orgs: Vec<OrgId> = orgs.iter().map(|org| org.id).collect();
    let stored = ground.store.transaction("plant a server", |tx| {
        tx.server_insert(&made)?;
        let primary = succession::next(ground, tx, id, &orgs)?;
        tx.server_set_organizations(id, &orgs, primary)?;
        Ok::<_, SuccessionError>(())
    });
    stored.expect("a server");
    id
}

/// A slot of a server, held by a host in this life.
pub fn slot(set: &ReplicaSet, server: ServerId, host: HostId, epoch: i64) -> ObjectId {
    let instance = ObjectId::new();
    let held = doc! {
        "instance_id": instance, "host_id": host.to_string(), "epoch": epoch, "run": 0_i64,
        "started": null,
    };
    let push = doc! { "$push": { "instances": held } };
    let done = collection(set, "servers").update_one(doc! { "_id": oid(server) }, push).run();
    assert_eq!(done.expect("a write").matched_count, 1);
    instance
}

/// A connection, as a running server records it.
pub fn client(
    set: &ReplicaSet,
    server: ServerId,
    instance: ObjectId,
    org: OrgId,
    user: UserId,
    address: &str,
) -> ObjectId {
    let id = ObjectId::new();
    let client = doc! {
        "_id": id, "server_id": oid(server), "instance_id": instance,
        "host_id": "0".repeat(32), "org_id": oid(org), "user_id": oid(user),
        "user_name": "somebody", "cid": 1_i64, "platform": "linux", "device_name": null,
        "mac_addr": null, "real_address": "192.0.2.7:50000", "virt_address": address,
        "virt_address6": null, "connected_since": 1_700_000_000_i64, "bytes_received": 0_i64,
        "bytes_sent": 0_i64,
    };
    insert(set, "clients", client);
    id
}

pub fn insert(set: &ReplicaSet, name: &str, document: Document) {
    collection(set, name).insert_one(document).run().expect("a document");
}

pub fn oid<K>(id: warren::base::ids::Id<K>) -> ObjectId {
    ObjectId::from_bytes(id.bytes())
}

pub fn read(ground: &Ground, server: ServerId) -> ServerDoc {
    ground.store.server(server).expect("a read").expect("a server")
}

/// The certificate that a server shows is signed by this organization.
pub fn shows_certificate_of(ground: &Ground, server: ServerId, org: &OrgDoc) {
    let server = read(ground, server);
    let (of, holder) = server.primary().expect("a holder");
    assert_eq!(of, org.id);
    let holder = ground.store.user_with_keys(of, holder).expect("a read").expect("a user");
    let parsed = |pem: &str| openssl::x509::X509::from_pem(pem.as_bytes()).expect("PEM");
    let ca = parsed(&org.ca_certificate).public_key().expect("a key");
    assert!(parsed(&holder.keys.certificate).verify(&ca).expect("an answer"));
}
