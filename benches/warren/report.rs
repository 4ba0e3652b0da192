//! The figures, as a table in Markdown.

use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::Duration;

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 3]>,
    notes: Vec<String>,
}

impl Report {
    /// One figure beside its budget.
    pub fn row(&mut self, what: &str, budget: &str, measured: &str) {
        eprintln!("{what}: {measured} (budget {budget})");
        self.rows.push([what.to_owned(), budget.to_owned(), measured.to_owned()]);
    }

    pub fn note(&mut self, note: &str) {
        eprintln!("{note}");
        self.notes.push(note.to_owned());
    }

    /// What it was measured on.
    pub fn machine(&mut self) {
        let field = |path: &str, key: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split(':').nth(1).unwrap_or("?").trim().to_owned()
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let version = |program: &str| {
            let output = Command::new(program).arg("--version").output();
            let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
            text.ok().and_then(|t| t.lines().next().map(str::to_owned)).unwrap_or_default()
        };
        let openvpn: String =
            version("openvpn").split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        self.note(&format!(
            "{cores} cores of {}, {} memory, Linux {}, {openvpn}, mongod {}",
            field("/proc/cpuinfo", "model name"),
            field("/proc/meminfo", "MemTotal"),
            fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
            version(&crate::support::needs::mongod()),
        ));
    }

    pub fn print(&self) {
        let mut text = "# Figures of `make bench`\n\n".to_owned();
        for note in &self.notes {
            // A string takes everything.
            let _ = writeln!(text, "- {note}");
        }
        let _ = writeln!(text, "\n| what | budget | measured |\n|---|---|---|");
        for [what, budget, measured] in &self.rows {
            let _ = writeln!(text, "| {what} | {budget} | {measured} |");
        }
        println!("{text}");
    }
}

/// Sorted samples.
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn of(mut samples: Vec<Duration>) -> Samples {
        samples.sort();
        Samples(samples)
    }

    pub fn at(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or_default()
    }

    /// `p50 1.2 ms, p99 3.4 ms, most 5.6 ms (200)`
    pub fn text(&self) -> String {
        let ms = |percent| format!("{:.2} ms", self.at(percent).as_secs_f64() * 1000.0);
        format!("p50 {}, p99 {}, most {} ({} times)", ms(50), ms(99), ms(100), self.0.len())
    }
}
