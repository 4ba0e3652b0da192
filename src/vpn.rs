//! Running servers: OpenVPN under supervision, who may connect, and what they may reach.
//!
//! The pure parts do no I/O and are tested as data: [`management`] (OpenVPN's protocol),
//! [`config`] and [`client_config`] (what OpenVPN and clients are told), [`admission`] (who may
//! connect, and why not), [`firewall`] (one nftables table per server), [`instance`] (the life of
//! one OpenVPN). The shell performs what they say: [`fleet`] (what this host should run),
//! [`runner`] (one server), [`checks`] (work of admission), [`books`] (what is recorded), and asks
//! the database through [`records`] alone.
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
pub mod client_config;
pub mod config;
pub mod firewall;
pub mod fleet;
pub mod instance;
pub mod management;
pub mod records;
pub mod runner;
pub mod settings;
