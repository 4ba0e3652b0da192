//! A command that runs while its test does: its output kept, its end watched.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::place::{Place, signal};
use super::wait::{wait_for, wait_until};

/// How much of a log a failing test shows.
const LINES_SHOWN: usize = 40;

/// Killed when dropped; if the test is failing then, its output is shown.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// A place ends only when all its children have been waited for: those before it.
    _place: Place,
}

impl Process {
    /// Starts `command` in `place`; output and errors go to the file `log`, after what it holds.
    pub fn start(place: &Place, command: &mut Command, log: &Path) -> Process {
        let name = command.get_program().to_string_lossy().into_owned();
        let open = || File::options().create(true).append(true).open(log).expect("log file");
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        let child = place.spawn(command).unwrap_or_else(|e| panic!("{name}: {e}"));
        Process { name, child, log: log.to_owned(), _place: place.clone() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log holds `text`; an early end of the process fails at once.
    pub fn wait_log(&mut self, text: &str, limit: Duration) {
        let what = format!("{text:?} in the log of {}", self.name);
        wait_until(&what, limit, || {
            let found = self.log().contains(text);
            assert!(found || self.is_running(), "{} ended before {text:?}", self.name);
            found
        });
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Waits for the end that the test expects.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_for(&what, limit, || self.child.try_wait().expect("wait"))
    }

    /// SIGTERM, and the end that should follow.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        signal(self.pid(), libc::SIGTERM);
        self.wait_end(limit)
    }

    pub fn kill_9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP: the process is there and does nothing.
    pub fn freeze(&self) {
        signal(self.pid(), libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        signal(self.pid(), libc::SIGCONT);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_9();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("---- the last of {}:", self.name);
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                eprintln!("{line:.240}");
            }
        }
    }
}
