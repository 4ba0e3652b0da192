//! What the workers of this host are at. A claim whose answer was lost, or whose end the database
//! never heard of, is this host's by its document and in nobody's hands: it is found by that.

use crate::store::jobs::{Claim, JobDoc};
use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<Mutex<HashSet<Claim>>>);

/// A claimed job, in hand until this is dropped.
#[derive(Debug)]
pub struct Held {
    job: JobDoc,
    hands: Hands,
}

impl Hands {
    pub fn hold(&self, job: JobDoc) -> Held {
        self.claims().insert(job.claim());
        Held { job, hands: self.clone() }
    }

    pub fn are_at(&self, claim: Claim) -> bool {
        self.claims().contains(&claim)
    }

    fn claims(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Held {
    type Target = JobDoc;

    fn deref(&self) -> &JobDoc {
        &self.job
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.hands.claims().remove(&self.job.claim());
    }
}
