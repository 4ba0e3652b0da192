//! Session.

use crate::api::LoginBody;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn login(_asked: &Asked<'_>, _body: LoginBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn logout(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_state(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}
