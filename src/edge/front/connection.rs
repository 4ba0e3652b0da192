//! One client: reads requests, has them asked, writes answers. Driven by its event loop, never
//! waits. The state diagram is on the front page, [`super`].

mod reply;

use super::acceptor::Seat;
use super::answer;
use super::framing::{self, BodyLength, Head, Refusal};
use super::request::{Body, Reservation};
use super::stream::{Io, Stream};
use super::upstream::{Ask, Upstream};
use super::{Shared, request};
use crate::base::clock::Mono;
use crate::edge::redirect::{self, Plain};
use crate::http::tiers::Park;
use crate::limits;
use openssl::ssl::SslContext;

/// What a connection needs of its loop while it is driven.
pub struct Context<'a> {
    pub now: Mono,
    pub shared: &'a Shared,
    pub tls: &'a SslContext,
}

/// What the loop has to do after driving a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until an event or the deadline.
    Wait,
    /// Drive it again after the others.
    Again,
    /// Its request is whole: ask the gate when there is room.
    Ask,
    /// Park it until a wake-up of this key newer than the number.
    Park(String, u64),
    Close,
}

#[derive(Debug)]
enum State {
    Fresh,
    Handshake,
    Idle,
    Head,
    Body(Box<Body>),
    Queued,
    Asking,
    /// So many bytes of the gate's body are still to come.
    Answering(usize),
    /// The same, for an answer that is kept while the client is parked.
    Keeping(usize),
    Parked,
    Flushing,
    Lingering(usize),
}

enum Step {
    Go,
    Out(Next),
}

/// Steps of one drive, of at most 16 KiB each; then others have their turn.
const STEPS_MAX: usize = 16;

const WAIT: Step = Step::Out(Next::Wait);
const CLOSE: Step = Step::Out(Next::Close);

/// A client that waits, also while the gate is asked again for it.
#[derive(Debug)]
struct Waiting {
    park: Park,
    /// Counted from the first time, so that wake-ups do not prolong it.
    until: Mono,
    /// The whole "nothing yet", sent when the time is up.
    kept: Vec<u8>,
}

pub struct Connection {
    pub serial: u64,
    pub deadline: Mono,
    /// What is being asked is asked again after a wake-up.
    pub asks_woken: bool,
    stream: Stream,
    seat: Seat,
    secure: bool,
    state: State,
    request_deadline: Mono,
    input: Vec<u8>,
    scanned: usize,
    output: Vec<u8>,
    written: usize,
    ask: Option<Ask>,
    reserved: Option<Reservation>,
    upstream: Option<Upstream>,
    waiting: Option<Waiting>,
    keep_alive: bool,
    hung_up: bool,
}

impl Connection {
    pub fn new(
        stream: Stream,
        seat: Seat,
        secure: bool,
        serial: u64,
        cx: &Context<'_>,
    ) -> Connection {
        let deadline = cx.now + cx.shared.bounds.handshake;
        Connection {
            serial,
            deadline,
            asks_woken: false,
            stream,
            seat,
            secure,
            state: State::Fresh,
            request_deadline: deadline,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            written: 0,
            ask: None,
            reserved: None,
            upstream: None,
            waiting: None,
            keep_alive: true,
            hung_up: false,
        }
    }

    /// Whether the gate is being asked for it.
    pub fn is_asking(&self) -> bool {
        self.upstream.is_some()
    }

    /// Whether it waits for its turn to ask.
    pub fn is_queued(&self) -> bool {
        matches!(self.state, State::Queued)
    }

    /// The key it is parked under.
    pub fn parked_under(&self) -> Option<&str> {
        match (&self.state, &self.waiting) {
            (State::Parked, Some(waiting)) => Some(&waiting.park.key),
            _ => None,
        }
    }

    /// When it will be closed, if it does nothing and may be closed before to make room.
    pub fn idle_until(&self) -> Option<Mono> {
        matches!(self.state, State::Fresh | State::Idle).then_some(self.deadline)
    }

    /// The client ended its half of the connection.
    pub fn hang_up(&mut self) {
        self.hung_up = true;
    }

    /// A wake-up came: it waits for its turn to ask again.
    pub fn unpark(&mut self) {
        self.state = State::Queued;
        self.deadline = self.request_deadline;
    }

    /// Its turn to ask the gate, on a new connection there (`None`: none could be had).
    pub fn start_ask(
        &mut self,
        socket: Option<mio::net::UnixStream>,
        woken: bool,
        cx: &Context<'_>,
    ) {
        self.asks_woken = woken;
        let resume = self.waiting.as_ref().and_then(|waiting| waiting.park.resume.as_deref());
        match (socket, &self.ask) {
            (Some(socket), Some(ask)) => {
                let extra = resume.map(request::resume_header).unwrap_or_default();
                self.upstream = Some(Upstream::new(socket, ask, &extra));
                self.state = State::Asking;
            }
            _ => self.refuse(Refusal::Busy, cx),
        }
    }

    /// Its deadline has passed.
    pub fn expire(&mut self, cx: &Context<'_>) -> Next {
        match self.state {
            State::Head | State::Body(_) => self.refuse(Refusal::TooSlow, cx),
            State::Queued | State::Asking | State::Keeping(_) => self.refuse(Refusal::Late, cx),
            State::Parked => self.give_kept(cx),
            State::Idle => {
                self.stream.finish();
                return Next::Close;
            }
            State::Fresh
            | State::Handshake
            | State::Answering(_)
            | State::Flushing
            | State::Lingering(_) => return Next::Close,
        }
        self.drive(cx)
    }

    /// Goes as far as it can without waiting.
    pub fn drive(&mut self, cx: &Context<'_>) -> Next {
        for _ in 0..STEPS_MAX {
            let step = match self.state {
                State::Fresh => self.begin(cx),
                State::Handshake => self.handshake(cx),
                State::Idle | State::Head => self.read_head(cx),
                State::Body(_) => self.read_body(cx),
                State::Queued => WAIT,
                State::Asking => self.read_answer(cx),
                State::Answering(left) => self.pass_on(left, cx),
                State::Keeping(left) => self.keep(left, cx),
                State::Parked => self.watch(),
                State::Flushing => self.flush_out(cx),
                State::Lingering(left) => self.linger(left),
            };
            if let Step::Out(next) = step {
                return next;
            }
        }
        Next::Again
    }

    fn begin(&mut self, cx: &Context<'_>) -> Step {
        match self.stream.has_begun(self.secure) {
            Io::Block => return WAIT,
            Io::End | Io::Broken => return CLOSE,
            Io::Done(_) => {}
        }
        if self.secure && !self.stream.start_tls(cx.tls) {
            return CLOSE;
        }
        self.state = State::Handshake;
        Step::Go
    }

    fn handshake(&mut self, cx: &Context<'_>) -> Step {
        match self.stream.handshake() {
            Io::Done(_) => self.idle(cx),
            Io::Block => return WAIT,
            Io::End | Io::Broken => return CLOSE,
        }
        Step::Go
    }

    /// Ready for the next request.
    fn idle(&mut self, cx: &Context<'_>) {
        self.state = State::Idle;
        self.deadline = cx.now + cx.shared.bounds.idle;
        self.ask = None;
        self.reserved = None;
        self.waiting = None;
        self.scanned = 0;
        if self.input.is_empty() {
            // An idle connection holds no buffers.
            self.input = Vec::new();
        }
    }

    fn read_head(&mut self, cx: &Context<'_>) -> Step {
        if !self.input.is_empty() {
            if matches!(self.state, State::Idle) {
                self.state = State::Head;
                self.deadline = cx.now + cx.shared.bounds.head;
                self.request_deadline = cx.now + cx.shared.bounds.request;
            }
            match framing::head_end(&self.input, &mut self.scanned) {
                Err(refusal) => return self.refused(refusal, cx),
                Ok(Some(end)) => return self.take_head(end, cx),
                Ok(None) => {}
            }
        }
        self.read_more(limits::HEAD_BYTES_MAX + 1)
    }

    /// Reads until `input` holds at most `max` bytes.
    fn read_more(&mut self, max: usize) -> Step {
        let room = max.saturating_sub(self.input.len());
        if room == 0 {
            return WAIT;
        }
        match self.stream.read(&mut self.input, room) {
            Io::Done(_) => Step::Go,
            Io::Block => WAIT,
            Io::End | Io::Broken => CLOSE,
        }
    }

    fn take_head(&mut self, end: usize, cx: &Context<'_>) -> Step {
        let head = framing::parse(self.input.get(..end).unwrap_or_default());
        self.input.drain(..end);
        let head = match head {
            Ok(head) => head,
            Err(refusal) => return self.refused(refusal, cx),
        };
        self.keep_alive = head.keep_alive;
        if !self.secure {
            match redirect::answer(&head.host, &head.target, cx.shared.https_port) {
                Plain::Serve => {}
                Plain::Redirect(to) => return self.say(&answer::redirect(&to), cx),
                Plain::NotFound => return self.say(&answer::not_found(), cx),
            }
        }
        match self.start_body(head, cx) {
            Ok(()) => Step::Go,
            Err(refusal) => self.refused(refusal, cx),
        }
    }

    fn start_body(&mut self, head: Head, cx: &Context<'_>) -> Result<(), Refusal> {
        let path = head.target.split('?').next().unwrap_or_default();
        let max = (cx.shared.body_limit)(&head.method, path);
        let expected = match head.body {
            BodyLength::Bytes(length) if length > max => return Err(Refusal::BodyTooLong),
            BodyLength::Bytes(length) => length,
            BodyLength::Chunked => max,
        };
        let large = expected > limits::BODY_BYTES_MAX;
        let budget = if large { &cx.shared.large_bodies } else { &cx.shared.bodies };
        self.reserved = Some(budget.part());
        if head.expects_continue && expected > 0 && self.input.is_empty() {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.deadline = self.request_deadline;
        self.state = State::Body(Box::new(Body::new(head, max)));
        Ok(())
    }

    fn read_body(&mut self, cx: &Context<'_>) -> Step {
        if matches!(self.flush(), Io::Broken) {
            return CLOSE;
        }
        let State::Body(body) = &mut self.state else { return CLOSE };
        let taken = body.take(&mut self.input);
        // Held is what has come: an announcement alone takes nothing from others.
        let held = body.held();
        let fits = self.reserved.as_mut().is_none_or(|reserved| reserved.grow_to(held));
        match taken {
            Err(refusal) => self.refused(refusal, cx),
            Ok(_) if !fits => self.refused(Refusal::Busy, cx),
            Ok(false) => self.read_more(16 * 1024),
            Ok(true) => {
                self.ask = Some(body.finish(&self.seat.address().to_string(), self.secure));
                self.state = State::Queued;
                Step::Out(Next::Ask)
            }
        }
    }
}
