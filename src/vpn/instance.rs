//! The life of one OpenVPN as a state machine without I/O: events in, actions out.
//!
//! ```text
//!          Answers                     Stop
//! Starting ───────► Running ───────────────────────► Stopping ──► Ended
//!    │  ▲              │ Died                           ▲  Died, or KILL at the deadline
//!    │  └── Waiting ◄──┘                                │
//!    │ Died, Late  │ (back-off)          Stop           │
//!    └─────────────┴────────────────────────────────────┘
//! ```
//!
//! A first start that fails ends at once with its cause, for whoever waits for it:
//! [`State::Failed`]. One that ran before is started again, ever more slowly; after
//! [`OPENVPN_STARTS_MAX`] failures in a row it is *shown* as failing, and tried on at the slowest
//! pace.

use crate::base::clock::Mono;
use crate::limits::{OPENVPN_START_MAX, OPENVPN_STARTS_MAX, OPENVPN_STOP_MAX};
use crate::sys::supervise::Backoff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Starting { since: Mono },
    Running { since: Mono },
    Waiting { until: Mono },
    Stopping { deadline: Mono },
    Ended,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It answers on its management socket and accepts clients.
    Answers,
    /// Its process has ended, or could not be started.
    Died {
        cause: String,
    },
    Stop,
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make what is needed and start the process.
    Start,
    /// Ask it to end.
    Terminate,
    Kill,
    /// It runs: say so to whoever waits, and to the database.
    Report,
    /// It did not start; this is why.
    Fail {
        cause: String,
    },
    /// Show that it keeps dying.
    Warn {
        cause: String,
    },
    /// Take away what was made for it.
    Clean,
}

#[derive(Clone, Debug)]
pub struct Instance {
    state: State,
    backoff: Backoff,
    has_run: bool,
    failures: u32,
}

impl Instance {
    /// A new one, which is to be started.
    pub fn start(now: Mono) -> (Instance, Action) {
        (Instance::in_state(State::Starting { since: now }, false), Action::Start)
    }

    /// One whose process an earlier life of the daemon left running.
    pub fn adopt(now: Mono) -> Instance {
        Instance::in_state(State::Starting { since: now }, true)
    }

    fn in_state(state: State, has_run: bool) -> Instance {
        Instance { state, backoff: Backoff::default(), has_run, failures: 0 }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// When the next [`Event::Tick`] is due.
    pub fn due(&self) -> Option<Mono> {
        match self.state {
            State::Starting { since } => Some(since + OPENVPN_START_MAX),
            State::Waiting { until } => Some(until),
            State::Stopping { deadline } => Some(deadline),
            State::Running { .. } | State::Ended | State::Failed => None,
        }
    }

    pub fn step(&mut self, now: Mono, event: Event) -> Vec<Action> {
        match (self.state, event) {
            (State::Starting { .. }, Event::Answers) => {
                self.has_run = true;
                self.state = State::Running { since: now };
                vec![Action::Report]
            }
            (State::Starting { .. }, Event::Died { cause }) if !self.has_run => {
                self.state = State::Failed;
                vec![Action::Fail { cause }, Action::Clean]
            }
            (State::Starting { since } | State::Running { since }, Event::Died { cause }) => {
                self.wait(now, since, cause)
            }
            (State::Starting { since }, Event::Tick) if now >= since + OPENVPN_START_MAX => {
                // Its end follows, and then this is a start that failed.
                vec![Action::Kill]
            }
            (State::Waiting { until }, Event::Tick) if now >= until => {
                self.state = State::Starting { since: now };
                vec![Action::Start]
            }
            (State::Starting { .. } | State::Running { .. }, Event::Stop) => {
                self.state = State::Stopping { deadline: now + OPENVPN_STOP_MAX };
                vec![Action::Terminate]
            }
            (State::Waiting { .. }, Event::Stop) | (State::Stopping { .. }, Event::Died { .. }) => {
                self.state = State::Ended;
                vec![Action::Clean]
            }
            (State::Stopping { deadline }, Event::Tick) if now >= deadline => vec![Action::Kill],
            _ => Vec::new(),
        }
    }

    fn wait(&mut self, now: Mono, since: Mono, cause: String) -> Vec<Action> {
        let lived = now.since(since);
        let pause = self.backoff.pause(lived);
        self.failures = if self.backoff == Backoff::default() { 0 } else { self.failures + 1 };
        self.state = State::Waiting { until: now + pause };
        if self.failures >= OPENVPN_STARTS_MAX { vec![Action::Warn { cause }] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn died() -> Event {
        Event::Died { cause: "x".to_owned() }
    }

    fn at(ms: u64) -> Mono {
        Mono::from_millis(ms)
    }

    fn running() -> Instance {
        let (mut instance, action) = Instance::start(at(0));
        assert_eq!(action, Action::Start);
        assert_eq!(instance.step(at(20), Event::Answers), [Action::Report]);
        instance
    }

    #[test]
    fn a_first_start_that_fails_ends_with_its_cause() {
        let (mut instance, _) = Instance::start(at(0));
        let actions = instance.step(at(5), died());
        assert_eq!(actions, [Action::Fail { cause: "x".to_owned() }, Action::Clean]);
        assert_eq!((instance.state(), instance.due()), (State::Failed, None));
        assert_eq!(instance.step(at(6), Event::Stop), []);
    }

    #[test]
    fn one_that_does_not_answer_is_killed_and_has_failed() {
        let (mut instance, _) = Instance::start(at(0));
        assert_eq!(instance.step(at(4_999), Event::Tick), []);
        assert_eq!(instance.step(at(5_000), Event::Tick), [Action::Kill]);
        assert_eq!(instance.step(at(5_001), died()).len(), 2);
    }

    #[test]
    fn one_that_ran_is_started_again_ever_more_slowly() {
        let mut instance = running();
        let mut now = 20;
        let mut warned = 0;
        for pause in [200, 400, 800, 1600, 3200, 6400] {
            warned += instance.step(at(now), died()).len();
            assert_eq!(instance.due(), Some(at(now + pause)));
            assert_eq!(instance.step(at(now + pause - 1), Event::Tick), []);
            assert_eq!(instance.step(at(now + pause), Event::Tick), [Action::Start]);
            now += pause + 1;
            assert_eq!(instance.step(at(now), Event::Answers), [Action::Report]);
        }
        assert_eq!(warned, 2, "the fifth and the sixth failure are shown");
    }

    #[test]
    fn a_stop_asks_waits_kills_and_cleans() {
        let mut instance = running();
        assert_eq!(instance.step(at(100), Event::Stop), [Action::Terminate]);
        assert_eq!(instance.step(at(200), Event::Stop), []);
        assert_eq!(instance.step(at(5_100), Event::Tick), [Action::Kill]);
        assert_eq!(instance.step(at(5_101), died()), [Action::Clean]);
        assert_eq!(instance.state(), State::Ended);
    }

    #[test]
    fn a_stop_during_the_pause_ends_at_once() {
        let mut instance = running();
        assert_eq!(instance.step(at(30), died()), []);
        assert_eq!(instance.step(at(31), Event::Stop), [Action::Clean]);
    }

    #[test]
    fn an_adopted_one_that_dies_has_run_before() {
        let mut instance = Instance::adopt(at(0));
        assert_eq!(instance.step(at(5), died()), []);
        assert!(matches!(instance.state(), State::Waiting { .. }));
    }
}
