//! Every verdict, and their order.

use super::*;
use crate::vpn::settings::tests::server;

const ORG: &str = "65a0000000000000000000aa";
const USER: &str = "65a0000000000000000000bb";

fn env(password: &str) -> Env {
    Env::of(&[
        &format!("X509_0_O={ORG}"),
        &format!("X509_0_CN={USER}"),
        &format!("password={password}"),
        "IV_PLAT=linux",
        "IV_HWADDR=02:00:00:00:00:0a",
        "IV_PROTO=990",
        "untrusted_ip=10.0.0.1",
        "untrusted_port=4000",
    ])
}

fn person() -> Person {
    Person {
        id: USER.parse().expect("an id"),
        org: ORG.parse().expect("an id"),
        name: "ann".to_owned(),
        is_client: true,
        disabled: false,
        groups: vec!["a".to_owned()],
        pin: None,
        otp_secret: Secret::new("ABCDEFGHIJKLMNOP".to_owned()),
        bypass_secondary: false,
        mac_addresses: Vec::new(),
        foreign_factor: false,
        cut: 0,
    }
}

#[test]
fn a_knock_is_read_from_the_certificate() {
    let knock = Knock::read(&env("x")).expect("an identity");
    assert_eq!((knock.org.to_string(), knock.user.to_string()), (ORG.into(), USER.into()));
    assert_eq!(knock.real_address, "10.0.0.1:4000");
    assert!(knock.takes_pending);
    let stranger = Env::of(&["X509_0_O=acme", "X509_0_CN=ann"]);
    assert_eq!(Knock::read(&stranger), Err(Reason::CertificateIdentity));
}

#[test]
fn the_first_rule_that_does_not_hold_is_the_reason() {
    type Change = fn(&mut Server, &mut Person);
    let rows: [(Change, Result<(), Reason>); 15] = [
        (|_, _| (), Ok(())),
        (|_, p| p.is_client = false, Err(Reason::UnknownUser)),
        (|_, p| p.org = OrgId::from_bytes([1; 12]), Err(Reason::UnknownUser)),
        (|s, _| s.organizations.clear(), Err(Reason::NotMember)),
        (|_, p| p.disabled = true, Err(Reason::Disabled)),
        (
            |s, p| {
                s.organizations.clear();
                p.disabled = true;
            },
            Err(Reason::NotMember),
        ),
        (|s, _| s.groups = vec!["b".to_owned()], Err(Reason::Group)),
        (|s, _| s.groups = vec!["b".to_owned(), "a".to_owned()], Ok(())),
        (|s, _| s.allowed_devices = Some(Devices::Mobile), Err(Reason::Platform)),
        (|s, _| s.allowed_devices = Some(Devices::Desktop), Ok(())),
        (|_, p| p.mac_addresses = vec!["00:11:22:33:44:55".to_owned()], Err(Reason::Adapter)),
        (|_, p| p.mac_addresses = vec!["02:00:00:00:00:0A".to_owned()], Ok(())),
        (|_, p| p.foreign_factor = true, Err(Reason::ForeignFactor)),
        (
            |_, p| {
                p.foreign_factor = true;
                p.bypass_secondary = true;
            },
            Ok(()),
        ),
        (|_, p| p.pin = Some(Secret::new("hash".to_owned())), Err(Reason::PinMissing)),
    ];
    for (index, (change, want)) in rows.into_iter().enumerate() {
        let (mut server, mut person) = (server(), person());
        change(&mut server, &mut person);
        let knock = Knock::read(&env("")).expect("an identity");
        let got = judge(&knock, &server, Some(&person), PinMode::Optional, false);
        assert_eq!(got.map(|_| ()), want, "row {index}");
    }
    let knock = Knock::read(&env("")).expect("an identity");
    let nobody = judge(&knock, &server(), None, PinMode::Optional, false);
    assert_eq!(nobody, Err(Reason::UnknownUser));
}

#[test]
fn pin_and_code_are_taken_apart() {
    use PinMode::{Disabled, Optional, Required};
    // Typed, PIN mode, has a PIN, wants a code: the PIN and code to prove.
    type Want = Result<(Option<&'static str>, Option<&'static str>), Reason>;
    let rows: [(&str, PinMode, bool, bool, Want); 14] = [
        ("", Optional, false, false, Ok((None, None))),
        ("1234", Optional, true, false, Ok((Some("1234"), None))),
        ("1234", Disabled, true, false, Ok((None, None))),
        ("1234", Required, false, false, Err(Reason::PinUnset)),
        ("1234567890", Optional, true, true, Ok((Some("1234"), Some("567890")))),
        ("567890", Optional, false, true, Ok((None, Some("567890")))),
        ("567890", Optional, true, true, Err(Reason::PinMissing)),
        ("1234", Optional, true, true, Err(Reason::CodeMissing)),
        ("1234abcdef", Optional, true, true, Err(Reason::CodeMissing)),
        ("é1234é", Optional, true, true, Err(Reason::CodeMissing)),
        ("SCRV1:MTIzNA==:NTY3ODkw", Optional, true, true, Ok((Some("1234"), Some("567890")))),
        ("SCRV1:MTIzNA==:", Optional, true, true, Err(Reason::CodeMissing)),
        ("SCRV1:MTIzNA==:NTY3ODkw", Optional, true, false, Ok((Some("1234"), None))),
        ("SCRV1:%%:%%", Optional, true, true, Err(Reason::CodeMissing)),
    ];
    for (typed, mode, has_pin, wants_code, want) in rows {
        let (mut server, mut person) = (server(), person());
        server.otp_auth = wants_code;
        person.pin = has_pin.then(|| Secret::new("hash".to_owned()));
        let knock = Knock::read(&env(typed)).expect("an identity");
        let got = judge(&knock, &server, Some(&person), mode, false);
        let shown = |proof: &Option<(Secret, Secret)>| proof.as_ref().map(|p| p.0.expose().clone());
        let got = got.map(|proofs| (shown(&proofs.pin), shown(&proofs.code)));
        let want = want.map(|(pin, code)| (pin.map(str::to_owned), code.map(str::to_owned)));
        assert_eq!(got, want, "{typed} {mode:?}");
    }
}

#[test]
fn new_keys_need_no_new_code_but_a_disabled_user_gets_none() {
    let (mut server, mut person) = (server(), person());
    server.otp_auth = true;
    let knock = Knock::read(&env("000000")).expect("an identity");
    let again = judge(&knock, &server, Some(&person), PinMode::Required, true);
    assert!(again.expect("still welcome").is_empty());
    person.disabled = true;
    let again = judge(&knock, &server, Some(&person), PinMode::Required, true);
    assert_eq!(again, Err(Reason::Disabled));
}
