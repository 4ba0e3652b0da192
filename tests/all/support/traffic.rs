//! Pings and TCP between places.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread::{self, JoinHandle};

use super::place::Place;
use super::process::Process;
use super::temp::TempDir;
use super::wait::seconds;

/// Whether one ping is answered within a second.
pub fn ping(from: &Place, to: impl Into<IpAddr>) -> bool {
    from.output(&["ping", "-c1", "-W1", &to.into().to_string()]).status.success()
}

/// A TCP connection from `from`, with time limits on everything.
pub fn connect(from: &Place, to: SocketAddr) -> io::Result<TcpStream> {
    let stream = from.net(|| TcpStream::connect_timeout(&to, seconds(3)))?;
    stream.set_read_timeout(Some(seconds(3)))?;
    stream.set_write_timeout(Some(seconds(3)))?;
    Ok(stream)
}

/// Sends some bytes to an [`Echo`] and wants them back.
pub fn echoes(stream: &mut TcpStream) -> io::Result<()> {
    let sent = *b"are you there?";
    let mut received = [0; 14];
    stream.write_all(&sent)?;
    stream.read_exact(&mut received)?;
    assert_eq!(sent, received, "not an echo");
    Ok(())
}

/// A TCP server that sends back what it gets.
pub struct Echo {
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub fn start(place: &Place, port: u16) -> Echo {
        let listener = place.net(|| TcpListener::bind(("::", port))).expect("a free port");
        let accepting = listener.try_clone().expect("a descriptor");
        let thread = thread::spawn(move || {
            for stream in accepting.incoming().map_while(Result::ok) {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        Echo { listener, thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Shutting the listening socket down ends its `accept`.
        if let Ok(listener) = self.listener.try_clone() {
            let _ = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A ping every 100 ms, for as long as it is kept.
pub struct Pings {
    process: Process,
    _dir: TempDir,
}

/// A ping still on its way is neither sent nor lost.
#[derive(Debug, PartialEq, Eq)]
pub struct PingCount {
    pub sent: usize,
    pub answered: usize,
}

impl Pings {
    pub fn start(from: &Place, to: impl Into<IpAddr>) -> Pings {
        let dir = TempDir::new("pings");
        let mut command = Command::new("ping");
        // -O says at once which one is missing.
        command.args(["-O", "-i", "0.1", &to.into().to_string()]);
        let process = Process::start(from, &mut command, &dir.join("log"));
        Pings { process, _dir: dir }
    }

    pub fn count(&self) -> PingCount {
        let log = self.process.log();
        let sent = log.lines().filter_map(sequence_number).max().unwrap_or(0);
        PingCount { sent, answered: log.matches("bytes from").count() }
    }
}

fn sequence_number(line: &str) -> Option<usize> {
    line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok()
}
