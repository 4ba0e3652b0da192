//! Settings.

use crate::api::SettingsBody;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn get_settings(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn put_settings(_asked: &Asked<'_>, _body: SettingsBody) -> Handled {
    Err(NOT_FOUND)
}
