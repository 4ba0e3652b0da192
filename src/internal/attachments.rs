//! Attachments.

use crate::base::ids::{HostId, OrgId, ServerId};
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_server_organizations(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn attach_organization(_asked: &Asked<'_>, _server: ServerId, _org: OrgId) -> Handled {
    Err(NOT_FOUND)
}

pub fn detach_organization(_asked: &Asked<'_>, _server: ServerId, _org: OrgId) -> Handled {
    Err(NOT_FOUND)
}

pub fn list_server_hosts(_asked: &Asked<'_>, _server: ServerId) -> Handled {
    Err(NOT_FOUND)
}

pub fn attach_host(_asked: &Asked<'_>, _server: ServerId, _host: HostId) -> Handled {
    Err(NOT_FOUND)
}

pub fn detach_host(_asked: &Asked<'_>, _server: ServerId, _host: HostId) -> Handled {
    Err(NOT_FOUND)
}
