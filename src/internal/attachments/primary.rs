//! The holder of a server's own certificate: a user of the server's primary organization.

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::internal::answer::Failure;
use crate::internal::app::App;
use crate::pki::{KeyKind, PrivateKey, Role};
use crate::store::Tx;
use crate::store::organizations::OrgDoc;
use crate::store::users::{UserDoc, UserKeys, UserSummary};

const SECRET_CHARACTERS: usize = 32;
const OTP_CHARACTERS: usize = 16;

/// Makes the holder in `org`, with a certificate signed there.
pub fn create(
    app: &App,
    tx: &mut Tx<'_>,
    server: ServerId,
    org: &OrgDoc,
) -> Result<(OrgId, UserId), Failure> {
    let random = &app.ground.random;
    let user = app.ground.store.new_id();
    let key = PrivateKey::generate(KeyKind::P256)?.to_pem()?;
    let now_s = app.ground.clock.cluster_s();
    let certificate = app.authorities.issue(org, &key, user, Role::Server, now_s)?;
    let keys = UserKeys {
        private_key: key.expose().clone(),
        certificate,
        sync_token: random.alphanumeric(SECRET_CHARACTERS),
        sync_secret: random.alphanumeric(SECRET_CHARACTERS),
    };
    let otp_secret = random.base32(OTP_CHARACTERS);
    let summary = UserSummary::server(org.id, user, server, otp_secret);
    tx.users_insert(&[UserDoc { summary, keys }])?;
    Ok((org.id, user))
}

/// Makes the holder in the first of these organizations that is there.
pub fn next(
    app: &App,
    tx: &mut Tx<'_>,
    server: ServerId,
    organizations: &[OrgId],
) -> Result<Option<(OrgId, UserId)>, Failure> {
    for org in organizations {
        if let Some(org) = tx.org(*org)? {
            // Its guard: it can not be deleted at the same time.
            tx.org_add_users(org.id, 0)?;
            return create(app, tx, server, &org).map(Some);
        }
    }
    Ok(None)
}
