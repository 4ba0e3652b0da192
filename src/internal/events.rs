//! Events.

use crate::base::ids::EventId;
use crate::internal::answer::{Handled, NOT_FOUND};
use crate::internal::app::Asked;

pub fn get_events(_asked: &Asked<'_>) -> Handled {
    Err(NOT_FOUND)
}

pub fn get_events_after(_asked: &Asked<'_>, _cursor: EventId) -> Handled {
    Err(NOT_FOUND)
}
