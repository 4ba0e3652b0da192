//! The real `warren` with a configuration and a state directory of its own.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use super::clock;
use super::http::Http;
use super::keys;
use super::needs;
use super::place::Place;
use super::process::Process;
use super::temp::TempDir;
use super::wait::{seconds, wait_until};

/// What the unit file grants, and nothing else (packaging/warren.service).
pub const CAPABILITIES: [&str; 6] =
    ["net_admin", "net_bind_service", "setuid", "setgid", "kill", "chown"];

/// Three times what a first start with a database of its own takes here in a debug build.
const READY: Duration = seconds(20);

/// A state to run daemons on, one after the other: the disk and configuration of one host.
pub struct Home {
    dir: TempDir,
    place: Place,
    program: PathBuf,
    as_root: bool,
    /// How far its wall clock is off.
    clock_s: i64,
    /// The shared database, where it has none of its own.
    database: Option<String>,
}

impl Home {
    /// For a host that shares the database at `uri`, or supervises one of its own.
    pub fn new(place: &Place, mongodb_uri: Option<&str>) -> Home {
        let dir = TempDir::new("warren");
        let (uid, gid) = user("warren");
        for name in ["state", "run"] {
            fs::create_dir(dir.join(name)).expect("a directory");
            chown(dir.join(name), Some(uid), Some(gid)).expect("chown");
        }
        let program = reachable_by_all(Path::new(env!("CARGO_BIN_EXE_warren")), &dir);
        let home = Home {
            dir,
            place: place.clone(),
            program,
            as_root: false,
            clock_s: 0,
            database: mongodb_uri.map(str::to_owned),
        };
        let mut config = format!(
            "state_dir = {:?}\nrun_dir = {:?}\nmongod = {:?}\nlog_level = \"debug\"\n",
            home.state_dir(),
            home.run_dir(),
            needs::mongod(),
        );
        if let Some(uri) = mongodb_uri {
            writeln!(config, "mongodb_uri = {uri:?}").expect("a string takes it");
        }
        home.configure(&config);
        home
    }

    /// Runs the daemon as root instead of as the unit does.
    pub fn with_root(mut self) -> Home {
        self.as_root = true;
        self
    }

    /// Gives its daemons a wall clock that is wrong by `seconds`; monotonic time is everybody's.
    pub fn with_clock(mut self, seconds: i64) -> Home {
        self.clock_s = seconds;
        self
    }

    /// Adds lines to the configuration file.
    pub fn configure(&self, lines: &str) {
        let mut config = fs::read_to_string(self.config()).unwrap_or_default();
        config.push_str(lines);
        fs::write(self.config(), config).expect("the configuration file");
    }

    /// Gives a key of the configuration another value (as TOML).
    pub fn set(&self, key: &str, value: &str) {
        let config = fs::read_to_string(self.config()).unwrap_or_default();
        let others = config.lines().filter(|line| line.split(" =").next() != Some(key));
        let lines: Vec<String> =
            others.map(str::to_owned).chain([format!("{key} = {value}\n")]).collect();
        fs::write(self.config(), lines.join("\n")).expect("the configuration file");
    }

    /// What its daemons have said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    pub fn config(&self) -> PathBuf {
        self.dir.join("warren.toml")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    pub fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The console's address inside this host.
    pub fn https(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 443).into()
    }

    /// Starts the daemon and waits until its console answers.
    pub fn start(&self) -> Daemon<'_> {
        let mut daemon = self.launch();
        daemon.wait_ready();
        daemon
    }

    /// The same with filled pools: creations take no time, and no processor goes into keys.
    pub fn start_with_keys(&self) -> Daemon<'_> {
        let daemon = self.start();
        self.plant_keys(1);
        daemon
    }

    /// Adds keys for `times` fresh boxes.
    pub fn plant_keys(&self, times: usize) {
        let socket = self.run_dir().join("mongodb/mongod.sock").display().to_string();
        let own = || format!("mongodb://{}/?directConnection=true", socket.replace('/', "%2F"));
        keys::plant(&self.database.clone().unwrap_or_else(own), times);
    }

    /// Starts the daemon without waiting: for tests in which it must not come up.
    pub fn launch(&self) -> Daemon<'_> {
        let mut command = self.command(&["run"]);
        let process = Process::start(&self.place, &mut command, &self.dir.join("log"));
        Daemon { home: self, process }
    }

    /// Runs another command of the program here, as `warren status` on this host would be.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.place.spawn(&mut command).expect("warren");
        child.wait_with_output().expect("warren")
    }

    /// A user agent on this host, not logged in.
    pub fn http(&self) -> Http {
        Http::new(&self.place, self.https())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if self.as_root { Command::new("env") } else { self.as_unit() };
        self.misdate(&mut command);
        command.args(arguments).arg("--config").arg(self.config()).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn as_unit(&self) -> Command {
        let plus: Vec<String> = CAPABILITIES.iter().map(|name| format!("+{name}")).collect();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "warren", "--regid", "warren", "--clear-groups"]);
        command.args(["--no-new-privs", "--bounding-set", &format!("-all,{}", plus.join(","))]);
        command.args(["--inh-caps", &format!("-all,{}", plus.join(","))]);
        command.args(["--ambient-caps", &format!("-all,{}", plus.join(","))]);
        command.arg("env");
        command
    }

    /// The program as the last one to be started: what its clock needs is its user's.
    fn misdate(&self, command: &mut Command) {
        for (name, value) in clock::wrong_by(self.clock_s) {
            command.arg(format!("{name}={value}"));
        }
        command.arg(&self.program);
    }
}

/// A running daemon. Dropped, it is killed with all that it started.
pub struct Daemon<'a> {
    home: &'a Home,
    pub process: Process,
}

impl Daemon<'_> {
    /// Waits until its console answers.
    pub fn wait_ready(&mut self) {
        let mut http = self.home.http();
        wait_until("an answer to /ping", READY, || {
            assert!(self.process.is_running(), "the daemon ended instead of starting");
            http.try_send("GET", "/ping", None).is_ok_and(|reply| reply.status == 200)
        });
    }

    /// The password that a first start makes.
    pub fn default_password(&self) -> String {
        let output = self.home.run(&["default-password"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().last().expect("a password").to_owned()
    }

    /// SIGTERM, and the end that must follow.
    pub fn stop(mut self) -> ExitStatus {
        self.process.terminate(seconds(30))
    }
}

/// The user and group ids of a system user.
pub fn user(name: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = lines.find(|fields| fields[0] == name);
    let fields = fields.unwrap_or_else(|| panic!("no system user {name}: run `make deps`"));
    (fields[2].parse().expect("a uid"), fields[3].parse().expect("a gid"))
}

/// The program itself, or a copy if it is under a directory that system users can not enter.
fn reachable_by_all(program: &Path, dir: &TempDir) -> PathBuf {
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 1 == 1);
    if program.ancestors().all(is_open) {
        return program.to_owned();
    }
    let copy = dir.join("program");
    fs::hard_link(program, &copy).or_else(|_| fs::copy(program, &copy).map(drop)).expect("a copy");
    copy
}
