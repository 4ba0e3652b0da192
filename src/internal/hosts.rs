//! Hosts.

use crate::api::Listing;
use crate::base::ids::HostId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_hosts(_asked: &Asked<'_>, _query: Listing) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_host(_asked: &Asked<'_>, _host: HostId) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_status(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}
