//! Users: people, and the certificates of servers.

mod create;
mod delete;
mod list;
mod presence;

pub use create::Created;
pub use list::{Presence, UserSearch};
pub use presence::Presences;

use super::ops::{Stored, Tx, touch};
use super::{Store, StoreError, collections};
use crate::base::ids::{OrgId, ServerId, UserId};
use crate::domain::network::Network;
use crate::domain::user::{AuthType, Forwarding, UserSpec};
use mongodb::bson::{DateTime, Document, Timestamp, doc};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// Who a certificate belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    Client,
    Server,
}

impl UserType {
    pub const fn as_str(self) -> &'static str {
        match self {
            UserType::Client => "client",
            UserType::Server => "server",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortForwarding {
    pub protocol: Option<String>,
    pub port: Option<String>,
    pub dport: Option<String>,
}

/// A user without keys (contract section 5, same field names).
#[derive(Clone, Serialize, Deserialize)]
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
    /// Networks behind the user.
    #[serde(default)]
    pub network_links: Vec<String>,
    pub last_active: Option<DateTime>,
    /// The server a `server` user belongs to.
    #[serde(default)]
    pub resource_id: Option<ServerId>,
    /// Raised by each change that ends the user's tunnels: one that was admitted under an older
    /// value is cut, also by a host that missed the message (I3).
    #[serde(default)]
    pub cut: i64,
    /// Tells whether it has changed since it was read.
    pub rev: Timestamp,
}

/// What a user's profiles are made of.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserKeys {
    /// PKCS#8 PEM.
    pub private_key: String,
    pub certificate: String,
    pub sync_token: String,
    pub sync_secret: String,
}

/// A whole user.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserDoc {
    #[serde(flatten)]
    pub summary: UserSummary,
    #[serde(flatten)]
    pub keys: UserKeys,
}

impl Deref for UserDoc {
    type Target = UserSummary;
    fn deref(&self) -> &UserSummary {
        &self.summary
    }
}

impl Stored for UserDoc {
    const COLLECTION: &'static str = collections::USERS;
}

impl UserSummary {
    /// A person as a request describes it, without a PIN.
    pub fn person(org: OrgId, id: UserId, spec: &UserSpec, otp_secret: String) -> UserSummary {
        let mut person = UserSummary::blank(org, id, otp_secret);
        person.apply(spec);
        person
    }

    /// The holder of a server's own certificate.
    pub fn server(org: OrgId, id: UserId, server: ServerId, otp_secret: String) -> UserSummary {
        UserSummary {
            name: format!("server_{server}"),
            user_type: UserType::Server,
            resource_id: Some(server),
            ..UserSummary::blank(org, id, otp_secret)
        }
    }

    fn blank(org_id: OrgId, id: UserId, otp_secret: String) -> UserSummary {
        UserSummary {
            id,
            org_id,
            name: String::new(),
            user_type: UserType::Client,
            email: None,
            groups: Vec::new(),
            auth_type: AuthType::LOCAL.as_str().to_owned(),
            yubico_id: None,
            pin: None,
            otp_secret,
            disabled: false,
            bypass_secondary: false,
            client_to_client: false,
            mac_addresses: Vec::new(),
            dns_servers: Vec::new(),
            dns_suffix: None,
            port_forwarding: Vec::new(),
            network_links: Vec::new(),
            last_active: None,
            resource_id: None,
            cut: 0,
            rev: Timestamp { time: 0, increment: 0 },
        }
    }

    /// Replaces all that an administrator may change, the PIN excepted.
    pub fn apply(&mut self, spec: &UserSpec) {
        let forwarding = |f: &Forwarding| PortForwarding {
            protocol: f.protocol.clone(),
            port: Some(f.port.clone()),
            dport: f.dport.clone(),
        };
        self.name.clone_from(&spec.name);
        self.email.clone_from(&spec.email);
        self.groups.clone_from(&spec.groups);
        self.auth_type = spec.auth_type.as_str().to_owned();
        self.yubico_id.clone_from(&spec.yubico_id);
        self.disabled = spec.disabled;
        self.bypass_secondary = spec.bypass_secondary;
        self.client_to_client = spec.client_to_client;
        self.mac_addresses.clone_from(&spec.mac_addresses);
        self.dns_servers = spec.dns_servers.iter().map(ToString::to_string).collect();
        self.dns_suffix.clone_from(&spec.dns_suffix);
        self.port_forwarding = spec.port_forwarding.iter().map(forwarding).collect();
        self.network_links = spec.network_links.iter().map(Network::to_string).collect();
    }

    /// As the rules see it. Imported values that no rule would let in are left out: this is what
    /// a change is compared with, and they differ from whatever takes their place.
    pub fn spec(&self) -> UserSpec {
        let forwarding = |f: &PortForwarding| {
            let (protocol, dport) = (f.protocol.clone(), f.dport.clone());
            Some(Forwarding { protocol, port: f.port.clone()?, dport })
        };
        UserSpec {
            name: self.name.clone(),
            email: self.email.clone(),
            auth_type: AuthType::parse(&self.auth_type).unwrap_or(AuthType::LOCAL),
            yubico_id: self.yubico_id.clone(),
            groups: self.groups.clone(),
            disabled: self.disabled,
            network_links: self.network_links.iter().filter_map(|n| n.parse().ok()).collect(),
            bypass_secondary: self.bypass_secondary,
            client_to_client: self.client_to_client,
            mac_addresses: self.mac_addresses.clone(),
            dns_servers: self.dns_servers.iter().filter_map(|ip| ip.parse().ok()).collect(),
            dns_suffix: self.dns_suffix.clone(),
            port_forwarding: self.port_forwarding.iter().filter_map(forwarding).collect(),
        }
    }

    pub fn last_active_s(&self) -> Option<i64> {
        self.last_active.map(|at| at.timestamp_millis().div_euclid(1000))
    }
}

/// What became of a change.
pub enum Replaced {
    /// The user as it is stored now.
    Yes(Box<UserSummary>),
    /// It has changed since it was read, or is gone: read it again.
    Moved,
    ServersRun,
}

/// Ends a transaction without an effect.
enum Undone {
    Store(StoreError),
    ServersRun,
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Undone {
        Undone::Store(error)
    }
}

const CHANGE: &str = "change a user";

/// What a user is found by as long as it is as it was read, and what is changed.
fn replacement(next: &UserSummary) -> Result<(Document, Document), StoreError> {
    let fields = mongodb::bson::serialize_to_document(next);
    let mut fields = fields.map_err(|e| StoreError::write(CHANGE, e.into()))?;
    // Not an administrator's to change; the last is the server's to write.
    for field in ["_id", "org_id", "type", "resource_id", "last_active", "rev"] {
        fields.remove(field);
    }
    let filter = doc! { "_id": next.id, "org_id": next.org_id, "rev": next.rev };
    Ok((filter, touch(doc! { "$set": fields })))
}

/// Fields of a summary; the others are keys. Named one by one, because the server leaves out a few
/// fields at twice the cost of picking all others: half of its work for a list of 10 000 users.
const SUMMARY: [&str; 22] = [
    "org_id",
    "name",
    "type",
    "email",
    "groups",
    "auth_type",
    "yubico_id",
    "pin",
    "otp_secret",
    "disabled",
    "bypass_secondary",
    "client_to_client",
    "mac_addresses",
    "dns_servers",
    "dns_suffix",
    "port_forwarding",
    "network_links",
    "last_active",
    "resource_id",
    "cut",
    "rev",
    "_id",
];

fn without_keys() -> Document {
    SUMMARY.iter().map(|field| ((*field).to_owned(), 1.into())).collect()
}

impl Store {
    pub fn user(&self, org: OrgId, id: UserId) -> Result<Option<UserSummary>, StoreError> {
        let options =
            mongodb::options::FindOptions::builder().limit(1).projection(without_keys()).build();
        let filter = doc! { "_id": id, "org_id": org };
        Ok(self.find_as::<UserDoc, _>("read a user", filter, options)?.into_iter().next())
    }

    /// With keys: for profiles only.
    pub fn user_with_keys(&self, org: OrgId, id: UserId) -> Result<Option<UserDoc>, StoreError> {
        self.find_one("read a user", doc! { "_id": id, "org_id": org })
    }

    /// Stores `next`, which was made of the user as it was read.
    pub fn user_replace(&self, next: &UserSummary) -> Result<Replaced, StoreError> {
        let (filter, update) = replacement(next)?;
        let done = self.update_get::<UserDoc>(CHANGE, filter, update)?;
        Ok(done.map_or(Replaced::Moved, |user| Replaced::Yes(Box::new(user.summary))))
    }

    /// The same with other networks behind the user, which change only while no server of the
    /// organization runs.
    pub fn user_replace_links(&self, next: &UserSummary) -> Result<Replaced, StoreError> {
        let (filter, update) = replacement(next)?;
        self.transaction(CHANGE, |tx: &mut Tx<'_>| {
            let (filter, update, fields) = (filter.clone(), update.clone(), without_keys());
            let stored = tx.update_get_as::<UserDoc, _>(CHANGE, filter, update, fields)?;
            let Some(stored) = stored else { return Ok(Replaced::Moved) };
            match tx.servers_hold_still(next.org_id)? {
                true => Ok(Replaced::Yes(Box::new(stored))),
                false => Err(Undone::ServersRun),
            }
        })
        .or_else(|undone| match undone {
            Undone::ServersRun => Ok(Replaced::ServersRun),
            Undone::Store(error) => Err(error),
        })
    }

    /// `None`: no such person.
    pub fn user_set_otp_secret(
        &self,
        org: OrgId,
        id: UserId,
        secret: &str,
    ) -> Result<Option<UserSummary>, StoreError> {
        let update = touch(doc! { "$set": { "otp_secret": secret } });
        let filter = doc! { "_id": id, "org_id": org, "type": UserType::Client.as_str() };
        let done = self.update_get::<UserDoc>("change an OTP secret", filter, update)?;
        Ok(done.map(|user| user.summary))
    }

    /// Records the use of a TOTP step of a user or administrator: refused cluster-wide when seen
    /// before (one majority insert).
    pub fn otp_use(&self, subject: &str, step: i64) -> Result<super::admins::Once, StoreError> {
        let at = DateTime::from_millis(self.clock().cluster_ms());
        let step = CodeStep { subject: subject.to_owned(), step };
        match self.insert("record the use of a code", &CodeUsed { step, at }) {
            Ok(()) => Ok(super::admins::Once::First),
            Err(StoreError::Duplicate { .. }) => Ok(super::admins::Once::Repeated),
            Err(e) => Err(e),
        }
    }
}

/// A one-time code that has been used.
#[derive(Serialize, Deserialize)]
struct CodeUsed {
    #[serde(rename = "_id")]
    step: CodeStep,
    at: DateTime,
}

#[derive(Serialize, Deserialize)]
struct CodeStep {
    subject: String,
    step: i64,
}

impl Stored for CodeUsed {
    const COLLECTION: &'static str = collections::OTP_USED;
}

impl Tx<'_> {
    pub fn user(&mut self, org: OrgId, id: UserId) -> Result<Option<UserDoc>, StoreError> {
        self.find_one("read a user", doc! { "_id": id, "org_id": org })
    }

    /// Whether there is this holder of a server's certificate.
    pub fn is_server_user(&mut self, org: OrgId, id: UserId) -> Result<bool, StoreError> {
        let filter = doc! { "_id": id, "org_id": org, "type": UserType::Server.as_str() };
        Ok(self.count::<UserDoc>("look for a server's certificate", filter)? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::UserFields;
    use mongodb::bson::{deserialize_from_slice, serialize_to_document, serialize_to_vec};

    fn spec() -> UserSpec {
        let fields = UserFields {
            name: "anna".to_owned(),
            email: "anna@example.com".to_owned(),
            auth_type: "saml_okta_duo".to_owned(),
            yubico_id: "cccccccccccc".to_owned(),
            groups: vec!["ops".to_owned()],
            disabled: true,
            network_links: vec!["10.9.0.0/24".to_owned()],
            client_to_client: true,
            mac_addresses: vec!["aa:bb".to_owned()],
            dns_servers: vec!["9.9.9.9".to_owned()],
            dns_suffix: "example.com".to_owned(),
            port_forwarding: vec![["tcp", "80", "8080"].map(str::to_owned)],
            ..UserFields::default()
        };
        UserSpec::from_request(&fields, None).expect("valid")
    }

    fn user() -> UserDoc {
        let text = |name: &str| name.to_owned();
        let (org, id) = (OrgId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let mut summary = UserSummary::person(org, id, &spec(), text("OTP"));
        summary.last_active = Some(DateTime::from_millis(1_700_000_000_123));
        summary.rev = Timestamp { time: 7, increment: 3 };
        let keys = UserKeys {
            private_key: text("key"),
            certificate: text("certificate"),
            sync_token: text("token"),
            sync_secret: text("secret"),
        };
        UserDoc { summary, keys }
    }

    #[test]
    fn what_was_stored_is_read_back_and_flat() {
        let stored = serialize_to_document(&user()).expect("a document");
        for field in ["_id", "type", "name", "private_key", "sync_secret", "rev", "cut"] {
            assert!(stored.contains_key(field), "{field}");
        }
        let bytes = serialize_to_vec(&user()).expect("bytes");
        let back: UserDoc = deserialize_from_slice(&bytes).expect("the same user");
        assert_eq!(serialize_to_document(&back).expect("a document"), stored);
        assert_eq!(back.spec(), spec());
        assert_eq!(back.last_active_s(), Some(1_700_000_000));
        let summary: UserSummary = deserialize_from_slice(&bytes).expect("without keys");
        assert_eq!(summary.spec(), spec());
    }

    #[test]
    fn a_summary_is_read_whole_and_no_key_with_it() {
        let kept = serialize_to_document(&user().summary).expect("a document");
        let read = without_keys();
        assert_eq!(read.len(), kept.len());
        assert!(kept.keys().all(|field| read.contains_key(field)), "{kept}");
        for key in ["private_key", "certificate", "sync_token", "sync_secret"] {
            assert!(!read.contains_key(key), "{key}");
        }
    }
}
