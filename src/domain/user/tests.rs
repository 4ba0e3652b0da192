//! Rows of the contract's rules for users.

use super::*;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|t| (*t).to_owned()).collect()
}

fn pin(text: &str) -> PinField {
    PinField::Set(Secret::new(text.to_owned()))
}

fn made(
    change: impl FnOnce(&mut UserFields),
    before: Option<&UserSpec>,
) -> Result<UserSpec, Refusal> {
    let mut fields = UserFields { name: "alice".to_owned(), ..UserFields::default() };
    change(&mut fields);
    UserSpec::from_request(&fields, before)
}

#[test]
fn there_are_the_contracts_kinds_of_authentication() {
    for (text, known) in [
        ("local", true),
        ("radius_duo", true),
        ("saml_okta_yubico", true),
        ("google_duo", true),
        ("plugin_duo", false),
        ("", false),
        ("Local", false),
    ] {
        assert_eq!(AuthType::parse(text).is_some(), known, "{text}");
    }
}

#[test]
fn texts_are_filtered_and_lists_have_no_repeats() {
    let user = made(
        |f| {
            f.name = " Alice B ".to_owned();
            f.email = "alice@example.com\n".to_owned();
            f.yubico_id = "cccccccccccc-and-the-code".to_owned();
            f.auth_type = "unknown".to_owned();
            f.groups = texts(&["a b", "ab", "", "c"]);
            f.mac_addresses = texts(&["02:00:00:00:00:01", "02:00:00:00:00:01"]);
            f.dns_servers = texts(&["10.0.0.53", " fd00::53"]);
            f.dns_suffix = "corp.example \"".to_owned();
            f.network_links = texts(&["192.168.7.0/24", "fd07::/64"]);
        },
        None,
    )
    .expect("valid");
    assert_eq!(user.name, "AliceB");
    assert_eq!(user.email.as_deref(), Some("alice@example.com"));
    assert_eq!(user.yubico_id.as_deref(), Some("cccccccccccc"));
    assert_eq!(user.auth_type, AuthType::LOCAL);
    assert_eq!(user.groups, ["ab", "c"]);
    assert_eq!(user.mac_addresses, ["02:00:00:00:00:01"]);
    assert_eq!(user.dns_servers.len(), 2);
    assert_eq!(user.dns_suffix.as_deref(), Some("corp.example"));
    assert_eq!(user.network_links.len(), 2);
}

#[test]
fn put_replaces_all_but_an_unknown_kind_of_authentication() {
    let before = made(
        |f| {
            f.auth_type = "yubico".to_owned();
            f.email = "a@example.com".to_owned();
            (f.disabled, f.client_to_client) = (true, true);
            f.groups = texts(&["a"]);
        },
        None,
    )
    .expect("valid");
    let after = made(|f| f.name = String::new(), Some(&before)).expect("valid");
    assert_eq!(after.name, "undefined");
    assert_eq!(after.auth_type.as_str(), "yubico");
    assert_eq!((after.email, after.disabled, after.client_to_client), (None, false, false));
    assert!(after.groups.is_empty());
}

#[test]
fn what_the_contract_forbids_has_its_error() {
    type Row = (fn(&mut UserFields), Option<&'static str>);
    let rows: &[Row] = &[
        (|f| f.pin = pin("12345a"), Some("pin_not_digits")),
        (|f| f.pin = pin("12345"), Some("pin_too_short")),
        (|f| f.pin = pin("123456"), None),
        (|f| (f.pin, f.bypass_secondary) = (pin("123456"), true), Some("pin_bypass_secondary")),
        (|f| (f.pin, f.bypass_secondary) = (PinField::Remove, true), None),
        (
            |f| (f.yubico_id, f.bypass_secondary) = ("cccccccccccc".to_owned(), true),
            Some("yubikey_bypass_secondary"),
        ),
        (|f| f.network_links = texts(&["192.168.7.1/24"]), Some("network_link_invalid")),
        (|f| f.dns_servers = texts(&["dns.example"]), Some("dns_server_invalid")),
        (|f| f.port_forwarding = vec![forward("sctp", "80", "")], Some("protocol_invalid")),
        (|f| f.port_forwarding = vec![forward("tcp", "0", "")], Some("port_invalid")),
        (|f| f.port_forwarding = vec![forward("tcp", "", "80")], Some("port_invalid")),
        (|f| f.port_forwarding = vec![forward("tcp", "80", "http")], Some("port_invalid")),
        (|f| f.port_forwarding = vec![forward("tcp", "90-80", "")], Some("port_invalid")),
    ];
    for (row, (change, id)) in rows.iter().enumerate() {
        assert_eq!(made(change, None).map_err(Refusal::id).err(), *id, "row {row}");
    }
}

fn forward(protocol: &str, port: &str, dport: &str) -> [String; 3] {
    [protocol, port, dport].map(str::to_owned)
}

#[test]
fn forwarded_ports_have_one_form() {
    let user = made(
        |f| f.port_forwarding = vec![forward("", "80", ""), forward("TCP", "8000:8010", "90")],
        None,
    );
    let forwarding = user.expect("valid").port_forwarding;
    assert_eq!(
        forwarding,
        [
            Forwarding { protocol: None, port: "80".to_owned(), dport: None },
            Forwarding {
                protocol: Some("tcp".to_owned()),
                port: "8000-8010".to_owned(),
                dport: Some("90".to_owned()),
            },
        ]
    );
}

#[test]
fn changes_of_what_was_checked_at_connect_disconnect() {
    type Row = (fn(&mut UserFields), bool);
    let rows: &[Row] = &[
        (|_| (), false),
        (|f| f.name = "bob".to_owned(), false),
        (|f| f.email = "b@example.com".to_owned(), false),
        (|f| f.groups = texts(&["a"]), false),
        (|f| f.disabled = true, true),
        (|f| f.auth_type = "duo".to_owned(), true),
        (|f| f.yubico_id = "cccccccccccc".to_owned(), true),
        (|f| f.network_links = texts(&["192.168.7.0/24"]), true),
        (|f| f.mac_addresses = texts(&["02:00:00:00:00:01"]), true),
        (|f| f.dns_servers = texts(&["10.0.0.53"]), true),
        (|f| f.dns_suffix = "corp.example".to_owned(), true),
    ];
    let before = made(|_| (), None).expect("valid");
    for (row, (change, disconnects)) in rows.iter().enumerate() {
        let next = made(change, None).expect("valid");
        assert_eq!(before.disconnects(&next, false), *disconnects, "row {row}");
    }
    assert!(before.disconnects(&before, true), "a new PIN");
}

#[test]
fn users_set_pins_only_where_pins_are_theirs() {
    let radius = AuthType::parse("radius_duo").expect("known");
    for (mode, auth_type, expect) in [
        (PinMode::Optional, AuthType::LOCAL, Ok(())),
        (PinMode::Required, AuthType::LOCAL, Ok(())),
        (PinMode::Disabled, AuthType::LOCAL, Err(Refusal::PinDisabled)),
        (PinMode::Optional, radius, Err(Refusal::PinRadius)),
    ] {
        assert_eq!(may_set_pin(mode, auth_type), expect, "{mode:?}");
    }
}

const PLAIN: Factors = Factors {
    auth_type: AuthType::LOCAL,
    bypass_secondary: false,
    has_pin: false,
    pin_mode: PinMode::Optional,
    otp: false,
    sso: false,
    bypass_sso: false,
};

fn of_type(text: &str) -> Factors {
    Factors { auth_type: AuthType::parse(text).expect("known"), ..PLAIN }
}

#[test]
fn the_password_mode_names_the_factors() {
    let (plain, of) = (PLAIN, of_type);
    let (has_pin, otp) = (true, true);
    for (factors, mode) in [
        (plain, None),
        (Factors { has_pin, ..plain }, Some("pin")),
        (Factors { has_pin, pin_mode: PinMode::Disabled, ..plain }, None),
        (Factors { pin_mode: PinMode::Required, ..plain }, Some("pin")),
        (Factors { otp, ..plain }, Some("otp")),
        (Factors { otp, has_pin, ..plain }, Some("otp_pin")),
        (Factors { otp, has_pin, bypass_secondary: true, ..plain }, None),
        (of("radius"), Some("password")),
        (Factors { otp, ..of("radius") }, Some("otp_password")),
        (Factors { has_pin, ..of("plugin") }, Some("password")),
        (of("yubico"), Some("yubikey")),
        (Factors { otp, has_pin, ..of("google_yubico") }, Some("yubikey_pin")),
        (Factors { otp, has_pin, sso: true, ..plain }, None),
        (Factors { otp, has_pin, sso: true, bypass_sso: true, ..plain }, Some("pin")),
        (Factors { otp, sso: true, bypass_sso: true, ..plain }, None),
    ] {
        assert_eq!(password_mode(&factors), mode, "{factors:?}");
    }
}

#[test]
fn dns_names_are_lower_case_labels() {
    for (user, organization, name) in [
        ("Alice", "Acme", "alice.acme.vpn"),
        ("alice.b@example.com", "acme.eu", "alice-b.acme-eu.vpn"),
    ] {
        assert_eq!(dns_name(user, organization), name);
    }
}

#[test]
fn the_modes_name_provider_second_factor_and_pin() {
    let (has_pin, otp, bypass_secondary) = (true, true, true);
    for (factors, modes) in [
        (PLAIN, &[][..]),
        (Factors { has_pin, otp, ..PLAIN }, &["otp", "pin"]),
        (Factors { has_pin, pin_mode: PinMode::Disabled, ..PLAIN }, &[]),
        (Factors { pin_mode: PinMode::Required, ..PLAIN }, &["pin"]),
        (Factors { has_pin, otp, bypass_secondary, ..PLAIN }, &["bypass_secondary"]),
        (Factors { otp, ..of_type("saml_okta_yubico") }, &["okta", "yubico"]),
        (of_type("saml_onelogin"), &["onelogin"]),
        (of_type("saml_jumpcloud_duo"), &["jumpcloud"]),
        (of_type("saml"), &[]),
        (Factors { has_pin, ..of_type("radius_duo") }, &["radius"]),
        (Factors { otp, ..of_type("google") }, &["google", "otp"]),
    ] {
        assert_eq!(auth_modes(&factors), modes, "{factors:?}");
    }
}

#[test]
fn the_pin_mode_is_optional_unless_it_says_otherwise() {
    for (stored, mode) in [
        (None, PinMode::Optional),
        (Some("optional"), PinMode::Optional),
        (Some("required"), PinMode::Required),
        (Some("disabled"), PinMode::Disabled),
    ] {
        assert_eq!(PinMode::of_setting(stored), mode);
    }
}
