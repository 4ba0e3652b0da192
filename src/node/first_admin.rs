//! The first administrator of an empty database.

use super::NodeError;
use crate::base::random::Random;
use crate::domain::{admin, password};
use crate::store::Store;
use crate::store::admins::AdminDoc;

/// Makes one with a generated password, which `warren default-password` prints until it is changed.
pub fn ensure(store: &Store, random: &Random) -> Result<(), NodeError> {
    if store.admins_exist()? {
        return Ok(());
    }
    let generated = admin::generated_password(random);
    let first = AdminDoc {
        id: store.new_id(),
        username: admin::FIRST.to_owned(),
        password: password::hash(&generated, random).expose().clone(),
        default: Some(true),
        default_password: Some(generated.expose().clone()),
        yubikey_id: None,
        otp_auth: Some(false),
        otp_secret: None,
        auth_api: Some(false),
        token: admin::token(random),
        secret: admin::token(random),
        disabled: Some(false),
        super_user: Some(true),
        known_addresses: Vec::new(),
        password_changes: 0,
        created: None,
    };
    Ok(store.admin_insert_first(&first)?)
}
