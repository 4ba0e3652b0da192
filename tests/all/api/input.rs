//! Bad input gets the contract's errors (1.1, 1.8), on every route of the table.

use super::{add_admin, put_admin, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::http::{Http, Reply};
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use mongodb::bson::doc;
use serde_json::json;
use warren::api::{Auth, ROWS, Route, Row};

const ID: &str = "65a0000000000000000000ff";
const HOST: &str = "0123456789abcdef0123456789abcdef";

/// The row's path with `id` for the last of its identifiers, good ones for the others.
fn path_with(row: &Row, id: Option<&str>) -> String {
    let mut words: Vec<String> = row.pattern.split('/').map(str::to_owned).collect();
    let last = words.iter().rposition(|word| word.starts_with(':'));
    for (at, word) in words.iter_mut().enumerate().filter(|(_, word)| word.starts_with(':')) {
        let (name, suffix) = word
            .split_once('.')
            .map_or((&**word, String::new()), |(name, s)| (name, format!(".{s}")));
        let good = match name {
            ":host" => HOST,
            ":route" => "31302e302e302e302f38",
            ":operation" => "start",
            _ => ID,
        };
        let id = id.filter(|_| Some(at) == last).unwrap_or(good);
        *word = format!("{id}{suffix}");
    }
    words.join("/")
}

fn send(http: &Http, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
    let mut headers = http.authentication(method, path);
    headers.extend(kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())));
    headers.push(("Content-Length".to_owned(), body.len().to_string()));
    http.send_with(method, path, &headers, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
}

#[test]
fn bodies_that_are_no_good_json_are_refused_on_every_route() {
    needs!(Namespaces, Mongod);
    let home = Home::new(&Place::isolated(), None);
    let daemon = home.start_with_keys();
    let http = signed_in(&home, &daemon);
    let deep = "[".repeat(100_000);
    let json = Some("application/json");
    for row in ROWS.iter().filter(|row| row.body_limit > 0) {
        let path = path_with(row, None);
        let is_list = matches!(row.route, Route::CreateUsers | Route::CreateRoutes);
        let other_kind: &[u8] = if is_list { b"{}" } else { b"[]" };
        let bad: [(&str, &[u8]); 13] = [
            ("cut off", b"{\"name\": \"a"),
            ("a second value", b"{} {}"),
            ("a comma too many", b"{\"name\": \"a\",}"),
            ("a text", b"\"name\""),
            ("a number", b"7"),
            ("true", b"true"),
            ("the other kind", other_kind),
            ("a list of values", if is_list { b"[1]" } else { b"[\"a\", \"b\"]" }),
            ("a raw control character", b"{\"name\": \"a\nb\"}"),
            ("half a character", b"{\"name\": \"\\ud800\"}"),
            ("no UTF-8", b"{\"name\": \"\xff\xfe\"}"),
            ("deep", deep.as_bytes()),
            ("form data", b"name=a"),
        ];
        for (what, body) in bad {
            let reply = send(&http, row.method, &path, json, body);
            assert_eq!((reply.status, &*reply.text()), (400, ""), "{} {path}: {what}", row.method);
        }
        // Refused as soon as it is announced.
        let mut headers = http.authentication(row.method, &path);
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        headers.push(("Content-Length".to_owned(), (row.body_limit + 1).to_string()));
        let long = http.send_with(row.method, &path, &headers, b"{}").expect("an answer");
        assert_eq!((long.status, &*long.text()), (400, ""), "{} {path}: too long", row.method);
        for kind in [None, Some(""), Some("text/plain"), Some("application/x-www-form-urlencoded")]
        {
            let body: &[u8] = if is_list { b"[]" } else { b"{}" };
            let reply = send(&http, row.method, &path, kind, body);
            assert_eq!(
                (reply.status, &*reply.text()),
                (520, ""),
                "{} {path}: {kind:?}",
                row.method
            );
        }
    }
    assert!(home.http().get("/ping").status == 200, "it goes on");
}

#[test]
fn fields_of_a_wrong_type_are_refused_and_others_are_forgiven() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let anna = add_admin(&set, "anna", doc! {});
    let admin = format!("/admin/{anna}");
    let user = format!("/user/{ID}");
    for (method, path, body) in [
        ("POST", "/auth/session", json!({ "username": 1 })),
        ("POST", "/auth/session", json!({ "password": ["x"] })),
        ("POST", "/auth/session", json!({ "password": { "$ne": "" } })),
        ("PUT", "/settings", json!({ "theme": true })),
        ("PUT", "/settings", json!({ "password": 12345678 })),
        ("PUT", &admin, json!({ "username": "anna", "super_user": "true" })),
        ("PUT", &admin, json!({ "username": "anna", "disabled": 0 })),
        ("PUT", &admin, json!({ "username": "anna", "otp_secret": "yes" })),
        ("POST", "/organization", json!({ "name": { "first": "a" } })),
        ("PUT", &format!("/organization/{ID}"), json!({ "auth_token": "x" })),
        ("POST", &user, json!({ "name": "a", "groups": "b" })),
        ("POST", &user, json!({ "name": "a", "groups": [1] })),
        ("POST", &user, json!({ "name": "a", "port_forwarding": [["tcp"]] })),
        ("POST", "/server", json!({ "name": "a", "port": "x" })),
        ("POST", "/server", json!({ "name": "a", "port": 1.5 })),
        ("POST", "/server", json!({ "name": "a", "port": 1e30 })),
        ("POST", "/server", json!({ "name": "a", "mss_fix": "x" })),
        ("POST", &format!("/server/{ID}/route"), json!({ "network": 10 })),
    ] {
        let reply = http.send(method, path, Some(&body));
        assert_eq!((reply.status, &*reply.text()), (400, ""), "{method} {path} {body}");
    }
    assert_eq!(http.get(&admin).ok()["username"], "anna", "nothing was changed");
    for body in [
        json!({ "unknown": { "deep": [1, 2] } }),
        json!({ "THEME": "light", "Pin_Mode": "optional" }),
        json!({ "theme": null, "password": null }),
    ] {
        http.put("/settings", &body).ok();
    }
    assert_eq!(http.get("/settings").ok()["theme"], "light");
    let json = "application/json";
    for kind in [json, "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(send(&http, "PUT", "/settings", Some(kind), b"").status, 200, "{kind}");
        assert_eq!(send(&http, "PUT", "/settings", Some(kind), b"null").status, 200, "{kind}");
    }
    let sign_in = home.http().post("/auth/session", &json!({ "username": null }));
    assert_eq!(sign_in.error(), (401, "auth_invalid".to_owned()));
    // Control characters and markup never become part of a name.
    let nasty = "a\u{0}n\r\nSet-Cookie: x\u{1b}[2J<b>\u{202e}\"n";
    let named = put_admin(&mut http, &anna, json!({ "username": nasty })).ok();
    assert_eq!(named["username"], "anset-cookie:x2jbn");
    let long = put_admin(&mut http, &anna, json!({ "username": "x".repeat(1000) })).ok();
    assert_eq!(long["username"].as_str().map(str::len), Some(128));
}

#[test]
fn what_does_not_exist_is_not_found() {
    needs!(Namespaces, Mongod);
    let home = Home::new(&Place::isolated(), None);
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let with_ids = || ROWS.iter().filter(|row| row.pattern.contains(':'));
    for row in with_ids().filter(|row| !row.pattern.ends_with(":operation")) {
        for bad in [
            "x",
            "65a00000000000000000001",
            "65a0000000000000000000011",
            "65A000000000000000000001",
            "0123456789ABCDEF0123456789ABCDEF",
            "g5a000000000000000000001",
            "%00",
            "..%2f..%2fetc",
            "null",
            "%7B%22$ne%22:1%7D",
        ] {
            let path = path_with(row, Some(bad));
            let body = (row.body_limit > 0).then(|| json!({}));
            let reply = http.send(row.method, &path, body.as_ref());
            assert_eq!(reply.status, 404, "{} {path}", row.method);
        }
    }
    for row in with_ids().filter(|row| matches!(row.method, "GET" | "DELETE") && !row.waiting) {
        let path = path_with(row, None);
        assert_eq!(http.send(row.method, &path, None).status, 404, "{} {path}", row.method);
    }
    for (method, path) in [
        ("GET", "/nothing"),
        ("GET", "/settings/x"),
        ("DELETE", "/settings"),
        ("POST", "/state"),
        ("GET", "/internal/session"),
        ("GET", "/internal/wakeups"),
        ("GET", "//settings"),
    ] {
        let reply = http.send(method, path, None);
        assert_eq!(reply.status, 404, "{method} {path}");
        assert!(reply.header("Content-Type").is_some_and(|kind| kind.starts_with("text/plain")));
    }
    for (method, status) in [("GET", 301), ("PUT", 307)] {
        let body = (method == "PUT").then(|| json!({}));
        let reply = http.send(method, "/settings/", body.as_ref());
        assert_eq!((reply.status, reply.header("Location")), (status, Some("/settings")));
    }
}

#[test]
fn nobody_gets_anything_without_a_session_or_signature() {
    needs!(Namespaces, Mongod);
    let home = Home::new(&Place::isolated(), None);
    let _daemon = home.start_with_keys();
    let mut nobody = home.http();
    for row in ROWS.iter().filter(|row| row.auth != Auth::None) {
        let path = path_with(row, None);
        let is_list = matches!(row.route, Route::CreateUsers | Route::CreateRoutes);
        let body = (row.body_limit > 0).then(|| if is_list { json!([]) } else { json!({}) });
        let reply = nobody.send(row.method, &path, body.as_ref());
        assert_eq!(reply.status, 401, "{} {path}", row.method);
        assert_eq!(reply.text(), "401: Unauthorized");
    }
}
