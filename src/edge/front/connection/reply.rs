//! The second half of a request: the gate's answer on its way to the client, kept for a parked
//! one, or one of our own.

use super::{CLOSE, Connection, Context, Next, State, Step, WAIT, Waiting};
use crate::edge::front::answer::{self, Answer};
use crate::edge::front::framing::Refusal;
use crate::edge::front::stream::Io;
use crate::edge::front::upstream::Progress;
use crate::limits;

impl Connection {
    pub(super) fn read_answer(&mut self, cx: &Context<'_>) -> Step {
        let Some(upstream) = &mut self.upstream else { return CLOSE };
        match upstream.advance() {
            Progress::Block => WAIT,
            Progress::Broken => self.refused(Refusal::NoAnswer, cx),
            Progress::Head(answer) => {
                self.take_answer(answer, cx);
                Step::Go
            }
        }
    }

    pub(super) fn take_answer(&mut self, answer: Answer, cx: &Context<'_>) {
        let connection = if self.keep_alive { "" } else { "Connection: close\r\n" };
        let head = [answer.head.as_bytes(), connection.as_bytes(), b"\r\n"].concat();
        match answer.park {
            Some(park) if answer.body <= limits::PARK_ANSWER_BYTES_MAX => {
                let first = self.waiting.as_ref().map(|waiting| waiting.until);
                let until = first.unwrap_or(cx.now + park.until);
                self.waiting = Some(Waiting { park, until, kept: head });
                self.state = State::Keeping(answer.body);
            }
            _ => {
                self.output.extend_from_slice(&head);
                self.state = State::Answering(answer.body);
            }
        }
    }

    pub(super) fn pass_on(&mut self, left: usize, cx: &Context<'_>) -> Step {
        let flushed = self.flush();
        if matches!(flushed, Io::Broken) {
            return CLOSE;
        }
        if left == 0 {
            self.upstream = None;
            self.state = State::Flushing;
            self.deadline = self.request_deadline.max(cx.now + cx.shared.bounds.head);
            return Step::Go;
        }
        let pending = self.output.len() - self.written;
        let room = limits::FRONT_BACKLOG_BYTES_MAX.saturating_sub(pending);
        if room == 0 {
            return WAIT;
        }
        let Some(upstream) = &mut self.upstream else { return CLOSE };
        match upstream.read_body(&mut self.output, left.min(room)) {
            Io::Done(read) => {
                self.state = State::Answering(left - read);
                Step::Go
            }
            Io::Block => WAIT,
            // Truncated: the client must not take it for whole.
            Io::End | Io::Broken => CLOSE,
        }
    }

    pub(super) fn keep(&mut self, left: usize, cx: &Context<'_>) -> Step {
        let (Some(upstream), Some(waiting)) = (&mut self.upstream, &mut self.waiting) else {
            return CLOSE;
        };
        if left > 0 {
            return match upstream.read_body(&mut waiting.kept, left) {
                Io::Done(read) => {
                    self.state = State::Keeping(left - read);
                    Step::Go
                }
                Io::Block => WAIT,
                Io::End | Io::Broken => self.refused(Refusal::NoAnswer, cx),
            };
        }
        self.upstream = None;
        if waiting.until <= cx.now {
            self.give_kept(cx);
            return Step::Go;
        }
        self.state = State::Parked;
        self.deadline = waiting.until;
        // When it is woken, the request has its whole time anew.
        self.request_deadline = waiting.until + cx.shared.bounds.request;
        Step::Out(Next::Park(waiting.park.key.clone(), waiting.park.seq))
    }

    /// Parked: nothing to do but to notice that the client has gone.
    pub(super) fn watch(&mut self) -> Step {
        if self.hung_up { CLOSE } else { self.read_more(limits::HEAD_BYTES_MAX) }
    }

    pub(super) fn give_kept(&mut self, cx: &Context<'_>) {
        if let Some(waiting) = self.waiting.take() {
            self.output.extend_from_slice(&waiting.kept);
        }
        self.state = State::Flushing;
        self.deadline = cx.now + cx.shared.bounds.head;
    }

    pub(super) fn refused(&mut self, refusal: Refusal, cx: &Context<'_>) -> Step {
        log::debug!("refused a request of {}: {refusal:?}", self.seat.address());
        self.refuse(refusal, cx);
        Step::Go
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, cx: &Context<'_>) {
        self.say(&answer::refuse(refusal, self.secure), cx);
    }

    /// Answers by itself and closes.
    pub(super) fn say(&mut self, text: &str, cx: &Context<'_>) -> Step {
        self.upstream = None;
        self.keep_alive = false;
        self.output.extend_from_slice(text.as_bytes());
        self.state = State::Flushing;
        self.deadline = cx.now + cx.shared.bounds.head;
        Step::Go
    }

    pub(super) fn flush_out(&mut self, cx: &Context<'_>) -> Step {
        match self.flush() {
            Io::Done(_) => {}
            Io::Block => return WAIT,
            Io::End | Io::Broken => return CLOSE,
        }
        if self.keep_alive {
            self.idle(cx);
        } else {
            self.stream.finish();
            self.input = Vec::new();
            self.state = State::Lingering(limits::LINGER_BYTES_MAX);
            self.deadline = cx.now + limits::LINGER_MAX;
        }
        Step::Go
    }

    /// Reads what is still under way, or the reset would destroy the answer just sent.
    pub(super) fn linger(&mut self, left: usize) -> Step {
        match self.stream.discard() {
            Io::Done(read) if read < left => {
                self.state = State::Lingering(left - read);
                Step::Go
            }
            Io::Block => WAIT,
            _ => CLOSE,
        }
    }

    /// Writes all output it can; `Done` when none is left.
    pub(super) fn flush(&mut self) -> Io {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Io::Done(n) => self.written += n,
                other => {
                    // Keeps the buffer from growing by what is written.
                    self.output.drain(..self.written);
                    self.written = 0;
                    return other;
                }
            }
        }
        self.output = Vec::new();
        self.written = 0;
        Io::Done(0)
    }
}
