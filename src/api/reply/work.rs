//! Pools, jobs and tasks (ours). Times are seconds since the Unix epoch.

use serde::Serialize;

/// Of `GET /pool`.
#[derive(Debug, Serialize)]
pub struct PoolReply {
    pub kind: &'static str,
    pub depth: i64,
    pub target: i64,
    /// Jobs under way that fill it.
    pub making: i64,
    pub taken_10min: i64,
}

/// Of `GET /job`, what is not done; of `GET /job/:id`, any.
#[derive(Debug, Serialize)]
pub struct JobReply {
    pub id: String,
    pub kind: String,
    /// `ready`, `running`, `failed` or `done`.
    pub state: &'static str,
    /// `urgent` or `normal`.
    pub urgency: &'static str,
    /// From 0 to 1, for kinds that can tell.
    pub progress: Option<f64>,
    /// How many things are done of how many; both 0 for kinds of one step.
    pub position: i64,
    pub total: i64,
    pub attempts: i64,
    /// Name of the host that works on it.
    pub holder: Option<String>,
    /// Of the newest attempt that failed.
    pub error: Option<String>,
    pub created: i64,
    /// A ready one is not begun before.
    pub due: i64,
    /// When it was done or given up.
    pub ended: Option<i64>,
    /// Whether somebody waits for its result.
    pub awaited: bool,
}

/// Of `GET /task`.
#[derive(Debug, Serialize)]
pub struct TaskReply {
    pub name: &'static str,
    /// Name of the host that is at it.
    pub holder: Option<String>,
    pub done_at: Option<i64>,
    /// Name of the host that ended the newest run.
    pub done_by: Option<String>,
    pub duration_ms: Option<i64>,
    pub found: i64,
    pub mended: i64,
    /// `None` while it runs, or before its first run.
    pub next_due: Option<i64>,
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names that the console reads from `object`.
    fn read_by_the_console(object: &str) -> BTreeSet<String> {
        let views = [
            include_str!("../../../console/views/work.js"),
            include_str!("../../../console/logic/advice.js"),
        ];
        let start = format!("{object}.");
        let name =
            |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let uses = views.iter().flat_map(|view| view.split(&start).skip(1));
        let names: BTreeSet<String> = uses.map(name).collect();
        // `data.pools`, file names and the like are no fields.
        names.into_iter().filter(|name| !["js", "push"].contains(&name.as_str())).collect()
    }

    fn written(reply: &impl Serialize) -> BTreeSet<String> {
        let value = serde_json::to_value(reply).expect("JSON");
        value.as_object().expect("an object").keys().cloned().collect()
    }

    #[test]
    fn the_console_finds_what_it_shows() {
        let pool = PoolReply { kind: "k", depth: 1, target: 2, making: 1, taken_10min: 0 };
        let job = JobReply {
            id: String::new(),
            kind: String::new(),
            state: "ready",
            urgency: "normal",
            progress: None,
            position: 0,
            total: 0,
            attempts: 0,
            holder: None,
            error: None,
            created: 0,
            due: 0,
            ended: None,
            awaited: false,
        };
        let task = TaskReply {
            name: "t",
            holder: None,
            done_at: None,
            done_by: None,
            duration_ms: None,
            found: 0,
            mended: 0,
            next_due: None,
            error: None,
        };
        for (object, written) in
            [("pool", written(&pool)), ("job", written(&job)), ("task", written(&task))]
        {
            let read = read_by_the_console(object);
            assert!(read.len() >= 4, "{object}: {read:?}");
            assert!(read.is_subset(&written), "{object}: {read:?} of {written:?}");
        }
    }
}
