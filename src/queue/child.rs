//! Heavy work in a child of its own: both sides.
//!
//! The child is our own program, niced, not dumpable, and dies with the thread that started it. It
//! is told by its arguments what to make, and answers through a pipe that it inherits (I10).

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::limits;
use crate::pki::{PkiError, PrivateKey, dh};
use crate::store::pool::PoolKind;
use crate::sys::fd::{self, Waker};
use crate::sys::hardening;
use crate::sys::process::{self, Exit, Output, Process, ProcessError, Spec};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// What came of a child.
#[derive(Debug)]
pub enum Made {
    Done(Secret),
    Failed(String),
    /// The queue stops: it was killed.
    Stopped,
    /// The job is another's, or was cancelled: it was killed.
    Taken,
}

/// What a child is watched with.
pub struct Watch<'a> {
    pub clock: &'a Clock,
    /// Then it is killed.
    pub deadline: Mono,
    /// The queue stops.
    pub stop: &'a Waker,
    /// The job may have been taken away.
    pub nudge: &'a Waker,
}

/// The word after the program's name.
pub const COMMAND: &str = "work";
const PRIVATE_KEY: &str = "private-key";
const DH_PARAMS: &str = "dh-params";

/// Has one of `kind` made, for as long as `is_ours`: asked when nudged, and now and then.
pub fn run(program: &Path, kind: PoolKind, watch: &Watch<'_>, is_ours: impl Fn() -> bool) -> Made {
    let mut child = match Child::start(program, kind) {
        Ok(child) => child,
        Err(error) => return Made::Failed(chain(&error)),
    };
    loop {
        if let Some(exit) = child.process.wait(std::time::Duration::ZERO) {
            return child.finish(exit, kind);
        }
        let left = watch.deadline.since(watch.clock.mono());
        let fds = [child.process.as_fd(), watch.stop.as_fd(), watch.nudge.as_fd()];
        let [ended, stopping, nudged] = fd::poll(fds, left.min(limits::RECONCILE_PERIOD));
        if ended {
            continue;
        }
        if stopping {
            return child.killed(Made::Stopped);
        }
        if left.is_zero() {
            return child.killed(Made::Failed("the child did not end in time".to_owned()));
        }
        if nudged {
            watch.nudge.clear();
        }
        if !is_ours() {
            return child.killed(Made::Taken);
        }
    }
}

struct Child {
    process: Process,
    result: PipeReader,
    errors: PipeReader,
}

#[derive(Debug)]
enum StartError {
    Pipe(io::Error),
    Process(ProcessError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Pipe(_) => f.write_str("could not make a pipe for a child"),
            StartError::Process(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Pipe(error) => Some(error),
            StartError::Process(error) => error.source(),
        }
    }
}

impl Child {
    fn start(program: &Path, kind: PoolKind) -> Result<Child, StartError> {
        let (result, result_end) = io::pipe().map_err(StartError::Pipe)?;
        let (errors, errors_end) = fd::lossy_pipe().map_err(StartError::Pipe)?;
        let what = if matches!(kind, PoolKind::Dh(_)) { DH_PARAMS } else { PRIVATE_KEY };
        let number = result_end.as_raw_fd().to_string();
        let spec = Spec {
            program: program.to_owned(),
            args: [COMMAND, what, kind.as_str(), &number].map(OsString::from).into(),
            stderr: Output::Fd(errors_end),
            keep: vec![result_end.into()],
            nice: limits::WORK_NICE,
            dies_with_parent: true,
            ..Spec::default()
        };
        let process = process::spawn(spec).map_err(StartError::Process)?;
        Ok(Child { process, result, errors })
    }

    fn killed(&mut self, made: Made) -> Made {
        self.process.kill().map_or_else(|error| Made::Failed(chain(&error)), |_| made)
    }

    /// What an ended child leaves in its pipes.
    fn finish(mut self, exit: Exit, kind: PoolKind) -> Made {
        if exit != Exit::Code(0) {
            let said = fd::drain(&mut self.errors);
            let said: String = said.trim().chars().take(limits::WORK_ERROR_BYTES_MAX).collect();
            return Made::Failed(match said.is_empty() {
                true => format!("the child ended with {exit}"),
                false => format!("the child ended with {exit}: {said}"),
            });
        }
        let mut bytes = Vec::with_capacity(limits::WORK_RESULT_BYTES_MAX);
        let bound = limits::WORK_RESULT_BYTES_MAX as u64;
        let read = self.result.by_ref().take(bound).read_to_end(&mut bytes);
        let text = read.ok().and_then(|_| String::from_utf8(bytes).ok()).map(Secret::new);
        match text.filter(|text| is_result(text, kind)) {
            Some(result) => Made::Done(result),
            None => Made::Failed(format!("the child's answer is no {kind}")),
        }
    }
}

fn is_result(text: &Secret, kind: PoolKind) -> bool {
    match kind {
        PoolKind::Key(kind) => PrivateKey::from_pem(text).is_ok_and(|key| key.kind() == Some(kind)),
        PoolKind::Dh(size) => dh::is_of(text.expose(), size),
    }
}

/// Why a child made nothing.
#[derive(Debug)]
pub enum WorkError {
    /// Only a daemon starts it, with a descriptor for the answer.
    Usage,
    Io(io::Error),
    Pki(PkiError),
}

impl fmt::Display for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkError::Usage => f.write_str("work is started by `warren run`"),
            WorkError::Io(_) => f.write_str("the result could not be handed over"),
            WorkError::Pki(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WorkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WorkError::Usage => None,
            WorkError::Io(error) => Some(error),
            WorkError::Pki(error) => error.source(),
        }
    }
}

/// The child's side: does what the words after [`COMMAND`] say.
pub fn serve(args: impl Iterator<Item = OsString>) -> Result<(), WorkError> {
    let words: Option<Vec<String>> = args.map(|word| word.into_string().ok()).collect();
    let (kind, number) = parse(&words.unwrap_or_default()).ok_or(WorkError::Usage)?;
    hardening::hide_memory().map_err(WorkError::Io)?;
    let mut answer = File::from(fd::inherited(number).ok_or(WorkError::Usage)?);
    let made = match kind {
        PoolKind::Key(kind) => PrivateKey::generate(kind).and_then(|key| key.to_pem()),
        PoolKind::Dh(size) => dh::generate(size).map(Secret::new),
    };
    let pem = made.map_err(WorkError::Pki)?;
    answer.write_all(pem.expose().as_bytes()).map_err(WorkError::Io)
}

fn parse(words: &[String]) -> Option<(PoolKind, i32)> {
    let [what, kind, number] = words else { return None };
    let kind = match what.as_str() {
        PRIVATE_KEY => PoolKind::Key(kind.parse().ok()?),
        DH_PARAMS => PoolKind::Dh(kind.parse().ok()?),
        _ => return None,
    };
    Some((kind, number.parse().ok()?))
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{DhSize, KeyKind};

    #[test]
    fn words_are_understood_or_refused() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            parse(&words("private-key rsa2048 7")),
            Some((PoolKind::Key(KeyKind::Rsa2048), 7))
        );
        assert_eq!(parse(&words("dh-params dh2048 7")), Some((PoolKind::Dh(DhSize::Bits2048), 7)));
        for bad in [
            "",
            "private-key",
            "private-key rsa2048",
            "private-key rsa1 7",
            "key rsa2048 7",
            "dh-params 2048 7",
        ] {
            assert_eq!(parse(&words(bad)), None, "{bad}");
        }
    }
}
