//! Deleting users: each leaves a tombstone for caches, and its addresses become free.

use super::{UserDoc, UserSummary, UserType, without_keys};
use crate::base::ids::{OrgId, UserId};
use crate::limits;
use crate::store::ops::Stored;
use crate::store::vpn::AddressDoc;
use crate::store::{Store, StoreError, Tx, collections};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Timestamp, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// Documents written for a user with no address: itself, and its tombstone.
const OF_EACH: usize = 2;

/// A deleted document that caches still hold.
#[derive(Serialize, Deserialize)]
struct Tombstone {
    #[serde(rename = "_id")]
    id: ObjectId,
    at: DateTime,
    rev: Timestamp,
}

impl Stored for Tombstone {
    const COLLECTION: &'static str = collections::TOMBSTONES;
}

/// How many of the first users fit into one transaction; each comes with its addresses. At least
/// one does, or the rest would never go.
fn that_fit(addresses: &[usize]) -> usize {
    let mut documents = 1;
    let fits = |addresses: &&usize| {
        documents += OF_EACH + **addresses;
        documents <= limits::TRANSACTION_DOCUMENTS_MAX
    };
    addresses.iter().take_while(fits).count().max(1).min(addresses.len())
}

impl Store {
    /// `false`: no such person.
    pub fn user_delete(&self, org: OrgId, id: UserId) -> Result<bool, StoreError> {
        self.transaction("delete a user", |tx: &mut Tx<'_>| {
            Ok(tx.user_delete(org, id)? && tx.org_add_users(org, -1)?)
        })
    }

    /// Deletes some users of an organization that is on its way out or gone; answers how many.
    pub fn users_delete_some(&self, org: OrgId) -> Result<usize, StoreError> {
        const OP: &str = "delete an organization's users";
        self.transaction(OP, |tx: &mut Tx<'_>| {
            let most = i64::try_from(limits::TRANSACTION_DOCUMENTS_MAX / OF_EACH).unwrap_or(1);
            let options = FindOptions::builder().limit(most).projection(without_keys()).build();
            let users: Vec<UserSummary> =
                tx.find_as::<UserDoc, _>(OP, doc! { "org_id": org }, options)?;
            let mut ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
            let rows: Vec<AddressDoc> =
                tx.find(OP, doc! { "user_id": { "$in": ids.clone() } }, 0)?;
            let of = |id: &UserId| rows.iter().filter(|row| row.user_id == Some(*id)).count();
            ids.truncate(that_fit(&ids.iter().map(of).collect::<Vec<_>>()));
            if ids.is_empty() {
                return Ok(0);
            }
            tx.delete_many::<UserDoc>(OP, doc! { "_id": { "$in": ids.clone() } })?;
            tx.tombstones_insert(&ids.iter().map(|id| id.bytes()).collect::<Vec<_>>())?;
            tx.addresses_free(&ids)?;
            Ok(ids.len())
        })
    }
}

impl Tx<'_> {
    /// Deletes a person, leaves a tombstone and frees its addresses. `false`: no such person.
    pub fn user_delete(&mut self, org: OrgId, id: UserId) -> Result<bool, StoreError> {
        self.user_of_type_delete(org, id, UserType::Client)
    }

    /// The same for the holder of a server's certificate.
    pub fn server_user_delete(&mut self, org: OrgId, id: UserId) -> Result<bool, StoreError> {
        self.user_of_type_delete(org, id, UserType::Server)
    }

    fn user_of_type_delete(
        &mut self,
        org: OrgId,
        id: UserId,
        user_type: UserType,
    ) -> Result<bool, StoreError> {
        let filter = doc! { "_id": id, "org_id": org, "type": user_type.as_str() };
        if !self.delete::<UserDoc>("delete a user", filter)?.yes() {
            return Ok(false);
        }
        self.tombstones_insert(&[id.bytes()])?;
        self.addresses_free(&[id])?;
        Ok(true)
    }

    fn addresses_free(&mut self, users: &[UserId]) -> Result<(), StoreError> {
        let filter = doc! { "user_id": { "$in": users.to_vec() } };
        let free = doc! { "$unset": { "user_id": "" } };
        self.update_many::<AddressDoc>("free addresses", filter, free).map(drop)
    }

    pub(in crate::store) fn tombstones_insert(
        &mut self,
        ids: &[[u8; 12]],
    ) -> Result<(), StoreError> {
        let at = DateTime::from_millis(self.store().clock().cluster_ms());
        let rev = Timestamp { time: 0, increment: 0 };
        let stone = |id: &[u8; 12]| Tombstone { id: ObjectId::from_bytes(*id), at, rev };
        self.insert_many("leave tombstones", &ids.iter().map(stone).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_stays_small_but_gets_on() {
        let max = limits::TRANSACTION_DOCUMENTS_MAX;
        for (addresses, fit) in [
            (vec![], 0),
            (vec![0], 1),
            (vec![0; max], (max - 1) / OF_EACH),
            (vec![3; max], (max - 1) / (OF_EACH + 3)),
            (vec![max, 0], 1),
            (vec![0, max], 1),
        ] {
            assert_eq!(that_fit(&addresses), fit, "{addresses:?}");
        }
    }
}
