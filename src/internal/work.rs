//! Work.

use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn list_pools(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn list_jobs(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn list_tasks(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}
