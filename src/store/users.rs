//! Users: people, and the certificates of servers.

use super::ops::{Stored, Tx, touch};
use super::{Store, StoreError, collections};
use crate::base::ids::{OrgId, ServerId, UserId};
use mongodb::bson::{DateTime, Document, Timestamp, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// Who a certificate belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    Client,
    Server,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortForwarding {
    pub protocol: Option<String>,
    pub port: Option<String>,
    pub dport: Option<String>,
}

/// A user (contract section 5, same field names).
#[derive(Clone, Serialize, Deserialize)]
pub struct UserDoc {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub org_id: OrgId,
    pub name: String,
    #[serde(rename = "type")]
    pub user_type: UserType,
    pub email: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    pub auth_type: String,
    pub yubico_id: Option<String>,
    /// Argon2id PHC string, or an imported older format.
    pub pin: Option<String>,
    pub otp_secret: String,
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub bypass_secondary: bool,
    #[serde(default)]
    pub client_to_client: bool,
    #[serde(default)]
    pub mac_addresses: Vec<String>,
    #[serde(default)]
    pub dns_servers: Vec<String>,
    pub dns_suffix: Option<String>,
    #[serde(default)]
    pub port_forwarding: Vec<PortForwarding>,
    pub last_active: Option<DateTime>,
    pub sync_token: String,
    pub sync_secret: String,
    /// PKCS#8 PEM.
    pub private_key: String,
    pub certificate: String,
    /// The server a `server` user belongs to.
    #[serde(default)]
    pub resource_id: Option<ServerId>,
    /// Raised by each change that ends the user's tunnels: one that was admitted under an older
    /// value is cut, also by a host that missed the message (I3).
    #[serde(default)]
    pub cut: i64,
    pub rev: Timestamp,
}

impl Stored for UserDoc {
    const COLLECTION: &'static str = collections::USERS;
}

/// A user without keys, for lists.
#[derive(Clone, Debug, Deserialize)]
pub struct UserSummary {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub org_id: OrgId,
    pub name: String,
    #[serde(rename = "type")]
    pub user_type: UserType,
    pub email: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    pub auth_type: String,
    pub yubico_id: Option<String>,
    pub pin: Option<String>,
    pub otp_secret: String,
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub bypass_secondary: bool,
    #[serde(default)]
    pub client_to_client: bool,
    #[serde(default)]
    pub mac_addresses: Vec<String>,
    #[serde(default)]
    pub dns_servers: Vec<String>,
    pub dns_suffix: Option<String>,
    #[serde(default)]
    pub port_forwarding: Vec<PortForwarding>,
    pub last_active: Option<DateTime>,
}

/// The fields an administrator may change, validated.
#[derive(Clone, Debug)]
pub struct UserChange {
    pub name: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub auth_type: String,
    pub yubico_id: Option<String>,
    pub disabled: bool,
    pub bypass_secondary: bool,
    pub client_to_client: bool,
    pub mac_addresses: Vec<String>,
    pub dns_servers: Vec<String>,
    pub dns_suffix: Option<String>,
    pub port_forwarding: Vec<PortForwarding>,
    /// `None`: keep; `Some(None)`: remove.
    pub pin: Option<Option<String>>,
}

/// A deleted document that caches still hold.
#[derive(Serialize, Deserialize)]
struct Tombstone {
    #[serde(rename = "_id")]
    id: UserId,
    at: DateTime,
    rev: Timestamp,
}

impl Stored for Tombstone {
    const COLLECTION: &'static str = collections::TOMBSTONES;
}

/// What a list of users is narrowed by (contract 2.4).
#[derive(Clone, Debug, Default)]
pub struct UserSearch {
    /// Case-insensitive substring of the name.
    pub name: Option<String>,
    pub id: Option<UserId>,
    pub group: Option<String>,
    pub email: Option<String>,
}

const WITHOUT_KEYS: [&str; 4] = ["private_key", "certificate", "sync_token", "sync_secret"];

fn summaries(skip: u64, limit: i64, sort: Document) -> FindOptions {
    let hidden: Document = WITHOUT_KEYS.iter().map(|key| ((*key).to_owned(), 0.into())).collect();
    FindOptions::builder().sort(sort).skip(skip).limit(limit).projection(hidden).build()
}

fn of_type(org: OrgId, user_type: UserType) -> Document {
    let name = match user_type {
        UserType::Client => "client",
        UserType::Server => "server",
    };
    doc! { "org_id": org, "type": name }
}

/// Text as a literal inside a regular expression of the server.
fn literal(text: &str) -> String {
    text.chars()
        .flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c]))
        .collect()
}

impl Store {
    /// People of an organization by name, or last active first; `limit` 0: all.
    pub fn users(
        &self,
        org: OrgId,
        last_active_first: bool,
        skip: u64,
        limit: i64,
    ) -> Result<Vec<UserSummary>, StoreError> {
        let sort = match last_active_first {
            true => doc! { "last_active": -1, "name": 1 },
            false => doc! { "name": 1, "_id": 1 },
        };
        let options = summaries(skip, limit, sort);
        self.find_as::<UserDoc, _>("list users", of_type(org, UserType::Client), options)
    }

    pub fn server_users(&self, org: OrgId) -> Result<Vec<UserSummary>, StoreError> {
        let options = summaries(0, 0, doc! { "name": 1, "_id": 1 });
        self.find_as::<UserDoc, _>("list server users", of_type(org, UserType::Server), options)
    }

    /// Up to `limit` matches by name, and how many there are in all.
    pub fn users_search(
        &self,
        org: OrgId,
        search: &UserSearch,
        limit: i64,
    ) -> Result<(Vec<UserSummary>, u64), StoreError> {
        let mut filter = of_type(org, UserType::Client);
        let contains = |text: &str| doc! { "$regex": literal(text), "$options": "i" };
        if let Some(name) = &search.name {
            filter.insert("name", contains(name));
        }
        if let Some(id) = search.id {
            filter.insert("_id", id);
        }
        if let Some(group) = &search.group {
            filter.insert("groups", group);
        }
        if let Some(email) = &search.email {
            filter.insert("email", contains(email));
        }
        let count = self.count::<UserDoc>("count users", filter.clone())?;
        let options = summaries(0, limit, doc! { "name": 1, "_id": 1 });
        Ok((self.find_as::<UserDoc, _>("search users", filter, options)?, count))
    }

    pub fn user(&self, org: OrgId, id: UserId) -> Result<Option<UserSummary>, StoreError> {
        let filter = doc! { "_id": id, "org_id": org };
        let options = summaries(0, 1, doc! { "_id": 1 });
        Ok(self.find_as::<UserDoc, _>("read a user", filter, options)?.into_iter().next())
    }

    /// With keys: for profiles only.
    pub fn user_with_keys(&self, org: OrgId, id: UserId) -> Result<Option<UserDoc>, StoreError> {
        self.find_one("read a user", doc! { "_id": id, "org_id": org })
    }

    /// All people of all organizations.
    pub fn user_count(&self) -> Result<u64, StoreError> {
        let pipeline = [doc! { "$group": { "_id": null, "n": { "$sum": "$user_count" } } }];
        let coll = self.work().collection::<Document>(collections::ORGANIZATIONS);
        let doing = coll.aggregate(pipeline).max_time(crate::limits::STORE_OPERATION_MAX);
        let run = || doing.run()?.next().transpose();
        let total = run().map_err(|e| StoreError::read("count users", e))?;
        let total = total.and_then(|t| t.get_i64("n").ok()).unwrap_or(0);
        Ok(u64::try_from(total).unwrap_or(0))
    }

    /// `None`: it is gone.
    pub fn user_change(
        &self,
        org: OrgId,
        id: UserId,
        change: &UserChange,
    ) -> Result<Option<UserDoc>, StoreError> {
        const OP: &str = "change a user";
        let ports = mongodb::bson::serialize_to_bson(&change.port_forwarding);
        let ports = ports.map_err(|e| StoreError::write(OP, e.into()))?;
        let mut set = doc! {
            "name": &change.name,
            "email": change.email.clone(),
            "groups": change.groups.clone(),
            "auth_type": &change.auth_type,
            "yubico_id": change.yubico_id.clone(),
            "disabled": change.disabled,
            "bypass_secondary": change.bypass_secondary,
            "client_to_client": change.client_to_client,
            "mac_addresses": change.mac_addresses.clone(),
            "dns_servers": change.dns_servers.clone(),
            "dns_suffix": change.dns_suffix.clone(),
            "port_forwarding": ports,
        };
        if let Some(pin) = &change.pin {
            set.insert("pin", pin.clone());
        }
        let filter = doc! { "_id": id, "org_id": org, "type": "client" };
        self.update_get(OP, filter, touch(doc! { "$set": set }))
    }

    pub fn user_set_otp_secret(
        &self,
        org: OrgId,
        id: UserId,
        secret: &str,
    ) -> Result<Option<UserDoc>, StoreError> {
        let update = touch(doc! { "$set": { "otp_secret": secret } });
        self.update_get("change an OTP secret", doc! { "_id": id, "org_id": org }, update)
    }

    /// Records the use of a TOTP step of a user or administrator: refused cluster-wide when seen
    /// before (one majority insert).
    pub fn otp_use(&self, subject: &str, step: i64) -> Result<super::admins::Once, StoreError> {
        let at = DateTime::from_millis(self.clock().cluster_ms());
        let coll = self.work().collection::<Document>(collections::OTP_USED);
        let used = doc! { "_id": { "subject": subject, "step": step }, "at": at };
        let done = coll.insert_one(used).run();
        match done.map_err(|e| StoreError::write("record the use of a code", e)) {
            Ok(_) => Ok(super::admins::Once::First),
            Err(StoreError::Duplicate { .. }) => Ok(super::admins::Once::Repeated),
            Err(e) => Err(e),
        }
    }
}

impl Tx<'_> {
    pub fn user(&mut self, org: OrgId, id: UserId) -> Result<Option<UserDoc>, StoreError> {
        self.find_one("read a user", doc! { "_id": id, "org_id": org })
    }

    pub fn users_insert(&mut self, users: &[UserDoc]) -> Result<(), StoreError> {
        self.insert_many("create users", users)
    }

    /// Deletes a user and leaves a tombstone for caches. `false`: it was gone.
    pub fn user_delete(&mut self, org: OrgId, id: UserId) -> Result<bool, StoreError> {
        const OP: &str = "delete a user";
        if !self.delete::<UserDoc>(OP, doc! { "_id": id, "org_id": org })?.yes() {
            return Ok(false);
        }
        let now = DateTime::from_millis(self.store().clock().cluster_ms());
        let rev = Timestamp { time: 0, increment: 0 };
        self.insert(OP, &Tombstone { id, at: now, rev }).map(|()| true)
    }

    /// Deletes up to `limit` users of an organization; answers how many went.
    pub fn users_delete_some(&mut self, org: OrgId, limit: i64) -> Result<usize, StoreError> {
        let users = self.find::<UserDoc>("list users", doc! { "org_id": org }, limit)?;
        let mut gone = 0;
        for user in &users {
            gone += usize::from(self.user_delete(org, user.id)?);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_search_is_literal() {
        assert_eq!(literal("a.b*é"), "a\\.b\\*é");
    }
}
