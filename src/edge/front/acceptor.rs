//! The thread that accepts clients: caps in total and per address, and a pause when descriptors run
//! out.

use super::event_loop::Inbox;
use crate::limits;
use crate::thread::Stop;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A client on its way to its event loop.
pub struct Client {
    pub socket: TcpStream,
    pub seat: Seat,
    /// It came to the TLS port.
    pub secure: bool,
    /// The house is full: another one has to go first.
    pub make_room: bool,
}

/// How many clients there are, in total and from where.
pub struct Seats {
    total_max: usize,
    per_address_max: usize,
    /// Taken for a moment by the acceptor for each new client and by a loop for each that ends.
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_origin: HashMap<IpAddr, usize>,
}

/// A client's place among the caps; given back on drop.
pub struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// What counts as one address: IPv6 hosts own a /64.
fn origin(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl Seats {
    pub fn new(total_max: usize, per_address_max: usize) -> Arc<Seats> {
        Arc::new(Seats { total_max, per_address_max, taken: Mutex::default() })
    }

    /// `None`: this address has its share, or too many are already waiting for room to be made. The
    /// flag says that the house is full.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<(Seat, bool)> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        if taken.total > self.total_max + self.total_max / WAITING_SHARE {
            return None;
        }
        let of_origin = taken.by_origin.entry(origin(address)).or_default();
        if *of_origin >= self.per_address_max {
            return None;
        }
        *of_origin += 1;
        taken.total += 1;
        let full = taken.total > self.total_max;
        Some((Seat { seats: Arc::clone(self), address }, full))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total -= 1;
        let key = origin(self.address);
        if let Some(of_origin) = taken.by_origin.get_mut(&key) {
            *of_origin -= 1;
            if *of_origin == 0 {
                taken.by_origin.remove(&key);
            }
        }
    }
}

pub struct Acceptor {
    pub poll: Poll,
    pub https: TcpListener,
    pub http: Option<TcpListener>,
    pub seats: Arc<Seats>,
    pub loops: Vec<Inbox>,
    pub stop: Stop,
}

pub const WAKER: Token = Token(0);
const HTTPS: Token = Token(1);
const HTTP: Token = Token(2);

/// One in so many of the seats again for clients on their way to their loop.
pub const WAITING_SHARE: usize = 8;

/// Clients accepted at once.
const BATCH: usize = 32;

impl Acceptor {
    pub fn run(mut self) {
        if let Err(error) = self.serve() {
            panic!("clients can no longer be accepted: {error}");
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut self.https, HTTPS, Interest::READABLE)?;
        if let Some(http) = &mut self.http {
            registry.register(http, HTTP, Interest::READABLE)?;
        }
        let mut events = Events::with_capacity(4);
        let mut turn = 0;
        while !self.stop.is_set() {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let mut told = false;
            while !self.stop.is_set()
                && let Err(error) = self.accept_all(&mut turn)
            {
                if !std::mem::replace(&mut told, true) {
                    log::warn!("clients have to wait: {error}");
                }
                // They stay in the kernel's queue meanwhile.
                self.stop.wait(limits::ACCEPT_PAUSE);
            }
        }
        Ok(())
    }

    /// An error when something ran out and it should be tried again.
    fn accept_all(&self, turn: &mut usize) -> io::Result<()> {
        let listeners = [(Some(&self.https), true), (self.http.as_ref(), false)];
        for (listener, secure) in listeners {
            let Some(listener) = listener else { continue };
            while !self.stop.is_set() {
                let accepted = self.accept_some(listener, secure, turn);
                self.loops.iter().for_each(Inbox::ring);
                if accepted? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A batch between two rings of the loops' bells, which would otherwise take the processor from
    /// this thread for each client. True when nobody is left.
    fn accept_some(
        &self,
        listener: &TcpListener,
        secure: bool,
        turn: &mut usize,
    ) -> io::Result<bool> {
        for _ in 0..BATCH {
            match listener.accept() {
                Ok((socket, address)) => {
                    *turn = turn.wrapping_add(1);
                    self.welcome(socket, address.ip(), secure, *turn);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn welcome(&self, socket: TcpStream, address: IpAddr, secure: bool, turn: usize) {
        let Some((seat, make_room)) = self.seats.take(address) else {
            log::debug!("{address} has too many connections");
            return;
        };
        // It only makes answers slower if it fails.
        let _ = socket.set_nodelay(true);
        if let Some(inbox) = self.loops.get(turn % self.loops.len().max(1)) {
            inbox.welcome(Client { socket, seat, secure, make_room });
        }
    }
}

/// Errors that accept(2) hands over from a client that is already gone.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn caps_count_a_prefix_as_one_and_are_given_back() {
        let seats = Seats::new(3, 2);
        let first = seats.take(address("2001:db8::1")).expect("room");
        let second = seats.take(address("2001:db8::2")).expect("room");
        assert!(seats.take(address("2001:db8::3")).is_none());
        let other = seats.take(address("2001:db8:0:1::1")).expect("room");
        assert!(!first.1 && !second.1 && !other.1);
        let mapped = seats.take(address("::ffff:192.0.2.1")).expect("room");
        assert_eq!(mapped.0.address(), address("192.0.2.1"));
        assert!(mapped.1, "the house is full");
        assert!(seats.take(address("192.0.2.2")).is_none(), "and somebody waits already");
        drop((first, mapped));
        assert!(!seats.take(address("2001:db8::3")).expect("room").1);
    }
}
