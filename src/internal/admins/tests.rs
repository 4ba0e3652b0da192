//! What a change makes of an administrator.

use super::*;

fn before() -> AdminDoc {
    AdminDoc {
        id: AdminId::from_bytes([1; 12]),
        username: "anna".to_owned(),
        password: "old hash".to_owned(),
        default: Some(true),
        default_password: Some("generated".to_owned()),
        yubikey_id: None,
        otp_auth: None,
        otp_secret: None,
        auth_api: None,
        token: "t".to_owned(),
        secret: "s".to_owned(),
        disabled: None,
        super_user: None,
        known_addresses: vec!["192.0.2.1".to_owned()],
        password_changes: 0,
        created: None,
    }
}

/// What a client sends that wants nothing changed.
fn same() -> AdminBody {
    AdminBody { username: "anna".to_owned(), super_user: true, ..AdminBody::default() }
}

fn fresh(hash: Option<&str>) -> Fresh {
    Fresh::make(hash.map(|hash| Secret::new(hash.to_owned())), &Random::seeded(1))
}

fn put(before: &AdminDoc, body: &AdminBody) -> Result<AdminDoc, Refusal> {
    let hash = (!body.password.expose().is_empty()).then_some("new hash");
    applied(before, &Change::of(body), &fresh(hash))
}

#[test]
fn what_is_sent_back_as_read_changes_nothing() {
    let full = put(&before(), &same()).expect("allowed");
    assert!(put(&full, &same()) == Ok(full.clone()));
    let settings = SettingsBody { username: "Anna".to_owned(), ..SettingsBody::default() };
    assert!(applied(&full, &Change::of_self(&settings), &fresh(None)) == Ok(full.clone()));
    let nothing = SettingsBody::default();
    assert!(applied(&full, &Change::of_self(&nothing), &fresh(None)) == Ok(full));
}

#[test]
fn a_new_password_ends_the_generated_one() {
    let body = AdminBody { password: "four words of mine".to_owned().into(), ..same() };
    let after = put(&before(), &body).expect("allowed");
    assert_eq!(after.password, "new hash");
    assert_eq!((after.default, after.default_password), (Some(false), None));
    assert_eq!(after.password_changes, 1);
    let body = AdminBody { password: "generated".to_owned().into(), ..same() };
    assert!(put(&before(), &body) == Err(Refusal::PasswordUnchanged));
    let kept = put(&before(), &same()).expect("allowed");
    assert_eq!((kept.password.as_str(), kept.default), ("old hash", Some(true)));
}

#[test]
fn tokens_are_made_anew_when_asked_for_and_when_switched_off() {
    let on = AdminBody { auth_api: true, ..same() };
    let enabled = put(&before(), &on).expect("allowed");
    assert_eq!((enabled.token.as_str(), enabled.secret.as_str()), ("t", "s"));
    let token = AdminBody { token: "x".to_owned().into(), ..on.clone() };
    let secret = AdminBody { secret: "x".to_owned().into(), ..on.clone() };
    for (body, new_token, new_secret) in
        [(on, false, false), (token, true, false), (secret, false, true), (same(), true, true)]
    {
        let after = put(&enabled, &body).expect("allowed");
        assert_eq!((after.token != "t", after.secret != "s"), (new_token, new_secret));
        assert!(after.token != "x" && after.secret != "x");
    }
}

#[test]
fn one_time_codes_have_a_secret_as_long_as_they_are_on() {
    let on = AdminBody { otp_auth: true, ..same() };
    let with = put(&before(), &on).expect("allowed");
    let secret = with.otp_secret.clone().expect("a secret");
    assert_eq!(secret.len(), 16);
    let with = AdminDoc { otp_secret: Some("KEPT".to_owned()), ..with };
    assert_eq!(put(&with, &on).expect("allowed").otp_secret.as_deref(), Some("KEPT"));
    let renew = AdminBody { otp_secret: true, ..on.clone() };
    assert_ne!(put(&with, &renew).expect("allowed").otp_secret.as_deref(), Some("KEPT"));
    assert_eq!(put(&with, &same()).expect("allowed").otp_secret, None);
    let both = AdminBody { local_otp_auth: true, ..on };
    assert!(put(&before(), &both) == Err(Refusal::AdminInvalidOtp));
}

#[test]
fn names_are_filtered_and_a_missing_one_is_said() {
    for (given, name) in [("Berta <x>", "bertax"), ("", "undefined"), (" ", "undefined")] {
        let body = AdminBody { username: given.to_owned(), ..same() };
        assert_eq!(put(&before(), &body).expect("allowed").username, name, "{given}");
    }
}

#[test]
fn a_yubikey_can_be_taken_away_but_not_given() {
    let body = AdminBody { yubikey_id: "ccccccbcgujh".to_owned(), ..same() };
    assert!(put(&before(), &body) == Err(Refusal::YubikeyUnsupported));
    let imported = AdminDoc { yubikey_id: Some("ccccccbcgujh".to_owned()), ..before() };
    assert!(put(&imported, &body).expect("kept").yubikey_id.is_some());
    assert!(put(&imported, &same()).expect("taken away").yubikey_id.is_none());
}

#[test]
fn the_last_one_in_charge_stays() {
    let admin = |super_user, disabled| AdminDoc {
        super_user: Some(super_user),
        disabled: Some(disabled),
        ..before()
    };
    let top = before();
    for (from, to, verdict) in [
        (&top, admin(true, false), Ok(())),
        (&top, admin(false, false), Err(Refusal::NoSuperUsers)),
        (&top, admin(false, true), Err(Refusal::NoSuperUsers)),
        (&top, admin(true, true), Err(Refusal::NoAdminsEnabled)),
        (&admin(false, false), admin(false, true), Ok(())),
        (&admin(true, true), admin(false, true), Ok(())),
    ] {
        assert_eq!(keep_in_charge(from, &to), verdict);
    }
}
