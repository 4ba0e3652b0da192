//! The rules of contract 1.1, as tables, and the round trip of every row.

use super::*;

const ID: &str = "65a000000000000000000001";
const HOST: &str = "0123456789abcdef0123456789abcdef";
const JSON: Option<&str> = Some("application/json");

/// A path of this row.
fn path_of(row: &Row) -> String {
    let segment = |part: &str| match part.strip_prefix(':') {
        Some("operation") => "restart".to_owned(),
        Some("route") => "31302e302e302e302f38".to_owned(),
        Some("host") => HOST.to_owned(),
        Some(name) => format!("{ID}{}", name.find('.').map_or("", |at| &name[at..])),
        None => part.to_owned(),
    };
    row.pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn with_body(body: &str) -> Result<Call, Reject> {
    parse("POST", "/server", "", JSON, body.as_bytes()).map(|parsed| parsed.call)
}

fn server(body: &str) -> ServerBody {
    match with_body(body) {
        Ok(Call::CreateServer { body }) => *body,
        other => panic!("{body}: {other:?}"),
    }
}

fn user(body: &str) -> Result<UserBody, Reject> {
    let path = format!("/user/{ID}");
    match parse("POST", &path, "", JSON, body.as_bytes())?.call {
        Call::CreateUser { body, .. } => Ok(*body),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn every_row_is_reached_and_written_as_it_was_read() {
    for row in ROWS {
        let path = path_of(row);
        let query = "page=2&search=a%20%26b&limit=7&last_active=true&other=1";
        let parsed = parse(row.method, &path, query, JSON, b"").expect(row.pattern);
        assert_eq!(parsed.call.route(), row.route, "{}: shadowed", row.pattern);
        assert_eq!(parsed.signed_path, path);
        let Encoded { method, target, body } = parsed.call.encode();
        assert_eq!(target.split('?').next(), Some(path.as_str()));
        assert_eq!(body.is_empty(), row.body_limit == 0, "{}", row.pattern);
        let (_, query) = target.split_once('?').unwrap_or((&target, ""));
        assert_eq!(parse(method, &path, query, JSON, &body), Ok(parsed), "{target}");
        assert!(row.doc.ends_with('.') && body_limit(row.method, &path) >= row.body_limit);
    }
}

#[test]
fn full_bodies_survive_the_round_trip() {
    let body = r#"{"name": "s", "port": 1194, "wg": true, "groups": ["a"], "mss_fix": "1400"}"#;
    let call = with_body(body).expect("valid");
    let again = call.encode();
    assert_eq!(with_body(std::str::from_utf8(&again.body).expect("text")), Ok(call));
    for pin in [r#""123456""#, "true", "false"] {
        let first = user(&format!(
            r#"{{"pin": {pin}, "port_forwarding": [{{"port": "80"}}], "send_key_email": true}}"#
        ));
        let text = serde_json::to_string(first.as_ref().expect("valid")).expect("plain");
        assert_eq!(user(&text), first, "{pin}");
    }
}

#[test]
fn queries_are_forwarded_where_listed_only() {
    let target = |path: &str, query| Ok(parse("GET", path, query, None, b"")?.call.encode().target);
    let users = format!("/user/{ID}");
    for (path, query, expected) in [
        ("/server", "page=0&x=1", Ok("/server?page=0".to_owned())),
        ("/server", "page=", Ok("/server".to_owned())),
        ("/server", "page=one", Err(Reject::Malformed)),
        ("/server", "page=-1", Err(Reject::Malformed)),
        ("/status", "page=1", Ok("/status".to_owned())),
        (&users, "search=a+b%26c", Ok(format!("{users}?search=a%20b%26c"))),
        (&users, "last_active=false", Ok(users.clone())),
    ] {
        assert_eq!(target(path, query), expected, "{path}?{query}");
    }
}

#[test]
fn paths_lead_to_their_route_or_nowhere() {
    let find = |method, path: &str| {
        parse(method, path, "", JSON, b"").map(|p| (p.call.route(), p.signed_path))
    };
    let organization = || format!("/organization/{ID}");
    for (method, path, expected) in [
        ("GET", "/nothing".to_owned(), None),
        ("GET", "//state".to_owned(), None),
        ("GET", "/".to_owned(), None),
        ("POST", "/state".to_owned(), None),
        ("HEAD", "/state".to_owned(), None),
        ("GET", "/State".to_owned(), None),
        ("GET", "/st%61te".to_owned(), Some((Route::GetState, "/state".to_owned()))),
        ("GET", "/state%00".to_owned(), None),
        ("GET", "/organization/65a0".to_owned(), None),
        ("GET", organization().to_uppercase(), None),
        // The filter removes what no identifier has; what is over-long stays wrong.
        (
            "GET",
            format!("{}%22%00", organization()),
            Some((Route::GetOrganization, organization())),
        ),
        ("GET", format!("{}%2Fx", organization()), None),
        ("GET", format!("/organization/{}{ID}", "0".repeat(128)), None),
        (
            "GET",
            format!("/organization/{ID}{}x", "*".repeat(104)),
            Some((Route::GetOrganization, organization())),
        ),
        ("GET", "/host/65a000000000000000000001".to_owned(), None),
        ("DELETE", format!("/server/{ID}/route/FF"), None),
        ("DELETE", format!("/server/{ID}/route/313"), None),
        ("GET", format!("/data/{ID}/{ID}.zip"), None),
        ("GET", format!("/data/{ID}/.tar"), None),
        (
            "POST",
            "/organization/%s".to_owned(),
            Some((Route::CreateOrganization, "/organization/%s".to_owned())),
        ),
        (
            "POST",
            "/organization/%25s".to_owned(),
            Some((Route::CreateOrganization, "/organization/%s".to_owned())),
        ),
        (
            "PUT",
            format!("/server/{ID}/operation/jump"),
            Some((Route::OperateServer, format!("/server/{ID}/operation/jump"))),
        ),
    ] {
        assert_eq!(find(method, &path), expected.ok_or(Reject::NotFound), "{method} {path}");
    }
}

#[test]
fn a_slash_at_the_end_of_a_known_route_is_redirected() {
    let moved = |status, to: &str| Reject::Moved { status, location: to.to_owned() };
    for (method, path, query, expected) in [
        ("GET", "/state/", "", moved(301, "/state")),
        ("GET", "/server/", "page=1", moved(301, "/server?page=1")),
        ("POST", "/auth/session/", "", moved(307, "/auth/session")),
        ("GET", "/state//", "", Reject::NotFound),
        ("PUT", "/state/", "", Reject::NotFound),
        ("GET", "//other.example/", "", Reject::NotFound),
    ] {
        assert_eq!(parse(method, path, query, JSON, b""), Err(expected), "{method} {path}");
    }
}

#[test]
fn bodies_must_say_that_they_are_json() {
    let kinds = [
        (None, false),
        (Some(""), false),
        (Some("text/json"), false),
        (Some("application/jsonx"), false),
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
    ];
    for (kind, is_good) in kinds {
        let parsed = parse("POST", "/server", "", kind, b"{}");
        assert_eq!(parsed.is_ok(), is_good, "{kind:?}");
        assert!(is_good || parsed == Err(Reject::ContentType));
        assert!(parse("GET", "/server", "", kind, b"").is_ok(), "takes no body");
    }
}

#[test]
fn malformed_bodies_and_wrong_types_are_refused() {
    let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(limits::BODY_BYTES_MAX));
    for bad in [
        "{",
        "[]",
        "1",
        "\"x\"",
        "{} x",
        r#"["name"]"#,
        r#"{"name": 1}"#,
        r#"{"wg": "true"}"#,
        r#"{"wg": 1}"#,
        r#"{"port": "1194"}"#,
        r#"{"port": 1194.5}"#,
        r#"{"port": 99999999999999999999}"#,
        r#"{"groups": "a"}"#,
        r#"{"groups": [1]}"#,
        r#"{"mss_fix": "wide"}"#,
        r#"{"mss_fix": true}"#,
        &long,
    ] {
        assert_eq!(with_body(bad), Err(Reject::Malformed), "{:.40}", bad);
    }
    for bad in [r#"{"pin": 1}"#, r#"{"port_forwarding": [["udp", "80", "80"]]}"#] {
        assert_eq!(user(bad), Err(Reject::Malformed), "{bad}");
    }
}

#[test]
fn omitted_null_and_empty_are_the_zero_value() {
    let zero = ServerBody::default();
    for body in ["", "{}", "null", r#"{"NAME": null, "port": null, "wg": null, "groups": null}"#] {
        assert_eq!(server(body), zero, "{body}");
    }
    assert_eq!(server(r#"{"unknown": {"deep": [1]}}"#), zero);
    let named = ServerBody { name: "a".to_owned(), ovpn_dco: true, ..zero.clone() };
    assert_eq!(server(r#"{"Name": "a", "OVPN_dco": true}"#), named);
    for (sent, mss_fix) in
        [("0", 0), ("1400", 1400), (r#""1400""#, 1400), (r#""""#, 0), ("null", 0)]
    {
        let expected = ServerBody { mss_fix, ..zero.clone() };
        assert_eq!(server(&format!(r#"{{"mss_fix": {sent}}}"#)), expected, "{sent}");
    }
    for (sent, pin) in [
        ("null", PinBody::Remove),
        ("false", PinBody::Remove),
        (r#""""#, PinBody::Remove),
        ("true", PinBody::Keep),
        (r#""123456""#, PinBody::Set("123456".to_owned().into())),
    ] {
        let expected = UserBody { pin, ..UserBody::default() };
        assert_eq!(user(&format!(r#"{{"pin": {sent}}}"#)), Ok(expected), "{sent}");
    }
}

#[test]
fn bulk_routes_take_more_and_others_the_contract_s_limit() {
    for (method, path, limit) in [
        ("POST", format!("/user/{ID}/multi"), limits::BODY_BULK_USERS_BYTES_MAX),
        ("POST", format!("/server/{ID}/routes"), limits::BODY_BULK_ROUTES_BYTES_MAX),
        ("PUT", "/server/x".to_owned(), limits::BODY_BYTES_MAX),
        ("GET", "/state".to_owned(), limits::BODY_BYTES_MAX),
        ("POST", "/nothing".to_owned(), limits::BODY_BYTES_MAX),
    ] {
        assert_eq!(body_limit(method, &path), limit, "{path}");
    }
}

#[test]
fn small_bodies_of_many_objects_are_refused_and_never_outgrow_the_internal_tier() {
    let post = |path: &str, body: &str| {
        parse("POST", &format!("/{path}"), "", Some("application/json"), body.as_bytes())
    };
    let (users, routes) = (format!("user/{ID}/multi"), format!("server/{ID}/routes"));
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    let some = limits::BODY_OBJECTS_MAX;
    for path in [&users, &routes] {
        let parsed = post(path, &list("{}", some)).expect("as many as fit");
        let encoded = parsed.call.encode();
        assert!(encoded.body.len() <= limits::FORWARD_BODY_BYTES_MAX, "{}", encoded.body.len());
        let again = parse_encoded(encoded.method, &encoded.target, "", &encoded.body);
        assert_eq!(again.expect("what was written").call, parsed.call);
        assert_eq!(post(path, &list("{}", some + 1)), Err(Reject::Malformed));
    }
    let nested = format!(r#"[{{"port_forwarding": {}}}]"#, list("{}", some));
    assert_eq!(post(&users, &nested), Err(Reject::Malformed));
    let texts = format!(r#"[{{"groups": {}}}]"#, list("\"\"", limits::BODY_VALUES_MAX + 1));
    assert_eq!(post(&users, &texts), Err(Reject::Malformed));
    let inside = format!(r#"[{{"name": "{}\"{{"}}]"#, "{[,".repeat(some));
    assert!(post(&users, &inside).is_ok(), "what stands in a text is none");
}
