//! Private keys for what a request creates.

use crate::base::secret::Secret;
use crate::http::Response;
use crate::internal::answer::{self, Failure};
use crate::internal::app::Asked;
use crate::limits;
use crate::pki::KeyKind;
use crate::pool::{Taken, wake_key};

/// What a request that needs keys goes on with.
pub enum Keys {
    There(Vec<Secret>),
    /// They are being made: this answer parks the client, and the request comes again.
    Later(Response),
}

/// Takes keys from the pool for this request, in which nothing has been done yet.
pub fn take(asked: &Asked<'_>, kind: KeyKind, count: usize) -> Result<Keys, Failure> {
    // One that is there, be it in a draft: who is here goes before who may come.
    if count == 1 && asked.resume().is_none() {
        let there = asked.app.pools.spare(kind)?;
        if let Some(key) = there.or_else(|| asked.app.drafts.unmake(kind)) {
            return Ok(Keys::There(vec![key]));
        }
    }
    // Before the look, so that no wake-up is missed.
    let seq = asked.app.wakeups.published();
    match asked.app.pools.take(kind, count, asked.resume())? {
        Taken::Keys(keys) => Ok(Keys::There(keys)),
        Taken::Making { token } => {
            let message = "The key for this is still being made; try again in a moment.";
            let late = answer::later("key_in_the_making", message);
            let key = wake_key(&token);
            Ok(Keys::Later(answer::park(late, key, limits::KEY_WAIT_MAX, seq, token)))
        }
        Taken::Failed { error } => Err(Failure::Bug(format!("no {kind} key was made: {error}"))),
    }
}
