//! Who lives: this host's beat, and the observation of everyone else's (design section 5).
//!
//! One thread, "beat". Each [`BEAT_PERIOD`](crate::limits::BEAT_PERIOD) it writes the own beat,
//! reads everyone's, hands both to the pure [`Observer`], and carries out what that decides. It
//! ends when its [`Handle`] goes; an outage of the database is logged at its begin and end.
//!
//! Nobody is ever believed dead because of a clock, an election, an outage or a slow reader: each
//! of these makes the observation start anew (I4). A declaration raises the dead host's epoch under
//! the condition that it has not beaten since; that frees all it held at once (I5).
//!
//! Never: a decision about a host by anyone else than [`Observer`], or work that can wait on
//! anything but the database connection kept for this.

mod beat;
mod observer;
#[cfg(test)]
mod tests;

pub use beat::{Beater, Handle, Identity, Status, Tell, spawn, spawn_telling};
pub use observer::{Event, Observer, Seen};
