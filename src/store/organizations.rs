//! Organizations: each has its own certificate authority.
//!
//! Deleting one takes many steps (I6). It begins with the mark `deleting`: from then on nobody
//! finds the organization, and nothing can be added to it. What follows is idempotent and can be
//! taken up by anyone until the document itself goes last.
//!
//! ```text
//!   org_begin_deletion ── a server … (`succession`) ── some users … ── the document
//! ```

use super::ops::{Stored, Tx, touch};
use super::servers::ServerDoc;
use super::{Store, StoreError, collections};
use crate::base::ids::{OrgId, ServerId, UserId};
use mongodb::bson::{Document, Timestamp, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// An organization without its keys (contract section 5, same field names).
#[derive(Clone, Serialize, Deserialize)]
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
    pub ca_user_id: UserId,
    /// The CA's not-after, seconds since the Unix epoch.
    pub ca_expires: i64,
    /// Client users, kept by the transactions that create and delete them.
    pub user_count: i64,
}

/// A whole organization.
#[derive(Clone, Serialize, Deserialize)]
pub struct OrgDoc {
    #[serde(flatten)]
    pub summary: OrgSummary,
    /// PKCS#8 PEM.
    pub ca_private_key: String,
    /// PEM; its subject is `O=<org id>, CN=<ca_user_id>`.
    pub ca_certificate: String,
    pub rev: Timestamp,
}

impl Deref for OrgDoc {
    type Target = OrgSummary;
    fn deref(&self) -> &OrgSummary {
        &self.summary
    }
}

impl OrgDoc {
    pub fn new(summary: OrgSummary, ca_private_key: String, ca_certificate: String) -> OrgDoc {
        let rev = Timestamp { time: 0, increment: 0 };
        OrgDoc { summary, ca_private_key, ca_certificate, rev }
    }
}

impl Stored for OrgDoc {
    const COLLECTION: &'static str = collections::ORGANIZATIONS;
}

/// What a step of a deletion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionStep {
    Detached(ServerId),
    /// So many users went.
    Users(usize),
    Finished,
}

/// Every organization but those on their way out.
pub(super) fn living() -> Document {
    doc! { "deleting": { "$ne": true } }
}

fn alive(id: OrgId) -> Document {
    doc! { "_id": id, "deleting": { "$ne": true } }
}

fn by_name(skip: u64, limit: i64) -> FindOptions {
    FindOptions::builder()
        .sort(doc! { "name": 1, "_id": 1 })
        .skip(skip)
        .limit(limit)
        .projection(doc! { "ca_private_key": 0, "ca_certificate": 0, "rev": 0 })
        .build()
}

impl Store {
    /// `limit` 0: all.
    pub fn orgs(&self, skip: u64, limit: i64) -> Result<Vec<OrgSummary>, StoreError> {
        self.find_as::<OrgDoc, _>("list organizations", living(), by_name(skip, limit))
    }

    pub fn orgs_of(&self, ids: &[OrgId]) -> Result<Vec<OrgSummary>, StoreError> {
        let filter = doc! { "_id": { "$in": ids.to_vec() }, "deleting": { "$ne": true } };
        self.find_as::<OrgDoc, _>("list organizations", filter, by_name(0, 0))
    }

    pub fn org_count(&self) -> Result<u64, StoreError> {
        self.count::<OrgDoc>("count organizations", living())
    }

    pub fn org(&self, id: OrgId) -> Result<Option<OrgSummary>, StoreError> {
        let found = self.find_as::<OrgDoc, _>("read an organization", alive(id), by_name(0, 1))?;
        Ok(found.into_iter().next())
    }

    /// With its keys: for signing only.
    pub fn org_with_keys(&self, id: OrgId) -> Result<Option<OrgDoc>, StoreError> {
        self.find_one("read an organization", alive(id))
    }

    /// CA certificates in PEM, in the order of `ids`; those of unknown organizations are missing.
    pub fn org_certificates(&self, ids: &[OrgId]) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Certificate {
            #[serde(rename = "_id")]
            id: OrgId,
            ca_certificate: String,
        }
        let filter = doc! { "_id": { "$in": ids.to_vec() } };
        let fields = FindOptions::builder().projection(doc! { "ca_certificate": 1 }).build();
        let found: Vec<Certificate> =
            self.find_as::<OrgDoc, _>("read CA certificates", filter, fields)?;
        let of = |id: &OrgId| found.iter().find(|c| c.id == *id).map(|c| c.ca_certificate.clone());
        Ok(ids.iter().filter_map(of).collect())
    }

    pub fn org_insert(&self, org: &OrgDoc) -> Result<(), StoreError> {
        self.insert("create an organization", org)
    }

    /// Replaces what an administrator may change, if token and secret still are those of `seen`.
    /// `None`: it is gone, or they are not.
    pub fn org_update(
        &self,
        seen: &OrgSummary,
        next: &OrgSummary,
    ) -> Result<Option<OrgSummary>, StoreError> {
        let mut filter = alive(seen.id);
        filter.insert("auth_token", seen.auth_token.clone());
        filter.insert("auth_secret", seen.auth_secret.clone());
        let set = doc! {
            "name": &next.name,
            "auth_api": next.auth_api,
            "auth_token": next.auth_token.clone(),
            "auth_secret": next.auth_secret.clone(),
        };
        let update = touch(doc! { "$set": set });
        let changed = self.update_get::<OrgDoc>("change an organization", filter, update)?;
        Ok(changed.map(|org| org.summary))
    }

    /// Hides an organization for good; repeating it changes nothing. `false`: there is none.
    pub fn org_begin_deletion(&self, id: OrgId) -> Result<bool, StoreError> {
        let update = touch(doc! { "$set": { "deleting": true } });
        let op = "begin to delete an organization";
        Ok(self.update::<OrgDoc>(op, doc! { "_id": id }, update)?.yes())
    }

    /// Organizations whose deletion began and did not end.
    pub fn orgs_deleting(&self, limit: i64) -> Result<Vec<OrgId>, StoreError> {
        let found: Vec<OrgSummary> = self.find_as::<OrgDoc, _>(
            "list organizations on their way out",
            doc! { "deleting": true },
            by_name(0, limit),
        )?;
        Ok(found.into_iter().map(|org| org.id).collect())
    }

    /// A server that this organization may use, or that shows its certificate.
    pub fn server_of_org(&self, org: OrgId) -> Result<Option<ServerId>, StoreError> {
        #[derive(Deserialize)]
        struct Only {
            #[serde(rename = "_id")]
            id: ServerId,
        }
        let either = vec![doc! { "organizations": org }, doc! { "primary_organization": org }];
        let one = FindOptions::builder().limit(1).projection(doc! { "_id": 1 }).build();
        let op = "look for servers of an organization";
        let found: Vec<Only> = self.find_as::<ServerDoc, _>(op, doc! { "$or": either }, one)?;
        Ok(found.first().map(|server| server.id))
    }

    /// The next step of a deletion that began, once no server has the organization any more. Each
    /// is a transaction, and none harms if it is done again by somebody else.
    pub fn org_deletion_step(&self, id: OrgId) -> Result<DeletionStep, StoreError> {
        let gone = self.users_delete_some(id)?;
        if gone > 0 {
            return Ok(DeletionStep::Users(gone));
        }
        self.org_finish_deletion(id)?;
        Ok(DeletionStep::Finished)
    }

    /// The last step. What was added meanwhile is impossible: adding needs the organization.
    fn org_finish_deletion(&self, id: OrgId) -> Result<(), StoreError> {
        const OP: &str = "delete an organization";
        self.transaction(OP, |tx: &mut Tx<'_>| {
            if tx.delete::<OrgDoc>(OP, doc! { "_id": id, "deleting": true })?.yes() {
                tx.tombstones_insert(&[id.bytes()])?;
            }
            Ok(())
        })
    }
}

impl Tx<'_> {
    pub fn org(&mut self, id: OrgId) -> Result<Option<OrgDoc>, StoreError> {
        self.find_one("read an organization", alive(id))
    }

    /// Also the guard of everything that rests on the organization being there. `false`: gone, or
    /// on its way out.
    pub fn org_add_users(&mut self, id: OrgId, change: i64) -> Result<bool, StoreError> {
        Ok(self.org_count_users(id, change)?.is_some())
    }

    /// The same; answers what new users need to know.
    pub(super) fn org_count_users(
        &mut self,
        id: OrgId,
        change: i64,
    ) -> Result<Option<Signer>, StoreError> {
        let update = touch(doc! { "$inc": { "user_count": change } });
        let fields = doc! { "name": 1, "ca_certificate": 1 };
        let op = "count an organization's users";
        self.update_get_as::<OrgDoc, Signer>(op, alive(id), update, fields)
    }
}

/// Whose CA signs.
#[derive(Deserialize)]
pub(super) struct Signer {
    pub name: String,
    pub ca_certificate: String,
}
