//! The servers of this host: what should run against what does.
//!
//! Two threads. `vpn-look` asks the database what this host should run, on every hint and at least
//! every [`RECONCILE_PERIOD`] (I3); `vpn-fleet` starts, adopts and stops what differs, and never
//! waits for the database. While that is away nothing changes: what runs goes on (I7). Living
//! OpenVPN processes of an earlier life are adopted, or ended when nobody wants them any more.
//!
//! Dropping the handle leaves all servers running; [`Fleet::stop`] ends them and puts the host back
//! as it was, IP forwarding included.

mod keeper;
mod steps;

use crate::base::clock::{Clock, Mono};
use crate::base::ids::{ClientId, UserId};
use crate::limits::FLEET_INBOX_MAX;
use crate::sys::{forward, nft};
use crate::thread::{self, Thread, ThreadError};
use crate::vpn::firewall::HOST_TABLE;
use crate::vpn::people::People;
use crate::vpn::records::{Away, Here, Outlook, Records};
use crate::vpn::runner::Surroundings;
use crossbeam_channel::{Receiver, Sender, bounded};
use keeper::Keeper;
use std::path::{Path, PathBuf};
use std::sync::Arc;

enum Message {
    Look,
    Found(Result<Outlook, Away>),
    Review,
    KickUser(UserId),
    KickClient(ClientId),
    Stop,
    /// End the thread, leave the servers.
    Leave,
}

/// For those who have something to tell the fleet; clones share it.
#[derive(Clone)]
pub struct Line(Sender<Message>);

impl Line {
    /// Something about servers has changed: look now.
    pub fn look(&self) {
        self.send(Message::Look);
    }

    /// Something about people has changed: judge who is connected.
    pub fn review(&self) {
        self.send(Message::Review);
    }

    /// Cuts all of a user's tunnels on this host.
    pub fn kick_user(&self, user: UserId) {
        self.send(Message::KickUser(user));
    }

    pub fn kick_client(&self, client: ClientId) {
        self.send(Message::KickClient(client));
    }

    fn send(&self, message: Message) {
        // A thread that has ended was stopped, and its servers with it.
        let _ = self.0.send(message);
    }
}

/// The end of a fleet's line, before the fleet is there: its people and hints need the line first.
pub struct Inbox {
    line: Line,
    messages: Receiver<Message>,
}

impl Default for Inbox {
    fn default() -> Inbox {
        let (tx, messages) = bounded(FLEET_INBOX_MAX);
        Inbox { line: Line(tx), messages }
    }
}

impl Inbox {
    pub fn line(&self) -> Line {
        self.line.clone()
    }
}

/// What tells that hosts have begun or ended lives, as a number that then changes.
pub type Lives = Box<dyn Fn() -> u64 + Send>;

/// Handle on this host's servers.
pub struct Fleet {
    line: Line,
    // In the order of their ends: the second hangs on a channel of the first.
    fleet: Option<Thread>,
    look: Option<Thread>,
}

/// Starts the threads. `state_dir` remembers that forwarding was off.
pub fn spawn(
    inbox: Inbox,
    around: Surroundings,
    people: People,
    lives: Lives,
    state_dir: PathBuf,
) -> Result<Fleet, ThreadError> {
    let Inbox { line, messages } = inbox;
    let (questions, asked) = bounded(1);
    let (records, answers) = (Arc::clone(&around.records), line.clone());
    let look = thread::spawn("vpn-look", move || look(&*records, &asked, &answers))?;
    let mut keeper = Keeper::new(around, people, lives, questions, state_dir);
    let fleet = thread::spawn("vpn-fleet", move || keeper.run(&messages))?;
    Ok(Fleet { line, fleet: Some(fleet), look: Some(look) })
}

/// One question at a time; ends when nobody asks any more.
fn look(records: &dyn Records, questions: &Receiver<Here>, answers: &Line) {
    for here in questions {
        answers.send(Message::Found(records.wanted(&here)));
    }
}

impl Fleet {
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// Ends all servers; returns when nothing is left of them, or at the deadline.
    pub fn stop(mut self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        self.line.send(Message::Stop);
        let threads = [self.fleet.take(), self.look.take()];
        threads.into_iter().flatten().filter_map(|t| t.join(clock, deadline).err()).collect()
    }
}

/// Puts forwarding back as it was before the first server; answers what could not be done.
pub fn stop_forwarding(state_dir: &Path) -> Vec<String> {
    let restored = forward::restore(state_dir).err().map(|e| format!("{e}: {}", e.source));
    let removed = nft::delete_table(HOST_TABLE).err().map(|e| e.to_string());
    restored.into_iter().chain(removed).collect()
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // After a stop nobody hears it.
        self.line.send(Message::Leave);
        // The threads' own drops then wait for them.
    }
}
