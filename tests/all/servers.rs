//! Servers over the HTTP API, against the real daemon: their rules, what is attached to them, their
//! routes, start and stop as far as documents tell, hosts and counts (contract 2.5 to 2.7).

mod attachments;
mod counts;
mod crud;
mod events;
mod operate;
mod refusals;
mod rig;
mod routes;
