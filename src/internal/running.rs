//! Running.

use crate::base::ids::{ClientId, ServerId};
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn get_output(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn clear_output(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn list_clients(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn kick_client(_asked: &Asked<'_>, _server: ServerId, _client: ClientId) -> Handled {
    Err(NOT_FOUND)
}
