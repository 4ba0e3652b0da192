//! The command line: raw words to a [`Command`], a command to what it does.
//!
//! Exit codes follow sysexits; README has the table. Must never: print a secret (but the password
//! that [`password`] is for, on standard output), or do work that a module below does.

mod away;
mod doctor;
mod jobs;
mod password;
mod run;
mod status;
mod stop;
mod work;

use crate::base::ids::JobId;
use crate::config::{Config, DEFAULT_PATH};
use crate::mongod::MongodError;
use crate::node::NodeError;
use crate::queue;
use crate::store::{self, StoreError};
use crate::sys::lock::LockError;
use jobs::{JobsCommand, TasksCommand};
use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const NO_CONNECTION_STRING: &str = "mongodb_uri is not a connection string; one looks like \
     mongodb://user:password@db1,db2,db3/warren?replicaSet=rs0";

const USAGE: &str = "usage: warren <command> [--config FILE]

  run                    be a host of the cluster, until stopped
  stop                   stop the running daemon, or what a killed one has left
  status                 what runs here and in the cluster (--json for programs)
  jobs [list]            jobs that wait, run or have failed (--json for programs)
  jobs show ID           one job, done ones included (--json for programs)
  jobs retry ID          have a failed job done again, at once
  jobs cancel ID         end a job as failed; remove one that is over
  tasks [list]           repairs and when they ran (--json for programs)
  tasks run NAME         run one now, on whichever host is first
  doctor                 look for what stands in the way, and say what to do
  default-password       print the first user name and password, until it is changed
  reset-password [NAME]  give a super user a new password and take its second factor away
  check-config           read the configuration and say what is wrong with it
  version                print the version";

/// Exit codes beside 0.
pub mod exit {
    /// A command found something wrong.
    pub const FOUND: u8 = 1;
    pub const USAGE: u8 = 64;
    /// A program, user or device that is needed is missing.
    pub const MISSING: u8 = 69;
    pub const SOFTWARE: u8 = 70;
    /// The system refused, as a port that is taken.
    pub const SYSTEM: u8 = 71;
    /// A directory can not be written, or its disk is full.
    pub const CANNOT_WRITE: u8 = 73;
    /// Not now: the database is away, another daemon runs.
    pub const NOT_NOW: u8 = 75;
    /// The database is not what is needed.
    pub const DATABASE: u8 = 76;
    pub const REFUSED: u8 = 77;
    pub const CONFIG: u8 = 78;
}

/// How a command failed: the one line for the person, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// Empty: the command said it all already.
    pub text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }

    fn of(code: u8, error: &dyn Error) -> Failure {
        Failure::new(code, chain(error))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Run,
    Stop,
    Status { json: bool },
    Jobs { what: JobsCommand, json: bool },
    Tasks { what: TasksCommand, json: bool },
    Doctor,
    DefaultPassword,
    ResetPassword { name: Option<String> },
    CheckConfig,
    Version,
    Help,
}

/// The whole program but its exit.
pub fn run(args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let mut args = args.peekable();
    if args.next_if(|first| first == "edge").is_some() {
        return run::edge(args);
    }
    if args.next_if(|first| first == queue::child::COMMAND).is_some() {
        return work::work(args);
    }
    let parsed =
        parse(args).map_err(|e| Failure::new(exit::USAGE, format!("{e}; see `warren --help`")));
    let (command, path) = parsed?;
    match command {
        Command::Help => return say(USAGE),
        Command::Version => return say(&format!("warren {}", env!("CARGO_PKG_VERSION"))),
        _ => {}
    }
    let config = Config::load(path.as_deref(), std::env::vars_os());
    let config = config.map_err(|e| Failure::of(exit::CONFIG, &e))?;
    if config.mongodb_uri.as_ref().is_some_and(|uri| !store::is_connection_string(uri)) {
        // It may hold a password and is not repeated.
        return Err(Failure::new(exit::CONFIG, NO_CONNECTION_STRING));
    }
    match command {
        Command::Run => run::daemon(&config),
        Command::Stop => stop::stop(&config),
        Command::Status { json } => status::status(&config, json),
        Command::Jobs { what, json } => jobs::jobs(&config, what, json),
        Command::Tasks { what, json } => jobs::tasks(&config, &what, json),
        Command::Doctor => doctor::doctor(&config),
        Command::DefaultPassword => password::default_password(&config),
        Command::ResetPassword { name } => password::reset_password(&config, name.as_deref()),
        Command::CheckConfig => say(&checked(path.as_deref())),
        Command::Version | Command::Help => Ok(()),
    }
}

/// What was checked: a file that is not there is easily taken for one that is.
fn checked(path: Option<&Path>) -> String {
    let at = path.unwrap_or(Path::new(DEFAULT_PATH));
    match at.exists() {
        true => format!("the configuration is valid: {}", at.display()),
        false => format!("the configuration is valid: no {}: defaults", at.display()),
    }
}

fn parse(
    args: impl Iterator<Item = OsString>,
) -> Result<(Command, Option<PathBuf>), lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut words, mut config) = (Vec::new(), None);
    let (mut json, mut help, mut version) = (false, false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") => config = Some(PathBuf::from(parser.value()?)),
            Long("json") => json = true,
            Long("help") | Short('h') => help = true,
            Long("version") | Short('V') => version = true,
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if help {
        return Ok((Command::Help, config));
    }
    if version {
        return Ok((Command::Version, config));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = named(&words, json)?;
    let takes_json = match &command {
        Command::Status { .. } => true,
        Command::Jobs { what, .. } => {
            matches!(what, JobsCommand::List | JobsCommand::Show(_))
        }
        Command::Tasks { what, .. } => *what == TasksCommand::List,
        _ => false,
    };
    match json && !takes_json {
        true => Err("--json goes with what shows something: status, jobs, tasks".into()),
        false => Ok((command, config)),
    }
}

fn named(words: &[&str], json: bool) -> Result<Command, lexopt::Error> {
    Ok(match words {
        [] => return Err("no command given".into()),
        ["run"] => Command::Run,
        ["stop"] => Command::Stop,
        ["status"] => Command::Status { json },
        ["jobs", rest @ ..] => Command::Jobs { what: jobs_command(rest)?, json },
        ["tasks", rest @ ..] => Command::Tasks { what: tasks_command(rest)?, json },
        ["doctor"] => Command::Doctor,
        ["default-password"] => Command::DefaultPassword,
        ["reset-password"] => Command::ResetPassword { name: None },
        ["reset-password", name] => Command::ResetPassword { name: Some((*name).to_owned()) },
        ["check-config"] => Command::CheckConfig,
        ["version"] => Command::Version,
        ["help"] => Command::Help,
        [first, rest @ ..] => return Err(misunderstood(first, rest)),
    })
}

fn misunderstood(first: &str, rest: &[&str]) -> lexopt::Error {
    match rest {
        [.., last] if named(&[first], false).is_ok() => format!("{last:?} is one word too many"),
        _ => format!("there is no command {first:?}"),
    }
    .into()
}

fn jobs_command(words: &[&str]) -> Result<JobsCommand, lexopt::Error> {
    let id = |text: &str| {
        let id = text.parse::<JobId>();
        id.map_err(|_| lexopt::Error::from(format!("{text:?} is no job's id")))
    };
    match words {
        [] | ["list"] => Ok(JobsCommand::List),
        ["show", job] => Ok(JobsCommand::Show(id(job)?)),
        ["retry", job] => Ok(JobsCommand::Retry(id(job)?)),
        ["cancel", job] => Ok(JobsCommand::Cancel(id(job)?)),
        ["show" | "retry" | "cancel"] => Err("which job? `warren jobs` lists them".into()),
        _ => Err("jobs take list, show ID, retry ID or cancel ID".into()),
    }
}

fn tasks_command(words: &[&str]) -> Result<TasksCommand, lexopt::Error> {
    match words {
        [] | ["list"] => Ok(TasksCommand::List),
        ["run", name] => Ok(TasksCommand::Run((*name).to_owned())),
        ["run"] => Err("which task? `warren tasks` lists them".into()),
        _ => Err("tasks take list or run NAME".into()),
    }
}

/// One line on standard output; a closed pipe is not an error of ours, a full disk is one.
fn say(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(exit::CANNOT_WRITE, format!("could not write to the output: {e}")))
        }
        _ => Ok(()),
    }
}

/// One line on standard error, if anybody can still read it.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error with its causes on one line; the driver's own words are left out where the class says
/// it all.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|cause| !store::is_driver_error(*cause)) {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn start_failure(error: &NodeError) -> Failure {
    let code = match error {
        NodeError::Lock(LockError::Held { .. }) | NodeError::Twin { .. } => exit::NOT_NOW,
        NodeError::Lock(LockError::File(_)) | NodeError::File(_) | NodeError::HostId { .. } => {
            exit::CANNOT_WRITE
        }
        NodeError::Mongod(error) => database_program_code(error),
        NodeError::User(_) | NodeError::Tool { .. } | NodeError::Tun(_) => exit::MISSING,
        NodeError::Listen { .. } | NodeError::Run(_) => exit::SYSTEM,
        NodeError::Store(error) => database_code(error),
        NodeError::Pki(_) | NodeError::Http(_) | NodeError::Thread(_) => exit::SOFTWARE,
    };
    Failure::of(code, error)
}

fn database_program_code(error: &MongodError) -> u8 {
    match error {
        MongodError::File(_) | MongodError::NoSpace { .. } => exit::CANNOT_WRITE,
        MongodError::TooOld { .. } => exit::DATABASE,
        MongodError::NotInstalled { .. } | MongodError::Version(_) | MongodError::User(_) => {
            exit::MISSING
        }
        MongodError::Process(_) | MongodError::Thread(_) => exit::SYSTEM,
        MongodError::Ended { .. } | MongodError::Silent => exit::NOT_NOW,
    }
}

fn database_code(error: &StoreError) -> u8 {
    match error {
        StoreError::Refused => exit::REFUSED,
        StoreError::Unusable(_) => exit::DATABASE,
        _ => exit::NOT_NOW,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Command, Option<PathBuf>), String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|e| e.to_string())
    }

    #[test]
    fn words_become_commands() {
        assert_eq!(read("run"), Ok((Command::Run, None)));
        assert_eq!(
            read("status --json --config /x"),
            Ok((Command::Status { json: true }, Some("/x".into())))
        );
        for line in ["version", "--version", "-V"] {
            assert_eq!(read(line), Ok((Command::Version, None)), "{line}");
        }
        for line in ["help", "--help", "-h", "run -h"] {
            assert_eq!(read(line), Ok((Command::Help, None)), "{line}");
        }
        for (line, name) in [("reset-password", None), ("reset-password anna", Some("anna"))] {
            let name = name.map(str::to_owned);
            assert_eq!(read(line), Ok((Command::ResetPassword { name }, None)), "{line}");
        }
        let id = "65a000000000000000000001";
        let job = id.parse().expect("an id");
        for (line, what, json) in [
            ("jobs", JobsCommand::List, false),
            ("jobs list --json", JobsCommand::List, true),
            (&format!("jobs show {id} --json"), JobsCommand::Show(job), true),
            (&format!("jobs retry {id}"), JobsCommand::Retry(job), false),
            (&format!("jobs cancel {id}"), JobsCommand::Cancel(job), false),
        ] {
            assert_eq!(read(line), Ok((Command::Jobs { what, json }, None)), "{line}");
        }
        let what = TasksCommand::Run("pools".to_owned());
        assert_eq!(read("tasks run pools"), Ok((Command::Tasks { what, json: false }, None)));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for bad in [
            "",
            "walk",
            "run now",
            "run --json",
            "run --config",
            "reset-password a b",
            "jobs show",
            "jobs show 1",
            "jobs walk",
            "jobs cancel 65a000000000000000000001 --json",
            "tasks run",
            "tasks run pools --json",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("run now"), Err("\"now\" is one word too many".to_owned()));
        assert_eq!(read("walk now"), Err("there is no command \"walk\"".to_owned()));
    }
}
