//! A network to the database on which every answer takes its time.
//!
//! In front of each member stands a relay that hosts are led to without knowing: it has the
//! member's address. What the member says passes it late; members reach each other at once.

use crate::support::lab::{Host, Lab};
use crate::support::mongo::PORT;
use crate::support::wait::pause;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const RELAY: u16 = 27018;

/// Hosts' connections only, and only new ones.
const LEAD: &str = "nft -f - <<RULES
    table ip slow {
      chain in {
        type nat hook prerouting priority dstnat;
        ip saddr 10.77.0.11-10.77.0.19 tcp dport 27017 redirect to :27018
      }
    }
RULES";

/// How long answers take; the relays end with their machines' last sockets.
pub struct Slow(Arc<AtomicU64>);

impl Slow {
    /// To be called before daemons connect.
    pub fn before(lab: &Lab, members: &[&str]) -> Slow {
        let delay = Arc::<AtomicU64>::default();
        for member in members {
            let (host, delay) = (lab.host(member).clone(), Arc::clone(&delay));
            host.sh(LEAD);
            let listener = host.net(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, RELAY)));
            let listener = listener.expect("a port");
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let _ = relay(&host, client, &delay);
                }
            });
        }
        Slow(delay)
    }

    pub fn set(&self, delay: Duration) {
        self.0.store(u64::try_from(delay.as_millis()).expect("small"), Ordering::Relaxed);
    }
}

type Late = (Instant, Vec<u8>);

fn relay(host: &Host, client: TcpStream, delay: &Arc<AtomicU64>) -> io::Result<()> {
    let server = host.net(|| TcpStream::connect((host.address, PORT)))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (sender, late) = channel();
    let delay = Arc::clone(delay);
    thread::spawn(move || take(server, &delay, &sender));
    thread::spawn(move || give(client, &late));
    Ok(())
}

fn take(mut server: TcpStream, delay: &AtomicU64, sender: &Sender<Late>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let due = Instant::now() + Duration::from_millis(delay.load(Ordering::Relaxed));
        if sender.send((due, buffer[..count].to_vec())).is_err() {
            break;
        }
    }
}

fn give(mut client: TcpStream, late: &Receiver<Late>) {
    for (due, bytes) in late {
        pause(due.saturating_duration_since(Instant::now()));
        if client.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
