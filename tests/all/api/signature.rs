//! Requests that programs sign (contract 1.7).

use super::{add_admin, put_admin, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::http::{Http, nonce, sign};
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::totp::unix_time;
use mongodb::bson::doc;
use serde_json::json;

/// A signed request, and ways to spoil it.
#[derive(Clone)]
struct Attempt {
    token: String,
    secret: String,
    time: String,
    nonce: String,
    method: &'static str,
    /// Method in the string to sign.
    signed_method: &'static str,
    path: &'static str,
    /// Path in the string to sign.
    signed_path: &'static str,
    body: &'static str,
    /// What is appended to the string to sign.
    appended: &'static str,
    /// A header to leave out.
    without: &'static str,
}

impl Attempt {
    fn new(token: &str, secret: &str) -> Attempt {
        Attempt {
            token: token.to_owned(),
            secret: secret.to_owned(),
            time: unix_time().to_string(),
            nonce: nonce(),
            method: "GET",
            signed_method: "GET",
            path: "/state",
            signed_path: "/state",
            body: "",
            appended: "",
            without: "",
        }
    }

    fn send(&self, http: &Http) -> u16 {
        let Attempt { token, secret, time, nonce, method, .. } = self;
        let text = [token, time, nonce, self.signed_method, self.signed_path].join("&");
        let text = text + self.appended;
        let mut headers = vec![
            ("Auth-Token".to_owned(), token.clone()),
            ("Auth-Timestamp".to_owned(), time.clone()),
            ("Auth-Nonce".to_owned(), nonce.clone()),
            ("Auth-Signature".to_owned(), sign(secret, &text)),
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Content-Length".to_owned(), self.body.len().to_string()),
        ];
        headers.retain(|(name, _)| name != self.without);
        // What our own processes say to each other means nothing when a client says it.
        let ours = [("Warren-Resume", "x"), ("Warren-Signed-Path", self.path)];
        headers.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // The session of whoever has one.
        headers.extend(http.authentication(method, self.path));
        let sent = http.send_with(method, self.path, &headers, self.body.as_bytes());
        sent.expect("an answer").status
    }
}

/// What is sent, and the status it gets, with a good token and its secret.
fn rows(token: &str, secret: &str) -> Vec<(&'static str, Attempt, u16)> {
    let good = || Attempt::new(token, secret);
    let now = unix_time();
    let at = |time: u64| Attempt { time: time.to_string(), ..good() };
    let put = || Attempt {
        method: "PUT",
        signed_method: "PUT",
        path: "/settings",
        signed_path: "/settings",
        body: r#"{"theme": "light"}"#,
        ..good()
    };
    vec![
        ("a query is not signed", Attempt { path: "/state?a=b", ..good() }, 200),
        ("an old timestamp within the window", at(now - 43_000), 200),
        ("a coming one within the window", at(now + 43_000), 200),
        ("an old one", at(now - 43_300), 401),
        ("a coming one", at(now + 43_300), 401),
        ("no number", Attempt { time: "soon".to_owned(), ..good() }, 401),
        ("an empty timestamp", Attempt { time: String::new(), ..good() }, 401),
        ("a short nonce", Attempt { nonce: "1234567".to_owned(), ..good() }, 401),
        ("another secret", Attempt::new(token, "0123456789012345"), 401),
        ("another token", Attempt::new("nobody", secret), 401),
        ("another path", Attempt { signed_path: "/settings", ..good() }, 401),
        ("another method", Attempt { signed_method: "GET", ..put() }, 401),
        ("a body", put(), 200),
        ("a body, signed too", Attempt { appended: r#"&{"theme": "light"}"#, ..put() }, 200),
        ("a body, signed otherwise", Attempt { appended: r#"&{"theme":"light"}"#, ..put() }, 401),
        ("no body, but one signed", Attempt { appended: "&{}", ..good() }, 401),
    ]
}

#[test]
fn only_a_good_fresh_signature_of_an_enabled_token_is_accepted() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let id = add_admin(&set, "robot", doc! { "auth_api": false });
    let robot = http.get(&format!("/admin/{id}")).ok();
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let (token, secret) = (text(&robot["token"]), text(&robot["secret"]));
    let good = || Attempt::new(&token, &secret);
    let anyone = home.http();
    assert_eq!(good().send(&anyone), 401, "not enabled");
    put_admin(&mut http, &id, json!({ "auth_api": true })).ok();
    assert_eq!(good().send(&anyone), 200, "enabled, at once");

    for (what, attempt, status) in rows(&token, &secret) {
        assert_eq!(attempt.send(&anyone), status, "{what}");
    }
    let used = good();
    for (attempt, status) in [
        (used.clone(), 200),
        (used.clone(), 401),
        (Attempt { time: (unix_time() - 1).to_string(), ..used }, 401),
    ] {
        assert_eq!(attempt.send(&anyone), status, "a nonce is good once");
    }
    for without in ["Auth-Token", "Auth-Timestamp", "Auth-Nonce", "Auth-Signature"] {
        assert_eq!(Attempt { without, ..good() }.send(&anyone), 401, "without {without}");
        let with_session = Attempt { without, ..good() };
        assert_eq!(with_session.send(&http), 401, "a session does not make up for {without}");
    }
    // A bad signature does not use up the nonce of a good one.
    let mine = good();
    assert_eq!(Attempt { secret: "x".repeat(32), ..mine.clone() }.send(&anyone), 401);
    assert_eq!(mine.send(&anyone), 200);

    put_admin(&mut http, &id, json!({ "disabled": true })).ok();
    assert_eq!(good().send(&anyone), 401, "disabled");
    let off = put_admin(&mut http, &id, json!({ "disabled": false, "auth_api": false })).ok();
    let on = put_admin(&mut http, &id, json!({ "auth_api": true })).ok();
    assert_eq!(on["token"], off["token"]);
    assert_eq!(good().send(&anyone), 401, "switching off made a new token");
    assert_eq!(Attempt::new(&text(&on["token"]), &text(&on["secret"])).send(&anyone), 200);
}
