//! `warren run`, and the edge process that it starts.

use super::{Failure, chain, exit, start_failure};
use crate::base::clock::Clock;
use crate::base::log;
use crate::base::random::Random;
use crate::config::Config;
use crate::edge::start::Numbers;
use crate::edge::{self, EdgeStart};
use crate::limits;
use crate::node;
use crate::sys::{env, notify};
use crate::thread::{Stop, stop_pair};
use std::ffi::OsString;
use std::sync::Mutex;
use std::time::Duration;

pub fn daemon(config: &Config) -> Result<(), Failure> {
    log::init(node::log_format(config), config.log_level);
    let (clock, random) = (Clock::system(), Random::system());
    let (source, stop) = stop_pair();
    // Given away at the first signal; a second one finds nothing and changes nothing.
    let source = Mutex::new(Some(source));
    let on_signal = move || drop(source.lock().map(|mut source| source.take()));
    ctrlc::set_handler(on_signal).map_err(|e| Failure::of(exit::SYSTEM, &e))?;
    let node = node::start(config, &clock, &random).map_err(|e| start_failure(&e))?;
    ::log::info!("ready: https on {}", config.listen_https);
    notify::ready();
    let over = attend(&node, &stop, &clock);
    notify::stopping();
    ::log::info!("stopping");
    let failures = node.stop();
    match failures.is_empty() {
        _ if over == Over::Replaced => Err(Failure::new(exit::NOT_NOW, REPLACED)),
        _ if over == Over::Deaf => Err(Failure::new(exit::SOFTWARE, DEAF)),
        true => Ok(()),
        false => Err(Failure::new(exit::SOFTWARE, failures.join("; "))),
    }
}

const REPLACED: &str = "another daemon has started with this host's identity: its state directory \
                        is a copy of this one";

const DEAF: &str = "too many requests of the edge were absurd, so no more are received; the edge \
                    may be broken";

/// Why a daemon is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Stopped,
    /// This host is nobody any more.
    Replaced,
    /// Its internal tier does not listen any more: only a new start helps.
    Deaf,
}

/// Until the end.
fn attend(node: &node::Node, stop: &Stop, clock: &Clock) -> Over {
    let watchdog = env::watchdog_us().map(|us| Duration::from_micros(us / 2));
    let look = watchdog.unwrap_or(limits::SELF_LOOK_PERIOD).min(limits::SELF_LOOK_PERIOD);
    let mut housekeeping = clock.mono();
    while !stop.wait(look) {
        if node.is_replaced() {
            return Over::Replaced;
        }
        if node.is_deaf() {
            return Over::Deaf;
        }
        notify::watchdog();
        if clock.mono() >= housekeeping {
            housekeeping = clock.mono() + limits::HOUSEKEEPING_PERIOD;
            node.look_after();
        }
    }
    Over::Stopped
}

/// Hidden: only a daemon starts it, with the descriptors it names.
pub fn edge(args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let Some(numbers) = Numbers::from_args(args) else {
        return Err(Failure::new(exit::USAGE, "the edge is started by `warren run`"));
    };
    let failed = |e: edge::EdgeError| Failure::new(exit::SYSTEM, chain(&e));
    let start = EdgeStart::inherit(numbers).map_err(failed)?;
    edge::run(start, edge::API, &Clock::system()).map_err(failed)
}
