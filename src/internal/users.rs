//! Users.

use crate::api::{UserBody, UserListing};
use crate::base::ids::{OrgId, UserId};
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_users(_asked: &Asked<'_>, _org: OrgId, _query: UserListing) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_user(_asked: &Asked<'_>, _org: OrgId, _user: UserId) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_user(_asked: &Asked<'_>, _org: OrgId, _body: UserBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_users(_asked: &Asked<'_>, _org: OrgId, _body: Vec<UserBody>) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_user(_asked: &Asked<'_>, _org: OrgId, _user: UserId, _body: UserBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn delete_user(_asked: &Asked<'_>, _org: OrgId, _user: UserId) -> Handled {
    Err(NOT_FOUND)
}

pub fn renew_otp_secret(_asked: &Asked<'_>, _org: OrgId, _user: UserId) -> Handled {
    Err(NOT_FOUND)
}
