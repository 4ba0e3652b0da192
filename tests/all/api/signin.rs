//! Sign-in, sessions, CSRF tokens.

use crate::needs;
use crate::support::daemon::Home;
use crate::support::place::Place;
use serde_json::json;

const PASSWORD: &str = "four words of mine";

#[test]
fn the_first_password_must_be_changed_before_anything_else() {
    needs!(Namespaces, Mongod);
    let home = Home::new(&Place::isolated(), None);
    let daemon = home.start();
    let first = daemon.default_password();
    let mut http = home.http();
    assert_eq!(http.login("admin", &first).ok()["default"], true);
    assert_eq!(http.get("/status").error(), (403, "password_change_required".to_owned()));
    assert_eq!(http.get("/settings").ok()["default"], true);
    let changed = http.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
    assert_eq!(changed["default"], false);
    assert_eq!(http.get("/admin").ok().as_array().map(Vec::len), Some(1));
    let mut other = home.http();
    assert_eq!(other.login("admin", &first).error(), (401, "auth_invalid".to_owned()));
    assert_eq!(other.login("admin", PASSWORD).ok()["default"], false);
}
