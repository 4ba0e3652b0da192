//! The keys and certificates that servers run with.

use super::organizations::OrgDoc;
use super::users::{UserDoc, UserType};
use super::{Store, StoreError};
use crate::base::ids::{OrgId, UserId};
use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde::Deserialize;

/// Who a server proves to be.
#[derive(Clone, Deserialize)]
pub struct ServerIdentity {
    #[serde(rename = "_id")]
    pub id: UserId,
    #[serde(rename = "type")]
    pub user_type: UserType,
    pub certificate: String,
    /// PKCS#8 PEM.
    pub private_key: String,
}

/// An organization's CA certificate, PEM.
#[derive(Clone, Debug, Deserialize)]
pub struct Authority {
    #[serde(rename = "_id")]
    pub org: OrgId,
    #[serde(rename = "ca_certificate")]
    pub certificate: String,
}

impl Store {
    pub fn server_identities(&self, ids: &[UserId]) -> Result<Vec<ServerIdentity>, StoreError> {
        let fields = doc! { "type": 1, "certificate": 1, "private_key": 1 };
        let options = FindOptions::builder().projection(fields).build();
        let filter = doc! { "_id": { "$in": ids.to_vec() } };
        self.find_as::<UserDoc, _>("read servers' certificates", filter, options)
    }

    pub fn authorities(&self, orgs: &[OrgId]) -> Result<Vec<Authority>, StoreError> {
        let options = FindOptions::builder().projection(doc! { "ca_certificate": 1 }).build();
        let filter = doc! { "_id": { "$in": orgs.to_vec() } };
        self.find_as::<OrgDoc, _>("read organizations' certificates", filter, options)
    }
}
