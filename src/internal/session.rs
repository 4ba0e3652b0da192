//! Signing out, and what a console must know first (contract 2.1). Signing in is [`super::login`].

use crate::api::reply::session::{SignedOut, StateReply};
use crate::bus::Message;
use crate::domain::version;
use crate::http::Response;
use crate::internal::answer::{Failure, Handled, UNAUTHORIZED, json};
use crate::internal::app::Asked;
use crate::internal::cookies;
use crate::internal::seal::Purpose;
use crate::internal::settings;
use crate::limits;

pub use super::login::login;

/// Ends the session that the cookies name, if there is one.
pub fn logout(asked: &Asked<'_>) -> Handled {
    let (app, ground) = (asked.app, &asked.app.ground);
    let header = asked.request.header("Cookie").unwrap_or_default();
    if let Some(key_hash) = cookies::key_hash(header, &app.access.seal, ground.clock.cluster_s()) {
        ground.store.session_close(&key_hash)?;
        app.access.sessions.forget();
        ground.bus.publish(Message::Administrators);
    }
    let answer = json(&SignedOut { authenticated: false })?;
    Ok(with_cookies(answer, cookies::gone()))
}

pub fn with_cookies(answer: Response, cookies: [String; 2]) -> Response {
    cookies.into_iter().fold(answer, |answer, cookie| answer.with("Set-Cookie", cookie))
}

pub fn get_state(asked: &Asked<'_>) -> Handled {
    let (app, ground) = (asked.app, &asked.app.ground);
    let admin = &asked.caller.as_ref().ok_or(UNAUTHORIZED)?.admin;
    let expires_s = ground.clock.cluster_s() + limits::CSRF_SECONDS;
    let subject = admin.id.to_string();
    let csrf = app.access.seal.issue(Purpose::Csrf, &subject, expires_s, &ground.random);
    let csrf = csrf.ok_or_else(|| Failure::Bug("no CSRF token could be made".to_owned()))?;
    json(&StateReply {
        super_user: admin.is_super(),
        csrf_token: &csrf,
        theme: settings::theme(&ground.store.app_settings()?),
        user: None,
        active: false,
        plan: None,
        version: version::numeric(env!("CARGO_PKG_VERSION")),
        sso: None,
    })
}
