//! Profiles.

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn get_archive(_asked: &Asked<'_>, _org: OrgId, _user: UserId) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_profile(_asked: &Asked<'_>, _org: OrgId, _user: UserId, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}
