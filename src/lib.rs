//! Warren: a VPN cluster server with no master. Modules in reading order; see ARCHITECTURE.md.

pub mod api;
pub mod base;
pub mod bus;
pub mod cli;
pub mod config;
pub mod domain;
pub mod edge;
pub mod ground;
pub mod http;
pub mod internal;
pub mod limits;
pub mod liveness;
pub mod mongod;
pub mod node;
pub mod pki;
pub mod pool;
pub mod queue;
pub mod store;
pub mod succession;
pub mod sys;
pub mod tasks;
pub mod thread;
pub mod vpn;
