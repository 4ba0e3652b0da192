//! Organizations.

use crate::api::{Listing, OrganizationBody, OrganizationChange};
use crate::base::ids::OrgId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_organizations(_asked: &Asked<'_>, _query: Listing) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_organization(_asked: &Asked<'_>, _org: OrgId) -> Handled {
    Err(NOT_FOUND)
}

pub fn create_organization(_asked: &Asked<'_>, _body: OrganizationBody) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_organization(_asked: &Asked<'_>, _org: OrgId, _body: OrganizationChange) -> Handled {
    Err(NOT_FOUND)
}

pub fn delete_organization(_asked: &Asked<'_>, _org: OrgId) -> Handled {
    Err(NOT_FOUND)
}
