//! Who asks (contract 1.6, 1.7).

use crate::api::Auth;
use crate::http::{Request, Response};
use crate::internal::answer::{Failure, UNAUTHORIZED};
use crate::internal::app::{App, Caller};

/// Whether the cookies name a live session: 200 or 401.
pub fn session(_app: &App, _request: &Request) -> Response {
    Response::text(401, "401 Unauthorized")
}

/// The administrator who asks, where the route needs one.
pub fn caller(_app: &App, _request: &Request, auth: Auth) -> Result<Option<Caller>, Failure> {
    match auth {
        Auth::None => Ok(None),
        _ => Err(UNAUTHORIZED),
    }
}
