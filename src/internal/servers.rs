//! Servers.

use crate::api::{Listing, Operation, ServerBody};
use crate::base::ids::ServerId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_servers(_asked: &Asked<'_>, _query: Listing) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_server(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_server(_asked: &Asked<'_>, _body: ServerBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_server(_asked: &Asked<'_>, _server: ServerId, _body: ServerBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn delete_server(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn operate_server(_asked: &Asked<'_>, _server: ServerId, _operation: Operation) -> Handled {
    Err(NOT_FOUND)
}
