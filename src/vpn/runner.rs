//! One running server: a thread that owns its OpenVPN, the connection to its management socket,
//! its tunnel device and its firewall table.
//!
//! It waits on three descriptors (management socket, the process's pidfd, a waker for its inbox)
//! and acts on what [`Instance`] decides. Nothing it does waits for the database: checks are done
//! by [`crate::vpn::checks`], records by [`crate::vpn::books`].
//!
//! Dropping the handle *leaves* OpenVPN running, to be adopted by the next life of the daemon (I7);
//! [`Runner::stop`] ends it and takes away all that was made for it.

mod clients;
mod make;
mod talk;

pub(in crate::vpn) use make::chain;
pub use make::{Place, Record, clear, records_in, servers_in};

use crate::base::clock::Clock;
use crate::base::ids::{ClientId, InstanceId, UserId};
use crate::base::random::Random;
use crate::limits::{MANAGEMENT_RETRY, RUNNER_INBOX_MAX};
use crate::sys::fd::{self, Waker};
use crate::sys::process::Process;
use crate::thread::{self, Thread, ThreadError};
use crate::vpn::admission::{Person, Reason};
use crate::vpn::books::Pen;
use crate::vpn::checks::{Admitted, Checks};
use crate::vpn::instance::{Action, Event, Instance, State};
use crate::vpn::known::Known;
use crate::vpn::management::Session;
use crate::vpn::records::{Note, Records};
use crate::vpn::settings::{Access, Guards, Keys, Server};
use clients::Clients;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::PipeReader;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub server: Arc<Server>,
    pub keys: Keys,
    pub guards: Guards,
    pub instance: InstanceId,
    /// Of the server's runs, the one that this is for.
    pub run: i64,
}

/// What a runner shares with the rest of the daemon.
#[derive(Clone)]
pub struct Surroundings {
    pub place: Arc<Place>,
    pub records: Arc<dyn Records>,
    pub known: Known,
    pub checks: Checks,
    pub pen: Pen,
    pub clock: Clock,
    pub random: Random,
}

enum Message {
    Judged {
        cid: u64,
        kid: u64,
        process: u64,
        result: Result<Admitted, Reason>,
    },
    /// What the database knows of adopted clients; `None`: it is away.
    Sessions(Option<Vec<crate::vpn::records::Session>>),
    /// Who may use the server now: judge everybody again.
    Review(Access),
    /// What the database says of these users, whom this host did not know.
    Strangers(Vec<UserId>, Vec<Person>),
    KickUser(UserId),
    KickClient(ClientId),
    Stop,
    /// End the thread, leave the process.
    Leave,
}

/// Handle on a running server.
pub struct Runner {
    inbox: Sender<Message>,
    waker: Waker,
    started: Receiver<Result<(), String>>,
    stopping: bool,
    thread: Thread,
}

/// Starts the server, or goes on with the process that `adopted` is.
pub fn spawn(
    plan: Plan,
    around: Surroundings,
    adopted: Option<Process>,
) -> Result<Runner, ThreadError> {
    // A thread's name can not hold this; a stored one could.
    let name = format!("vpn-{}", plan.server.name.replace('\0', ""));
    let failed = |source| ThreadError::Spawn { name: name.clone(), source };
    let waker = Waker::new().map_err(failed)?;
    let (inbox, messages) = bounded(RUNNER_INBOX_MAX);
    let (started_tx, started) = bounded(1);
    let actor = Actor {
        core: Instance::adopt(around.clock.mono()),
        server: Arc::clone(&plan.server),
        plan,
        around,
        messages,
        to_self: inbox.clone(),
        waker: waker.clone(),
        started: started_tx,
        process: None,
        process_number: 0,
        said: None,
        cause: None,
        socket: None,
        session: Session::default(),
        clients: Clients::default(),
        leaving: false,
    };
    let thread = thread::spawn(name, move || actor.run(adopted))?;
    Ok(Runner { inbox, waker, started, stopping: false, thread })
}

impl Runner {
    /// Whether it came up, with the cause if not; `None` while that is open after `limit`.
    pub fn wait_started(&self, limit: Duration) -> Option<Result<(), String>> {
        self.started.recv_timeout(limit).ok()
    }

    /// Its thread has ended: the server failed to start or was stopped.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Cuts off whoever may not use the server any more.
    pub fn review(&self, access: Access) {
        self.send(Message::Review(access));
    }

    pub fn kick_user(&self, user: UserId) {
        self.send(Message::KickUser(user));
    }

    pub fn kick_client(&self, client: ClientId) {
        self.send(Message::KickClient(client));
    }

    /// Ends OpenVPN and removes everything that was made for it; returns when that is done.
    pub fn stop(mut self) {
        self.begin_stop();
    }

    /// The same without waiting, so that several can end at once; [`Runner::has_ended`] tells when.
    pub fn begin_stop(&mut self) {
        self.stopping = true;
        self.send(Message::Stop);
    }

    fn send(&self, message: Message) {
        // An actor that has ended has nothing left to be told.
        let _ = self.inbox.send(message);
        self.waker.wake();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if !self.stopping {
            self.send(Message::Leave);
        }
        // The thread's own drop waits for its end.
    }
}

struct Actor {
    core: Instance,
    server: Arc<Server>,
    plan: Plan,
    around: Surroundings,
    messages: Receiver<Message>,
    to_self: Sender<Message>,
    waker: Waker,
    started: Sender<Result<(), String>>,
    process: Option<Process>,
    /// Counts processes: client numbers begin anew with each.
    process_number: u64,
    /// What OpenVPN prints until it answers: the cause, if it dies before.
    said: Option<PipeReader>,
    cause: Option<String>,
    socket: Option<UnixStream>,
    session: Session,
    clients: Clients,
    leaving: bool,
}

/// A poll that only its descriptors end.
const POLL_MAX: Duration = Duration::from_secs(60);

impl Actor {
    fn run(mut self, adopted: Option<Process>) {
        match adopted {
            Some(process) => {
                self.process = Some(process);
                // Repaired if somebody flushed it meanwhile; established flows go on.
                if let Err(e) = self.load_firewall() {
                    log::error!("server {}: {e}", self.server.name);
                }
            }
            None => {
                let (core, action) = Instance::start(self.around.clock.mono());
                self.core = core;
                self.perform(action);
            }
        }
        while !self.leaving && !matches!(self.core.state(), State::Ended | State::Failed) {
            let [socket, process, woken] = self.wait();
            if socket {
                self.read();
            }
            if process {
                self.look_at_process();
            }
            if woken {
                self.waker.clear();
                while let Ok(message) = self.messages.try_recv() {
                    self.hear(message);
                }
            }
            if self.socket.is_none() && self.process.is_some() {
                self.connect();
            }
            self.happened(Event::Tick);
            self.ask_again();
            self.flush();
        }
    }

    fn wait(&self) -> [bool; 3] {
        let now = self.around.clock.mono();
        let connecting = self.process.is_some() && self.socket.is_none();
        let due = [self.core.due(), self.clients.ask_at()].into_iter().flatten().min();
        let due = due.map_or(POLL_MAX, |due| due.since(now));
        let timeout = if connecting { due.min(MANAGEMENT_RETRY) } else { due.min(POLL_MAX) };
        let waker = self.waker.as_fd();
        let socket = self.socket.as_ref().map_or(waker, AsFd::as_fd);
        let process = self.process.as_ref().map_or(waker, AsFd::as_fd);
        let [a, b, woken] = fd::poll([socket, process, waker], timeout);
        [a && self.socket.is_some(), b && self.process.is_some(), woken]
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Judged { cid, kid, process, result } if process == self.process_number => {
                self.answer(cid, kid, result);
            }
            Message::Judged { .. } => {}
            Message::Sessions(sessions) => self.match_sessions(sessions),
            Message::Review(access) => self.review(access),
            Message::Strangers(asked, people) => self.judge_strangers(&asked, &people),
            Message::KickUser(user) => self.kick_user(user),
            Message::KickClient(client) => self.kick(|session| session.id == client),
            Message::Stop => self.happened(Event::Stop),
            Message::Leave => self.leaving = true,
        }
    }

    fn happened(&mut self, event: Event) {
        for action in self.core.step(self.around.clock.mono(), event) {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start => {
                if let Err(cause) = self.make() {
                    self.happened(Event::Died { cause });
                }
            }
            Action::Terminate => self.terminate(),
            Action::Kill => {
                if let Some(process) = &mut self.process
                    && let Err(e) = process.kill()
                {
                    log::error!("{e}");
                }
                self.look_at_process();
            }
            Action::Report => {
                self.said = None;
                log::info!("server {} started", self.server.name);
                let (server, instance) = (self.server.id, self.plan.instance);
                self.around.pen.note(Note::Started { server, instance });
                // Only the first one is waited for.
                let _ = self.started.try_send(Ok(()));
            }
            Action::Fail { cause } => {
                log::error!("server {} did not start: {cause}", self.server.name);
                self.output(&format!("did not start: {cause}"));
                self.note_failure(&cause);
                let _ = self.started.try_send(Err(cause));
            }
            Action::Warn { cause } => {
                log::error!("server {} keeps failing: {cause}", self.server.name);
                self.output(&format!("keeps failing: {cause}"));
                self.note_failure(&cause);
            }
            Action::Clean => {
                for problem in make::clear(&self.around.place.run_dir, self.server.id) {
                    log::error!("{problem}");
                }
                log::info!("server {} stopped", self.server.name);
                let (server, instance) = (self.server.id, self.plan.instance);
                self.around.pen.note(Note::Ended { server, instance });
            }
        }
    }

    fn look_at_process(&mut self) {
        let Some(exit) = self.process.as_mut().and_then(|p| p.wait(Duration::ZERO)) else { return };
        // What it said last is still in the socket.
        self.read();
        self.process = None;
        self.socket = None;
        self.clients_gone();
        let said = self.said.take().map(|mut pipe| fd::drain(&mut pipe)).unwrap_or_default();
        let cause = self.cause.take().or_else(|| make::cause_in(&said));
        let cause = cause.unwrap_or_else(|| format!("OpenVPN ended with {exit}"));
        self.happened(Event::Died { cause });
    }

    fn note_failure(&self, cause: &str) {
        let (server, instance) = (self.server.id, self.plan.instance);
        self.around.pen.note(Note::Failed { server, instance, cause: cause.to_owned() });
    }

    fn output(&self, line: &str) {
        // Its host is named where it is written down.
        let line = line.to_owned();
        self.around.pen.note(Note::Output { server: self.server.id, line });
    }
}
