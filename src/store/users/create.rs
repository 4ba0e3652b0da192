//! New users, counted by their organization in the same transaction.

use super::{UserDoc, UserType};
use crate::base::ids::OrgId;
use crate::store::{Store, StoreError, Tx};

/// What became of new users.
#[derive(Debug, PartialEq, Eq)]
pub enum Created {
    /// All of them; the name of their organization.
    Yes { organization: String },
    /// The organization is gone.
    Gone,
    /// Its CA is another one than the given.
    OtherAuthority,
    /// There are networks behind these users, and a server of theirs runs.
    ServersRun,
}

/// Ends a transaction without an effect.
enum Undone {
    Store(StoreError),
    Because(Created),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Undone {
        Undone::Store(error)
    }
}

impl Store {
    /// All users or none; their certificates are signed by the CA with `ca_certificate`.
    pub fn users_create(
        &self,
        org: OrgId,
        ca_certificate: &str,
        users: &[UserDoc],
    ) -> Result<Created, StoreError> {
        let people = users.iter().filter(|user| user.user_type == UserType::Client).count();
        let people = i64::try_from(people).unwrap_or(i64::MAX);
        let created = self.transaction("create users", |tx: &mut Tx<'_>| {
            let links = users.iter().any(|user| !user.network_links.is_empty());
            if links && !tx.servers_hold_still(org)? {
                return Err(Undone::Because(Created::ServersRun));
            }
            // The counter last: others wait for it as shortly as can be.
            tx.users_insert(users)?;
            match tx.org_count_users(org, people)? {
                None => Err(Undone::Because(Created::Gone)),
                Some(signer) if signer.ca_certificate != ca_certificate => {
                    Err(Undone::Because(Created::OtherAuthority))
                }
                Some(signer) => Ok(Created::Yes { organization: signer.name }),
            }
        });
        match created {
            Ok(created) | Err(Undone::Because(created)) => Ok(created),
            Err(Undone::Store(error)) => Err(error),
        }
    }
}

impl Tx<'_> {
    pub fn users_insert(&mut self, users: &[UserDoc]) -> Result<(), StoreError> {
        self.insert_many("create users", users)
    }
}
