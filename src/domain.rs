//! Pure rules: what names, addresses, servers, routes, users and profiles may look like and what
//! follows from them, by the contract.
//!
//! No threads, no I/O, no clock, no wire or stored types: every function takes plain values (time
//! and randomness included) and answers with a value or a [`Refusal`]. It imports `base` alone, so
//! that anything may import it, and every rule is tested as rows of data.

pub mod address;
pub mod admin;
pub mod archive;
pub mod event;
pub mod names;
pub mod network;
pub mod password;
pub mod profile;
pub mod refusal;
pub mod route;
pub mod server;
pub mod signature;
pub mod text;
pub mod totp;
pub mod user;
pub mod version;

pub use refusal::Refusal;
