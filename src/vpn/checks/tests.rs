//! PINs and codes: what is accepted, remembered and refused.

use super::*;
use crate::base::ids::{InstanceId, OrgId, ServerId};
use crate::vpn::management::Env;
use crate::vpn::records::{Changes, Here, Note, Outlook, Session};
use crate::vpn::settings::tests::server;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const ORG: &str = "65a0000000000000000000aa";
const USER: &str = "65a0000000000000000000bb";

/// A database of one user with a PIN and a secret, which can be cut off.
#[derive(Default)]
struct One {
    away: AtomicBool,
    spent: AtomicUsize,
    asked: AtomicUsize,
    disabled: AtomicBool,
}

impl One {
    fn unless_away<T>(&self, value: T) -> Result<T, Away> {
        if self.away.load(Ordering::Relaxed) { Err(Away) } else { Ok(value) }
    }
}

impl Records for One {
    fn wanted(&self, _: &Here) -> Result<Outlook, Away> {
        self.unless_away(Outlook::default())
    }
    fn pin_mode(&self) -> Result<PinMode, Away> {
        self.unless_away(PinMode::Optional)
    }
    fn people(&self, users: &[UserId]) -> Result<Vec<Person>, Away> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let person = Person {
            id: USER.parse().expect("an id"),
            org: ORG.parse().expect("an id"),
            name: "ann".to_owned(),
            is_client: true,
            disabled: self.disabled.load(Ordering::Relaxed),
            groups: Vec::new(),
            pin: Some(Secret::new("1234".to_owned())),
            otp_secret: Secret::new("secret".to_owned()),
            bypass_secondary: false,
            mac_addresses: Vec::new(),
            foreign_factor: false,
            cut: 3,
        };
        self.unless_away([person].into_iter().filter(|p| users.contains(&p.id)).collect())
    }
    fn people_of(&self, _: OrgId, _: &mut dyn FnMut(Vec<Person>) -> bool) -> Result<(), Away> {
        self.unless_away(())
    }
    fn people_changed(&self, _: u32) -> Result<Changes, Away> {
        self.unless_away(Changes::default())
    }
    fn addresses_of(
        &self,
        _: ServerId,
        _: i64,
        _: &mut dyn FnMut(Vec<(UserId, Ipv4Addr)>),
    ) -> Result<(), Away> {
        self.unless_away(())
    }
    fn use_code(&self, _: UserId, _: i64) -> Result<bool, Away> {
        self.spent.fetch_add(1, Ordering::Relaxed);
        self.unless_away(true)
    }
    fn address(&self, _: &Server, _: UserId) -> Result<Option<Ipv4Addr>, Away> {
        self.unless_away(Some(Ipv4Addr::new(10, 8, 0, 2)))
    }
    fn sessions(&self, _: InstanceId) -> Result<Vec<Session>, Away> {
        self.unless_away(Vec::new())
    }
    fn write(&self, _: &[Note]) -> Result<(), Away> {
        self.unless_away(())
    }
}

struct Rig {
    one: Arc<One>,
    checks: Option<Checks>,
    server: Arc<Server>,
    _threads: Vec<Thread>,
}

impl Rig {
    fn new(pin: fn(&str, &str) -> bool) -> Rig {
        let one = Arc::new(One::default());
        let factors = Factors { pin, code: |code, _, _| code.parse().ok() };
        let records: Arc<dyn Records> = Arc::<One>::clone(&one);
        let (checks, _threads) =
            spawn(records, Known::default(), factors, &Clock::system(), &Random::seeded(1))
                .expect("threads");
        let server = Arc::new(Server { otp_auth: true, ..server() });
        Rig { one, checks: Some(checks), server, _threads }
    }

    fn knock(&self, user: &str, password: &str) -> Result<Admitted, Reason> {
        let env = [format!("X509_0_O={ORG}"), format!("X509_0_CN={user}")];
        let password = format!("password={password}");
        let env = Env::of(&[&env[0], &env[1], &password]);
        let (tx, rx) = bounded(1);
        let job = Job {
            knock: Knock::read(&env).expect("an identity"),
            server: Arc::clone(&self.server),
            known: false,
            done: Box::new(move |result| tx.send(result).expect("the test waits")),
        };
        assert!(self.checks.as_ref().expect("there").submit(job));
        rx.recv_timeout(Duration::from_secs(10)).expect("an answer")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // The workers end with their last sender, and are then waited for.
        self.checks = None;
    }
}

#[test]
fn without_the_database_known_users_come_in_and_codes_are_still_spent() {
    let rig = Rig::new(|pin, hash| pin == hash);
    rig.one.away.store(true, Ordering::Relaxed);
    assert_eq!(rig.knock(USER, "1234000001"), Err(Reason::Unavailable), "nobody is known yet");
    rig.one.away.store(false, Ordering::Relaxed);
    let admitted = rig.knock(USER, "1234000002").expect("let in");
    assert!(admitted.second_factor);

    rig.one.away.store(true, Ordering::Relaxed);
    assert_eq!(rig.knock(USER, "1234000003"), Ok(admitted), "on the recorded address");
    assert_eq!(rig.knock(USER, "1234000003"), Err(Reason::CodeReplayed));
    assert_eq!(rig.one.spent.load(Ordering::Relaxed), 2, "the database was asked once per code");
    assert_eq!(rig.knock(USER, "9999000004"), Err(Reason::PinWrong));
    let stranger = "65a0000000000000000000cc";
    assert_eq!(rig.knock(stranger, "1234000005"), Err(Reason::Unavailable));
}

#[test]
fn the_known_come_in_unasked_and_nobody_is_refused_by_memory_alone() {
    let rig = Rig::new(|pin, hash| pin == hash);
    let asked = || rig.one.asked.load(Ordering::Relaxed);
    rig.one.disabled.store(true, Ordering::Relaxed);
    assert_eq!(rig.knock(USER, "1234000001"), Err(Reason::Disabled));
    rig.one.disabled.store(false, Ordering::Relaxed);
    let admitted = rig.knock(USER, "1234000002").expect("enabled a moment ago");
    assert_eq!((admitted.cut, asked()), (3, 2));
    rig.knock(USER, "1234000003").expect("let in");
    assert_eq!(asked(), 2, "a known one needs no question");
    assert_eq!(rig.knock(USER, "1234000003"), Err(Reason::CodeReplayed));
    assert_eq!(rig.knock(USER, "9999000004"), Err(Reason::PinWrong));
    assert_eq!(asked(), 3, "before a refusal, but not for a code that was used");
}

#[test]
fn a_proved_pin_is_not_hashed_again_and_guessing_ends() {
    static HASHED: AtomicUsize = AtomicUsize::new(0);
    let rig = Rig::new(|pin, hash| {
        HASHED.fetch_add(1, Ordering::Relaxed);
        pin == hash
    });
    for code in 10..15 {
        rig.knock(USER, &format!("1234{code:06}")).expect("let in");
    }
    assert_eq!(HASHED.load(Ordering::Relaxed), 1);
    for _ in 0..LOGIN_ATTEMPTS_MAX {
        assert_eq!(rig.knock(USER, "9999000020"), Err(Reason::PinWrong));
    }
    assert_eq!(rig.knock(USER, "1234000021"), Err(Reason::TooManyAttempts));
}
