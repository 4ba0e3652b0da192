//! Hosts as far as the database sees them: no daemon, no beat.

use crate::support::mongo::ReplicaSet;
use warren::base::clock::Clock;
use warren::base::ids::HostId;
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus;
use warren::domain::server::{Circumstances, ServerFields, ServerSpec};
use warren::ground::{Ground, Hands};
use warren::liveness::Status;
use warren::store::Store;
use warren::store::servers::{ServerDoc, ServerKeys, ServerOptions};
use warren::vpn::database::Database;
use warren::vpn::settings::Guards;

/// One host's way to the database.
pub struct Seat {
    pub host: HostId,
    pub store: Store,
    pub database: Database,
    _bus: bus::Handle,
}

pub fn seat(set: &ReplicaSet, number: u8) -> Seat {
    let (clock, random) = (Clock::system(), Random::system());
    let uri = Secret::new(set.uri().to_owned());
    let store = Store::connect(&uri, clock.clone(), random.clone()).expect("a store");
    let host = HostId::from_bytes([number; 16]);
    let (bus, _bus) = bus::spawn(store.clone(), host, clock.clone()).expect("a bus");
    let status = Status::default();
    let hands = Hands::default();
    let ground = Ground { store: store.clone(), bus, clock, random, host, status, hands };
    let database = Database::new(ground, format!("h{number}"), Guards::default());
    Seat { host, store, database, _bus }
}

fn spec(network: &str) -> ServerSpec {
    let text = |text: &str| text.to_owned();
    let fields = ServerFields {
        name: text("office"),
        network: text(network),
        protocol: text("udp"),
        cipher: text("aes128"),
        hash: text("sha256"),
        ..ServerFields::default()
    };
    let around = Circumstances {
        previous: None,
        taken: &[],
        has_server_links: false,
        has_network_links: false,
        linked_online: false,
    };
    ServerSpec::from_request(&fields, &around, &Random::system()).expect("a valid server")
}

/// A stored server that should run on these seats' hosts.
pub fn plant(seats: &[Seat], network: &str) -> ServerDoc {
    let secret = || Secret::new("x".to_owned());
    let keys = ServerKeys {
        tls_auth: secret(),
        signing: secret(),
        signing_public: String::new(),
        boxed: secret(),
        boxed_public: String::new(),
    };
    let store = &seats[0].store;
    let options = ServerOptions::of(&spec(network));
    let made = ServerDoc::new(store.new_id(), options, Vec::new(), seats[0].host, &keys);
    let hosts = seats.iter().map(|seat| seat.host).collect();
    let organizations = vec![store.new_id()];
    let server = ServerDoc { hosts, organizations, online: true, run: 1, ..made };
    let insert = |tx: &mut warren::store::Tx<'_>| tx.server_insert(&server);
    store.transaction("plant a server", insert).expect("planted");
    server
}
