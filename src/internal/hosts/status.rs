//! `GET /status`: what every open console and every monitor asks for again and again. The counts are
//! read once for all who ask within a moment, and anew after each event that concerns them and each
//! change made here.

use super::running;
use super::snapshot::{Look, Reading, Snapshot};
use crate::api::Reply;
use crate::api::reply::status::StatusReply;
use crate::base::clock::Clock;
use crate::bus::{Bus, Heard, Subscription};
use crate::domain::event::Event;
use crate::http::Response;
use crate::internal::answer::{self, Failure, Handled};
use crate::internal::app::{App, Asked};
use crate::internal::servers::State;
use crate::limits;
use crate::store::bus::Message;
use crate::thread::Stop;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The newest counts, as they are answered.
pub struct Status {
    /// Held by handlers for a look, never while counts are read or in I/O.
    board: Mutex<Board>,
    /// A reading has ended.
    ended: Condvar,
}

struct Board {
    /// Nobody waits on it: whoever asks first takes what has come.
    news: Subscription,
    snapshot: Snapshot<Arc<Vec<u8>>>,
}

/// A reading that ends however its reader does.
struct Reader<'a> {
    status: &'a Status,
    reading: Reading,
    counts: Option<Arc<Vec<u8>>>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.status.lock().snapshot.loaded(self.reading, self.counts.take());
        self.status.ended.notify_all();
    }
}

impl Status {
    pub fn new(bus: &Bus) -> Status {
        let board = Board { news: bus.subscribe("status"), snapshot: Snapshot::default() };
        Status { board: Mutex::new(board), ended: Condvar::new() }
    }

    /// Something was changed here: whoever did it must see it at once.
    pub fn changed(&self) {
        self.lock().snapshot.changed();
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts; `Ok(None)`: those who read them failed, or are too slow.
    fn get(
        &self,
        clock: &Clock,
        read: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Option<Arc<Vec<u8>>>, Failure> {
        let deadline = clock.mono() + limits::HANDLER_DEADLINE;
        let mut board = self.lock();
        let failures = board.snapshot.failures();
        loop {
            board.hear();
            let now = clock.mono();
            match board.snapshot.look(now) {
                Look::Kept(counts) => return Ok(Some(counts)),
                Look::Load(reading) => {
                    drop(board);
                    let mut reader = Reader { status: self, reading, counts: None };
                    let counts = Arc::new(read()?);
                    reader.counts = Some(Arc::clone(&counts));
                    return Ok(Some(counts));
                }
                Look::Wait => {
                    let left = deadline.since(now);
                    let woken = self.ended.wait_timeout(board, left);
                    board = woken.unwrap_or_else(PoisonError::into_inner).0;
                    if board.snapshot.failures() != failures || left == Duration::ZERO {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

impl Board {
    fn hear(&mut self) {
        while let Some(heard) = self.news.next(&Stop::never(), Duration::ZERO) {
            if concerns(&heard) {
                self.snapshot.changed();
            }
        }
    }
}

/// Whether counts may have changed.
fn concerns(heard: &Heard) -> bool {
    let counted = [
        Event::Organizations.kind(),
        Event::Servers.kind(),
        Event::Hosts(None).kind(),
        // Of any organization.
        "users_updated",
    ];
    match heard {
        Heard::Message(Message::Event { kind, .. }) => counted.contains(&kind.as_str()),
        Heard::Message(_) => false,
        Heard::Gap => true,
    }
}

pub fn get_status(asked: &Asked<'_>) -> Handled {
    let app = asked.app;
    Ok(match app.status.get(&app.ground.clock, || read(app))? {
        Some(counts) => Response::json(200, counts.to_vec()),
        None => answer::away(),
    })
}

fn read(app: &App) -> Result<Vec<u8>, Failure> {
    let store = &app.ground.store;
    let orgs = store.org_totals()?;
    let (servers, hosts, living) = (store.server_briefs()?, store.hosts(0, 0)?, store.living()?);
    let online = |server: &&crate::store::counts::ServerBrief| {
        State::of(server.online, &server.instances, &living) == State::Online
    };
    let here = hosts.iter().find(|host| host.id == app.ground.host);
    let counts = StatusReply {
        org_count: orgs.orgs,
        user_count: orgs.users,
        users_online: store.users_online(&running(&servers, &living))?,
        servers_online: servers.iter().filter(online).count(),
        server_count: servers.len(),
        hosts_online: hosts.iter().filter(|host| host.alive).count(),
        host_count: hosts.len(),
        server_version: env!("CARGO_PKG_VERSION"),
        current_host: app.ground.host.to_string(),
        public_ip: here.and_then(|host| host.public_address.clone()),
        local_networks: here.map(|host| host.local_networks.clone()).unwrap_or_default(),
        notification: "",
    };
    counts.to_json().ok_or_else(|| Failure::Bug("the counts are no JSON".to_owned()))
}
