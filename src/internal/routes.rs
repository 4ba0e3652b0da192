//! Routes.

use crate::api::{RouteBody, RouteId};
use crate::base::ids::ServerId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_routes(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_route(_asked: &Asked<'_>, _server: ServerId, _body: RouteBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_routes(_asked: &Asked<'_>, _server: ServerId, _body: Vec<RouteBody>) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_route(
    _asked: &Asked<'_>,
    _server: ServerId,
    _route: &RouteId,
    _body: RouteBody,
) -> Handled {
    Err(NOT_FOUND)
}

pub fn delete_route(_asked: &Asked<'_>, _server: ServerId, _route: &RouteId) -> Handled {
    Err(NOT_FOUND)
}
