//! Administrators. Whatever changes who may do what writes the guard document first, so that of
//! two changes that rest on the same look one runs again (I6: the last super user stays).

use super::ops::{Stored, Tx};
use super::{Store, StoreError, collections};
use crate::base::ids::AdminId;
use crate::base::secret::Secret;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// Guard document of "there is an enabled super user".
const GUARD: &str = "administrators";
/// Administrators that are ever listed.
const ADMINS_MAX: i64 = 1000;

/// An administrator (contract section 5, same field names).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where somebody signed in as this administrator from, newest last (ours): what strangers
    /// do elsewhere does not shut these out.
    #[serde(default)]
    pub known_addresses: Vec<String>,
    /// How often the password was changed (ours): not by a new hash of the same one.
    #[serde(default)]
    pub password_changes: i64,
    /// When it was made (ours): ids of one second are in no order.
    #[serde(default)]
    pub created: Option<DateTime>,
}

impl AdminDoc {
    pub fn is_super(&self) -> bool {
        self.super_user != Some(false)
    }

    pub fn is_disabled(&self) -> bool {
        self.disabled == Some(true)
    }

    /// Matches this administrator as long as it is enabled and has the same password.
    pub(super) fn unchanged(&self) -> Document {
        // Documents of others lack the count.
        let changes = match self.password_changes {
            0 => doc! { "$in": [0_i64, mongodb::bson::Bson::Null] },
            n => doc! { "$eq": n },
        };
        doc! { "_id": self.id, "disabled": { "$ne": true }, "password_changes": changes }
    }

    /// The generated password must be changed before anything else.
    pub fn must_change_password(&self) -> bool {
        self.default == Some(true)
    }
}

impl Stored for AdminDoc {
    const COLLECTION: &'static str = collections::ADMINS;
}

/// Whether something that may happen once happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    First,
    Repeated,
}

/// Enabled super users.
fn in_charge() -> Document {
    doc! { "super_user": { "$ne": false }, "disabled": { "$ne": true } }
}

impl Store {
    pub fn admins(&self) -> Result<Vec<AdminDoc>, StoreError> {
        let sort = FindOptions::builder().sort(doc! { "username": 1 }).limit(ADMINS_MAX).build();
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

    /// The super user who was made first. Imported ones have no date, and come before all others.
    pub fn admin_first_super(&self) -> Result<Option<AdminDoc>, StoreError> {
        let order = doc! { "created": 1, "_id": 1 };
        let first = FindOptions::builder().sort(order).limit(1).build();
        let filter = doc! { "super_user": { "$ne": false } };
        Ok(self.find("read the first administrator", filter, first)?.into_iter().next())
    }

    pub fn admins_exist(&self) -> Result<bool, StoreError> {
        Ok(self.find_one::<AdminDoc>("look for administrators", doc! {})?.is_some())
    }

    /// Makes `admin` the first one unless there is any. Guarded, so that two hosts that start on
    /// an empty database agree.
    pub fn admin_insert_first(&self, admin: &AdminDoc) -> Result<(), StoreError> {
        self.transaction("create the first administrator", |tx: &mut Tx<'_>| {
            tx.guard(GUARD)?;
            match tx.find_one::<AdminDoc>("look for administrators", doc! {})? {
                Some(_) => Ok(()),
                None => {
                    let now = DateTime::from_millis(tx.store().clock().cluster_ms());
                    let dated = AdminDoc { created: Some(now), ..admin.clone() };
                    tx.insert("create the first administrator", &dated)
                }
            }
        })
    }

    /// Gives an administrator a generated password, enables it, and takes its second factor and
    /// its sessions away. `false`: it is gone.
    pub fn admin_reset(
        &self,
        id: AdminId,
        password: &Secret,
        hash: &Secret,
    ) -> Result<bool, StoreError> {
        self.transaction("reset an administrator", |tx: &mut Tx<'_>| {
            tx.guard(GUARD)?;
            let Some(before) = tx.admin(id)? else { return Ok(false) };
            let after = AdminDoc {
                password: hash.expose().clone(),
                password_changes: before.password_changes + 1,
                default: Some(true),
                default_password: Some(password.expose().clone()),
                yubikey_id: None,
                otp_auth: Some(false),
                otp_secret: None,
                disabled: Some(false),
                ..before
            };
            tx.admin_replace(&after)?;
            tx.sessions_close_all(id, None).map(|()| true)
        })
    }
}

impl Tx<'_> {
    /// To be called first by a transaction that changes administrators.
    pub fn guard_admins(&mut self) -> Result<(), StoreError> {
        self.guard(GUARD)
    }

    pub fn admin(&mut self, id: AdminId) -> Result<Option<AdminDoc>, StoreError> {
        self.find_one("read an administrator", doc! { "_id": id })
    }

    /// Whether somebody is in charge besides this one.
    pub fn other_super_user(&mut self, id: AdminId) -> Result<bool, StoreError> {
        let mut filter = in_charge();
        filter.insert("_id", doc! { "$ne": id });
        Ok(self.find_one::<AdminDoc>("look for super users", filter)?.is_some())
    }

    /// Replaces every field.
    pub fn admin_replace(&mut self, admin: &AdminDoc) -> Result<(), StoreError> {
        const OP: &str = "change an administrator";
        let fields = mongodb::bson::serialize_to_document(admin);
        let mut fields = fields.map_err(|e| StoreError::write(OP, e.into()))?;
        fields.remove("_id");
        self.update::<AdminDoc>(OP, doc! { "_id": admin.id }, doc! { "$set": fields }).map(drop)
    }
}
