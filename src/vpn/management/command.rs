//! Commands to OpenVPN.

use super::Asked;
use crate::vpn::client_config::Directive;
use std::fmt::Write as _;

/// How a client learns that it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Its program ends.
    Halt,
    /// It comes again, to the same server first.
    Restart,
    /// It comes again, to the next `remote` of its profile.
    Next,
}

#[derive(Debug)]
pub enum Command<'a> {
    /// What every session begins with: log and state as they happen, byte counts every `N` seconds.
    Begin {
        byte_count_s: u32,
    },
    HoldRelease,
    Status,
    Accept {
        cid: u64,
        kid: u64,
        directives: &'a [Directive],
        /// Announced as pending in the same write: the client's acknowledgement then makes OpenVPN
        /// look at the answer at once (17 ms) instead of on its next timer (1 s).
        announce: bool,
    },
    Deny {
        cid: u64,
        kid: u64,
        log: &'a str,
        client: &'a str,
    },
    Kill {
        cid: u64,
        how: Kill,
    },
    Terminate,
}

impl Command<'_> {
    /// What its replies will be about, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        match *self {
            Command::Begin { .. } => {
                vec![Asked::Setup("state"), Asked::Setup("log"), Asked::Setup("bytecount")]
            }
            Command::HoldRelease => vec![Asked::Setup("hold")],
            Command::Status => vec![Asked::Status],
            Command::Accept { cid, announce: true, .. } => {
                vec![Asked::Pending { cid }, Asked::Auth { cid }]
            }
            Command::Accept { cid, .. } => vec![Asked::Auth { cid }],
            Command::Deny { cid, .. } => vec![Asked::Deny { cid }],
            Command::Kill { cid, .. } => vec![Asked::Kill { cid }],
            Command::Terminate => vec![Asked::Stop],
        }
    }

    pub(super) fn encode(&self) -> String {
        match self {
            Command::Begin { byte_count_s } => {
                format!("state on\nlog on\nbytecount {byte_count_s}\n")
            }
            Command::HoldRelease => "hold release\n".to_owned(),
            Command::Status => "status 3\n".to_owned(),
            Command::Accept { cid, kid, directives, announce } => {
                let mut text = String::new();
                // Writing to a String can not fail.
                if *announce {
                    let _ = writeln!(text, "client-pending-auth {cid} {kid} \"\" 20");
                }
                if directives.is_empty() {
                    let _ = writeln!(text, "client-auth-nt {cid} {kid}");
                    return text;
                }
                let _ = writeln!(text, "client-auth {cid} {kid}");
                for directive in *directives {
                    let _ = writeln!(text, "{directive}");
                }
                text + "END\n"
            }
            Command::Deny { cid, kid, log, client } => {
                format!("client-deny {cid} {kid} {} {}\n", quoted(log), quoted(client))
            }
            Command::Kill { cid, how } => {
                let how = match how {
                    Kill::Halt => "HALT",
                    Kill::Restart => "RESTART",
                    Kill::Next => "RESTART,[N]",
                };
                format!("client-kill {cid} {how}\n")
            }
            Command::Terminate => "signal SIGTERM\n".to_owned(),
        }
    }
}

/// One parameter: nothing in it can end the line or the quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
