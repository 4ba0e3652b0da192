//! Short commands with a deadline; their error is what they said on stderr.

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::limits::{COMMAND_MAX, COMMAND_OUTPUT_BYTES_MAX};
use crate::sys::fd;
use crate::sys::process::{self, Exit, Output, ProcessError, Spec};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug)]
pub enum RunError {
    /// It is not installed, could not be started or not be watched.
    Process(ProcessError),
    Pipe(io::Error),
    Timeout {
        program: PathBuf,
    },
    Failed {
        program: PathBuf,
        exit: Exit,
        stderr: String,
    },
}

impl RunError {
    pub fn not_installed(&self) -> bool {
        matches!(self, RunError::Process(ProcessError::NotFound { .. }))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Process(e) => e.fmt(f),
            RunError::Pipe(_) => f.write_str("could not make a pipe for a command"),
            RunError::Timeout { program } => {
                write!(f, "{} did not end within {COMMAND_MAX:?}", program.display())
            }
            RunError::Failed { program, exit, stderr } if stderr.is_empty() => {
                write!(f, "{} failed with {exit}", program.display())
            }
            RunError::Failed { program, stderr, .. } => {
                write!(f, "{} failed: {stderr}", program.display())
            }
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Process(e) => e.source(),
            RunError::Pipe(source) => Some(source),
            _ => None,
        }
    }
}

impl From<ProcessError> for RunError {
    fn from(e: ProcessError) -> Self {
        RunError::Process(e)
    }
}

/// Runs `program` with `args` and returns its standard output.
pub fn run(program: &str, args: &[&str]) -> Result<String, RunError> {
    run_spec(command(program, args))
}

/// The same with something on its standard input.
pub fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<String, RunError> {
    let mut spec = command(program, args);
    spec.stdin = Some(Secret::new(input.as_bytes().to_vec()));
    run_spec(spec)
}

fn command(program: &str, args: &[&str]) -> Spec {
    Spec {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        env: vec![("LC_ALL".into(), "C".into())],
        ..Spec::default()
    }
}

/// Runs any short command; its streams are set here.
pub fn run_spec(mut spec: Spec) -> Result<String, RunError> {
    let clock = Clock::system();
    let program = spec.program.clone();
    let (stdout, out_write) = io::pipe().map_err(RunError::Pipe)?;
    let (stderr, err_write) = io::pipe().map_err(RunError::Pipe)?;
    spec.stdout = Output::Fd(out_write.into());
    spec.stderr = Output::Fd(err_write.into());
    let mut process = process::spawn(spec)?;
    let deadline = clock.mono() + COMMAND_MAX;
    let (out, err) = collect(stdout, stderr, &clock, deadline);
    let Some(exit) = process.wait(deadline.since(clock.mono())) else {
        process.kill()?;
        return Err(RunError::Timeout { program });
    };
    match exit {
        Exit::Code(0) => Ok(text(&out)),
        exit => Err(RunError::Failed { program, exit, stderr: text(&err).trim().to_owned() }),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Both streams until they end, the deadline passes or the bound is reached.
fn collect(
    stdout: PipeReader,
    stderr: PipeReader,
    clock: &Clock,
    deadline: Mono,
) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (Some(stdout), Some(stderr));
    loop {
        let left = deadline.since(clock.mono());
        if left == Duration::ZERO {
            return (out, err);
        }
        let (read_out, read_err) = match (&stdout, &stderr) {
            (Some(a), Some(b)) => fd::poll([a.as_fd(), b.as_fd()], left).into(),
            (Some(a), None) => (fd::readable(a.as_fd(), left), false),
            (None, Some(b)) => (false, fd::readable(b.as_fd(), left)),
            (None, None) => return (out, err),
        };
        if read_out {
            take(&mut stdout, &mut out);
        }
        if read_err {
            take(&mut stderr, &mut err);
        }
    }
}

/// One read; the pipe is closed at its end, on an error and at the bound.
fn take(pipe: &mut Option<PipeReader>, into: &mut Vec<u8>) {
    let mut buffer = [0; 8192];
    let count = pipe.as_mut().map_or(0, |p| p.read(&mut buffer).unwrap_or(0));
    into.extend_from_slice(&buffer[..count]);
    if count == 0 || into.len() as u64 > COMMAND_OUTPUT_BYTES_MAX {
        *pipe = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_input_and_errors_come_through() {
        assert_eq!(run_with_input("cat", &[], "hello").expect("cat"), "hello");
        let error = run("sh", &["-c", "echo why >&2; exit 3"]).expect_err("fails");
        assert_eq!(error.to_string(), "sh failed: why");
        let error = run("warren-no-such-program", &[]).expect_err("missing");
        assert_eq!(error.to_string(), "program warren-no-such-program is not installed");
    }

    #[test]
    fn the_environment_is_clear_and_cores_are_off() {
        let out = run("sh", &["-c", "env | cut -d= -f1 | sort | tr '\\n' ' '; ulimit -c"]);
        assert_eq!(out.expect("sh"), "LC_ALL PATH PWD 0\n");
    }

    #[test]
    fn much_output_on_both_streams_does_not_block() {
        let out = run("sh", &["-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"]);
        assert_eq!(out.expect("sh").len(), 300_000);
    }
}
