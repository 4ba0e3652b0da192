//! Faults of the database that come between any two steps. Those of hosts are in `hosts`.

use crate::sim::baton::Schedule;
use crate::sim::database::Database;

pub fn between_steps(schedule: &mut Schedule, database: &mut Database) {
    if !database.faults {
        return;
    }
    let now = schedule.now_ms;
    if schedule.once_in(1_500) && database.is_settled(now) {
        let away_ms = 200 + schedule.below(3_000);
        schedule.note(|| format!("the primary changes, away for {away_ms} ms"));
        let random = schedule.random.clone();
        database.change_primary(now, away_ms, |n| random.below(n));
    } else if schedule.once_in(1_000) {
        let until = now + schedule.below(3_000);
        schedule.note(|| format!("replication stands still until {until}"));
        database.stall(until);
    }
}
