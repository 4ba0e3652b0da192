//! The sending side of the stream of wake-ups ([`super::tiers`]), for the internal tier.
//!
//! Thread: `wakeups-out`, which owns the open streams (one per edge). Publishing never waits: when
//! the thread is so far behind that its inbox is full, everyone is woken instead. It ends when the
//! [`Sending`] is dropped; a stream whose reader has gone is dropped at the next line.

use super::Response;
use super::tiers::{EVERYONE, wakeup_line};
use crate::limits;
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, stop_pair};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

type Stream = Box<dyn Write + Send>;

/// Publishes wake-ups; clones share the count.
#[derive(Clone)]
pub struct Wakeups {
    shared: Arc<Shared>,
    wakes: Sender<(u64, String)>,
    streams: Sender<Stream>,
}

#[derive(Default)]
struct Shared {
    published: AtomicU64,
    missed: AtomicBool,
}

/// The running thread. Dropping it stops it.
pub struct Sending {
    _stop: StopSource,
    _thread: Thread,
}

impl Wakeups {
    pub fn start() -> Result<(Wakeups, Sending), ThreadError> {
        let (wakes, wakes_in) = bounded(limits::WAKEUPS_OUTBOX_MAX);
        let (streams, streams_in) = bounded(4);
        let (source, stop) = stop_pair();
        let shared = Arc::<Shared>::default();
        let sender =
            Streams { shared: Arc::clone(&shared), wakes_in, streams_in, open: Vec::new() };
        let thread = thread::spawn("wakeups-out", move || sender.run(&stop))?;
        let wakeups = Wakeups { shared, wakes, streams };
        Ok((wakeups, Sending { _stop: source, _thread: thread }))
    }

    /// How many there have been: to be read *before* looking whether there is something to tell.
    pub fn published(&self) -> u64 {
        self.shared.published.load(Ordering::SeqCst)
    }

    /// Something changed for those who wait for `key`: to be called *after* the change.
    pub fn publish(&self, key: &str) {
        let n = self.shared.published.fetch_add(1, Ordering::SeqCst) + 1;
        if self.wakes.try_send((n, key.to_owned())).is_err() {
            self.shared.missed.store(true, Ordering::SeqCst);
        }
    }

    /// The answer to `GET` [`super::tiers::WAKEUPS_PATH`].
    pub fn stream(&self) -> Response {
        let streams = self.streams.clone();
        Response::hand_over(move |mut out| {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
            if out.write_all(head).is_ok() {
                // No room: the edge opens another one.
                let _ = streams.try_send(out);
            }
        })
    }
}

struct Streams {
    shared: Arc<Shared>,
    wakes_in: Receiver<(u64, String)>,
    streams_in: Receiver<Stream>,
    open: Vec<Stream>,
}

impl Streams {
    fn run(mut self, stop: &Stop) {
        loop {
            select! {
                recv(stop.channel()) -> _ => return,
                recv(self.streams_in) -> stream => {
                    let Ok(stream) = stream else { return };
                    self.open.push(stream);
                    self.send_to_all(&self.everyone());
                }
                recv(self.wakes_in) -> wake => {
                    let Ok((n, key)) = wake else { return };
                    self.send_to_all(&wakeup_line(n, &key));
                }
                default(limits::WAKEUPS_HEARTBEAT) => self.send_to_all("\n"),
            }
            if self.shared.missed.swap(false, Ordering::SeqCst) {
                self.send_to_all(&self.everyone());
            }
        }
    }

    fn everyone(&self) -> String {
        wakeup_line(self.shared.published.load(Ordering::SeqCst), EVERYONE)
    }

    fn send_to_all(&mut self, line: &str) {
        let sent = |out: &mut Stream| out.write_all(line.as_bytes()).and_then(|()| out.flush());
        self.open.retain_mut(|out| sent(out).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::clock::Mono;
    use crate::http::Body;
    use std::sync::Mutex;
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn open(wakeups: &Wakeups) -> Written {
        let out = Written::default();
        let Body::HandOver(take) = wakeups.stream().body else { panic!("no stream") };
        take(Box::new(out.clone()));
        out
    }

    fn wait_for(out: &Written, part: &str) -> String {
        let clock = Clock::system();
        loop {
            let text = String::from_utf8(out.0.lock().expect("unpoisoned").clone()).expect("text");
            if text.contains(part) {
                return text;
            }
            assert!(clock.mono() < Mono::from_millis(5000), "{part:?} never came");
            clock.pause(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_stream_begins_with_everyone_and_misses_nothing() {
        let (wakeups, _sending) = Wakeups::start().expect("a thread");
        wakeups.publish("a");
        let first = open(&wakeups);
        wait_for(&first, "\r\n\r\n1 *\n");
        wakeups.publish("b");
        wait_for(&first, "\n2 b\n");
        let second = open(&wakeups);
        wait_for(&second, "\r\n\r\n2 *\n");
        wakeups.publish("c");
        wait_for(&second, "\n3 c\n");
        wait_for(&first, "\n3 c\n");
        assert_eq!(wakeups.published(), 3);
    }

    #[test]
    fn a_full_outbox_wakes_everyone() {
        let (wakeups, _sending) = Wakeups::start().expect("a thread");
        let out = open(&wakeups);
        wait_for(&out, "0 *\n");
        let many = limits::WAKEUPS_OUTBOX_MAX as u64 + 1;
        {
            // The thread stands still in its first write.
            let _held = out.0.lock().expect("unpoisoned");
            (0..=many).for_each(|_| wakeups.publish("k"));
        }
        let text = wait_for(&out, &format!("{} *\n", many + 1));
        assert!(text.contains("\n1 k\n"));
    }
}
