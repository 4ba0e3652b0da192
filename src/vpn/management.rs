//! OpenVPN's management protocol (version 5) without I/O: bytes in, [`Incoming`] out; commands in,
//! bytes out. Whatever OpenVPN sends, nothing here fails or panics: what can not be read is dropped
//! and the next line is read afresh.
//!
//! Replies carry no name. They keep the order of the commands, so a queue of what was asked tells
//! what a reply answers; lines that start with `>` come in between and answer nothing.

mod command;
mod parse;

pub use command::{Command, Kill};
pub use parse::{ClientEvent, Env, Event, Parser, Reply};

use crate::limits::MANAGEMENT_PENDING_MAX;
use std::collections::VecDeque;

/// What a reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its failure is worth a log line, nothing else.
    Setup(&'static str),
    Status,
    Pending {
        cid: u64,
    },
    Auth {
        cid: u64,
    },
    Deny {
        cid: u64,
    },
    Kill {
        cid: u64,
    },
    Stop,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    Event(Event),
    /// `None`: nothing was asked; OpenVPN and we have lost each other.
    Answer(Option<Asked>, Reply),
}

/// One connection to a management socket.
#[derive(Debug, Default)]
pub struct Session {
    parser: Parser,
    asked: VecDeque<Asked>,
    out: Vec<u8>,
}

impl Session {
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Incoming> {
        let events = self.parser.feed(bytes);
        let matched = events.into_iter().map(|event| match event {
            Event::Reply(reply) => Incoming::Answer(self.asked.pop_front(), reply),
            event => Incoming::Event(event),
        });
        matched.collect()
    }

    /// Queues a command. `false` at the bound: nothing is queued, OpenVPN does not answer.
    #[must_use]
    pub fn ask(&mut self, command: &Command<'_>) -> bool {
        if self.asked.len() >= MANAGEMENT_PENDING_MAX {
            return false;
        }
        self.asked.extend(command.asked());
        self.out.extend_from_slice(command.encode().as_bytes());
        true
    }

    /// Bytes to write. Commands queued together leave together.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests;
