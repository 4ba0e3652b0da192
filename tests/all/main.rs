//! Integration tests against the real program, real databases, real tunnels: one test program with
//! a module per subject. `support` is the lab they run in.

mod api;
mod browser;
mod bus;
mod cluster;
mod edge;
mod events;
mod front;
mod lab;
mod liveness;
mod mongod;
mod node;
mod packaging;
mod people;
mod running;
mod servers;
#[path = "../sim/mod.rs"]
mod sim;
mod spine;
#[allow(dead_code, reason = "the lab offers what tests of other days need")]
mod support;
mod vpn;
mod work;
