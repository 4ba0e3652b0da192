//! The core of the cluster under real faults: three hosts with real daemons and wrong clocks, and
//! a replica set of three on machines of their own.
//!
//! `make test` runs each once with small counts; `make prove P=cluster` runs them in full, and once
//! more with every link between hosts cut, so that they reach nothing but the database.

mod bus;
mod even;
mod jobs;
mod liveness;
mod peer;
mod pools;
mod rig;
mod secrets;
mod slow;
mod trouble;
