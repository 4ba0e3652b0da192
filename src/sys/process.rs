//! Starting, watching and ending processes, our children or adopted ones, always through a pidfd.

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::sys::fd;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Who a child runs as; its supplementary groups are exactly these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// Where a stream of a child goes.
#[derive(Debug, Default)]
pub enum Output {
    #[default]
    Null,
    Inherit,
    Fd(OwnedFd),
}

/// What to start. The environment holds a fixed `PATH`, `env` and nothing else; no descriptors but
/// `keep` pass.
#[derive(Debug, Default)]
pub struct Spec {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub directory: Option<PathBuf>,
    pub run_as: Option<RunAs>,
    /// Written to a pipe before the start, so at most [`fd::PIPE_BYTES_MAX`].
    pub stdin: Option<Secret<Vec<u8>>>,
    pub stdout: Output,
    pub stderr: Output,
    /// Descriptors the child keeps under the same numbers: tell it the numbers by its arguments.
    pub keep: Vec<OwnedFd>,
    pub nice: i32,
    /// SIGKILL when the *thread* that spawns it ends: only from one that lives long enough.
    pub dies_with_parent: bool,
}

#[derive(Debug)]
pub enum ProcessError {
    NotFound { program: PathBuf },
    Spawn { program: PathBuf, source: io::Error },
    Input { program: PathBuf, source: io::Error },
    Watch { pid: u32, source: io::Error },
    Signal { pid: u32, source: io::Error },
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessError::NotFound { program } => {
                write!(f, "program {} is not installed", program.display())
            }
            ProcessError::Spawn { program, .. } => {
                write!(f, "could not start {}", program.display())
            }
            ProcessError::Input { program, .. } => {
                write!(f, "could not prepare the input of {}", program.display())
            }
            ProcessError::Watch { pid, .. } => write!(f, "could not watch process {pid}"),
            ProcessError::Signal { pid, .. } => write!(f, "could not signal process {pid}"),
        }
    }
}

impl std::error::Error for ProcessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ProcessError::NotFound { .. } => None,
            ProcessError::Spawn { source, .. }
            | ProcessError::Input { source, .. }
            | ProcessError::Watch { source, .. }
            | ProcessError::Signal { source, .. } => Some(source),
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// It was not our child: the kernel tells its parent only.
    Unseen,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::Unseen => f.write_str("it ended"),
        }
    }
}

/// One process of one boot: a pid alone may be somebody else's by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub pid: u32,
    /// Clock ticks from boot to its start.
    pub start: u64,
    pub boot: String,
}

impl Identity {
    pub fn of(pid: u32) -> io::Result<Identity> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let start = start_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Identity { pid, start, boot: crate::sys::host::boot_id()? })
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Identity> {
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let start = words.next()?.parse().ok()?;
        Some(Identity { pid, start, boot: words.next()?.to_owned() })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.start, self.boot)
    }
}

/// Field 22 of `/proc/PID/stat`; the name in field 2 may hold anything, so count from its end.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// A process we may watch and end. Dropping it ends nothing (I7).
#[derive(Debug)]
pub struct Process {
    identity: Identity,
    pidfd: OwnedFd,
    ours: bool,
    exit: Option<Exit>,
}

/// Starts `spec`.
pub fn spawn(mut spec: Spec) -> Result<Process, ProcessError> {
    let program = spec.program.clone();
    let mut command = Command::new(&program);
    command.args(&spec.args).env_clear().env("PATH", crate::sys::env::PATH);
    command.envs(spec.env.drain(..));
    if let Some(directory) = &spec.directory {
        command.current_dir(directory);
    }
    let input = match &spec.stdin {
        None => Stdio::null(),
        Some(bytes) => fd::filled_pipe(bytes.expose())
            .map_err(|source| ProcessError::Input { program: program.clone(), source })?
            .into(),
    };
    command.stdin(input);
    // Ctrl-C and a terminal's end are for the daemon: it stops the others in their order.
    command.process_group(0);
    command.stdout(stdio(std::mem::take(&mut spec.stdout)));
    command.stderr(stdio(std::mem::take(&mut spec.stderr)));
    let setup = Setup::new(spec);
    // SAFETY: `Setup::apply` makes system calls only: it neither allocates nor takes locks, as is
    // needed between fork and exec of a process with threads.
    unsafe { command.pre_exec(move || setup.apply()) };
    let child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ProcessError::NotFound { program },
        _ => ProcessError::Spawn { program, source },
    })?;
    // The pid can not be reused before we have waited for it.
    watch(child.id(), true)
}

fn stdio(output: Output) -> Stdio {
    match output {
        Output::Null => Stdio::null(),
        Output::Inherit => Stdio::inherit(),
        Output::Fd(fd) => fd.into(),
    }
}

fn watch(pid: u32, ours: bool) -> Result<Process, ProcessError> {
    let failed = |source| ProcessError::Watch { pid, source };
    let pidfd = pidfd_open(pid).map_err(failed)?;
    let identity = Identity::of(pid).map_err(failed)?;
    Ok(Process { identity, pidfd, ours, exit: None })
}

/// Takes charge of a process that an earlier life of the daemon started; `None` if it is gone, also
/// when its pid is another process's by now.
pub fn adopt(identity: &Identity) -> Result<Option<Process>, ProcessError> {
    match watch(identity.pid, false) {
        Ok(process) if process.identity == *identity && !process.is_zombie() => Ok(Some(process)),
        Ok(_) => Ok(None),
        Err(ProcessError::Watch { source, .. })
            if source.kind() == io::ErrorKind::NotFound
                || source.raw_os_error() == Some(libc::ESRCH) =>
        {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.identity.pid
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Waits for its end; `None` when `timeout` passed first. Asked again it answers the same.
    pub fn wait(&mut self, timeout: Duration) -> Option<Exit> {
        if self.exit.is_none() && fd::readable(self.pidfd.as_fd(), timeout) {
            self.exit = Some(if self.ours { reap(&self.pidfd) } else { Exit::Unseen });
        }
        self.exit
    }

    pub fn is_alive(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// An adopted process whose parent does not care stays a zombie, whose pidfd is readable.
    fn is_zombie(&self) -> bool {
        fd::readable(self.pidfd.as_fd(), Duration::ZERO)
    }

    /// To a process that has ended this is nothing.
    pub fn signal(&self, signal: i32) -> Result<(), ProcessError> {
        if self.exit.is_some() {
            return Ok(());
        }
        // SAFETY: plain system call on a descriptor we own; no memory is passed.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match check(sent) {
            Ok(_) => Ok(()),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            Err(source) => Err(ProcessError::Signal { pid: self.pid(), source }),
        }
    }

    /// TERM, and KILL for what is still there at `deadline`.
    pub fn stop(&mut self, clock: &Clock, deadline: Mono) -> Result<Exit, ProcessError> {
        self.signal(libc::SIGTERM)?;
        if let Some(exit) = self.wait(deadline.since(clock.mono())) {
            return Ok(exit);
        }
        log::warn!("process {} did not end in time and is killed", self.pid());
        self.kill()
    }

    pub fn kill(&mut self) -> Result<Exit, ProcessError> {
        self.signal(libc::SIGKILL)?;
        match self.wait(crate::limits::CHILD_KILL_MAX) {
            Some(exit) => Ok(exit),
            None => Err(ProcessError::Signal {
                pid: self.pid(),
                source: io::ErrorKind::TimedOut.into(),
            }),
        }
    }
}

impl AsFd for Process {
    /// Readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = RawFd::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn reap(pidfd: &OwnedFd) -> Exit {
    let Ok(fd) = libc::id_t::try_from(pidfd.as_raw_fd()) else { return Exit::Unseen };
    // SAFETY: siginfo_t is plain data, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` lives across the call and has the type that waitid writes.
    let reaped = unsafe { libc::waitid(libc::P_PIDFD, fd, &raw mut info, libc::WEXITED) };
    if reaped != 0 {
        return Exit::Unseen;
    }
    // SAFETY: waitid succeeded with WEXITED, so the union holds the fields of SIGCHLD.
    let status = unsafe { info.si_status() };
    match info.si_code {
        libc::CLD_EXITED => Exit::Code(status),
        _ => Exit::Signal(status),
    }
}

/// Everything between fork and exec, prepared so that applying it needs system calls only.
struct Setup {
    run_as: Option<RunAs>,
    keep: Vec<OwnedFd>,
    nice: i32,
    parent: Option<libc::pid_t>,
}

impl Setup {
    fn new(spec: Spec) -> Setup {
        let parent = spec.dies_with_parent.then(|| {
            // SAFETY: always succeeds, touches nothing.
            unsafe { libc::getpid() }
        });
        Setup { run_as: spec.run_as, keep: spec.keep, nice: spec.nice, parent }
    }

    fn apply(&self) -> io::Result<()> {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: system calls on plain values; the pointers are to locals and to vectors that the
        // closure owns, and live across the calls. Nothing allocates.
        unsafe {
            check(libc::setrlimit(libc::RLIMIT_CORE, &raw const none))?;
            for fd in &self.keep {
                check(libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0))?;
            }
            if self.nice != 0 {
                check(libc::setpriority(libc::PRIO_PROCESS, 0, self.nice))?;
            }
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            if let Some(to) = &self.run_as {
                // Ambient capabilities outlive a change between two users neither of which is root.
                check(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))?;
                check(libc::setgroups(to.groups.len(), to.groups.as_ptr()))?;
                check(libc::setresgid(to.gid, to.gid, to.gid))?;
                check(libc::setresuid(to.uid, to.uid, to.uid))?;
            }
            if let Some(parent) = self.parent {
                // The change of user clears it, hence here; the parent may be gone already.
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
                if libc::getppid() != parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
        }
        Ok(())
    }
}

/// The C convention: negative means `errno`.
fn check<T: Into<i64>>(result: T) -> io::Result<i64> {
    match result.into() {
        failed if failed < 0 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}
