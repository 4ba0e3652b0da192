//! Who shows a server's certificate, and what becomes of it when the organization that signed it
//! goes: the next attached one signs another (contract 4.4). Clients trust the CAs of all
//! organizations of a server, so those of the others come again by themselves.
//!
//! The holder of the certificate is a user of the server's primary organization, made and removed
//! in the transactions that change who that is. Such a transaction also writes the organization it
//! rests on, so that this is not deleted at the same time (I6).
//!
//! Threads: none; used by handlers and by repairs. Must never: leave a server switched on that has
//! nobody whose certificate it could show.

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use crate::bus::Message;
use crate::domain::event::Event;
use crate::domain::server::wake_key;
use crate::ground::Ground;
use crate::pki::{Certificate, Issuer, KeyKind, PkiError, PrivateKey, Role, Subject};
use crate::store::organizations::{DeletionStep, OrgDoc};
use crate::store::servers::{ServerDoc, Succession};
use crate::store::users::{UserDoc, UserKeys, UserSummary};
use crate::store::{StoreError, Tx};
use std::fmt;

const SECRET_CHARACTERS: usize = 32;
const OTP_CHARACTERS: usize = 16;

/// Why nobody takes over.
#[derive(Debug)]
pub enum SuccessionError {
    Store(StoreError),
    Pki(PkiError),
}

impl fmt::Display for SuccessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SuccessionError::Store(e) => e.fmt(f),
            SuccessionError::Pki(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for SuccessionError {}

impl SuccessionError {
    /// Its document or its keys are damaged.
    fn is_of_the_organization(&self) -> bool {
        match self {
            SuccessionError::Store(e) => matches!(e, StoreError::Wrong { .. }),
            SuccessionError::Pki(_) => true,
        }
    }
}

impl From<StoreError> for SuccessionError {
    fn from(error: StoreError) -> SuccessionError {
        SuccessionError::Store(error)
    }
}

impl From<PkiError> for SuccessionError {
    fn from(error: PkiError) -> SuccessionError {
        SuccessionError::Pki(error)
    }
}

/// Makes the holder in `org`, with a certificate signed there.
pub fn create(
    ground: &Ground,
    tx: &mut Tx<'_>,
    server: ServerId,
    org: &OrgDoc,
) -> Result<(OrgId, UserId), SuccessionError> {
    let (random, user) = (&ground.random, ground.store.new_id());
    let authority = PrivateKey::from_pem(&Secret::new(org.ca_private_key.clone()))?;
    let issuer = Issuer::restore(authority, Certificate::from_pem(&org.ca_certificate)?)?;
    let key = PrivateKey::generate(KeyKind::P256)?;
    let (subject, now_s) = (Subject { org: org.id, user }, ground.clock.cluster_s());
    let certificate = issuer.issue(&key, subject, Role::Server, now_s)?.to_pem()?;
    let keys = UserKeys {
        private_key: key.to_pem()?.expose().clone(),
        certificate,
        sync_token: random.alphanumeric(SECRET_CHARACTERS),
        sync_secret: random.alphanumeric(SECRET_CHARACTERS),
    };
    let summary = UserSummary::server(org.id, user, server, random.base32(OTP_CHARACTERS));
    tx.users_insert(&[UserDoc { summary, keys }])?;
    Ok((org.id, user))
}

/// Makes the holder in the first of these organizations that is there and can sign: one that is
/// damaged keeps nobody from taking over.
pub fn next(
    ground: &Ground,
    tx: &mut Tx<'_>,
    server: ServerId,
    organizations: &[OrgId],
) -> Result<Option<(OrgId, UserId)>, SuccessionError> {
    for id in organizations {
        let made = match tx.org(*id) {
            Ok(None) => continue,
            // Its guard: it can not be deleted at the same time.
            Ok(Some(org)) => {
                tx.org_add_users(org.id, 0)?;
                create(ground, tx, server, &org)
            }
            Err(error) => Err(error.into()),
        };
        match made {
            Err(error) if error.is_of_the_organization() => {
                log::error!("organization {id} can not sign for server {server}: {error}");
            }
            made => return made.map(Some),
        }
    }
    Ok(None)
}

/// The server without these organizations. Where none of those that stay has signed its
/// certificate, the first one that is there does, and a server that runs is to run anew with it. A
/// server that nobody may use any more, or whose certificate nobody can sign, is switched off.
/// Answers whether it has a certificate, as far as it needs one.
pub fn bequeath(
    ground: &Ground,
    tx: &mut Tx<'_>,
    server: &ServerDoc,
    gone: &[OrgId],
) -> Result<bool, SuccessionError> {
    let organizations: Vec<OrgId> =
        server.organizations.iter().copied().filter(|org| !gone.contains(org)).collect();
    let holder = match server.primary() {
        Some((org, user)) if organizations.contains(&org) => {
            tx.is_server_user(org, user)?.then_some((org, user))
        }
        Some((org, user)) => {
            tx.server_user_delete(org, user)?;
            None
        }
        None => None,
    };
    let primary = match holder {
        Some(holder) => Some(holder),
        None => next(ground, tx, server.id, &organizations)?,
    };
    let is_new = holder.is_none() && primary.is_some();
    let complete = primary.is_some() || organizations.is_empty();
    let succession = Succession {
        online: server.online && primary.is_some(),
        anew: server.online && is_new,
        organizations,
        primary,
    };
    Ok(tx.server_succeed(server.id, &succession)? && complete)
}

/// The next step of a deletion that began; none harms if it is done again by somebody else.
pub fn deletion_step(ground: &Ground, org: OrgId) -> Result<DeletionStep, SuccessionError> {
    let store = &ground.store;
    let Some(id) = store.server_of_org(org)? else { return Ok(store.org_deletion_step(org)?) };
    store.transaction("take an organization out of a server", |tx| match tx.server(id)? {
        Some(server) => bequeath(ground, tx, &server, &[org]).map(drop),
        None => Ok(()),
    })?;
    Ok(DeletionStep::Detached(id))
}

/// Who may use a server has changed: for the hosts, the console, and those who wait.
pub fn tell(ground: &Ground, server: ServerId) {
    let bus = &ground.bus;
    bus.publish(Message::Server { server });
    bus.publish(Message::Wake { key: wake_key(server) });
    bus.emit(Event::ServerOrganizations(server));
}
