//! Resources made ahead of time (design section 8).

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::ground::Ground;
use crate::pki::KeyKind;
use crate::store::StoreError;
use crate::thread::ThreadError;

/// Takes from the pools; clones share them.
#[derive(Clone)]
pub struct Pools {
    _ground: Ground,
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

/// The running thread. Dropping it stops it.
pub struct Handle {}

pub fn spawn(ground: Ground) -> Result<(Pools, Handle), ThreadError> {
    Ok((Pools { _ground: ground }, Handle {}))
}

impl Pools {
    /// `token`: of an earlier answer to the same request. Keys of quick kinds are made at once.
    pub fn take(
        &self,
        _kind: KeyKind,
        _count: usize,
        _token: Option<&str>,
    ) -> Result<Taken, StoreError> {
        Ok(Taken::Failed { error: "absent".to_owned() })
    }
}

impl Handle {
    pub fn stop(self, _clock: &Clock, _deadline: Mono) -> Vec<ThreadError> {
        Vec::new()
    }
}
