//! Routes of a server.

use super::rig::{Rig, run, with};
use crate::needs;
use mongodb::bson::{doc, oid::ObjectId};
use serde_json::{Value, json};

fn networks(rig: &mut Rig<'_>, path: &str) -> Vec<String> {
    let list = rig.http.get(path).ok();
    let list = list.as_array().expect("a list").iter();
    list.map(|route| route["network"].as_str().expect("a network").to_owned()).collect()
}

fn hex(network: &str) -> String {
    network.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn routes_are_listed_stored_and_removed() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let fields = json!({ "network": "10.20.0.0/16", "dns_servers": ["9.9.9.9"], "ipv6": true });
        let server = rig.server(&with("office", fields.clone()));
        let path = format!("/server/{server}/route");
        assert_eq!(networks(rig, &path), ["0.0.0.0/0", "::/0", "10.20.0.0/16", "9.9.9.9/32"]);
        let list = rig.http.get(&path).ok();
        assert_eq!(list[2]["virtual_network"], json!(true));
        assert_eq!(list[3]["comment"], json!("DNS Server"));
        assert_eq!(list[0]["id"], json!(hex("0.0.0.0/0")));

        let route = json!({ "network": "10.99.0.0/16", "nat": true, "comment": "lab", "metric": 5,
            "nat_netmap": "10.98.0.0/16", "advertise_resource": ["x"] });
        let expected = json!({
            "id": hex("10.99.0.0/16"), "server": server, "network": "10.99.0.0/16",
            "comment": "lab", "metric": 5, "nat": true, "nat_interface": null,
            "nat_netmap": "10.98.0.0/16", "advertise": false, "advertise_resource": ["x"],
            "vpc_region": null, "vpc_id": null, "net_gateway": false,
        });
        assert_eq!(rig.http.post(&path, &route).ok(), expected);
        // The same network again replaces it; so does PUT, whose network is the path's.
        let replaced = json!({ "network": "10.99.0.0/16", "comment": "new" });
        assert_eq!(rig.http.post(&path, &replaced).ok()["comment"], json!("new"));
        let one = format!("{path}/{}", hex("10.99.0.0/16"));
        let put = rig.http.put(&one, &json!({ "network": "1.1.1.1/32", "metric": 9 })).ok();
        assert_eq!((&put["network"], &put["metric"]), (&json!("10.99.0.0/16"), &json!(9)));
        assert_eq!(networks(rig, &path).len(), 5);

        let virtual_route = json!({ "network": "10.20.0.0/16", "comment": "own" });
        assert_eq!(rig.http.post(&path, &virtual_route).ok()["network"], json!("10.20.0.0/16"));
        let own = format!("{path}/{}", hex("10.20.0.0/16"));
        assert_eq!(rig.http.delete(&own).ok(), Value::Null, "the own network stays");
        assert!(networks(rig, &path).contains(&"10.20.0.0/16".to_owned()));

        let gone = rig.http.delete(&one);
        assert_eq!((gone.status, gone.text()), (200, "null".to_owned()));
        assert_eq!(rig.http.delete(&one).status, 404);
        // Everything, in either family, is one route.
        rig.http.delete(&format!("{path}/{}", hex("::/0"))).ok();
        assert_eq!(networks(rig, &path), ["10.20.0.0/16", "9.9.9.9/32"]);
        assert_eq!(
            rig.http.post(&path, &json!({ "network": "::/0" })).ok()["network"],
            json!("0.0.0.0/0")
        );

        // The DNS server's route follows the first DNS server.
        let mut fields = fields;
        fields["dns_servers"] = json!(["1.1.1.1"]);
        rig.http.put(&format!("/server/{server}"), &with("office", fields)).ok();
        let followed = networks(rig, &path);
        assert!(followed.contains(&"1.1.1.1/32".to_owned()), "{followed:?}");
        assert!(!followed.contains(&"9.9.9.9/32".to_owned()), "{followed:?}");
    });
}

#[test]
fn many_at_once_are_all_or_none_and_rules_hold() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.server(&with("office", json!({ "network": "10.20.0.0/16" })));
        let (one, many) = (format!("/server/{server}/route"), format!("/server/{server}/routes"));
        let before = networks(rig, &one);
        let bad = json!([{ "network": "10.1.0.0/16" }, { "network": "nonsense" }]);
        assert_eq!(rig.http.post(&many, &bad).error(), (400, "server_route_invalid".to_owned()));
        assert_eq!(networks(rig, &one), before, "none of them");
        let good: Vec<Value> =
            (0..200).map(|n| json!({ "network": format!("10.1.{n}.0/24") })).collect();
        let last = rig.http.post(&many, &Value::Array(good)).ok();
        assert_eq!(last["network"], json!("10.1.199.0/24"), "the last one only");
        assert_eq!(networks(rig, &one).len(), before.len() + 200);
        assert_eq!(rig.http.post(&many, &json!([])).ok(), Value::Null);

        let user = ObjectId::new();
        let org = rig.organization("acme");
        rig.http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
        rig.insert(
            "users",
            doc! { "_id": user, "org_id": super::rig::oid(&org),
            "type": "client", "name": "anna", "network_links": ["10.77.0.0/24"] },
        );
        let links: Vec<Value> = rig
            .http
            .get(&one)
            .ok()
            .as_array()
            .expect("a list")
            .iter()
            .filter(|route| route["network_link"] == json!(true))
            .cloned()
            .collect();
        assert_eq!(links.len(), 1);
        assert_eq!(links[0]["network"], json!("10.77.0.0/24"));

        for (id, fields) in [
            ("server_route_invalid", json!({ "network": "10.0.0.1/8" })),
            ("server_route_invalid", json!({ "network": "" })),
            ("server_route_virtual_nat", json!({ "network": "10.20.0.0/16", "nat": true })),
            (
                "server_route_net_gateway_nat",
                json!({ "network": "10.0.0.0/8", "nat": true, "net_gateway": true }),
            ),
            (
                "server_route_non_nat_netmap",
                json!({ "network": "10.0.0.0/8", "nat_netmap": "10.9.0.0/16" }),
            ),
            (
                "server_route_network_link_gateway",
                json!({ "network": "10.77.0.0/24", "net_gateway": true }),
            ),
        ] {
            let reply = rig.http.post(&one, &fields);
            assert_eq!(reply.error(), (400, id.to_owned()), "{fields}");
        }
        let too_many: Vec<Value> = (0..4200)
            .map(|n| json!({ "network": format!("10.{}.{}.0/24", 2 + n / 256, n % 256) }))
            .collect();
        let reply = rig.http.post(&many, &Value::Array(too_many));
        assert_eq!(reply.error(), (400, "server_routes_too_many".to_owned()));
    });
}
