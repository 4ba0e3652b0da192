//! One request on its way through the gate: written, then its answer read.

use super::answer::{self, Answer};
use super::stream::{Io, outcome};
use crate::limits;
use mio::net::UnixStream;
use std::io::{IoSlice, Read, Write};
use std::sync::Arc;

/// A request as the gate gets it, kept as long as it may have to be asked again.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Request line and headers, without the empty line.
    pub head: String,
    pub body: Arc<[u8]>,
    pub to_head: bool,
}

pub struct Upstream {
    socket: UnixStream,
    head: Vec<u8>,
    body: Arc<[u8]>,
    /// Of head and body together.
    sent: usize,
    input: Vec<u8>,
    to_head: bool,
}

/// What is known of the answer.
pub enum Progress {
    Block,
    Head(Answer),
    Broken,
}

impl Upstream {
    pub fn new(socket: UnixStream, ask: &Ask, extra: &str) -> Upstream {
        let head = [ask.head.as_bytes(), extra.as_bytes(), b"\r\n"].concat();
        let body = Arc::clone(&ask.body);
        Upstream { socket, head, body, sent: 0, input: Vec::new(), to_head: ask.to_head }
    }

    /// Sends what is left of the request and reads until the answer's head is whole.
    pub fn advance(&mut self) -> Progress {
        if self.send() == Io::Block {
            return Progress::Block;
        }
        loop {
            match answer::parse(&self.input, self.to_head) {
                Ok(Some((answer, start))) => {
                    self.input.drain(..start);
                    return Progress::Head(answer);
                }
                Ok(None) => {}
                Err(answer::Invalid) => return Progress::Broken,
            }
            match self.fill(limits::ANSWER_HEAD_BYTES_MAX) {
                Io::Done(_) => {}
                Io::Block => return Progress::Block,
                Io::End | Io::Broken => return Progress::Broken,
            }
        }
    }

    /// One that breaks may have been answered already: then that answer counts.
    fn send(&mut self) -> Io {
        while self.sent < self.head.len() + self.body.len() {
            let head = self.head.get(self.sent..).unwrap_or_default();
            let of_body = self.sent.saturating_sub(self.head.len());
            let body = self.body.get(of_body..).unwrap_or_default();
            match self.socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(n) => self.sent += n,
                Err(error) => match outcome(&error) {
                    Io::Done(_) => {}
                    other => return other,
                },
            }
        }
        Io::Done(0)
    }

    /// Moves at most `max` bytes of the body to `out`.
    pub fn read_body(&mut self, out: &mut Vec<u8>, max: usize) -> Io {
        if max == 0 {
            return Io::Done(0);
        }
        if self.input.is_empty() {
            match self.fill(max) {
                Io::Done(_) => {}
                other => return other,
            }
        }
        let taken = max.min(self.input.len());
        out.extend(self.input.drain(..taken));
        Io::Done(taken)
    }

    fn fill(&mut self, max: usize) -> Io {
        let mut chunk = [0; 16 * 1024];
        let chunk = chunk.get_mut(..max.min(16 * 1024)).unwrap_or_default();
        match self.socket.read(chunk) {
            Ok(0) => Io::End,
            Ok(n) => {
                self.input.extend_from_slice(chunk.get(..n).unwrap_or_default());
                Io::Done(n)
            }
            Err(error) => outcome(&error),
        }
    }
}
