//! A host with one server, clients beside it and a machine behind it; the database is a table in
//! memory, so that these tests show what the shell asks and tells.

use crate::support::lab::{Host, Lab};
use crate::support::place::own_tun_node;
use crate::support::process::Process;
use crate::support::temp::TempDir;
use crate::support::wait::{pause, seconds};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::ids::{InstanceId, OrgId, ServerId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::pki::{Issuer, KeyKind, PrivateKey, Role, Subject, static_key};
use warren::thread::{Stop, StopSource, Thread, stop_pair};
use warren::vpn::admission::{Person, PinMode, Reason};
use warren::vpn::checks::Factors;
use warren::vpn::fleet::{self, Fleet};
use warren::vpn::known::Known;
use warren::vpn::records::{
    Away, Changes, Here, LivingState, Note, Outlook, Records, Session, Wanted,
};
use warren::vpn::runner::{self, Place, Plan, Record, Runner, Surroundings, records_in};
use warren::vpn::settings::{Guards, Keys, Protocol, Route, Server};
use warren::vpn::{books, checks, people};

#[derive(Default)]
pub struct Books {
    /// What the fleet should run.
    pub wanted: Vec<Plan>,
    pub people: Vec<Person>,
    pub sessions: Vec<Session>,
    pub refused: Vec<Reason>,
    pub gone: usize,
    pub codes: Vec<(UserId, i64)>,
    /// How long it takes to say who is connected.
    pub delay: Duration,
}

struct Table(Arc<Mutex<Books>>);

impl Records for Table {
    fn wanted(&self, here: &Here) -> Result<Outlook, Away> {
        let wanted = |plan: Plan| {
            let living = here.living.get(&plan.server.id);
            let watched = living.is_some_and(|living| living.state == LivingState::Watched);
            let instance = living.map_or(plan.instance, |living| living.instance);
            let (server, access) = (plan.server.id, plan.server.access());
            Wanted { server, instance, access, plan: (!watched).then_some(plan) }
        };
        let plans = self.0.lock().expect("books").wanted.clone();
        Ok(Outlook { wanted: plans.into_iter().map(wanted).collect(), ..Outlook::default() })
    }

    fn pin_mode(&self) -> Result<PinMode, Away> {
        Ok(PinMode::Optional)
    }

    fn people(&self, users: &[UserId]) -> Result<Vec<Person>, Away> {
        let books = self.0.lock().expect("books");
        Ok(books.people.iter().filter(|p| users.contains(&p.id)).cloned().collect())
    }

    fn people_of(&self, org: OrgId, page: &mut dyn FnMut(Vec<Person>) -> bool) -> Result<(), Away> {
        let people = self.0.lock().expect("books").people.clone();
        page(people.into_iter().filter(|p| p.org == org).collect());
        Ok(())
    }

    fn people_changed(&self, _: u32) -> Result<Changes, Away> {
        Ok(Changes { changed: self.0.lock().expect("books").people.clone(), ..Changes::default() })
    }

    fn addresses_of(
        &self,
        _: ServerId,
        _: i64,
        _: &mut dyn FnMut(Vec<(UserId, Ipv4Addr)>),
    ) -> Result<(), Away> {
        Ok(())
    }

    fn use_code(&self, user: UserId, step: i64) -> Result<bool, Away> {
        let mut books = self.0.lock().expect("books");
        let fresh = !books.codes.contains(&(user, step));
        books.codes.push((user, step));
        Ok(fresh)
    }

    fn address(&self, _: &Server, user: UserId) -> Result<Option<Ipv4Addr>, Away> {
        let books = self.0.lock().expect("books");
        let at = books.people.iter().position(|p| p.id == user);
        Ok(at.map(|at| Ipv4Addr::new(10, 8, 0, 2 + at as u8)))
    }

    fn sessions(&self, _: InstanceId) -> Result<Vec<Session>, Away> {
        let delay = self.0.lock().expect("books").delay;
        pause(delay);
        Ok(self.0.lock().expect("books").sessions.clone())
    }

    fn write(&self, notes: &[Note]) -> Result<(), Away> {
        let mut books = self.0.lock().expect("books");
        for note in notes {
            match note {
                Note::Connected(session) => books.sessions.push(session.clone()),
                Note::Refused { reason, .. } => books.refused.push(*reason),
                Note::Gone { .. } => books.gone += 1,
                Note::Output { line, .. } => println!("{line}"),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Who connects, with what.
#[derive(Clone, Default)]
pub struct User {
    pub password: String,
    /// Another user of the organization.
    pub second: bool,
    /// One whose certificate is of this CA, but who does not exist.
    pub stranger: bool,
}

/// Ends with its servers left as they are, or stopped by its test.
pub struct RigFleet {
    pub fleet: Fleet,
    _people: (StopSource, Thread),
}

impl RigFleet {
    pub fn stop(self) {
        let clock = Clock::system();
        let stuck = self.fleet.stop(&clock, clock.mono() + seconds(10));
        assert!(stuck.is_empty(), "{stuck:?}");
    }
}

pub struct Rig {
    pub lab: Lab,
    pub behind: Host,
    pub user: UserId,
    dir: TempDir,
    known: Known,
    issuer: Issuer,
    org: OrgId,
    pub plan: Plan,
    place: RefCell<Place>,
    books: Arc<Mutex<Books>>,
    around: Surroundings,
    _threads: (StopSource, Thread, Vec<Thread>),
}

fn certificate(issuer: &Issuer, org: OrgId, user: UserId, role: Role) -> (String, Secret) {
    let key = PrivateKey::generate(KeyKind::P256).expect("a key");
    let signed = issuer.issue(&key, Subject { org, user }, role, now_s()).expect("signed");
    (signed.to_pem().expect("PEM"), key.to_pem().expect("PEM"))
}

fn now_s() -> i64 {
    Clock::system().cluster_s()
}

fn person(org: OrgId, number: u8) -> Person {
    Person {
        id: UserId::from_bytes([number; 12]),
        org,
        name: format!("user{number}"),
        is_client: true,
        disabled: false,
        groups: Vec::new(),
        pin: None,
        otp_secret: Secret::new("secret".to_owned()),
        bypass_secondary: false,
        mac_addresses: Vec::new(),
        foreign_factor: false,
        cut: 0,
    }
}

fn server(org: OrgId) -> Server {
    let route = |network: &str| Route {
        network: network.parse().expect("a network"),
        nat: true,
        nat_interface: None,
        metric: None,
        net_gateway: false,
    };
    Server {
        id: "65a000000000000000000001".parse().expect("an id"),
        name: "test".to_owned(),
        network: "10.8.0.0/24".parse().expect("a network"),
        generation: 1,
        port: 1194,
        protocol: Protocol::Udp,
        bind_address: None,
        cipher: "aes128".to_owned(),
        hash: "sha256".to_owned(),
        ping_interval_s: 3,
        ping_timeout_s: 10,
        max_clients: 100,
        multi_device: false,
        inter_client: false,
        restrict_routes: true,
        otp_auth: false,
        allowed_devices: None,
        debug: false,
        multihome: false,
        tun_mtu: None,
        mss_fix: None,
        fragment: None,
        dns_servers: Vec::new(),
        search_domains: Vec::new(),
        groups: Vec::new(),
        organizations: vec![org],
        routes: vec![route("10.99.0.0/24")],
    }
}

impl Rig {
    pub fn new(change: impl FnOnce(&mut Server)) -> Rig {
        let lab = Lab::new(&["h1", "c1", "c2"]);
        let behind = lab.behind("h1");
        lab.host("h1").sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
        let random = Random::system();
        let org = OrgId::from_bytes([9; 12]);
        let people = vec![person(org, 1), person(org, 2)];
        let user = people[0].id;
        let ca = Subject { org, user: UserId::from_bytes([8; 12]) };
        let key = PrivateKey::generate(KeyKind::P256).expect("a key");
        let issuer = Issuer::create(key, ca, now_s()).expect("a CA");
        let (certificate, key) =
            certificate(&issuer, org, UserId::from_bytes([7; 12]), Role::Server);
        let keys = Keys {
            authorities: vec![issuer.certificate().to_pem().expect("PEM")],
            certificate,
            key,
            tls_auth: Some(static_key(&random)),
            dh_params: None,
        };
        let mut server = server(org);
        change(&mut server);
        let dir = TempDir::new("vpn");
        std::fs::create_dir(dir.join("run")).expect("a directory");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("permissions");
        let place = Place {
            openvpn: "openvpn".into(),
            user_name: "warren-openvpn".to_owned(),
            run_dir: dir.join("run"),
            host_name: "h1".to_owned(),
            public_address: Some(lab.host("h1").address),
            dual_stack: true,
        };
        let books = Arc::new(Mutex::new(Books { people, ..Books::default() }));
        let records: Arc<dyn Records> = Arc::new(Table(Arc::clone(&books)));
        let clock = Clock::system();
        let factors = Factors {
            pin: |pin, hash| pin == hash,
            code: |code, _, _| code.parse().ok().filter(|step| *step != 999_999),
        };
        let (source, stop): (StopSource, Stop) = stop_pair();
        let (pen, books_thread) =
            books::spawn(Arc::clone(&records), clock.clone(), stop).expect("a thread");
        let known = Known::default();
        let (checks, check_threads) =
            checks::spawn(Arc::clone(&records), known.clone(), factors, &clock, &random)
                .expect("threads");
        let around = Surroundings {
            place: Arc::new(place.clone()),
            records,
            known: known.clone(),
            checks,
            pen,
            clock,
            random,
        };
        let instance = InstanceId::from_bytes([5; 12]);
        let guards = Guards::default();
        let plan = Plan { server: Arc::new(server), keys, guards, instance, run: 1 };
        let place = RefCell::new(place);
        let _threads = (source, books_thread, check_threads);
        Rig { lab, behind, user, dir, known, issuer, org, plan, place, books, around, _threads }
    }

    pub fn start(&self) -> Result<Runner, String> {
        self.run(None)
    }

    /// As a later life of the daemon does.
    pub fn adopt(&self) -> Result<Runner, String> {
        let process = warren::sys::process::adopt(&self.record().identity);
        self.run(Some(process.expect("looked").expect("alive")))
    }

    fn run(&self, adopted: Option<warren::sys::process::Process>) -> Result<Runner, String> {
        let around =
            Surroundings { place: Arc::new(self.place.borrow().clone()), ..self.around.clone() };
        let plan = self.plan.clone();
        let runner = self.lab.host("h1").net(|| {
            own_tun_node();
            runner::spawn(plan, around, adopted).expect("a thread")
        });
        let started = runner.wait_started(seconds(10)).expect("an answer");
        started.map(|()| runner)
    }

    /// The keeper of a host's servers, which is to run this rig's one.
    pub fn fleet(&self) -> RigFleet {
        self.books().wanted = vec![self.plan.clone()];
        let around = self.around.clone();
        let state = self.dir.path().to_owned();
        let (source, stop) = stop_pair();
        let inbox = fleet::Inbox::default();
        let review = inbox.line();
        let records = Arc::clone(&around.records);
        let (known, clock) = (self.known.clone(), around.clock.clone());
        let changed = move || review.review();
        let (people, thread) =
            people::spawn(records, known, clock, stop, changed).expect("a thread");
        let fleet = self.lab.host("h1").net(|| {
            own_tun_node();
            fleet::spawn(inbox, around, people, Box::new(|| 0), state).expect("threads")
        });
        RigFleet { fleet, _people: (source, thread) }
    }

    pub fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().expect("books")
    }

    /// As the hint that follows a change does it: what was known of the person is forgotten.
    pub fn change_person(&self, change: impl FnOnce(&mut Person)) {
        change(&mut self.books().people[0]);
        self.known.forget(self.user);
    }

    pub fn change_place(&self, change: impl FnOnce(&mut Place)) {
        change(&mut self.place.borrow_mut());
    }

    pub fn try_record(&self) -> Option<Record> {
        records_in(&self.dir.join("run")).into_iter().next()
    }

    pub fn record(&self) -> Record {
        self.try_record().expect("a record")
    }

    pub fn kill_openvpn(&self) {
        let process = warren::sys::process::adopt(&self.record().identity);
        process.expect("looked").expect("alive").signal(libc::SIGKILL).expect("killed");
    }

    /// What servers leave on a host while they run.
    pub fn traces(&self) -> String {
        let seen = self.lab.host("h1").sh("ip -br link | cut -d' ' -f1; nft list tables");
        let files = std::fs::read_dir(self.dir.join("run")).expect("listed").flatten();
        let files: Vec<_> = files.map(|entry| entry.file_name()).collect();
        format!("{seen}{files:?}")
    }

    /// A real client in the place `name`.
    pub fn client(&self, name: &str, user: &User) -> Process {
        let number = if user.second { 2 } else { 1 };
        let number = if user.stranger { 66 } else { number };
        let id = UserId::from_bytes([number; 12]);
        let (certificate, key) = certificate(&self.issuer, self.org, id, Role::Client);
        let protocol = match self.plan.server.protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp-client",
        };
        let login = self.dir.join(&format!("login-{name}"));
        std::fs::write(&login, format!("user\n{}\n", user.password)).expect("written");
        let with_password = match user.password.as_str() {
            "" => String::new(),
            _ => format!("auth-user-pass {}", login.display()),
        };
        let ca = self.issuer.certificate().to_pem().expect("PEM");
        let tls_auth = self.plan.keys.tls_auth.as_ref().expect("a key").expose();
        let text = format!(
            "client\ndev tun\nnobind\nremote {} 1194 {protocol}\nverb 3\nauth SHA256\n\
             data-ciphers AES-128-GCM\nremote-cert-tls server\n{with_password}\n\
             push-peer-info\nauth-retry none\nkey-direction 1\n<ca>\n{ca}</ca>\n\
             <cert>\n{certificate}</cert>\n<key>\n{}</key>\n<tls-auth>\n{tls_auth}</tls-auth>\n",
            self.lab.host("h1").address,
            key.expose(),
        );
        let config = self.dir.join(&format!("client-{name}.ovpn"));
        std::fs::write(&config, text).expect("written");
        let log = self.dir.join(&format!("client-{name}.log"));
        let _ = std::fs::remove_file(&log);
        let mut command = Command::new("openvpn");
        command.arg("--config").arg(&config);
        Process::start(self.lab.host(name), &mut command, &log)
    }
}

impl Drop for Rig {
    /// A failed test leaves an OpenVPN behind, as a daemon that is killed does.
    fn drop(&mut self) {
        if let Some(record) = self.try_record()
            && let Ok(Some(mut process)) = warren::sys::process::adopt(&record.identity)
        {
            let _ = process.kill();
        }
    }
}
