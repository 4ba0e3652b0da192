//! Administrators, their sessions, used API nonces and login attempts.

use super::ops::{Stored, Tx};
use super::{Store, StoreError, collections};
use crate::base::ids::AdminId;
use crate::limits;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// An administrator (contract section 5, same field names).
#[derive(Clone, Serialize, Deserialize)]
pub struct AdminDoc {
    #[serde(rename = "_id")]
    pub id: AdminId,
    /// Unique, lower case.
    pub username: String,
    /// Argon2id PHC string, or an older format until the next login.
    pub password: String,
    /// The generated first password is still in use.
    #[serde(default)]
    pub default: Option<bool>,
    /// That password in clear, for `warren default-password`, until it is changed.
    #[serde(default)]
    pub default_password: Option<String>,
    #[serde(default)]
    pub yubikey_id: Option<String>,
    #[serde(default)]
    pub otp_auth: Option<bool>,
    #[serde(default)]
    pub otp_secret: Option<String>,
    #[serde(default)]
    pub auth_api: Option<bool>,
    pub token: String,
    pub secret: String,
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Absent means true.
    #[serde(default)]
    pub super_user: Option<bool>,
}

impl Stored for AdminDoc {
    const COLLECTION: &'static str = collections::ADMINS;
}

/// A live browser session. The cookie holds the key, the database only its SHA-256.
#[derive(Clone, Serialize, Deserialize)]
struct SessionDoc {
    #[serde(rename = "_id")]
    key_hash: String,
    admin_id: AdminId,
    created: DateTime,
    expires: DateTime,
}

impl Stored for SessionDoc {
    const COLLECTION: &'static str = collections::ADMIN_SESSIONS;
}

#[derive(Serialize, Deserialize)]
struct NonceDoc {
    token: String,
    nonce: String,
    at: DateTime,
}

impl Stored for NonceDoc {
    const COLLECTION: &'static str = collections::API_NONCES;
}

#[derive(Serialize, Deserialize)]
struct LimiterDoc {
    #[serde(rename = "_id")]
    subject: String,
    count: i64,
}

impl Stored for LimiterDoc {
    const COLLECTION: &'static str = collections::LOGIN_LIMITER;
}

/// Whether something that may happen once happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    First,
    Repeated,
}

impl Store {
    pub fn admins(&self) -> Result<Vec<AdminDoc>, StoreError> {
        let sort = FindOptions::builder().sort(doc! { "username": 1 }).limit(1000).build();
        self.find("list administrators", doc! {}, sort)
    }

    pub fn admin(&self, id: AdminId) -> Result<Option<AdminDoc>, StoreError> {
        self.find_one("read an administrator", doc! { "_id": id })
    }

    pub fn admin_by_username(&self, username: &str) -> Result<Option<AdminDoc>, StoreError> {
        self.find_one("read an administrator", doc! { "username": username.to_lowercase() })
    }

    pub fn admin_by_token(&self, token: &str) -> Result<Option<AdminDoc>, StoreError> {
        self.find_one("read an administrator", doc! { "token": token })
    }

    pub fn admin_insert(&self, admin: &AdminDoc) -> Result<(), StoreError> {
        self.insert("create an administrator", admin)
    }

    /// Makes `admin` the first one unless there is any. Guarded, so that two hosts that start on
    /// an empty database agree.
    pub fn admin_insert_first(&self, admin: &AdminDoc) -> Result<(), StoreError> {
        self.transaction("create the first administrator", |tx: &mut Tx<'_>| {
            tx.guard("administrators")?;
            match tx.find_one::<AdminDoc>("look for administrators", doc! {})? {
                Some(_) => Ok(()),
                None => tx.insert("create the first administrator", admin),
            }
        })
    }

    /// Replaces every field. `false`: it is gone.
    pub fn admin_replace(&self, admin: &AdminDoc) -> Result<bool, StoreError> {
        const OP: &str = "change an administrator";
        let fields = mongodb::bson::serialize_to_document(admin);
        let mut fields = fields.map_err(|e| StoreError::write(OP, e.into()))?;
        fields.remove("_id");
        let matched =
            self.update::<AdminDoc>(OP, doc! { "_id": admin.id }, doc! { "$set": fields })?;
        Ok(matched.yes())
    }

    /// Only the password hash, after an older format was verified.
    pub fn admin_set_password_hash(&self, id: AdminId, hash: &str) -> Result<(), StoreError> {
        let set = doc! { "$set": { "password": hash } };
        self.update::<AdminDoc>("upgrade a password hash", doc! { "_id": id }, set).map(drop)
    }

    /// Opens a session and drops the oldest ones beyond the limit.
    pub fn session_open(&self, key_hash: &str, admin_id: AdminId) -> Result<(), StoreError> {
        let now_ms = self.clock().cluster_ms();
        let session = SessionDoc {
            key_hash: key_hash.to_owned(),
            admin_id,
            created: DateTime::from_millis(now_ms),
            expires: DateTime::from_millis(now_ms + limits::SESSION_SECONDS * 1000),
        };
        self.insert("open a session", &session)?;
        let newest_first = FindOptions::builder()
            .sort(doc! { "created": -1 })
            .skip(limits::SESSIONS_PER_ADMIN_MAX as u64)
            .limit(64)
            .build();
        let filter = doc! { "admin_id": admin_id };
        for old in self.find::<SessionDoc>("list old sessions", filter, newest_first)? {
            self.session_close(&old.key_hash)?;
        }
        Ok(())
    }

    /// The administrator of a live session.
    pub fn session_admin(&self, key_hash: &str) -> Result<Option<AdminId>, StoreError> {
        let now = DateTime::from_millis(self.clock().cluster_ms());
        let filter = doc! { "_id": key_hash, "expires": { "$gt": now } };
        let found = self.find_one::<SessionDoc>("read a session", filter)?;
        Ok(found.map(|session| session.admin_id))
    }

    pub fn session_close(&self, key_hash: &str) -> Result<(), StoreError> {
        self.delete::<SessionDoc>("close a session", doc! { "_id": key_hash }).map(drop)
    }

    /// Ends every session of an administrator but `keep`.
    pub fn sessions_close_all(&self, id: AdminId, keep: &str) -> Result<(), StoreError> {
        let coll = self.work().collection::<Document>(collections::ADMIN_SESSIONS);
        let done = coll.delete_many(doc! { "admin_id": id, "_id": { "$ne": keep } }).run();
        done.map(drop).map_err(|e| StoreError::write("close sessions", e))
    }

    /// Records the use of an API nonce (contract 1.7).
    pub fn nonce_use(&self, token: &str, nonce: &str) -> Result<Once, StoreError> {
        let at = DateTime::from_millis(self.clock().cluster_ms());
        let used = NonceDoc { token: token.to_owned(), nonce: nonce.to_owned(), at };
        match self.insert("record a nonce", &used) {
            Ok(()) => Ok(Once::First),
            Err(StoreError::Duplicate { .. }) => Ok(Once::Repeated),
            Err(e) => Err(e),
        }
    }

    /// Counts an attempt of `subject`; answers how many its window holds now.
    pub fn attempt(&self, subject: &str) -> Result<i64, StoreError> {
        let coll = self.work().collection::<LimiterDoc>(collections::LOGIN_LIMITER);
        let now = DateTime::from_millis(self.clock().cluster_ms());
        let update = doc! { "$inc": { "count": 1_i64 }, "$setOnInsert": { "since": now } };
        let doing = coll.find_one_and_update(doc! { "_id": subject }, update);
        let doing = doing.upsert(true).return_document(mongodb::options::ReturnDocument::After);
        let done = doing.run().map_err(|e| StoreError::write("count an attempt", e))?;
        Ok(done.map_or(1, |limiter| limiter.count))
    }
}
