//! The lab: hosts that are namespaces, real MongoDB servers, the real daemon, real VPN clients.
//!
//! Everything a test starts lives in a PID namespace whose first process holds on to this one by
//! a pipe. When a test ends, panics or is killed, the kernel ends all of it: nothing is left.
//!
//! ```text
//! place   where a process runs: namespaces of its own, threads and commands inside them
//! lab     hosts round one switch: addresses, cuts, unplugged cables, a machine behind a host
//! process a supervised command with its log; stopped, frozen or killed by its test
//! mongo   a replica set of one or three
//! daemon  the real `warren` with a state directory of its own
//! clock   wrong ones
//! http    what a browser or an API client sends
//! ovpn    a real OpenVPN client;  traffic: pings and TCP through its tunnel
//! ```

pub mod clock;
pub mod daemon;
pub mod http;
pub mod keys;
pub mod lab;
pub mod mongo;
pub mod needs;
pub mod ovpn;
pub mod place;
pub mod process;
pub mod temp;
pub mod totp;
pub mod traffic;
pub mod wait;
