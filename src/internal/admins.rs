//! Admins.

use crate::api::AdminBody;
use crate::base::ids::AdminId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_admins(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_admin(_asked: &Asked<'_>, _admin: AdminId) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_admin(_asked: &Asked<'_>, _admin: AdminId, _body: AdminBody) -> Handled {
    Err(NOT_FOUND)
}
