//! Settings of the cluster: one document per group, `_id` = group.

use super::ops::{Stored, touch};
use super::{Store, StoreError, collections};
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

/// Group `app`: what every host shares for its console.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSettings {
    pub theme: Option<String>,
    /// Base64 of 32 bytes: signs session and CSRF tokens of every host.
    pub cookie_secret: String,
    /// Self-signed certificate of the console, shared by all hosts.
    pub web_certificate: String,
    pub web_private_key: String,
}

/// Group `user`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSettings {
    /// `optional` (also when absent), `required` or `disabled`.
    pub pin_mode: Option<String>,
}

/// Group `pool`: floors of the pools of a fresh box (design section 8).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolSettings {
    pub rsa2048_floor: i64,
    pub rsa4096_floor: i64,
    pub dh2048_floor: i64,
}

impl Default for PoolSettings {
    fn default() -> Self {
        PoolSettings { rsa2048_floor: 64, rsa4096_floor: 8, dh2048_floor: 1 }
    }
}

#[derive(Serialize, Deserialize)]
struct Group {
    #[serde(rename = "_id")]
    id: String,
    #[serde(flatten)]
    body: Document,
}

impl Stored for Group {
    const COLLECTION: &'static str = collections::SETTINGS;
}

impl Store {
    pub fn app_settings(&self) -> Result<AppSettings, StoreError> {
        self.group("app")
    }

    pub fn user_settings(&self) -> Result<UserSettings, StoreError> {
        self.group("user")
    }

    pub fn pool_settings(&self) -> Result<PoolSettings, StoreError> {
        self.group("pool")
    }

    pub fn set_theme(&self, theme: &str) -> Result<(), StoreError> {
        self.set_setting("app", doc! { "theme": theme })
    }

    pub fn set_pin_mode(&self, mode: &str) -> Result<(), StoreError> {
        self.set_setting("user", doc! { "pin_mode": mode })
    }

    /// Stores the shared secrets of the console unless another host already has; answers those
    /// that count.
    pub fn app_secrets_or(&self, fresh: &AppSettings) -> Result<AppSettings, StoreError> {
        let fields = doc! {
            "cookie_secret": &fresh.cookie_secret,
            "web_certificate": &fresh.web_certificate,
            "web_private_key": &fresh.web_private_key,
        };
        let filter = doc! { "_id": "app", "cookie_secret": { "$exists": false } };
        let update = doc! { "$set": fields };
        match self.upsert::<Group>("store the console's secrets", filter, update) {
            Ok(()) | Err(StoreError::Duplicate { .. }) => self.app_settings(),
            Err(e) => Err(e),
        }
    }

    fn set_setting(&self, group: &str, fields: Document) -> Result<(), StoreError> {
        let update = touch(doc! { "$set": fields });
        self.upsert::<Group>("store a setting", doc! { "_id": group }, update)
    }

    fn group<T: for<'de> Deserialize<'de> + Default>(
        &self,
        name: &'static str,
    ) -> Result<T, StoreError> {
        const OP: &str = "read the settings";
        let Some(group) = self.find_one::<Group>(OP, doc! { "_id": name })? else {
            return Ok(T::default());
        };
        super::read::parts(&group.body)
            .map_err(|e| StoreError::read(OP, mongodb::error::Error::custom(e)))
    }
}
