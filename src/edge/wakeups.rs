//! The thread that listens to the internal tier's stream of wake-ups and passes them to the front.
//!
//! The stream is described in [`tiers`]. It begins with a wake-up of everyone, because everything
//! before may have been missed. One that ends, stays silent or says something else is opened anew
//! after a growing pause; parked clients then wait for their time limit at worst.

use super::front::Wakes;
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::http::tiers;
use crate::limits;
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, stop_pair};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const WAKER: Token = Token(0);
const STREAM: Token = Token(1);

/// The running thread. Dropping it stops it.
pub struct Listener {
    stop: Option<StopSource>,
    _thread: Thread,
    waker: Arc<Waker>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.waker.wake();
    }
}

/// Why a stream ended.
#[derive(Debug)]
enum Ended {
    Stopped,
    Silent,
    /// The other side closed it or does not listen.
    Gone,
    /// It said something that is not in the protocol.
    Nonsense,
}

struct Session {
    poll: Poll,
    socket: PathBuf,
    token: Secret,
    wakes: Wakes,
    clock: Clock,
    stop: Stop,
}

impl Listener {
    pub fn start(
        socket: PathBuf,
        token: Secret,
        wakes: Wakes,
        clock: Clock,
    ) -> Result<Listener, ThreadError> {
        let failed = |source| ThreadError::Spawn { name: "wakeups".to_owned(), source };
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let (source, stop) = stop_pair();
        let mut session = Session { poll, socket, token, wakes, clock, stop };
        let thread = thread::spawn("wakeups", move || session.run())?;
        Ok(Listener { stop: Some(source), _thread: thread, waker })
    }
}

impl Session {
    fn run(&mut self) {
        let mut pause = limits::WAKEUPS_BACKOFF_MIN;
        while !self.stop.is_set() {
            let opened = self.clock.mono();
            match self.listen() {
                Ended::Stopped => return,
                ended => log::debug!("the stream of wake-ups ended: {ended:?}"),
            }
            if self.clock.mono().since(opened) > limits::WAKEUPS_BACKOFF_MAX {
                pause = limits::WAKEUPS_BACKOFF_MIN;
            }
            self.stop.wait(pause);
            pause = (pause * 2).min(limits::WAKEUPS_BACKOFF_MAX);
        }
    }

    /// Follows one stream to its end.
    fn listen(&mut self) -> Ended {
        let Ok(mut stream) = self.open() else { return Ended::Gone };
        let mut events = Events::with_capacity(4);
        let mut lines = Lines::default();
        let mut heard = self.clock.mono();
        loop {
            let silence = self.clock.mono().since(heard);
            let Some(left) = limits::WAKEUPS_SILENCE_MAX.checked_sub(silence) else {
                return Ended::Silent;
            };
            // Rounded up: poll(2) would otherwise spin through the last millisecond.
            let polled = self.poll.poll(&mut events, Some(left + Duration::from_millis(1)));
            if polled.is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
                return Ended::Gone;
            }
            if self.stop.is_set() {
                return Ended::Stopped;
            }
            match read_all(&mut stream, &mut lines.input) {
                Ok(0) => {}
                Ok(_) => heard = self.clock.mono(),
                Err(_) => return Ended::Gone,
            }
            match lines.take() {
                Ok(wakeups) => wakeups.iter().for_each(|(n, key)| self.wakes.wake(*n, key)),
                Err(Nonsense) => return Ended::Nonsense,
            }
        }
    }

    fn open(&self) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n{}: {}\r\n\r\n",
            tiers::WAKEUPS_PATH,
            tiers::TOKEN,
            self.token.expose()
        );
        // A new socket has room for it.
        stream.write_all(request.as_bytes())?;
        self.poll.registry().register(&mut stream, STREAM, Interest::READABLE)?;
        Ok(stream)
    }
}

/// Reads what there is; an error when the stream has ended.
fn read_all(stream: &mut UnixStream, into: &mut Vec<u8>) -> io::Result<usize> {
    let (mut chunk, mut total) = ([0; 4096], 0);
    while into.len() < limits::ANSWER_HEAD_BYTES_MAX {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                into.extend_from_slice(chunk.get(..n).unwrap_or_default());
                total += n;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// The stream as text: an answer's head, then lines.
#[derive(Default)]
struct Lines {
    input: Vec<u8>,
    head_done: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Nonsense;

impl Lines {
    /// The wake-ups whose lines are whole.
    fn take(&mut self) -> Result<Vec<(u64, String)>, Nonsense> {
        let mut found = Vec::new();
        while let Some(end) = self.input.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let line = std::str::from_utf8(&line).map_err(|_| Nonsense)?.trim_end();
            if !self.head_done {
                if line.starts_with("HTTP/") && !line.starts_with("HTTP/1.1 200 ") {
                    return Err(Nonsense);
                }
                self.head_done = line.is_empty();
            } else if !line.is_empty() {
                let (n, key) = tiers::parse_wakeup(line).ok_or(Nonsense)?;
                found.push((n, key.to_owned()));
            }
        }
        let longest = limits::PARK_KEY_BYTES_MAX + 32;
        if self.head_done && self.input.len() > longest { Err(Nonsense) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_pieces() {
        let text = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n7 *\n\n8 events\n9 job:1\n10 ev";
        for piece in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for part in text.chunks(piece) {
                lines.input.extend_from_slice(part);
                found.extend(lines.take().expect("valid"));
            }
            let found: Vec<_> = found.iter().map(|(n, key)| (*n, key.as_str())).collect();
            assert_eq!(found, [(7, "*"), (8, "events"), (9, "job:1")], "{piece}");
        }
    }

    #[test]
    fn anything_else_ends_the_stream() {
        for text in
            ["HTTP/1.1 500 No\r\n", "HTTP/1.1 200 OK\r\n\r\nx\n", "\r\nx y\n", "\r\n1 a;b\n"]
        {
            let mut lines = Lines { input: text.into(), head_done: false };
            assert_eq!(lines.take(), Err(Nonsense), "{text:?}");
        }
        let mut lines = Lines { input: vec![b'1'; 200], head_done: true };
        assert_eq!(lines.take(), Err(Nonsense));
    }
}
