//! Administrators (contract 2.2), and the one way in which any of them changes.

use crate::api::reply::admin::{AdminEntry, AdminReply};
use crate::api::{AdminBody, SettingsBody};
use crate::base::ids::AdminId;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::bus::Message;
use crate::domain::event::Event;
use crate::domain::{Refusal, admin, text};
use crate::internal::answer::{Failure, Handled, NOT_FOUND, json};
use crate::internal::app::Asked;
use crate::store::StoreError;
use crate::store::admins::AdminDoc;

const OTP_SECRET_CHARS: usize = 16;
const YUBIKEY_CHARS: usize = 12;

pub fn list_admins(asked: &Asked<'_>) -> Handled {
    let admins = asked.app.ground.store.admins()?;
    let entry = |admin| AdminEntry { admin: reply(admin), audit: false };
    json(&admins.iter().map(entry).collect::<Vec<_>>())
}

pub fn get_admin(asked: &Asked<'_>, admin: AdminId) -> Handled {
    json(&reply(&asked.app.ground.store.admin(admin)?.ok_or(NOT_FOUND)?))
}

pub fn put_admin(asked: &Asked<'_>, admin: AdminId, body: AdminBody) -> Handled {
    json(&reply(&change(asked, admin, &Change::of(&body))?))
}

pub fn reply(admin: &AdminDoc) -> AdminReply<'_> {
    AdminReply {
        id: admin.id.to_string(),
        username: &admin.username,
        yubikey_id: admin.yubikey_id.as_deref(),
        otp_auth: admin.otp_auth,
        otp_secret: admin.otp_secret.as_deref(),
        local_otp_auth: None,
        auth_api: admin.auth_api,
        token: &admin.token,
        secret: &admin.secret,
        default: admin.default,
        disabled: admin.disabled,
        super_user: admin.is_super(),
    }
}

/// What a request wants of an administrator.
pub struct Change<'a> {
    /// `None`: keep.
    username: Option<String>,
    /// Empty: keep.
    password: &'a Secret,
    /// Everything else, replaced as a whole.
    rest: Option<&'a AdminBody>,
}

impl<'a> Change<'a> {
    fn of(body: &'a AdminBody) -> Change<'a> {
        let named = Some(admin::username(&body.username)).filter(|name| !name.is_empty());
        let username = named.unwrap_or_else(|| admin::NAMELESS.to_owned());
        Change { username: Some(username), password: &body.password, rest: Some(body) }
    }

    /// Of the caller's own name and password.
    pub fn of_self(body: &'a SettingsBody) -> Change<'a> {
        let username = Some(admin::username(&body.username)).filter(|name| !name.is_empty());
        Change { username, password: &body.password, rest: None }
    }
}

/// New secrets, made before the transaction and used as far as they are needed.
struct Fresh {
    hash: Option<Secret>,
    token: String,
    secret: String,
    otp_secret: String,
}

impl Fresh {
    fn make(hash: Option<Secret>, random: &Random) -> Fresh {
        Fresh {
            hash,
            token: admin::token(random),
            secret: admin::token(random),
            otp_secret: random.base32(OTP_SECRET_CHARS),
        }
    }
}

/// Changes an administrator and answers it as it is then. A new password and being disabled end
/// its sessions, but for the one that asks.
pub fn change(asked: &Asked<'_>, id: AdminId, change: &Change<'_>) -> Result<AdminDoc, Failure> {
    let (app, ground) = (asked.app, &asked.app.ground);
    let before = ground.store.admin(id)?.ok_or(NOT_FOUND)?;
    let new_password = Some(change.password).filter(|password| !password.expose().is_empty());
    if let Some(password) = new_password {
        admin::new_password(password, before.default_password.as_deref())?;
    }
    let hash = new_password.map(|password| app.access.hashing.hash(password, &ground.random));
    let fresh = Fresh::make(hash, &ground.random);
    if applied(&before, change, &fresh)? == before {
        return Ok(before);
    }
    let own = asked.caller.as_ref().filter(|caller| caller.admin.id == id);
    let keep = own.and_then(|caller| caller.session.as_deref());
    let changed = ground.store.transaction("change an administrator", |tx| {
        tx.guard_admins()?;
        let before = tx.admin(id)?.ok_or(NOT_FOUND)?;
        let after = applied(&before, change, &fresh)?;
        if !tx.other_super_user(id)? {
            keep_in_charge(&before, &after)?;
        }
        tx.admin_replace(&after)?;
        if after.is_disabled() {
            tx.sessions_close_all(id, None)?;
        } else if after.password_changes != before.password_changes {
            tx.sessions_close_all(id, keep)?;
        }
        Ok::<_, Failure>(after)
    });
    let after = changed.map_err(|failure| match failure {
        Failure::Store(StoreError::Duplicate { .. }) => Refusal::AdminUsernameExists.into(),
        other => other,
    })?;
    app.access.sessions.forget();
    ground.bus.publish(Message::Administrators);
    ground.bus.emit(Event::Administrators);
    Ok(after)
}

/// Somebody must be left who may do everything.
fn keep_in_charge(before: &AdminDoc, after: &AdminDoc) -> Result<(), Refusal> {
    let in_charge = |admin: &AdminDoc| admin.is_super() && !admin.is_disabled();
    match (in_charge(before), in_charge(after)) {
        (true, false) if !after.is_super() => Err(Refusal::NoSuperUsers),
        (true, false) => Err(Refusal::NoAdminsEnabled),
        _ => Ok(()),
    }
}

/// The administrator with the change in it.
fn applied(before: &AdminDoc, change: &Change<'_>, fresh: &Fresh) -> Result<AdminDoc, Refusal> {
    let mut after = before.clone();
    if let Some(username) = &change.username {
        after.username.clone_from(username);
    }
    if let Some(hash) = &fresh.hash {
        admin::new_password(change.password, before.default_password.as_deref())?;
        after.password.clone_from(hash.expose());
        after.password_changes += 1;
        after.default = Some(false);
        after.default_password = None;
    }
    let Some(body) = change.rest else { return Ok(after) };
    if body.otp_auth && body.local_otp_auth {
        return Err(Refusal::AdminInvalidOtp);
    }
    let yubikey = text::filtered_or_none(text::cut(&body.yubikey_id, YUBIKEY_CHARS));
    if yubikey.is_some() && yubikey != before.yubikey_id {
        return Err(Refusal::YubikeyUnsupported);
    }
    after.yubikey_id = yubikey;
    after.super_user = Some(body.super_user);
    after.disabled = Some(body.disabled);
    after.auth_api = Some(body.auth_api);
    let revoked = before.auth_api == Some(true) && !body.auth_api;
    if revoked || !body.token.expose().is_empty() {
        after.token.clone_from(&fresh.token);
    }
    if revoked || !body.secret.expose().is_empty() {
        after.secret.clone_from(&fresh.secret);
    }
    after.otp_auth = Some(body.otp_auth);
    after.otp_secret = match (body.otp_auth, &before.otp_secret) {
        (false, _) => None,
        (true, Some(secret)) if !body.otp_secret => Some(secret.clone()),
        (true, _) => Some(fresh.otp_secret.clone()),
    };
    Ok(after)
}

#[cfg(test)]
mod tests;
