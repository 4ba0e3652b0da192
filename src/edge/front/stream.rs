//! A client's socket, plain or with TLS, as non-blocking reads and writes.

use mio::net::TcpStream;
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslStream};
use std::io::{self, Read, Write};
use std::net::Shutdown;

/// What one attempt brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// So many bytes, or the step is done.
    Done(usize),
    /// Nothing now: an event will tell.
    Block,
    /// The other side ended its half.
    End,
    /// The connection is of no more use.
    Broken,
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
    /// TLS could not be set up.
    Lost,
}

impl Stream {
    /// Whether the first bytes are there; on the TLS port they must begin a handshake. Nothing is
    /// allocated for a client before that.
    pub fn has_begun(&mut self, secure: bool) -> Io {
        let mut first = [0];
        let Some(socket) = self.socket() else { return Io::Broken };
        match socket.peek(&mut first) {
            Ok(0) => Io::End,
            Ok(_) if secure && first != [22] => Io::Broken,
            Ok(n) => Io::Done(n),
            Err(error) => outcome(&error),
        }
    }

    /// Puts TLS on a plain stream.
    pub fn start_tls(&mut self, context: &SslContext) -> bool {
        let Stream::Plain(socket) = std::mem::replace(self, Stream::Lost) else { return false };
        let stream = Ssl::new(context).and_then(|ssl| SslStream::new(ssl, socket));
        if let Ok(stream) = stream {
            *self = Stream::Tls(Box::new(stream));
        }
        matches!(self, Stream::Tls(_))
    }

    /// One attempt to finish the handshake.
    pub fn handshake(&mut self) -> Io {
        match self {
            Stream::Plain(_) => Io::Done(0),
            Stream::Tls(stream) => tls_outcome(stream.accept().map(|()| 0)),
            Stream::Lost => Io::Broken,
        }
    }

    /// Appends at most `max` bytes, which must be more than none, to `input`.
    pub fn read(&mut self, input: &mut Vec<u8>, max: usize) -> Io {
        let mut chunk = [0; 16 * 1024];
        let chunk = chunk.get_mut(..max.min(16 * 1024)).unwrap_or_default();
        let read = match self {
            Stream::Plain(socket) => match socket.read(chunk) {
                Ok(0) => Io::End,
                Ok(n) => Io::Done(n),
                Err(error) => outcome(&error),
            },
            Stream::Tls(stream) => tls_outcome(stream.ssl_read(chunk)),
            Stream::Lost => Io::Broken,
        };
        if let Io::Done(n) = read {
            input.extend_from_slice(chunk.get(..n).unwrap_or_default());
        }
        read
    }

    pub fn write(&mut self, output: &[u8]) -> Io {
        match self {
            Stream::Plain(socket) => match socket.write(output) {
                Ok(n) => Io::Done(n),
                Err(error) => outcome(&error),
            },
            Stream::Tls(stream) => tls_outcome(stream.ssl_write(output)),
            Stream::Lost => Io::Broken,
        }
    }

    /// Says goodbye: TLS close alert and end of our half.
    pub fn finish(&mut self) {
        if let Stream::Tls(stream) = self {
            // Best effort: the client may be gone.
            let _ = stream.shutdown();
        }
        if let Some(socket) = self.socket() {
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Throws away what still arrives after [`Stream::finish`].
    pub fn discard(&mut self) -> Io {
        let mut chunk = [0; 16 * 1024];
        let Some(socket) = self.socket() else { return Io::Broken };
        match socket.read(&mut chunk) {
            Ok(0) => Io::End,
            Ok(n) => Io::Done(n),
            Err(error) => outcome(&error),
        }
    }

    pub fn socket(&mut self) -> Option<&mut TcpStream> {
        match self {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(stream) => Some(stream.get_mut()),
            Stream::Lost => None,
        }
    }
}

fn tls_outcome(result: Result<usize, openssl::ssl::Error>) -> Io {
    match result {
        Ok(n) => Io::Done(n),
        Err(error) => match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Io::Block,
            ErrorCode::ZERO_RETURN => Io::End,
            _ => Io::Broken,
        },
    }
}

/// What an error of a socket means here.
pub fn outcome(error: &io::Error) -> Io {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => Io::Block,
        io::ErrorKind::Interrupted => Io::Done(0),
        _ => Io::Broken,
    }
}
