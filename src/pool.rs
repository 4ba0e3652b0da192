//! Pools: private keys and DH parameters made ahead of time, so that nobody waits for them (design
//! section 8).
//!
//! ```text
//!   take ── one is there ─────────────────────────────► Keys
//!     │
//!     └─ short: keep what is there for a token, ┌─ job done: its key is kept for the token,
//!        reserve jobs under way or make urgent ─┤  the requester woken ─► asks again ─► Keys
//!        ones ─────────────────────► Making     └─ job failed for good ─────────────► Failed
//! ```
//!
//! Thread: `pool-refill`, which counts what is taken and plans jobs after a take; it ends when the
//! [`Handle`] stops. The task `pools` does the same by the calendar.
//!
//! Keeps: a key is handed out at most once, for taking it removes it; a reservation and the end of
//! its job write one document, so that none is ignored; two hosts do not both refill, for a plan
//! writes its kind's guard (I6). Must never: make a slow key in the caller's thread.

mod dh;
pub mod plan;
mod refill;
mod take;

pub use refill::{Level, Refiller, levels, refill, sweep};

use crate::base::clock::{Clock, Mono};
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::bus::Message;
use crate::ground::Ground;
use crate::limits;
use crate::pki::{KeyKind, PkiError, PrivateKey};
use crate::store::StoreError;
use crate::store::pool::{NewPooled, PoolKind};
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
use refill::Counters;
use std::sync::Arc;

/// What users get: what existing desktop clients need.
pub const USER_KEYS: KeyKind = KeyKind::Rsa2048;

/// Takes from the pools; clones share them.
#[derive(Clone)]
pub struct Pools {
    ground: Ground,
    taken: Arc<Counters>,
}

/// What came of a take.
#[derive(Debug)]
pub enum Taken {
    /// Private keys as PKCS#8 PEM, as many as asked for. Nobody else gets them.
    Keys(Vec<Secret>),
    /// Not enough in store: some are reserved in the making. Ask again with this token when the
    /// key [`wake_key`] of the token is woken.
    Making { token: String },
    /// Making them failed for good.
    Failed { error: String },
}

/// What a parked client waits for.
pub fn wake_key(token: &str) -> String {
    format!("pool/{token}")
}

/// Where a new key stands in its pool.
pub fn ticket(random: &Random) -> i64 {
    i64::try_from(random.u64() >> 1).unwrap_or(0)
}

/// The running thread. Dropping it stops it.
pub struct Handle {
    // Dropped first, so that the thread ends when it is joined.
    stop: StopSource,
    thread: Thread,
}

pub fn spawn(ground: Ground) -> Result<(Pools, Handle), ThreadError> {
    let (source, stop) = stop_pair();
    let (pools, refiller) = parts(ground);
    let thread = thread::spawn("pool-refill", move || refiller.run(&stop))?;
    Ok((pools, Handle { stop: source, thread }))
}

/// What takes, and what the thread does.
pub fn parts(ground: Ground) -> (Pools, Refiller) {
    let taken = Arc::<Counters>::default();
    let pools = Pools { ground: ground.clone(), taken: Arc::clone(&taken) };
    (pools, Refiller { ground, taken })
}

impl Pools {
    /// `token`: of an earlier answer to the same request. Keys of quick kinds are made at once.
    pub fn take(
        &self,
        kind: KeyKind,
        count: usize,
        token: Option<&str>,
    ) -> Result<Taken, StoreError> {
        if !kind.is_slow() {
            return Ok(make(kind, count));
        }
        if count > limits::POOL_TAKE_MAX {
            let error = format!("more than {} keys at once", limits::POOL_TAKE_MAX);
            return Ok(Taken::Failed { error });
        }
        let kind = PoolKind::Key(kind);
        let taken = match token.filter(|token| take::is_token(token)) {
            Some(token) => take::reserved(&self.ground, kind, count, token),
            None => take::fresh(&self.ground, kind, count),
        }?;
        if let Taken::Keys(keys) = &taken {
            self.note(kind, keys.len());
        }
        Ok(taken)
    }

    /// A key if one is there, for those who can do without: none is made for them.
    pub fn spare(&self, kind: KeyKind) -> Result<Option<Secret>, StoreError> {
        let kind = PoolKind::Key(kind);
        let key = self.ground.store.pool_take(kind, ticket(&self.ground.random))?;
        self.note(kind, usize::from(key.is_some()));
        Ok(key)
    }

    /// Puts back a key that was taken and not used.
    pub fn give_back(&self, kind: KeyKind, key: &Secret) -> Result<(), StoreError> {
        let Ground { store, random, .. } = &self.ground;
        let kind = PoolKind::Key(kind);
        let (id, ticket) = (store.new_id(), ticket(random));
        let new = NewPooled { id, kind, ticket, content: key };
        store.transaction("put back a key", |tx| tx.pool_put(&new, None))
    }

    fn note(&self, kind: PoolKind, count: usize) {
        if count > 0 {
            self.taken.add(kind, count);
            self.ground.bus.publish(Message::PoolTaken);
        }
    }
}

fn make(kind: KeyKind, count: usize) -> Taken {
    let one = |_| PrivateKey::generate(kind)?.to_pem();
    match (0..count).map(one).collect::<Result<_, PkiError>>() {
        Ok(keys) => Taken::Keys(keys),
        Err(error) => Taken::Failed { error: error.to_string() },
    }
}

impl Handle {
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stop);
        self.thread.join(clock, deadline).err().into_iter().collect()
    }
}
