//! Running servers: OpenVPN under supervision, who may connect, and what they may reach.
//!
//! The pure parts do no I/O and are tested as data: [`claims`] (which servers this host runs),
//! [`plan`] (from documents to what can be run), [`management`] (OpenVPN's protocol), [`config`]
//! and [`client_config`] (what OpenVPN and clients are told), [`admission`] (who may connect, and
//! why not), [`firewall`] (one nftables table per server), [`instance`] (the life of one OpenVPN),
//! [`digest`] (what is to be written). The shell performs what they say: [`fleet`] (what this host
//! should run), [`runner`] (one server), [`checks`] (work of admission), [`people`] (what is known
//! of users), [`hints`] (what other hosts tell), [`books`] (what is recorded), and asks the
//! database through [`records`] alone, which [`database`] answers. [`service`] joins them, and
//! [`leftovers`] ends what a killed daemon left.
//!
//! ```text
//!   bus ── hints ──► people ──► known ◄── checks ◄── runner ──► OpenVPN
//!             │                                      ▲    │
//!             └────► fleet ──────────────────────────┘    └───► books
//!                     │  ▲
//!                     └ look        people, look, checks and books use the database
//! ```
//!
//! Keeps: tunnels outlive the daemon (I7): OpenVPN reads its configuration from a pipe, hangs on no
//! thread of ours, and is adopted by the next start; OpenVPN runs without any privilege (I8);
//! tables, backlogs and lines are bounded (I9); no key touches a file or an argument (I10).
//!
//! Must never: let OpenVPN decide who may connect or which address they get, use OpenVPN's
//! `client-to-client` (it bypasses the firewall) or its `management-signal` (it drops all tunnels
//! when the daemon goes), or believe a stored value that did not pass through [`settings`].

pub mod admission;
pub mod books;
pub mod checks;
pub mod claims;
pub mod client_config;
pub mod config;
pub mod database;
pub mod digest;
pub mod firewall;
pub mod fleet;
pub mod hints;
pub mod instance;
pub mod known;
pub mod leftovers;
pub mod management;
pub mod people;
pub mod plan;
pub mod records;
pub mod runner;
pub mod service;
pub mod settings;

pub use service::{Settings, Vpn, left_running, start};
