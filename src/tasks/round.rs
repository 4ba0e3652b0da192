//! One run of a repair: what it works with, and whether it may go on.

use super::Task;
use crate::base::clock::Mono;
use crate::base::ids::Fence;
use crate::ground::Ground;
use crate::store::StoreError;
use crate::thread::Stop;
use std::cell::Cell;

/// What a repair works with.
pub struct Round<'a> {
    pub ground: &'a Ground,
    stop: &'a Stop,
    /// `None`: nobody else runs it.
    hold: Option<Hold<'a>>,
}

/// The reservation under which it runs.
struct Hold<'a> {
    task: &'a Task,
    fence: Fence,
    kept: Cell<Mono>,
}

/// Parts of a task's timeout after which it gives a sign of life.
const SIGNS: u32 = 4;

impl<'a> Round<'a> {
    /// Of a task reserved under `fence` at `now`.
    pub(super) fn held(
        ground: &'a Ground,
        stop: &'a Stop,
        task: &'a Task,
        fence: Fence,
        now: Mono,
    ) -> Round<'a> {
        Round { ground, stop, hold: Some(Hold { task, fence, kept: Cell::new(now) }) }
    }

    /// By hand, beside the calendar: repairs are idempotent.
    pub fn by_hand(ground: &'a Ground, stop: &'a Stop) -> Round<'a> {
        Round { ground, stop, hold: None }
    }

    /// Whether another batch may follow: to be asked before each. Gives a sign of life now and
    /// then; whoever is told that the task is another's by now changes nothing more.
    pub fn goes_on(&self) -> Result<bool, StoreError> {
        if self.stop.is_set() {
            return Ok(false);
        }
        let Some(Hold { task, fence, kept }) = &self.hold else { return Ok(true) };
        let now = self.ground.clock.mono();
        if now.since(kept.get()) < task.timeout / SIGNS {
            return Ok(true);
        }
        kept.set(now);
        self.ground.store.task_keep(task.name, *fence)
    }
}
