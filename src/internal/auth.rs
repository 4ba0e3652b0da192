//! Who asks (contract 1.6, 1.7): an administrator by session and CSRF token, or by an API token's
//! signature.

use crate::api::{Auth, Route};
use crate::base::secret::Secret;
use crate::domain::Refusal;
use crate::domain::signature::{BadSignature, Headers, Scheme, Signed};
use crate::http::{Request, Response, tiers};
use crate::internal::answer::{self, Failure, UNAUTHORIZED};
use crate::internal::app::{App, Caller};
use crate::internal::cookies;
use crate::internal::seal::Purpose;
use crate::limits;
use crate::store::admins::Once;
use std::sync::Arc;

const SIGNATURE: [&str; 4] = ["Auth-Token", "Auth-Timestamp", "Auth-Nonce", "Auth-Signature"];

/// What somebody may do who still has the generated password.
const OPEN_BEFORE_CHANGE: [Route; 3] = [Route::GetState, Route::GetSettings, Route::PutSettings];
const CHANGE_REQUIRED: Failure = Failure::Named {
    status: 403,
    id: "password_change_required",
    message: "The password made for the first sign-in must be changed first.",
};

/// Whether the cookies name a live session: 200 or 401, 503 when nobody can tell.
pub fn session(app: &App, request: &Request) -> Response {
    match by_session(app, request) {
        Ok(_) => Response::empty(200),
        Err(failure) => answer::response(failure),
    }
}

/// The administrator who asks, where the route needs one.
pub fn caller(app: &App, request: &Request, route: Route) -> Result<Option<Caller>, Failure> {
    let auth = route.row().auth;
    if auth == Auth::None {
        return Ok(None);
    }
    let signed = SIGNATURE.iter().any(|name| request.header(name).is_some());
    let caller = match signed {
        true => by_signature(app, request)?,
        false => {
            let caller = by_session(app, request)?;
            if auth != Auth::Light {
                csrf(app, request, &caller)?;
            }
            if caller.admin.must_change_password() && !OPEN_BEFORE_CHANGE.contains(&route) {
                return Err(CHANGE_REQUIRED);
            }
            caller
        }
    };
    if auth == Auth::Super && !caller.admin.is_super() {
        return Err(Refusal::RequiresSuperUser.into());
    }
    Ok(Some(caller))
}

fn by_session(app: &App, request: &Request) -> Result<Caller, Failure> {
    let header = request.header("Cookie").unwrap_or_default();
    let now_s = app.ground.clock.cluster_s();
    let key_hash = cookies::key_hash(header, &app.access.seal, now_s).ok_or(UNAUTHORIZED)?;
    let found = app.access.sessions.find(&app.ground.store, &key_hash)?;
    Ok(Caller { admin: found.ok_or(UNAUTHORIZED)?, session: Some(key_hash) })
}

fn csrf(app: &App, request: &Request, caller: &Caller) -> Result<(), Failure> {
    let token = request.header("Csrf-Token").unwrap_or_default();
    let (admin, now_s) = (caller.admin.id.to_string(), app.ground.clock.cluster_s());
    match app.access.seal.holds(Purpose::Csrf, &admin, token, now_s) {
        true => Ok(()),
        false => Err(UNAUTHORIZED),
    }
}

fn by_signature(app: &App, request: &Request) -> Result<Caller, Failure> {
    let [token, timestamp, nonce, signature] = SIGNATURE.map(|name| request.header(name));
    let headers = Headers::read(token, timestamp, nonce, signature).map_err(refused)?;
    let admin = app.ground.store.admin_by_token(headers.token)?;
    let admin = admin.filter(|admin| admin.auth_api == Some(true) && !admin.is_disabled());
    let admin = admin.ok_or(UNAUTHORIZED)?;
    let raw = request.header(tiers::RAW_BODY).map(openssl::base64::decode_block);
    let raw = raw.transpose().map_err(|_| UNAUTHORIZED)?;
    let signed = Signed {
        method: &request.method,
        path: request.header(tiers::SIGNED_PATH).ok_or(UNAUTHORIZED)?,
        parts: &[],
        body: raw.as_deref(),
    };
    let (now_s, window_s) = (app.ground.clock.cluster_s(), limits::API_WINDOW_SECONDS);
    let secret = Secret::new(admin.secret.clone());
    headers.check(Scheme::Api, &secret, &signed, now_s, window_s).map_err(refused)?;
    // The front asks again for a client that it has parked: the nonce is used already.
    if request.header(tiers::RESUME).is_some() {
        return Ok(Caller { admin: Arc::new(admin), session: None });
    }
    // Only a good signature uses up its nonce.
    match app.ground.store.nonce_use(headers.token, headers.nonce)? {
        Once::First => Ok(Caller { admin: Arc::new(admin), session: None }),
        Once::Repeated => {
            log::warn!("a signed request came twice: {} {}", request.method, request.path());
            Err(UNAUTHORIZED)
        }
    }
}

fn refused(why: BadSignature) -> Failure {
    log::info!("a signature was refused: {why:?}");
    UNAUTHORIZED
}
