//! From a valid head to the request the gate gets: the body, gathered within bounds, and the head
//! written afresh.

use super::chunked::Decoder;
use super::framing::{BodyLength, Head, Refusal};
use super::upstream::Ask;
use crate::http::tiers;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A body on its way in.
#[derive(Debug)]
pub struct Body {
    head: Head,
    received: Vec<u8>,
    max: usize,
    decoder: Decoder,
}

impl Body {
    pub fn new(head: Head, max: usize) -> Body {
        Body { head, received: Vec::new(), max, decoder: Decoder::default() }
    }

    /// Takes what belongs to it from `input`; true when it is whole.
    pub fn take(&mut self, input: &mut Vec<u8>) -> Result<bool, Refusal> {
        match self.head.body {
            BodyLength::Bytes(length) => {
                let taken = (length - self.received.len()).min(input.len());
                self.received.extend(input.drain(..taken));
                Ok(self.received.len() == length)
            }
            BodyLength::Chunked => {
                let (used, done) = self.decoder.feed(input, &mut self.received, self.max)?;
                input.drain(..used);
                Ok(done)
            }
        }
    }

    /// Bytes of it that are here.
    pub fn held(&self) -> usize {
        self.received.len()
    }

    /// The request for the gate: only headers that are ours or known to be harmless.
    pub fn finish(&mut self, client: &str, secure: bool) -> Ask {
        let Head { method, target, host, copied, .. } = &self.head;
        let scheme = if secure { "https" } else { "http" };
        let length = self.received.len();
        let mut head = String::with_capacity(512);
        // Writing to a String can not fail.
        let _ = write!(
            head,
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{}: {client}\r\n{}: {scheme}://{host}\r\n",
            tiers::CLIENT,
            tiers::URL,
        );
        for (name, value) in copied {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let body = std::mem::take(&mut self.received).into();
        Ask { head, body, to_head: method == "HEAD" }
    }
}

/// Sent when a parked client's request is asked again.
pub fn resume_header(token: &str) -> String {
    format!("{}: {token}\r\n", tiers::RESUME)
}

/// A share of the bytes that bodies under way may take; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

impl Reservation {
    /// The whole, of which parts can be taken.
    pub fn whole(bytes: usize) -> Reservation {
        Reservation { left: Arc::new(AtomicUsize::new(bytes)), bytes: 0 }
    }

    /// A part of it that holds nothing yet.
    pub fn part(&self) -> Reservation {
        Reservation { left: Arc::clone(&self.left), bytes: 0 }
    }

    /// Holds `bytes` from now on, if there is room for what that is more.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let less = |left: usize| left.checked_sub(more);
        let grown = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok();
        self.bytes += if grown { more } else { 0 };
        grown
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing;
    use super::*;

    fn head(text: &str) -> Head {
        framing::parse(text.as_bytes()).expect("valid")
    }

    #[test]
    fn the_gate_gets_the_true_client_and_nothing_forged() {
        let head = head(
            "PUT /x HTTP/1.1\r\nHost: h\r\nWarren-Client: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n\
             PR-Validated: true\r\nConnection: cookie\r\nCookie: c\r\nContent-Length: 2\r\n\r\n",
        );
        let mut body = Body::new(head, 10);
        let mut input = b"{".to_vec();
        assert_eq!(body.take(&mut input), Ok(false));
        input.extend_from_slice(b"}NEXT");
        assert_eq!(body.take(&mut input), Ok(true));
        assert_eq!(input, b"NEXT");
        let ask = body.finish("192.0.2.1", true);
        assert_eq!(
            ask.head,
            "PUT /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\
             Warren-Client: 192.0.2.1\r\nWarren-Url: https://h\r\nCookie: c\r\n"
        );
        assert_eq!(&*ask.body, b"{}");
    }

    #[test]
    fn reservations_are_given_back() {
        let whole = Reservation::whole(10);
        let (mut one, mut two) = (whole.part(), whole.part());
        assert!(one.grow_to(5) && one.grow_to(7) && one.grow_to(7));
        assert!(!two.grow_to(4) && two.grow_to(3));
        drop(one);
        assert!(two.grow_to(10));
    }
}
