//! When a task is due, and for which attempt. Pure: all times are the database server's.

use crate::limits::TASK_ATTEMPTS_MAX;
use crate::store::tasks::{Attempt, TaskSeen};
use std::time::Duration;

/// What an observer does about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not for this long.
    In(Duration),
    Now(Attempt),
    /// Its last attempt is over and nobody said so.
    GiveUp(&'static str),
}

pub const LATE: &str = "it did not end in time";
pub const HOST_GONE: &str = "its host went away";
pub const FORGOTTEN: &str = "its host does not know of it";

/// How a task is held, as far as an observer can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// By a host that may be at it.
    Held,
    /// By one that is not, for this reason.
    Void(&'static str),
}

/// `seen`: `None` if it has never run. `hold`: of its holder, if it has one.
pub fn judge(seen: Option<&TaskSeen>, hold: Hold, period: Duration, timeout: Duration) -> Due {
    let Some(task) = seen else { return Due::Now(Attempt::First) };
    let left = |since_ms: Option<i64>, time: Duration| {
        let passed_ms = since_ms.map_or(i64::MAX, |since| task.now_ms.saturating_sub(since));
        let passed = Duration::from_millis(passed_ms.unsigned_abs());
        match passed_ms {
            // In the future: the clock was set back, or another server's is the one that counts.
            // A date far off would be waited for very long.
            ..0 => (passed <= time).then_some(time),
            0.. => time.checked_sub(passed).filter(|left| !left.is_zero()),
        }
    };
    match (task.holder, hold) {
        (Some(_), Hold::Void(why)) => again(task, why),
        (Some(_), Hold::Held) => {
            let alive = task.kept_ms.or(task.started_ms);
            left(alive, timeout).map_or_else(|| again(task, LATE), Due::In)
        }
        (None, _) if is_over(task) && is_wanted(task) => Due::Now(Attempt::First),
        (None, _) if is_over(task) => {
            left(task.done_at_ms, period).map_or(Due::Now(Attempt::First), Due::In)
        }
        (None, _) => again(task, "it failed"),
    }
}

/// Whether the newest run has ended, well or not.
fn is_over(task: &TaskSeen) -> bool {
    task.done_at_ms.is_some_and(|done| task.started_ms.is_none_or(|started| done >= started))
}

/// Whether somebody has wanted it to run since its newest run began.
fn is_wanted(task: &TaskSeen) -> bool {
    task.wanted_ms.is_some_and(|wanted| task.started_ms.is_none_or(|started| wanted >= started))
}

fn again(task: &TaskSeen, why: &'static str) -> Due {
    if is_last(task.attempts) { Due::GiveUp(why) } else { Due::Now(Attempt::Again) }
}

/// Whether no attempt follows this one.
pub fn is_last(attempts: i64) -> bool {
    attempts >= TASK_ATTEMPTS_MAX
}

/// When it is due next, milliseconds since the Unix epoch; `None` while a run is under way.
pub fn next_due_ms(seen: Option<&TaskSeen>, period: Duration) -> Option<i64> {
    let task = seen.filter(|task| task.holder.is_none() && is_over(task))?;
    if is_wanted(task) {
        return task.wanted_ms;
    }
    let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
    Some(task.done_at_ms?.saturating_add(period_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Fence, Holder, HostId};

    const PERIOD: Duration = Duration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_secs(60);

    fn seen(held: bool, started_ms: i64, done_at_ms: Option<i64>, attempts: i64) -> TaskSeen {
        TaskSeen {
            name: "t".to_owned(),
            now_ms: 1_000_000,
            run: 1,
            fence: Fence(1),
            attempts,
            holder: held.then_some(Holder { host: HostId::from_bytes([1; 16]), epoch: 1 }),
            started_ms: Some(started_ms),
            wanted_ms: None,
            kept_ms: None,
            done_at_ms,
            done_by: None,
            duration_ms: None,
            found: 0,
            mended: 0,
            found_total: 0,
            mended_total: 0,
            error: None,
        }
    }

    #[test]
    fn a_task_that_never_ran_is_due() {
        assert_eq!(judge(None, Hold::Held, PERIOD, TIMEOUT), Due::Now(Attempt::First));
    }

    #[test]
    fn due_by_the_servers_clock_and_tried_three_times() {
        let ms = Duration::from_millis;
        let (first, again) = (Due::Now(Attempt::First), Due::Now(Attempt::Again));
        let (ok, gone) = (Hold::Held, Hold::Void(HOST_GONE));
        for (held, hold, started, done, attempts, expected) in [
            // Done: until the period is over.
            (false, ok, 999_000, Some(999_900), 1, Due::In(ms(29_900))),
            (false, ok, 970_000, Some(970_001), 1, Due::In(ms(1))),
            (false, ok, 970_000, Some(970_000), 1, first),
            (false, ok, 10_000, Some(10_000), 3, first),
            // The server's clock was set back: its period begins anew, and no time far off counts.
            (false, ok, 1_030_000, Some(1_030_000), 1, Due::In(PERIOD)),
            (false, ok, 1_030_001, Some(1_030_001), 1, first),
            (true, ok, 1_060_000, None, 1, Due::In(TIMEOUT)),
            (true, ok, 1_060_001, None, 1, again),
            // Under way: left alone until it is late or its host gone.
            (true, ok, 999_000, Some(900_000), 1, Due::In(ms(59_000))),
            (true, ok, 940_001, None, 1, Due::In(ms(1))),
            (true, ok, 940_000, None, 1, again),
            (true, gone, 999_999, None, 2, again),
            (true, gone, 999_999, None, 3, Due::GiveUp(HOST_GONE)),
            (true, Hold::Void(FORGOTTEN), 999_999, None, 1, again),
            (true, Hold::Void(FORGOTTEN), 999_999, None, 3, Due::GiveUp(FORGOTTEN)),
            (true, ok, 900_000, None, 3, Due::GiveUp(LATE)),
            // Failed and not over.
            (false, ok, 999_000, Some(900_000), 1, again),
            (false, ok, 999_000, None, 2, again),
        ] {
            let task = seen(held, started, done, attempts);
            let due = judge(Some(&task), hold, PERIOD, TIMEOUT);
            assert_eq!(due, expected, "{held} {hold:?} {started} {done:?} {attempts}");
        }
    }

    #[test]
    fn what_is_wanted_is_due_once_whatever_its_period() {
        for (held, started, done, wanted, expected) in [
            (false, 999_000, Some(999_100), Some(999_200), Due::Now(Attempt::First)),
            // Wanted while it ran: what it has not looked at any more is looked at again.
            (false, 999_000, Some(999_300), Some(999_200), Due::Now(Attempt::First)),
            (true, 999_000, Some(900_000), Some(999_200), Due::In(Duration::from_secs(59))),
            (false, 999_000, Some(999_100), Some(998_000), Due::In(Duration::from_millis(29_100))),
            // Its attempts go on, as without a wish.
            (false, 999_000, None, Some(999_200), Due::Now(Attempt::Again)),
        ] {
            let task = TaskSeen { wanted_ms: wanted, ..seen(held, started, done, 1) };
            let due = judge(Some(&task), Hold::Held, PERIOD, TIMEOUT);
            assert_eq!(due, expected, "{held} {started} {done:?} {wanted:?}");
        }
    }

    #[test]
    fn signs_of_life_put_off_its_time_limit() {
        for (kept, expected) in [
            (None, Due::Now(Attempt::Again)),
            (Some(940_001), Due::In(Duration::from_millis(1))),
            (Some(940_000), Due::Now(Attempt::Again)),
        ] {
            let task = TaskSeen { kept_ms: kept, ..seen(true, 900_000, None, 1) };
            assert_eq!(judge(Some(&task), Hold::Held, PERIOD, TIMEOUT), expected, "{kept:?}");
        }
    }

    #[test]
    fn the_console_is_told_when_it_is_due_next() {
        let next = |task: &TaskSeen| next_due_ms(Some(task), PERIOD);
        assert_eq!(next(&seen(false, 1000, Some(2000), 1)), Some(32_000));
        assert_eq!(next(&seen(true, 1000, Some(900), 1)), None);
        assert_eq!(next(&seen(false, 1000, None, 1)), None);
        assert_eq!(next_due_ms(None, PERIOD), None);
        let wanted = TaskSeen { wanted_ms: Some(3000), ..seen(false, 1000, Some(2000), 1) };
        assert_eq!(next(&wanted), Some(3000));
    }
}
