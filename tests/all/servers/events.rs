//! Which events follow which change (contract 2.5): what open consoles load again.

use super::rig::{Rig, body, run};
use crate::needs;
use crate::support::http::Http;
use crate::support::wait::{seconds, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Types of events, and what they are about.
type Told = BTreeSet<(String, Option<String>)>;

/// Follows events from one to the next.
struct Follower {
    http: Http,
    cursor: String,
}

impl Follower {
    /// Events before it is made are not seen: so it makes some itself.
    fn new(rig: &mut Rig<'_>, server: &str) -> Follower {
        let http = rig.http.clone();
        let mut first = Vec::new();
        wait_until("a first event", seconds(15), || {
            let mut poll = rig.http.clone();
            let polling = std::thread::spawn(move || poll.get("/event").ok());
            while !polling.is_finished() {
                rig.http.delete(&format!("/server/{server}/output")).ok();
            }
            first = polling.join().expect("an answer").as_array().expect("a list").clone();
            !first.is_empty()
        });
        let mut follower = Follower { http, cursor: cursor(&first).expect("an event") };
        // A mark behind all of that noise.
        rig.http
            .post(&format!("/server/{server}/route"), &json!({ "network": "10.1.0.0/16" }))
            .ok();
        follower.until(&[("server_routes_updated", Some(server))]);
        follower
    }

    /// What is told until all of `wanted` was.
    fn until(&mut self, wanted: &[(&str, Option<&str>)]) -> Told {
        let mut told = Told::new();
        let wanted: Told = wanted
            .iter()
            .map(|(kind, resource)| ((*kind).to_owned(), resource.map(str::to_owned)))
            .collect();
        wait_until("all events", seconds(15), || {
            let items = self.http.get(&format!("/event/{}", self.cursor)).ok();
            let items = items.as_array().expect("a list");
            self.cursor = cursor(items).unwrap_or_else(|| self.cursor.clone());
            let told_now = items.iter().map(|item| {
                let resource = item["resource_id"].as_str().map(str::to_owned);
                (item["type"].as_str().expect("a type").to_owned(), resource)
            });
            // Hosts and tasks go on meanwhile.
            let ours = |kind: &str| kind.starts_with("server") || kind.starts_with("users");
            told.extend(told_now.filter(|(kind, _)| ours(kind)));
            wanted.is_subset(&told)
        });
        told
    }
}

fn cursor(items: &[Value]) -> Option<String> {
    Some(items.last()?["id"].as_str().expect("an id").to_owned())
}

#[test]
fn every_change_is_told() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.server(&body("office"));
        let org = rig.organization("acme");
        let mut follower = Follower::new(rig, &server);
        let (path, about) = (format!("/server/{server}"), Some(server.as_str()));
        let organization = format!("{path}/organization/{org}");
        let host = format!("{path}/host/{}", rig.host_id());
        let route = format!("{path}/route/31302e302e302e302f38");
        let users = ("users_updated", Some(org.as_str()));
        let servers = ("servers_updated", None);
        let routes = ("server_routes_updated", about);
        let organizations = ("server_organizations_updated", about);
        let hosts = ("server_hosts_updated", about);
        let attached = vec![servers, routes, organizations, users];
        let rows = [
            ("PUT", organization.clone(), attached.clone()),
            ("PUT", path.clone(), vec![servers, routes, users]),
            ("DELETE", host.clone(), vec![servers, hosts]),
            ("PUT", host, vec![hosts]),
            ("POST", format!("{path}/route"), vec![routes]),
            ("DELETE", route, vec![routes]),
            ("PUT", format!("{path}/operation/stop"), vec![servers, hosts, users]),
            ("DELETE", format!("{path}/output"), vec![("server_output_updated", about)]),
            ("DELETE", organization, attached),
            ("DELETE", path.clone(), vec![servers]),
        ];
        for (method, path, expected) in rows {
            let mut fields = body("office");
            fields["network"] = json!(if path.ends_with("route") { "10.0.0.0/8" } else { "" });
            let sent = matches!(method, "POST" | "PUT").then_some(&fields);
            assert_eq!(rig.http.send(method, &path, sent).status, 200, "{method} {path}");
            let told = follower.until(&expected);
            assert_eq!(told.len(), expected.len(), "{method} {path}: {told:?}");
        }
    });
}
