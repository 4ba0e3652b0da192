//! The program at rest: size, start, memory, processor, questions to the database.

use crate::report::Report;
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::pause;
use mongodb::bson::{Bson, doc};
use std::fs;
use std::time::{Duration, Instant};

const RESTING: Duration = Duration::from_secs(20);
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
    let (cpu, asked, begin) = (cpu(&all), questions(set), Instant::now());
    pause(RESTING);
    let seconds = begin.elapsed().as_secs_f64();
    let used = (self::cpu(&all) - cpu).as_secs_f64() / seconds * 100.0;
    report.row("CPU idle", "0.1 % of a core", &format!("{used:.2} %"));
    let asked: Vec<String> = questions(set)
        .into_iter()
        .zip(asked)
        .map(|((name, now), (_, before))| format!("{name} {:.1}", (now - before) as f64 / seconds))
        .collect();
    report.row("database operations per second, idle", "4 beside hello", &asked.join(", "));
    let memory: Vec<String> = all
        .iter()
        .map(|pid| format!("{} {:.1}", name(*pid), memory_kb(*pid) as f64 / 1024.0))
        .collect();
    let total: u64 = all.iter().map(|pid| memory_kb(*pid)).sum();
    let measured = format!("{:.1} MB ({})", total as f64 / 1024.0, memory.join(", "));
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

fn memory_kb(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

/// Processor time of all of them so far.
pub fn cpu(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

fn cpu_of(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let of = |text: &str| -> u64 {
        text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    // The process's own file counts its first thread only.
    let total = tasks.map_or(of(&text), |tasks| {
        let read = |task: fs::DirEntry| {
            fs::read_to_string(task.path().join("schedstat")).map_or(0, |text| of(&text))
        };
        tasks.flatten().map(read).sum()
    });
    Duration::from_nanos(total)
}

fn questions(set: &ReplicaSet) -> Vec<(&'static str, i64)> {
    let status = set.client().database("admin").run_command(doc! { "serverStatus": 1 }).run();
    let status = status.expect("serverStatus");
    let counters = status.get_document("opcounters").expect("counters");
    let number = |name| match counters.get(name) {
        Some(Bson::Int32(n)) => i64::from(*n),
        Some(Bson::Int64(n)) => *n,
        _ => 0,
    };
    ["insert", "query", "update", "delete", "getmore", "command"].map(|n| (n, number(n))).to_vec()
}
