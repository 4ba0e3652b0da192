//! Whether this host is well (contract 2.7).

use crate::http::Response;
use crate::internal::answer::{Failure, Handled};
use crate::internal::app::Asked;
use crate::limits;

pub fn get_ping(asked: &Asked<'_>) -> Handled {
    health(asked)
}

pub fn get_check(asked: &Asked<'_>) -> Handled {
    health(asked)
}

/// 504 when this host has not been heard by the database for too long.
fn health(asked: &Asked<'_>) -> Handled {
    let (heard, now) = (asked.app.ground.status.acknowledged(), asked.app.ground.clock.mono());
    match heard.is_some_and(|at| now.since(at) <= limits::HEALTH_SILENCE_MAX) {
        true => Ok(Response::text(200, "OK").with("Content-Type", "text/html; charset=utf-8")),
        false => Err(Failure::Plain(504)),
    }
}
