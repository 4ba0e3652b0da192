//! The thread `events`: it hears the bus, keeps the console's events, and wakes who waits for
//! something.

use super::ring::Kept;
use super::{Events, KEY};
use crate::base::clock::{Clock, Mono};
use crate::bus::{Bus, Item, Message, Posted, Subscription};
use crate::domain::event::Event;
use crate::http::tiers;
use crate::http::wakeups::Wakeups;
use crate::limits;
use crate::store::Store;
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, stop_pair};
use std::time::Duration;

/// The running thread. Dropping it stops it.
pub struct Feed {
    // Dropped first, so that the thread ends when it is joined.
    stop: StopSource,
    thread: Thread,
}

impl Feed {
    pub fn start(
        store: Store,
        bus: &Bus,
        clock: Clock,
        wakeups: Wakeups,
    ) -> Result<(Events, Feed), ThreadError> {
        let events = Events::default();
        let hearer = Hearer {
            store,
            clock,
            wakeups,
            events: events.clone(),
            subscription: bus.subscribe("events"),
            reload_at: None,
            wake_from: Mono::ZERO,
            unwoken: false,
        };
        let (source, stop) = stop_pair();
        let thread = thread::spawn("events", move || hearer.run(&stop))?;
        Ok((events, Feed { stop: source, thread }))
    }

    pub fn stop(self, clock: &Clock, deadline: Mono) -> Result<(), ThreadError> {
        drop(self.stop);
        self.thread.join(clock, deadline)
    }
}

struct Hearer {
    store: Store,
    clock: Clock,
    wakeups: Wakeups,
    events: Events,
    subscription: Subscription,
    /// After a gap: when organizations and servers are to be listed (again).
    reload_at: Option<Mono>,
    /// Before this nobody is woken again.
    wake_from: Mono,
    /// Events came since they were last woken.
    unwoken: bool,
}

impl Hearer {
    fn run(mut self, stop: &Stop) {
        // The clients of this host's earlier life are still about.
        self.gap();
        while !stop.is_set() {
            let mut next = self.subscription.next_posted(stop, self.pause());
            // What came together is told together.
            let enough = self.clock.mono() + limits::EVENT_WAKE_PERIOD;
            while let Some(item) = next {
                self.hear(item);
                next = match self.is_due(enough) {
                    true => None,
                    false => self.subscription.next_posted(stop, Duration::ZERO),
                };
            }
            if self.reload_at.is_some_and(|at| self.is_due(at)) {
                self.reload_subjects();
            }
            if self.unwoken && self.is_due(self.wake_from) {
                self.wake(KEY);
            }
        }
    }

    fn is_due(&self, at: Mono) -> bool {
        at <= self.clock.mono()
    }

    /// How long there is nothing to do without news.
    fn pause(&self) -> Duration {
        let wake = self.unwoken.then_some(self.wake_from);
        let next = self.reload_at.into_iter().chain(wake).min();
        next.map_or(limits::RECONCILE_PERIOD, |at| at.since(self.clock.mono()))
    }

    fn wake(&mut self, key: &str) {
        self.wakeups.publish(key);
        self.unwoken = false;
        self.wake_from = self.clock.mono() + limits::EVENT_WAKE_PERIOD;
    }

    fn hear(&mut self, item: Item) {
        match item {
            Item::Gap => self.gap(),
            Item::Posted(posted) => match &posted.message {
                Message::Wake { key } if tiers::is_key(key) => self.wakeups.publish(key),
                Message::Wake { .. } => log::warn!("a wake-up names what nobody can wait for"),
                _ => self.keep(kept(&posted)),
            },
        }
    }

    fn keep(&mut self, events: impl IntoIterator<Item = Kept>) {
        let mut ring = self.events.ring();
        for event in events {
            self.unwoken |= ring.push(event);
        }
    }

    /// Events and wake-ups may have been missed: clients are told to load everything again.
    fn gap(&mut self) {
        if self.events.ring().is_empty() {
            self.recall();
        }
        self.reload(general());
        self.reload_subjects();
        self.wake(tiers::EVERYONE);
    }

    /// The bus still holds what clients have been told before: with it cursors from other hosts,
    /// and from before this start, mean something here.
    fn recall(&mut self) {
        let limit = i64::try_from(limits::EVENT_RING_MAX).unwrap_or(i64::MAX);
        match self.store.bus_events(limit) {
            Ok(entries) => {
                self.keep(entries.into_iter().filter_map(|entry| match Item::of(entry) {
                    Some(Item::Posted(posted)) => kept(&posted),
                    _ => None,
                }))
            }
            Err(error) => log::warn!("past events are not known here: {error}"),
        }
    }

    fn reload_subjects(&mut self) {
        let limit = i64::try_from(limits::EVENT_SUBJECTS_MAX + 1).unwrap_or(i64::MAX);
        match self.store.event_subjects(limit) {
            Ok((orgs, servers)) => {
                self.reload_at = None;
                self.reload(about(&orgs, &Event::OF_ORGANIZATIONS));
                self.reload(about(&servers, &Event::OF_SERVERS));
            }
            Err(error) => {
                log::debug!("nobody is told to load users and servers again yet: {error}");
                self.reload_at = Some(self.clock.mono() + limits::EVENT_RETRY);
            }
        }
    }

    fn reload(&mut self, about: Vec<About>) {
        let store = self.store.clone();
        let at_s = self.clock.cluster_s();
        self.keep(about.into_iter().map(|(kind, resource)| {
            let (id, kind) = (store.new_id(), kind.to_owned());
            Kept { id, at_s, kind, resource }
        }));
    }
}

fn kept(posted: &Posted) -> Option<Kept> {
    let Message::Event { kind, resource } = &posted.message else { return None };
    let (kind, resource) = (kind.clone(), resource.clone());
    Some(Kept { id: posted.id, at_s: posted.at_s, kind, resource })
}

/// Kind and resource of an event.
type About = (&'static str, Option<String>);

/// Events that are about everything of their kind.
fn general() -> Vec<About> {
    let all = [
        Event::Settings,
        Event::Administrators,
        Event::Organizations,
        Event::Log,
        Event::Hosts(None),
        Event::Servers,
        Event::Jobs,
        Event::Tasks,
    ];
    all.into_iter().map(|event| (event.kind(), event.resource())).collect()
}

/// Events about each of the subjects; of too many, about none in particular.
fn about<S: Copy>(subjects: &[S], kinds: &[fn(S) -> Event]) -> Vec<About> {
    let is_many = subjects.len() > limits::EVENT_SUBJECTS_MAX;
    let named = subjects.iter().take(if is_many { 1 } else { usize::MAX });
    let events = named.flat_map(|subject| kinds.iter().map(|kind| kind(*subject)));
    events.map(|event| (event.kind(), event.resource().filter(|_| !is_many))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{OrgId, ServerId};

    #[test]
    fn a_reload_names_every_kind_once() {
        let orgs = [OrgId::from_bytes([1; 12]), OrgId::from_bytes([2; 12])];
        let servers = [ServerId::from_bytes([3; 12])];
        let mut all = general();
        all.extend(about(&orgs, &Event::OF_ORGANIZATIONS));
        all.extend(about(&servers, &Event::OF_SERVERS));
        let [org1, org2] = orgs.map(|org| Some(org.to_string()));
        let server = Some(servers[0].to_string());
        let expected = [
            ("settings_updated", None),
            ("administrators_updated", None),
            ("organizations_updated", None),
            ("log_updated", None),
            ("hosts_updated", None),
            ("servers_updated", None),
            ("jobs_updated", None),
            ("tasks_updated", None),
            ("users_updated", org1),
            ("users_updated", org2),
            ("server_routes_updated", server.clone()),
            ("server_organizations_updated", server.clone()),
            ("server_hosts_updated", server.clone()),
            ("server_output_updated", server),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_reload_of_too_many_names_none() {
        let id = |n: usize| ServerId::from_bytes([u8::try_from(n % 256).expect("small"); 12]);
        let max: Vec<ServerId> = (0..limits::EVENT_SUBJECTS_MAX).map(id).collect();
        assert_eq!(about(&max, &Event::OF_SERVERS).len(), 4 * limits::EVENT_SUBJECTS_MAX);
        let more: Vec<ServerId> = (0..=limits::EVENT_SUBJECTS_MAX).map(id).collect();
        let expected = [
            ("server_routes_updated", None),
            ("server_organizations_updated", None),
            ("server_hosts_updated", None),
            ("server_output_updated", None),
        ];
        assert_eq!(about(&more, &Event::OF_SERVERS), expected);
        assert_eq!(about(&[], &Event::OF_SERVERS), []);
    }
}
