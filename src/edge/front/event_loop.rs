//! One thread that owns a share of the clients: waits for events, drives connections, keeps
//! deadlines, and lets so many of them ask the gate at once.

use super::Shared;
use super::acceptor::Client;
use super::connection::{Connection, Context, Next};
use super::park::{Parked, Parking, Ticket};
use super::stream::Stream;
use crate::base::clock::{Clock, Mono};
use crate::http::tiers::EVERYONE;
use crate::limits;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};
use openssl::ssl::SslContext;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

enum Message {
    Client(Box<Client>),
    Wake(u64, Arc<str>),
    Certificate(SslContext),
}

/// The way to a loop, for the other threads.
#[derive(Clone)]
pub struct Inbox {
    sender: Sender<Message>,
    waker: Arc<Waker>,
    /// Highest wake-up that found the inbox full: everyone is woken instead.
    missed: Arc<AtomicU64>,
}

impl Inbox {
    /// A loop that is so far behind gets no more clients. It is told by [`Inbox::ring`].
    pub fn welcome(&self, client: Client) {
        // Dropping the client closes its connection.
        let _ = self.sender.try_send(Message::Client(Box::new(client)));
    }

    pub fn wake(&self, n: u64, key: &Arc<str>) {
        let sent = self.sender.try_send(Message::Wake(n, Arc::clone(key)));
        if let Err(TrySendError::Full(_)) = sent {
            self.missed.fetch_max(n, Ordering::AcqRel);
        }
        self.ring();
    }

    /// Waits for room: it must not get lost, and the loop always makes room.
    pub fn certificate(&self, context: SslContext) {
        if self.sender.send(Message::Certificate(context)).is_ok() {
            self.ring();
        }
    }

    pub fn ring(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("an event loop can not be woken: {error}");
        }
    }
}

pub struct EventLoop {
    poll: Poll,
    inbox: Receiver<Message>,
    missed: Arc<AtomicU64>,
    shared: Arc<Shared>,
    tls: SslContext,
    clock: Clock,
    stop: Stop,
    slots: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    serial: u64,
    parked: Parked,
    /// Whole requests that wait for their turn, new ones and those of woken clients.
    new: VecDeque<Ticket>,
    woken: VecDeque<Ticket>,
    asking: usize,
    asking_woken: usize,
    again: Vec<usize>,
}

const WAKER: Token = Token(usize::MAX);

/// Each slot has two tokens: the client's socket and the one to the gate.
fn client_token(slot: usize) -> Token {
    Token(slot * 2)
}

fn gate_token(slot: usize) -> Token {
    Token(slot * 2 + 1)
}

impl EventLoop {
    pub fn new(
        shared: Arc<Shared>,
        tls: SslContext,
        clock: Clock,
        stop: Stop,
    ) -> io::Result<(EventLoop, Inbox)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, inbox) = bounded(limits::FRONT_INBOX_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let handle = Inbox { sender, waker, missed: Arc::clone(&missed) };
        let this = EventLoop {
            poll,
            inbox,
            missed,
            shared,
            tls,
            clock,
            stop,
            slots: Vec::new(),
            free: Vec::new(),
            serial: 0,
            parked: Parked::default(),
            new: VecDeque::new(),
            woken: VecDeque::new(),
            asking: 0,
            asking_woken: 0,
            again: Vec::new(),
        };
        Ok((this, handle))
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mut tick = self.clock.mono();
        while !self.stop.is_set() {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    panic!("events can no longer be had: {error}")
                }
                _ => {}
            }
            self.go_on();
            for event in &events {
                if event.token() != WAKER {
                    self.event(event);
                }
            }
            self.read_inbox();
            if self.clock.mono().since(tick) >= limits::FRONT_TICK {
                tick = self.clock.mono();
                self.expire(tick);
            }
            self.start_asks();
        }
    }

    fn patience(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            Some(Duration::ZERO)
        } else if self.slots.len() == self.free.len() {
            // Without clients there are no deadlines.
            None
        } else {
            Some(limits::FRONT_TICK)
        }
    }

    /// Drives once more those that had more to do than their share.
    fn go_on(&mut self) {
        let mut again = std::mem::take(&mut self.again);
        again.sort_unstable();
        again.dedup();
        again.into_iter().for_each(|slot| self.drive(slot));
    }

    fn event(&mut self, event: &mio::event::Event) {
        let slot = event.token().0 / 2;
        let of_client = event.token() == client_token(slot);
        if of_client
            && event.is_read_closed()
            && let Some(Some(connection)) = self.slots.get_mut(slot)
        {
            connection.hang_up();
        }
        self.drive(slot);
    }

    fn read_inbox(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                Message::Client(client) => self.welcome(*client),
                Message::Wake(n, key) => self.wake(n, &key),
                Message::Certificate(context) => self.tls = context,
            }
        }
        match self.missed.swap(0, Ordering::AcqRel) {
            0 => {}
            n => self.wake(n, EVERYONE),
        }
    }

    fn welcome(&mut self, mut client: Client) {
        if client.make_room && !self.make_room() {
            return;
        }
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if registry.register(&mut client.socket, client_token(slot), interest).is_err() {
            self.free.push(slot);
            return;
        }
        self.serial += 1;
        let cx = context(&self.shared, &self.tls, self.clock.mono());
        let Client { socket, seat, secure, .. } = client;
        let connection = Connection::new(Stream::Plain(socket), seat, secure, self.serial, &cx);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(Box::new(connection));
        }
        self.drive(slot);
    }

    /// Closes the idle connection that would be closed next anyway.
    fn make_room(&mut self) -> bool {
        let until = |slot: &Option<Box<Connection>>| slot.as_ref()?.idle_until();
        let spare = self.slots.iter().enumerate();
        let spare = spare.filter_map(|(at, slot)| Some((until(slot)?, at))).min();
        if let Some((_, slot)) = spare {
            self.close(slot);
        }
        spare.is_some()
    }

    /// Drives the connection in `slot` and does what it wants.
    fn drive(&mut self, slot: usize) {
        self.act(slot, Connection::drive);
    }

    fn act(&mut self, slot: usize, how: impl FnOnce(&mut Connection, &Context<'_>) -> Next) {
        let Some(Some(connection)) = self.slots.get_mut(slot) else { return };
        let cx = context(&self.shared, &self.tls, self.clock.mono());
        let asked = connection.is_asking().then_some(connection.asks_woken);
        let next = how(connection, &cx);
        let ticket = Ticket { slot, serial: connection.serial };
        if let Some(woken) = asked
            && !connection.is_asking()
        {
            self.asking -= 1;
            self.asking_woken -= usize::from(woken);
        }
        match next {
            Next::Wait => {}
            Next::Again => self.again.push(slot),
            Next::Ask => self.new.push_back(ticket),
            Next::Park(key, seq) => self.park(ticket, &key, seq),
            Next::Close => self.close(slot),
        }
    }

    fn park(&mut self, ticket: Ticket, key: &str, seq: u64) {
        match self.parked.park(key, seq, ticket) {
            // It may have hung up already.
            Parking::Stay => self.drive(ticket.slot),
            Parking::AskAgain => self.unpark(ticket),
        }
    }

    fn wake(&mut self, n: u64, key: &str) {
        for ticket in self.parked.wake(n, key) {
            self.unpark(ticket);
        }
    }

    fn unpark(&mut self, ticket: Ticket) {
        if let Some(connection) = self.connection(ticket) {
            connection.unpark();
            self.woken.push_back(ticket);
        }
    }

    fn connection(&mut self, ticket: Ticket) -> Option<&mut Connection> {
        let connection = self.slots.get_mut(ticket.slot)?.as_deref_mut()?;
        (connection.serial == ticket.serial).then_some(connection)
    }

    /// Lets waiting requests ask the gate as long as there is room; new ones first.
    fn start_asks(&mut self) {
        let (most, most_woken) = (self.shared.bounds.in_flight, self.shared.bounds.in_flight_woken);
        while self.asking < most
            && let Some(ticket) = self.new.pop_front()
        {
            self.start_ask(ticket, false);
        }
        while self.asking < most
            && self.asking_woken < most_woken
            && let Some(ticket) = self.woken.pop_front()
        {
            self.start_ask(ticket, true);
        }
    }

    fn start_ask(&mut self, ticket: Ticket, woken: bool) {
        if !self.connection(ticket).is_some_and(|connection| connection.is_queued()) {
            return;
        }
        let mut socket = UnixStream::connect(&self.shared.gate)
            .inspect_err(|error| log::warn!("the gate can not be reached: {error}"))
            .ok();
        if let Some(connected) = &mut socket {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = gate_token(ticket.slot);
            if self.poll.registry().register(connected, token, interest).is_err() {
                socket = None;
            }
        }
        let cx = context(&self.shared, &self.tls, self.clock.mono());
        let Some(Some(connection)) = self.slots.get_mut(ticket.slot) else { return };
        connection.start_ask(socket, woken, &cx);
        if connection.is_asking() {
            self.asking += 1;
            self.asking_woken += usize::from(woken);
        }
        self.drive(ticket.slot);
    }

    fn expire(&mut self, now: Mono) {
        let late =
            |slot: &Option<Box<Connection>>| slot.as_ref().is_some_and(|c| c.deadline <= now);
        let late: Vec<usize> = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| late(slot))
            .map(|(at, _)| at)
            .collect();
        for slot in late {
            self.leave_parked(slot);
            self.act(slot, Connection::expire);
        }
    }

    fn leave_parked(&mut self, slot: usize) {
        if let Some(Some(connection)) = self.slots.get(slot)
            && let Some(key) = connection.parked_under()
        {
            self.parked.leave(key, Ticket { slot, serial: connection.serial });
        }
    }

    fn close(&mut self, slot: usize) {
        self.leave_parked(slot);
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        if connection.is_asking() {
            self.asking -= 1;
            self.asking_woken -= usize::from(connection.asks_woken);
        }
        self.free.push(slot);
    }
}

fn context<'a>(shared: &'a Shared, tls: &'a SslContext, now: Mono) -> Context<'a> {
    Context { now, shared, tls }
}
