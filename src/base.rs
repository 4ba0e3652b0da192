//! Leaf vocabulary: time, randomness, identifiers, secrets and log lines. Imports nothing of ours.

pub mod clock;
pub mod ids;
pub mod log;
pub mod random;
pub mod secret;
