//! Organizations: each has its own certificate authority.

use super::ops::{Stored, Tx, touch};
use super::{Store, StoreError, collections};
use crate::base::ids::{OrgId, UserId};
use mongodb::bson::{Timestamp, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// An organization (contract section 5, same field names).
#[derive(Clone, Serialize, Deserialize)]
pub struct OrgDoc {
    #[serde(rename = "_id")]
    pub id: OrgId,
    pub name: String,
    #[serde(default)]
    pub auth_api: bool,
    #[serde(default)]
    pub auth_token: Option<String>,
    #[serde(default)]
    pub auth_secret: Option<String>,
    /// PKCS#8 PEM.
    pub ca_private_key: String,
    /// PEM; its subject is `O=<org id>, CN=<ca_user_id>`.
    pub ca_certificate: String,
    pub ca_user_id: UserId,
    /// The CA's not-after, seconds since the Unix epoch.
    pub ca_expires: i64,
    /// Client users, kept by the transactions that create and delete them.
    pub user_count: i64,
    pub rev: Timestamp,
}

/// An organization without its keys, for lists.
#[derive(Clone, Debug, Deserialize)]
pub struct OrgSummary {
    #[serde(rename = "_id")]
    pub id: OrgId,
    pub name: String,
    #[serde(default)]
    pub auth_api: bool,
    #[serde(default)]
    pub auth_token: Option<String>,
    #[serde(default)]
    pub auth_secret: Option<String>,
    pub ca_expires: i64,
    pub user_count: i64,
}

impl Stored for OrgDoc {
    const COLLECTION: &'static str = collections::ORGANIZATIONS;
}

fn by_name(skip: u64, limit: i64) -> FindOptions {
    FindOptions::builder()
        .sort(doc! { "name": 1, "_id": 1 })
        .skip(skip)
        .limit(limit)
        .projection(doc! { "ca_private_key": 0, "ca_certificate": 0 })
        .build()
}

impl Store {
    /// `limit` 0: all.
    pub fn orgs(&self, skip: u64, limit: i64) -> Result<Vec<OrgSummary>, StoreError> {
        self.find_as::<OrgDoc, _>("list organizations", doc! {}, by_name(skip, limit))
    }

    pub fn orgs_of(&self, ids: &[OrgId]) -> Result<Vec<OrgSummary>, StoreError> {
        let filter = doc! { "_id": { "$in": ids.to_vec() } };
        self.find_as::<OrgDoc, _>("list organizations", filter, by_name(0, 0))
    }

    pub fn org_count(&self) -> Result<u64, StoreError> {
        self.count::<OrgDoc>("count organizations", doc! {})
    }

    pub fn org(&self, id: OrgId) -> Result<Option<OrgSummary>, StoreError> {
        let filter = doc! { "_id": id };
        let found = self.find_as::<OrgDoc, _>("read an organization", filter, by_name(0, 1))?;
        Ok(found.into_iter().next())
    }

    /// With its keys: for signing only.
    pub fn org_with_keys(&self, id: OrgId) -> Result<Option<OrgDoc>, StoreError> {
        self.find_one("read an organization", doc! { "_id": id })
    }

    pub fn org_insert(&self, org: &OrgDoc) -> Result<(), StoreError> {
        self.insert("create an organization", org)
    }

    /// `None`: it is gone.
    pub fn org_update(
        &self,
        id: OrgId,
        name: &str,
        auth_api: bool,
        token_and_secret: (Option<String>, Option<String>),
    ) -> Result<Option<OrgDoc>, StoreError> {
        let (auth_token, auth_secret) = token_and_secret;
        let set = doc! {
            "name": name,
            "auth_api": auth_api,
            "auth_token": auth_token,
            "auth_secret": auth_secret,
        };
        let update = touch(doc! { "$set": set });
        self.update_get("change an organization", doc! { "_id": id }, update)
    }
}

impl Tx<'_> {
    pub fn org(&mut self, id: OrgId) -> Result<Option<OrgDoc>, StoreError> {
        self.find_one("read an organization", doc! { "_id": id })
    }

    /// Also the guard of everything that rests on the organization being there. `false`: gone.
    pub fn org_add_users(&mut self, id: OrgId, change: i64) -> Result<bool, StoreError> {
        let update = touch(doc! { "$inc": { "user_count": change } });
        let matched =
            self.update::<OrgDoc>("count an organization's users", doc! { "_id": id }, update)?;
        Ok(matched.yes())
    }

    pub fn org_delete(&mut self, id: OrgId) -> Result<bool, StoreError> {
        Ok(self.delete::<OrgDoc>("delete an organization", doc! { "_id": id })?.yes())
    }
}
