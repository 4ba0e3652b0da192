//! Sign-in, sessions, CSRF tokens.

use super::{PASSWORD, add_admin, administrators, error, put_admin, sign_in, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::http::{Http, Reply};
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::totp;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use serde_json::{Value, json};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use warren::api::{Auth, ROWS, Route};

/// Attempts of one client on one account within ten minutes.
const ATTEMPTS_MAX: usize = 30;

#[test]
fn the_first_password_must_be_changed_before_anything_else() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let first = daemon.default_password();
    let mut http = home.http();
    assert_eq!(http.login("admin", &first).ok()["default"], true);
    let open = [Route::GetState, Route::GetSettings, Route::PutSettings];
    let closed = ROWS.iter().filter(|row| row.auth != Auth::None && !open.contains(&row.route));
    for row in closed {
        let id = "65a000000000000000000001";
        let words = row.pattern.split('/').map(|word| match word.split_once('.') {
            _ if !word.starts_with(':') => word.to_owned(),
            Some((_, suffix)) => format!("{id}.{suffix}"),
            None if word == ":host" => "0123456789abcdef0123456789abcdef".to_owned(),
            None if word == ":route" => "31302e302e302e302f38".to_owned(),
            None => id.to_owned(),
        });
        let path = words.collect::<Vec<_>>().join("/");
        let body = (row.body_limit > 0).then(|| match row.route {
            Route::CreateUsers | Route::CreateRoutes => json!([]),
            _ => json!({}),
        });
        let reply = http.send(row.method, &path, body.as_ref());
        assert_eq!(reply.error(), error(403, "password_change_required"), "{} {path}", row.method);
    }
    // Programs that sign are not people who could choose a password.
    let update = doc! { "$set": { "auth_api": true } };
    let all = administrators(&set);
    all.update_one(doc! {}, update).run().expect("an update");
    let one = all.find_one(doc! {}).run().expect("a read").expect("one");
    let text = |field: &str| one.get_str(field).expect("text").to_owned();
    let mut program = home.http().signed_by(&text("token"), &text("secret"));
    assert_eq!(program.get("/admin").ok()[0]["default"], true);

    for (password, id) in [
        ("short", "password_too_short"),
        (&*"x".repeat(129), "password_too_long"),
        (&first, "password_unchanged"),
    ] {
        let reply = http.put("/settings", &json!({ "password": password }));
        assert_eq!(reply.error(), error(400, id));
    }
    assert_eq!(http.put("/settings", &json!({ "password": "" })).ok()["default"], true);
    let body = json!({ "username": "admin", "password": PASSWORD });
    assert_eq!(http.put("/settings", &body).ok()["default"], false);
    assert_eq!(http.get("/admin").ok().as_array().map(Vec::len), Some(1));
    let one = all.find_one(doc! {}).run().expect("a read").expect("one");
    assert!(!one.to_string().contains(&first), "the generated password is kept nowhere");
    let mut other = home.http();
    assert_eq!(other.login("admin", &first).error(), error(401, "auth_invalid"));
    assert_eq!(other.login(" ADMIN\n", PASSWORD).ok()["default"], false);
}

/// Memory of a process in use, in kB.
fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

/// What a client sees, without what differs between any two answers.
fn seen(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    (reply.status, headers.cloned().collect(), reply.text())
}

#[test]
fn strangers_learn_nothing_and_shut_nobody_out() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let place = Place::isolated();
    let home = Home::new(&place, Some(set.uri()));
    let daemon = home.start_with_keys();
    signed_in(&home, &daemon);
    add_admin(&set, "gone", doc! { "disabled": true });
    let mut stranger = Http::new(&place, "[::1]:443".parse().expect("an address"));
    let wrong = stranger.login("admin", "wrong");
    assert_eq!(wrong.error(), error(401, "auth_invalid"));
    for (name, password) in
        [("nobody", "wrong"), ("", ""), ("gone", PASSWORD), ("admin", ""), ("\u{7}", PASSWORD)]
    {
        assert_eq!(seen(&stranger.login(name, password)), seen(&wrong), "{name:?}");
    }
    // "admin" was tried twice. A name that does not exist is counted as one that does.
    for (name, left) in [("admin", ATTEMPTS_MAX - 2), ("nobody", ATTEMPTS_MAX - 1)] {
        for n in 0..left {
            assert_eq!(stranger.login(name, "wrong").status, 401, "{name}, attempt {n}");
        }
        assert_eq!(stranger.login(name, PASSWORD).error(), error(400, "auth_too_many"), "{name}");
    }
    // Elsewhere the administrator goes in and out as before, and is not counted for that.
    for n in 0..=ATTEMPTS_MAX {
        assert_eq!(home.http().login("admin", PASSWORD).status, 200, "sign-in {n}");
    }
    let counted =
        set.client().database("warren").collection::<mongodb::bson::Document>("auth_limiter");
    let all = counted.find(doc! {}).run().expect("a read");
    let text: Vec<String> = all.map(|found| found.expect("a document").to_string()).collect();
    assert!(!text.is_empty());
    for typed in ["nobody", "admin", "wrong"] {
        assert!(!text.iter().any(|found| found.contains(typed)), "{text:?}");
    }
    // Names without end leave no traces without end.
    let clients = doc! { "_id": { "$regex": "^client/" } };
    let over = doc! { "$set": { "count": 301_i64 } };
    counted.update_many(clients, over).run().expect("a write");
    let traces = || counted.count_documents(doc! {}).run().expect("a count");
    let before = traces();
    for n in 0..5 {
        let refused = stranger.login(&format!("name{n}"), "wrong");
        assert_eq!(refused.error(), error(400, "auth_too_many"));
    }
    assert_eq!(traces(), before);
    let log = daemon.process.log();
    assert!(log.contains("sign-in refused from ") && !log.contains("nobody"));
    for secret in [PASSWORD, "wrong"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    // Each of these hashes took 19 MiB; three times the design's whole budget is left alone.
    let kb = resident_kb(daemon.process.pid());
    assert!(kb < 75_000, "{kb} kB are in use");
}

/// The request of `http` with another `Cookie` header.
fn with_cookie(http: &Http, path: &str, cookie: &str) -> Reply {
    let mut headers = http.authentication("GET", path);
    headers.retain(|(name, _)| name != "Cookie");
    headers.push(("Cookie".to_owned(), cookie.to_owned()));
    http.send_with("GET", path, &headers, b"").expect("an answer")
}

fn cookie(http: &Http) -> String {
    let headers = http.authentication("GET", "/");
    headers.into_iter().find(|(name, _)| name == "Cookie").expect("cookies").1
}

#[test]
fn a_session_is_two_cookies_and_ends_when_told() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let login = home.http().login("admin", PASSWORD);
    let sent = login.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let sent: Vec<&str> = sent.map(|(_, value)| value.as_str()).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    for (cookie, marks) in sent.iter().zip(["SameSite=Lax", "Max-Age=43200"]) {
        for mark in ["HttpOnly", "Secure", "Path=/", marks] {
            assert!(cookie.split("; ").any(|part| part == mark), "{mark} in {cookie}");
        }
    }
    let good = cookie(&http);
    let (session, token) = good.split_once("; ").expect("two cookies");
    let foreign = cookie(&sign_in(&home, "admin"));
    let (_, other_token) = foreign.split_once("; ").expect("two cookies");
    for (cookie, status) in [
        (good.clone(), 200),
        (format!("{token}; {session}"), 200),
        (session.to_owned(), 401),
        (token.to_owned(), 401),
        (format!("{session}; {other_token}"), 401),
        (format!("{session}x; {token}"), 401),
        (format!("{session}; {token}0"), 401),
        ("session=; token=".to_owned(), 401),
        (";;=;session;token".to_owned(), 401),
        (String::new(), 401),
    ] {
        assert_eq!(with_cookie(&http, "/settings", &cookie).status, status, "{cookie}");
        let page = with_cookie(&http, "/", &cookie);
        assert_eq!(page.status, if status == 200 { 200 } else { 302 }, "{cookie}");
    }
    // The database knows no key.
    let sessions =
        set.client().database("warren").collection::<mongodb::bson::Document>("admin_sessions");
    let key = session.strip_prefix("session=").expect("the key");
    let stored = sessions.find(doc! {}).run().expect("a read");
    let stored: Vec<String> = stored.map(|found| found.expect("a document").to_string()).collect();
    assert!(stored.len() >= 2 && !stored.iter().any(|found| found.contains(key)));

    let out = http.delete("/auth/session").ok();
    assert_eq!(out, json!({ "authenticated": false }));
    assert_eq!(with_cookie(&http, "/settings", &good).status, 401, "at once");
    assert_eq!(home.http().delete("/auth/session").status, 200, "nobody may sign out too");

    // The seventeenth session ends the first.
    let mut first = sign_in(&home, "admin");
    let mut others: Vec<Http> = (1..16).map(|_| sign_in(&home, "admin")).collect();
    assert_eq!(first.get("/settings").status, 200);
    others.push(sign_in(&home, "admin"));
    assert_eq!(first.get("/settings").status, 401);
    assert!(others.iter_mut().all(|http| http.get("/settings").status == 200));

    // A new password ends all but the one that asks.
    let mut asking = others.pop().expect("a session");
    asking.put("/settings", &json!({ "password": "another of mine" })).ok();
    assert_eq!(asking.get("/settings").status, 200);
    assert!(others.iter_mut().all(|http| http.get("/settings").status == 401));
}

#[test]
fn csrf_tokens_are_needed_and_bound_to_the_administrator() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    add_admin(&set, "other", doc! {});
    let csrf = |http: &mut Http| -> String {
        http.get("/state").ok()["csrf_token"].as_str().expect("a token").to_owned()
    };
    let (one, two) = (csrf(&mut http), csrf(&mut http));
    assert_ne!(one, two);
    let foreign = csrf(&mut sign_in(&home, "other"));
    let mut broken = one.clone();
    broken.pop();
    let bare = http.without_csrf();
    let ask = |method: &str, path: &str, token: Option<&str>| {
        let mut headers = bare.authentication(method, path);
        headers.extend(token.map(|token| ("Csrf-Token".to_owned(), token.to_owned())));
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        headers.extend([json, ("Content-Length".to_owned(), "2".to_owned())]);
        bare.send_with(method, path, &headers, b"{}").expect("an answer").status
    };
    for (token, status) in [
        (Some(&*one), 200),
        (Some(&*two), 200),
        (None, 401),
        (Some(""), 401),
        (Some("garbage"), 401),
        (Some("9999999999.x.00"), 401),
        (Some(&*broken), 401),
        (Some(&*foreign), 401),
    ] {
        assert_eq!(ask("GET", "/settings", token), status, "GET with {token:?}");
        assert_eq!(ask("PUT", "/settings", token), status, "PUT with {token:?}");
        assert_eq!(ask("GET", "/state", token), 200, "no token is needed here: {token:?}");
    }
    assert_eq!(home.http().get("/state").status, 401, "a session is");
    let state = http.get("/state").ok();
    for (field, value) in [
        ("super_user", json!(true)),
        ("theme", json!("dark")),
        ("user", Value::Null),
        ("active", json!(false)),
        ("plan", Value::Null),
        ("sso", Value::Null),
    ] {
        assert_eq!(state[field], value, "{field}");
    }
    assert!(state["version"].as_u64().is_some_and(|version| version > 1_0000_0000));
}

#[test]
fn one_time_codes_are_asked_for_first_and_good_once_everywhere() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let homes = [(); 2].map(|()| Home::new(&Place::isolated(), Some(set.uri())));
    let [here, there] = &homes;
    let daemons = [here.start(), there.start()];
    let mut http = signed_in(here, &daemons[0]);
    let id = add_admin(&set, "anna", doc! {});
    let anna = put_admin(&mut http, &id, json!({ "otp_auth": true })).ok();
    let secret = anna["otp_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(secret.len(), 16);
    let login = |home: &Home, password: &str, code: &str| {
        let body = json!({ "username": "anna", "password": password, "otp_code": code });
        home.http().post("/auth/session", &body)
    };
    // Before the password is looked at.
    let asked = login(here, "wrong", "");
    assert_eq!(asked.error(), error(402, "auth_otp_required"));
    let factors = asked.json();
    assert_eq!(
        [&factors["otp_auth"], &factors["local_otp_auth"], &factors["yubico_auth"]],
        [&json!(true), &Value::Null, &json!(false)]
    );
    let wrong = login(here, PASSWORD, "000000");
    assert_eq!(wrong.error(), error(401, "auth_invalid"));
    let code = totp::now(&secret);
    assert_eq!(seen(&login(here, "wrong", &code)), seen(&wrong), "and that uses up no code");
    assert_eq!(login(here, PASSWORD, &code).status, 200);
    for home in &homes {
        assert_eq!(login(home, PASSWORD, &code).error(), error(401, "auth_invalid"), "again");
    }
    assert_eq!(login(there, PASSWORD, &totp::next(&secret)).status, 200);

    // What one host ends is over on the other within seconds.
    let mut elsewhere = there.http();
    elsewhere.login("admin", PASSWORD).ok();
    let mut mine = http.clone();
    put_admin(&mut mine, &id, json!({ "otp_auth": false, "otp_secret": false })).ok();
    let mut on_both = sign_in(here, "anna");
    let roaming = cookie(&on_both);
    let visit = || with_cookie(&elsewhere, "/state", &roaming).status;
    assert_eq!(visit(), 200, "a session is good on every host");
    put_admin(&mut mine, &id, json!({ "disabled": true })).ok();
    assert_eq!(on_both.get("/state").status, 401, "at once here");
    wait_until("the other host refuses too", seconds(6), || visit() == 401);
}

#[test]
fn older_hashes_are_replaced_at_the_next_sign_in() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    signed_in(&home, &daemon);
    let older = "3$MTIzNDU2Nzg=$qqKzYLwxfp0xH2aZ/JN4HYO6Z2+w403K5Gk114Gh4yoZ4gGfa4ox86Q1gFR2Royrx8\
                 Qhuwy5ispxCfAdmy+3aQ==";
    add_admin(&set, "imported", doc! { "password": older });
    let stored = || {
        let found = administrators(&set).find_one(doc! { "username": "imported" }).run();
        found.expect("a read").expect("one").get_str("password").expect("a hash").to_owned()
    };
    assert_eq!(home.http().login("imported", "wrong").status, 401);
    assert_eq!(stored(), older);
    // Two at once: neither is refused because of the other's new hash.
    let logins = [(); 2].map(|()| {
        let mut http = home.http();
        std::thread::spawn(move || http.login("imported", "correct horse").status)
    });
    let statuses = logins.map(|login| login.join().expect("an answer"));
    assert_eq!(statuses, [200, 200]);
    assert!(stored().starts_with("$argon2id$"), "{}", stored());
    assert_eq!(home.http().login("imported", "correct horse").status, 200);
}

#[test]
fn who_floods_the_sign_in_keeps_nobody_else_out() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let place = Place::isolated();
    let home = Home::new(&place, Some(set.uri()));
    let daemon = home.start_with_keys();
    let _http = signed_in(&home, &daemon);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..20 {
            let (mut flood, over) = (home.http(), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    flood.login(&format!("nobody{n}"), "x");
                }
            });
        }
        // The same host by another address is another client.
        let victim = || Http::new(&place, (Ipv6Addr::LOCALHOST, 443).into());
        let statuses: Vec<u16> =
            (0..12).map(|_| victim().login("admin", PASSWORD).status).collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [200; 12]);
    });
}
