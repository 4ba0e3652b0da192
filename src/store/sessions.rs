//! What comes and goes with signing in: sessions, used API nonces, counted attempts. Dates are the
//! server's or cluster time; the server compares them (I4).

use super::admins::{AdminDoc, Once};
use super::ops::{Stored, Tx};
use super::{Store, StoreError, collections};
use crate::base::ids::AdminId;
use crate::base::secret::Secret;
use crate::limits;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

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

/// Somebody whose password and second factor were right.
pub struct SignIn<'a> {
    pub admin: &'a AdminDoc,
    pub address: &'a str,
    /// To replace one of an older format.
    pub new_hash: Option<&'a Secret>,
}

impl SignIn<'_> {
    fn update(&self) -> Document {
        let mut update = doc! { "$currentDate": { "signed_in": true } };
        if let Some(hash) = self.new_hash {
            update.insert("$set", doc! { "password": hash.expose() });
        }
        if !self.admin.known_addresses.iter().any(|known| known == self.address) {
            let slice = -i64::try_from(limits::KNOWN_ADDRESSES_MAX).unwrap_or(1);
            let push = doc! { "$each": [self.address], "$slice": slice };
            update.insert("$push", doc! { "known_addresses": push });
        }
        update
    }
}

impl Store {
    /// Opens a session, unless the administrator was disabled or got another password since it
    /// was read: then `false`. Drops the oldest sessions beyond the limit.
    pub fn session_open(&self, key_hash: &str, new: &SignIn<'_>) -> Result<bool, StoreError> {
        const OP: &str = "open a session";
        let admin = new.admin;
        let now_ms = self.clock().cluster_ms();
        let session = SessionDoc {
            key_hash: key_hash.to_owned(),
            admin_id: admin.id,
            created: DateTime::from_millis(now_ms),
            expires: DateTime::from_millis(now_ms + limits::SESSION_SECONDS * 1000),
        };
        let opened = self.transaction(OP, |tx: &mut Tx<'_>| -> Result<bool, StoreError> {
            // The date makes this a write, so that one that closes all sessions conflicts.
            if !tx.update::<AdminDoc>(OP, admin.unchanged(), new.update())?.yes() {
                return Ok(false);
            }
            tx.insert(OP, &session).map(|()| true)
        })?;
        let newest_first = FindOptions::builder()
            .sort(doc! { "created": -1 })
            .skip(limits::SESSIONS_PER_ADMIN_MAX as u64)
            .limit(64)
            .build();
        let filter = doc! { "admin_id": admin.id };
        for old in self.find::<SessionDoc>("list old sessions", filter, newest_first)? {
            self.session_close(&old.key_hash)?;
        }
        Ok(opened)
    }

    /// The administrator of a live session.
    pub fn session_admin(&self, key_hash: &str) -> Result<Option<AdminId>, StoreError> {
        let filter = doc! { "_id": key_hash, "$expr": { "$gt": ["$expires", "$$NOW"] } };
        let found = self.find_one::<SessionDoc>("read a session", filter)?;
        Ok(found.map(|session| session.admin_id))
    }

    pub fn session_close(&self, key_hash: &str) -> Result<(), StoreError> {
        self.delete::<SessionDoc>("close a session", doc! { "_id": key_hash }).map(drop)
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

    /// Counts an attempt of `subject`; answers how many its window holds now. The window begins
    /// with its first attempt.
    pub fn attempt(&self, subject: &str) -> Result<i64, StoreError> {
        const OP: &str = "count an attempt";
        let window_ms = limits::LOGIN_WINDOW_SECONDS * 1000;
        // A missing date is before every other.
        let over = doc! { "$lte": ["$since", { "$subtract": ["$$NOW", window_ms] }] };
        let set = doc! {
            "count": { "$cond": [over.clone(), 1_i64, { "$add": ["$count", 1_i64] }] },
            "since": { "$cond": [over, "$$NOW", "$since"] },
        };
        let update = vec![doc! { "$set": set }];
        let limiter: Option<LimiterDoc> = self.upsert_get(OP, doc! { "_id": subject }, update)?;
        Ok(limiter.map_or(1, |limiter| limiter.count))
    }

    /// Forgets what [`Store::attempt`] counted.
    pub fn attempts_forget(&self, subject: &str) -> Result<(), StoreError> {
        self.delete::<LimiterDoc>("forget attempts", doc! { "_id": subject }).map(drop)
    }
}

impl Tx<'_> {
    /// Ends every session of an administrator but `keep`.
    pub fn sessions_close_all(
        &mut self,
        id: AdminId,
        keep: Option<&str>,
    ) -> Result<(), StoreError> {
        let filter = doc! { "admin_id": id, "_id": { "$ne": keep.unwrap_or_default() } };
        self.delete_many::<SessionDoc>("close sessions", filter).map(drop)
    }
}
