//! tasks (design section 9).

use crate::base::clock::{Clock, Mono};
use crate::ground::Ground;
use crate::thread::ThreadError;

/// The running threads. Dropping it stops them.
pub struct Handle {}

pub fn spawn(_ground: Ground) -> Result<Handle, ThreadError> {
    Ok(Handle {})
}

impl Handle {
    pub fn stop(self, _clock: &Clock, _deadline: Mono) -> Vec<ThreadError> {
        Vec::new()
    }
}
