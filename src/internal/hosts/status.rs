//! `GET /status`: what every open console and every monitor asks for again and again. The counts
//! are read once for all who ask within a moment, and anew after each event that concerns them and
//! each change made here.

use super::running;
use super::snapshot::{Got, Shared};
use crate::api::Reply;
use crate::api::reply::status::StatusReply;
use crate::bus::{Bus, Heard, Subscription};
use crate::domain::event::Event;
use crate::http::Response;
use crate::internal::answer::{self, Failure, Handled};
use crate::internal::app::{App, Asked};
use crate::internal::servers::State;
use crate::store::bus::Message;
use crate::store::counts::{Living, ServerBrief};
use crate::thread::Stop;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The newest counts, as they are answered.
pub struct Status {
    /// Nobody waits on it: whoever asks takes what has come, and holds the lock for that only.
    news: Mutex<Subscription>,
    counts: Shared<Arc<Vec<u8>>>,
}

impl Status {
    pub fn new(bus: &Bus) -> Status {
        Status { news: Mutex::new(bus.subscribe("status")), counts: Shared::default() }
    }

    /// Something was changed here: whoever did it must see it at once.
    pub fn changed(&self) {
        self.counts.changed();
    }

    fn hear(&self) {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(heard) = news.next(&Stop::never(), Duration::ZERO) {
            if concerns(&heard) {
                self.counts.changed();
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
    app.status.hear();
    Ok(match app.status.counts.get(&app.ground.clock, || read(app).map(Arc::new)) {
        Got::Value(counts) => Response::json(200, counts.to_vec()),
        Got::Failed(failure) => return Err(failure),
        Got::OthersFailed => answer::away(),
    })
}

fn read(app: &App) -> Result<Vec<u8>, Failure> {
    let store = &app.ground.store;
    let orgs = store.org_totals()?;
    let (servers, hosts) = (store.server_briefs()?, store.hosts(0, 0)?);
    let living = Living::among(&hosts);
    let online = |server: &&ServerBrief| {
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
        public_ip: here.and_then(|host| host.effective_address().map(str::to_owned)),
        local_networks: here.map(|host| host.local_networks.clone()).unwrap_or_default(),
        notification: "",
    };
    counts.to_json().ok_or_else(|| Failure::Bug("the counts are no JSON".to_owned()))
}
