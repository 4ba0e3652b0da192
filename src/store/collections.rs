//! Every collection: its name, indexes, life time and size. Preparing them is idempotent.

use super::StoreError;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::sync::Database;

pub const ADMINS: &str = "administrators";
pub const ADMIN_SESSIONS: &str = "admin_sessions";
pub const API_NONCES: &str = "auth_nonces";
pub const LOGIN_LIMITER: &str = "auth_limiter";
pub const OTP_USED: &str = "otp";
pub const SETTINGS: &str = "settings";
pub const ORGANIZATIONS: &str = "organizations";
pub const USERS: &str = "users";
pub const SERVERS: &str = "servers";
pub const ADDRESSES: &str = "addresses";
pub const CLIENTS: &str = "clients";
pub const OUTPUT: &str = "servers_output";
pub const HOSTS: &str = "hosts";
pub const BUS: &str = "bus";
pub const JOBS: &str = "jobs";
pub const JOB_PARTS: &str = "job_parts";
pub const POOL: &str = "pool";
pub const POOL_KINDS: &str = "pool_kinds";
pub const TASKS: &str = "tasks";
pub const TOMBSTONES: &str = "tombstones";
pub const GUARDS: &str = "guards";

const DAY_SECONDS: i64 = 86_400;

/// One index of a collection.
struct Index {
    collection: &'static str,
    name: &'static str,
    keys: Document,
    unique: bool,
    /// Only documents that match are in the index.
    partial: Option<Document>,
    /// The server removes documents this long after the date in the key.
    ttl_seconds: Option<i64>,
}

fn index(collection: &'static str, name: &'static str, keys: Document) -> Index {
    Index { collection, name, keys, unique: false, partial: None, ttl_seconds: None }
}

impl Index {
    fn unique(self) -> Index {
        Index { unique: true, ..self }
    }
    fn ttl(self, seconds: i64) -> Index {
        Index { ttl_seconds: Some(seconds), ..self }
    }
    fn only(self, filter: Document) -> Index {
        Index { partial: Some(filter), ..self }
    }
}

fn indexes() -> Vec<Index> {
    let client_users = doc! { "type": "client" };
    vec![
        index(ADMINS, "username", doc! { "username": 1 }).unique(),
        index(ADMINS, "token", doc! { "token": 1 }),
        index(ADMIN_SESSIONS, "admin", doc! { "admin_id": 1, "created": 1 }),
        index(ADMIN_SESSIONS, "expires", doc! { "expires": 1 }).ttl(0),
        index(API_NONCES, "nonce", doc! { "token": 1, "nonce": 1 }).unique(),
        index(API_NONCES, "expires", doc! { "at": 1 }).ttl(DAY_SECONDS),
        index(LOGIN_LIMITER, "expires", doc! { "since": 1 }).ttl(600),
        index(OTP_USED, "expires", doc! { "at": 1 }).ttl(120),
        index(ORGANIZATIONS, "name", doc! { "name": 1, "_id": 1 }),
        index(ORGANIZATIONS, "rev", doc! { "rev": 1 }),
        index(USERS, "list", doc! { "org_id": 1, "type": 1, "name": 1, "_id": 1 }),
        index(USERS, "active", doc! { "org_id": 1, "last_active": -1, "name": 1 })
            .only(client_users),
        index(USERS, "network_links", doc! { "org_id": 1 })
            .only(doc! { "network_links.0": { "$exists": true } }),
        index(USERS, "rev", doc! { "rev": 1 }),
        index(SERVERS, "name", doc! { "name": 1, "_id": 1 }),
        index(SERVERS, "organizations", doc! { "organizations": 1 }),
        index(SERVERS, "rev", doc! { "rev": 1 }),
        index(ADDRESSES, "address", doc! { "server_id": 1, "generation": 1, "address": 1 })
            .unique(),
        index(ADDRESSES, "user", doc! { "server_id": 1, "generation": 1, "user_id": 1 })
            .unique()
            .only(doc! { "user_id": { "$exists": true } }),
        index(
            ADDRESSES,
            "free",
            doc! { "server_id": 1, "generation": 1, "user_id": 1, "address": 1 },
        ),
        index(ADDRESSES, "by_user", doc! { "user_id": 1 }),
        index(CLIENTS, "server", doc! { "server_id": 1 }),
        index(CLIENTS, "user", doc! { "user_id": 1 }),
        index(CLIENTS, "instance", doc! { "instance_id": 1 }),
        index(OUTPUT, "server", doc! { "server_id": 1, "_id": 1 }),
        index(HOSTS, "name", doc! { "name": 1, "_id": 1 }),
        index(JOBS, "ready", doc! { "state": 1, "class": 1, "urgent": -1, "due": 1 }),
        index(JOBS, "holder", doc! { "state": 1, "holder.host": 1 }),
        index(JOBS, "pool", doc! { "pool": 1, "state": 1, "created": 1 }),
        index(JOBS, "reserved", doc! { "reserved_for": 1 })
            .only(doc! { "reserved_for": { "$exists": true } }),
        index(JOBS, "expires", doc! { "ended": 1 }).ttl(7 * DAY_SECONDS),
        // A little longer than a failed job: then nobody can ask for them any more.
        index(JOB_PARTS, "expires", doc! { "at": 1 }).ttl(8 * DAY_SECONDS),
        index(POOL, "take", doc! { "kind": 1, "reserved_for": 1, "ticket": 1 }),
        index(TOMBSTONES, "rev", doc! { "rev": 1 }),
        index(TOMBSTONES, "expires", doc! { "at": 1 }).ttl(DAY_SECONDS),
    ]
}

/// Collections that transactions or capped size need to exist beforehand.
const PLAIN: &[&str] = &[
    ADMINS,
    ADMIN_SESSIONS,
    API_NONCES,
    LOGIN_LIMITER,
    OTP_USED,
    SETTINGS,
    ORGANIZATIONS,
    USERS,
    SERVERS,
    ADDRESSES,
    CLIENTS,
    OUTPUT,
    HOSTS,
    JOBS,
    JOB_PARTS,
    POOL,
    POOL_KINDS,
    TASKS,
    TOMBSTONES,
    GUARDS,
];

const OP: &str = "prepare the collections";

/// Creates what is missing; what is there is left as it is.
///
/// By plain commands: the driver's own operations for these few calls are a large part of it.
pub(super) fn ensure(database: &Database) -> Result<(), StoreError> {
    let there = listed(database, doc! { "name": { "$in": PLAIN.to_vec() } })?;
    let is_there = |name: &str| there.iter().any(|found| found.get_str("name").ok() == Some(name));
    for name in PLAIN.iter().filter(|name| !is_there(name)) {
        create(database, doc! { "create": *name })?;
    }
    super::bus::prepare(database)?;
    // One round trip per collection; existing indexes cost the server nothing.
    let mut all = indexes();
    while let Some(first) = all.first() {
        let name = first.collection;
        let (these, rest) = all.into_iter().partition(|index| index.collection == name);
        all = rest;
        let these: Vec<Index> = these;
        let indexes: Vec<Document> = these.into_iter().map(model).collect();
        let command = doc! { "createIndexes": name, "indexes": indexes };
        run(database, command).map_err(|e| unprepared(name, StoreError::write(OP, e)))?;
    }
    Ok(())
}

/// Nothing that is doubled gets past a unique index, but it may be older than the index.
fn unprepared(collection: &str, error: StoreError) -> StoreError {
    let StoreError::Duplicate { index, .. } = &error else { return error };
    let repair = match collection {
        ADDRESSES => "`warren tasks run addresses` on a host that runs does it, or by hand: ",
        _ => "",
    };
    StoreError::Unusable(format!(
        "documents of the collection {collection} are doubled, so that its index {index} can not \
         be made: {repair}remove one of each two"
    ))
}

/// The collections that match, with their options; `filter` bounds them to few.
pub(super) fn listed(database: &Database, filter: Document) -> Result<Vec<Document>, StoreError> {
    let command = doc! { "listCollections": 1, "filter": filter, "cursor": { "batchSize": 1000 } };
    let reply = database.run_command(command).run().map_err(|e| StoreError::read(OP, e))?;
    let cursor = reply.get_document("cursor").ok();
    let found = cursor.and_then(|cursor| cursor.get_array("firstBatch").ok());
    Ok(found.into_iter().flatten().filter_map(Bson::as_document).cloned().collect())
}

/// `command`: a `create`.
pub(super) fn create(database: &Database, command: Document) -> Result<(), StoreError> {
    match run(database, command) {
        // 48: another host was faster.
        Err(e) if matches!(e.kind.as_ref(), ErrorKind::Command(c) if c.code == 48) => Ok(()),
        other => other.map_err(|e| StoreError::write("create a collection", e)),
    }
}

fn run(database: &Database, mut command: Document) -> mongodb::error::Result<()> {
    // A plain command knows nothing of the client's.
    command.insert("writeConcern", doc! { "w": "majority" });
    database.run_command(command).run().map(drop)
}

fn model(index: Index) -> Document {
    let mut model = doc! { "key": index.keys, "name": index.name };
    if index.unique {
        model.insert("unique", true);
    }
    if let Some(filter) = index.partial {
        model.insert("partialFilterExpression", filter);
    }
    if let Some(seconds) = index.ttl_seconds {
        model.insert("expireAfterSeconds", seconds);
    }
    model
}
