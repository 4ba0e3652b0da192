//! The program at rest: size, start, memory, processor, questions to the database.

use crate::report::Report;
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::pause;
use mongodb::bson::{Bson, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const RESTING: Duration = Duration::from_secs(30);
/// After that, what a start and full pools bring about is over.
const SETTLED: Duration = Duration::from_secs(20);
const STARTS: usize = 5;

pub fn program(report: &mut Report) {
    let size = fs::metadata(env!("CARGO_BIN_EXE_warren")).map_or(0, |m| m.len());
    let measured = format!("{:.1} MB", size as f64 / 1e6);
    report.row("stripped program", "8 MB", &measured);
}

pub fn start(report: &mut Report, home: &Home) {
    // The first one makes certificate, collections and indexes.
    drop(home.start());
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let daemon = home.start();
        took.push(begin.elapsed());
        assert!(daemon.stop().success());
    }
    let samples = crate::report::Samples::of(took);
    report.row("start to ready, same boot, database up", "300 ms", &samples.text());
}

pub fn resting(report: &mut Report, set: &ReplicaSet, daemon: u32) {
    let all = family(daemon);
    pause(SETTLED);
    let client = set.client();
    let (asked, before) = (questions(&client), Cpu::of(&all));
    let begin = Instant::now();
    pause(RESTING);
    let seconds = begin.elapsed().as_secs_f64();
    let after = Cpu::of(&all);
    let share = |spent: Duration| spent.as_secs_f64() / seconds * 100.0;
    let each =
        all.iter().map(|pid| format!("{} {:.3}", name(*pid), share(after.since(&before, &[*pid]))));
    let each: Vec<String> = each.collect();
    let used = share(after.since(&before, &all));
    report.row("CPU idle", "0.1 % of a core", &format!("{used:.3} % ({})", each.join(", ")));
    let per_second = |count: i64| format!("{:.2}", count as f64 / seconds);
    let asked: BTreeMap<String, i64> = questions(&client)
        .into_iter()
        .map(|(name, now)| (name.clone(), now - asked.get(&name).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let beside: i64 = asked.iter().filter(|(name, _)| *name != "hello").map(|(_, n)| n).sum();
    let listed: Vec<String> =
        asked.iter().map(|(name, count)| format!("{name} {}", per_second(*count))).collect();
    let measured = format!("{} beside hello ({})", per_second(beside), listed.join(", "));
    report.row("database operations per second and host, idle", "4 beside hello", &measured);
    memory(report, &all);
}

/// What a process holds alone or shares in fair parts (PSS); plain residents count a page of the
/// program twice.
fn memory(report: &mut Report, all: &[u32]) {
    let mb = |kb: u64| kb as f64 / 1024.0;
    let sum = |field: &str| mb(all.iter().map(|pid| memory_kb(*pid, field)).sum());
    let each = all.iter().map(|pid| {
        let of = |field| mb(memory_kb(*pid, field));
        let (rss, own) = (of("Rss:"), of("Anonymous:"));
        format!("{} {rss:.1}, of that {own:.1} its own", name(*pid))
    });
    let each: Vec<String> = each.collect();
    let measured = format!(
        "{:.1} MB in fair parts (PSS); RSS {:.1} MB: {}",
        sum("Pss:"),
        sum("Rss:"),
        each.join(", ")
    );
    report.row("resident memory idle, daemon + edge", "25 MB", &measured);
}

/// A process and its children.
pub fn family(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let children = tasks.flatten().flat_map(|task| {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    [pid].into_iter().chain(children).collect()
}

pub fn name(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).replace('\0', " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let program = words.first().and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    let role = words.get(1).copied().unwrap_or("");
    format!("{program} {role}").trim().to_owned()
}

fn memory_kb(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

/// Processor time so far of each thread of some processes.
pub struct Cpu(BTreeMap<(u32, String), Duration>);

impl Cpu {
    pub fn of(pids: &[u32]) -> Cpu {
        let threads = pids.iter().flat_map(|pid| {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            tasks.map(|task| {
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
                let name = task.file_name().to_string_lossy().into_owned();
                ((*pid, name), Duration::from_nanos(ns.unwrap_or(0)))
            })
        });
        Cpu(threads.collect())
    }

    /// What these processes have used since. A thread that ended meanwhile is not counted.
    pub fn since(&self, before: &Cpu, pids: &[u32]) -> Duration {
        let ours = self.0.iter().filter(|((pid, _), _)| pids.contains(pid));
        ours.map(|(thread, now)| {
            now.saturating_sub(before.0.get(thread).copied().unwrap_or_default())
        })
        .sum()
    }
}

/// How often each command was asked of the database so far, ours left out.
fn questions(client: &Client) -> BTreeMap<String, i64> {
    let status = client.database("admin").run_command(doc! { "serverStatus": 1 }).run();
    let status = status.expect("serverStatus");
    let metrics = status.get_document("metrics").and_then(|m| m.get_document("commands"));
    let total = |value: &Bson| match value.as_document()?.get("total")? {
        Bson::Int32(n) => Some(i64::from(*n)),
        Bson::Int64(n) => Some(*n),
        _ => None,
    };
    let commands = metrics.expect("counters").iter();
    let counted = commands.filter_map(|(name, value)| Some((name.clone(), total(value)?)));
    // The database counts a greeting under the name that was used; `serverStatus` is this one.
    let mut all = BTreeMap::new();
    for (name, count) in counted.filter(|(name, _)| name != "serverStatus") {
        let name = if name == "isMaster" { "hello".to_owned() } else { name };
        *all.entry(name).or_insert(0) += count;
    }
    all
}
