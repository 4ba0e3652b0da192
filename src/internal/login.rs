//! Signing in (contract 2.1, 1.9; design section 12).
//!
//! An unknown name costs what a wrong password costs and is answered the same. Attempts are counted
//! before anything is checked, so that many at once find no gap; limits hold per account and
//! client ([`Attempts::too_many`]).

use crate::api::LoginBody;
use crate::api::Reply;
use crate::api::reply::session::{FactorNeeded, SignedIn};
use crate::base::secret::Secret;
use crate::domain::admin::{self, Attempts, AttemptsMax};
use crate::domain::password::Verdict;
use crate::domain::{text, totp};
use crate::http::Response;
use crate::internal::answer::{Failure, Handled, json};
use crate::internal::app::Asked;
use crate::internal::seal::Purpose;
use crate::internal::{cookies, session};
use crate::limits;
use crate::store::StoreError;
use crate::store::admins::{AdminDoc, Once};
use crate::store::sessions::SignIn;

const CODE_CHARS_MAX: usize = 64;
const MAX: AttemptsMax = AttemptsMax {
    pair: limits::LOGIN_ATTEMPTS_MAX as i64,
    account: limits::LOGIN_ACCOUNT_ATTEMPTS_MAX,
    client: limits::LOGIN_CLIENT_ATTEMPTS_MAX,
    stranger: limits::LOGIN_STRANGER_ATTEMPTS_MAX,
};
const INVALID: Failure = Failure::Named {
    status: 401,
    id: "auth_invalid",
    message: "The user name, the password or the code is wrong.",
};
const TOO_MANY: Failure = Failure::Named {
    status: 400,
    id: "auth_too_many",
    message: "There were too many attempts. Try again in ten minutes.",
};

/// Names under which attempts are counted: hashes, since people type passwords where names belong.
struct Subjects {
    pair: String,
    account: String,
    client: String,
}

pub fn login(asked: &Asked<'_>, body: LoginBody) -> Handled {
    let ground = &asked.app.ground;
    let name = admin::username(&body.username);
    let password = cut(&body.password, admin::PASSWORD_CHARS_MAX);
    let client = asked.client().map_or_else(|| "unknown".to_owned(), admin::client_key);
    // For the log, which firewalls read: the address itself.
    let from = asked.client().map_or_else(|| client.clone(), |at| at.to_canonical().to_string());
    let found = ground.store.admin_by_username(&name)?;
    let subjects = subjects(asked, &name, &client)?;
    let known = found.as_ref().is_some_and(|admin| admin.known_addresses.contains(&client));
    if count(asked, &subjects, known)?.too_many(&MAX) {
        log::warn!("sign-in refused from {from}: {} (too_many)", named(found.as_ref()));
        return Err(TOO_MANY);
    }
    if let Some(needed) = found.as_ref().and_then(|admin| factor_needed(admin, &body)) {
        return Ok(Response::json(402, needed.to_json().unwrap_or_default()));
    }
    let stored = found.as_ref().map(|admin| admin.password.as_str());
    let verdict = asked.app.access.hashing.check(stored, &password);
    let right = found.as_ref().filter(|admin| verdict != Verdict::Wrong && !admin.is_disabled());
    let Some(admin) = right else {
        log::warn!("sign-in refused from {from}: {} (password)", named(found.as_ref()));
        return Err(INVALID);
    };
    if !second_factor(asked, admin, &body)? {
        log::warn!("sign-in refused from {from}: {} (code)", admin.username);
        return Err(INVALID);
    }
    let renew = || asked.app.access.hashing.hash(&password, &ground.random);
    let new_hash = (verdict == Verdict::RightButOld).then(renew);
    let new = SignIn { admin, address: &client, new_hash: new_hash.as_ref() };
    let answer = open(asked, &new)?;
    if let Err(error) = ground.store.attempts_forget(&subjects.pair) {
        log::warn!("{error}");
    }
    log::info!("signed in from {from}: {}", admin.username);
    Ok(answer)
}

fn cut(secret: &Secret, max: usize) -> Secret {
    Secret::new(text::cut(secret.expose(), max).to_owned())
}

/// Who is meant, for the log.
fn named(found: Option<&AdminDoc>) -> &str {
    found.map_or("an unknown name", |admin| &admin.username)
}

fn subjects(asked: &Asked<'_>, name: &str, client: &str) -> Result<Subjects, Failure> {
    let mac = |kind: &str, parts: [&str; 2]| {
        let hash = asked.app.access.seal.mac(Purpose::Attempts, &parts);
        let hash = hash.ok_or_else(|| Failure::Bug("no HMAC could be made".to_owned()))?;
        Ok::<_, Failure>(format!("{kind}/{hash}"))
    };
    Ok(Subjects {
        pair: mac("pair", [name, client])?,
        account: mac("account", [name, ""])?,
        client: mac("client", ["", client])?,
    })
}

fn count(asked: &Asked<'_>, subjects: &Subjects, known: bool) -> Result<Attempts, StoreError> {
    let store = &asked.app.ground.store;
    let stranger = |subject| if known { Ok(0) } else { store.attempt(subject) };
    let client = stranger(&subjects.client)?;
    if client > MAX.client {
        // Whoever tries name after name leaves no more traces of them: they would have no end.
        return Ok(Attempts { pair: 0, account: 0, client });
    }
    Ok(Attempts {
        pair: store.attempt(&subjects.pair)?,
        account: stranger(&subjects.account)?,
        client,
    })
}

/// Asked for before the password is checked (contract 2.1).
fn factor_needed(admin: &AdminDoc, body: &LoginBody) -> Option<FactorNeeded> {
    let code = admin.otp_auth == Some(true) && body.otp_code.expose().trim().is_empty();
    let key = admin.yubikey_id.is_some() && body.yubico_key.expose().is_empty();
    (!admin.is_disabled() && (code || key)).then_some(FactorNeeded {
        error: "auth_otp_required",
        error_msg: "A second factor is needed.",
        otp_auth: admin.otp_auth,
        local_otp_auth: None,
        yubico_auth: admin.yubikey_id.is_some(),
    })
}

/// Whether what the administrator needs besides the password is there and right.
fn second_factor(
    asked: &Asked<'_>,
    admin: &AdminDoc,
    body: &LoginBody,
) -> Result<bool, StoreError> {
    if admin.yubikey_id.is_some() {
        let (name, cure) = (&admin.username, "warren reset-password");
        log::error!("{name} has a YubiKey, which can not be checked here; `{cure}` removes it");
        return Ok(false);
    }
    if admin.otp_auth != Some(true) {
        return Ok(true);
    }
    let code = cut(&body.otp_code, CODE_CHARS_MAX);
    let secret = Secret::new(admin.otp_secret.clone().unwrap_or_default());
    let now_s = asked.app.ground.clock.cluster_s();
    let Some(step) = totp::matching_step(&secret, code.expose().trim(), now_s) else {
        return Ok(false);
    };
    let used = asked.app.ground.store.otp_use(&format!("admin/{}", admin.id), step.0)?;
    Ok(used == Once::First)
}

fn open(asked: &Asked<'_>, new: &SignIn<'_>) -> Handled {
    let ground = &asked.app.ground;
    let fresh = cookies::fresh(&asked.app.access.seal, &ground.random, ground.clock.cluster_s());
    let fresh = fresh.ok_or_else(|| Failure::Bug("no session could be made".to_owned()))?;
    if !ground.store.session_open(&fresh.key_hash, new)? {
        return Err(INVALID);
    }
    // The oldest one may have made room.
    asked.app.access.sessions.forget();
    let default = new.admin.must_change_password();
    let answer = json(&SignedIn { authenticated: true, default })?;
    Ok(session::with_cookies(answer, fresh.cookies))
}
