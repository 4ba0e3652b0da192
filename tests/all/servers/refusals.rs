//! Every identifier of contract 1.8 that these routes can answer with.

use super::rig::{body, run, with};
use crate::needs;
use mongodb::bson::doc;
use serde_json::{Value, json};

/// Fields of a request, and why they are refused beside the server that is there.
fn refused() -> [(&'static str, Value); 29] {
    [
        ("missing_params", json!({ "name": " " })),
        ("missing_params", json!({ "network_mode": "bridge" })),
        ("network_invalid", json!({ "network": "8.8.8.0/24" })),
        ("network_invalid", json!({ "network": "10.30.0.1/16" })),
        ("network_in_use", json!({ "network": "10.20.5.0/24" })),
        ("network_in_use", json!({ "network": "10.21.5.0/24" })),
        ("network_wg_invalid", json!({ "wg": true, "network_wg": "nonsense" })),
        (
            "network_WG_in_use",
            json!({ "network": "10.30.0.0/16", "wg": true,
                "network_wg": "10.20.0.0/16" }),
        ),
        (
            "network_wg_cidr_invalid",
            json!({ "network": "10.30.0.0/16", "wg": true,
                "network_wg": "10.31.0.0/24" }),
        ),
        (
            "_bridge_network_invalid",
            json!({ "network": "10.30.0.0/24",
                "network_mode": "bridge", "network_start": "10.30.0.9",
                "network_end": "10.30.1.9" }),
        ),
        ("port_invalid", json!({ "port": 65_536 })),
        ("port_protocol_in_use", json!({ "port": 1194 })),
        ("port_protocol_in_use", json!({ "port": 1300 })),
        ("dh_param_bits_invalid", json!({ "dh_param_bits": 999 })),
        ("protocol_invalid", json!({ "protocol": "" })),
        ("cipher_invalid", json!({ "cipher": "rot13" })),
        ("hash_invalid", json!({ "hash": "" })),
        ("dns_server_invalid", json!({ "dns_servers": ["dns.example.com"] })),
        ("ping_interval_too_high", json!({ "ping_interval": 10, "ping_timeout": 12 })),
        ("bypass_sso_device_auth", json!({ "bypass_sso_auth": true })),
        ("bridged_ipv6_invalid", bridge(json!({ "ipv6": true }))),
        ("bridged_replica_invalid", bridge(json!({ "replica_count": 2 }))),
        ("server_domain_no_dns", json!({ "search_domain": "example.com" })),
        ("client_dns_mapping_no_dns", json!({ "dns_mapping": true })),
        // Ours: what OpenVPN would not start with.
        ("bind_address_invalid", json!({ "bind_address": "vpn.example.com" })),
        ("max_clients_invalid", json!({ "max_clients": 2_000_000_000 })),
        ("tun_mtu_invalid", json!({ "tun_mtu": 1 })),
        ("fragment_invalid", json!({ "fragment": 1 })),
        ("fragment_tcp", json!({ "fragment": 1300, "protocol": "tcp" })),
    ]
}

#[test]
fn what_rules_refuse_has_the_contracts_identifier() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let taken = json!({
            "network": "10.20.0.0/16", "port": 1194, "wg": true, "network_wg": "10.21.0.0/16",
            "port_wg": 1300,
        });
        rig.server(&with("taken", taken));
        for (id, fields) in refused() {
            let reply = rig.http.post("/server", &with("new", fields.clone()));
            assert_eq!(reply.error(), (400, id.to_owned()), "{fields}");
            assert!(reply.json()["error_msg"].as_str().is_some_and(|text| text.len() > 10));
        }
        assert_eq!(rig.http.get("/server").ok().as_array().map(Vec::len), Some(1), "none is made");

        // The same rules for a change, which may keep its own network and port.
        let id = rig.server(&with("mine", json!({ "network": "10.30.0.0/16", "port": 1195 })));
        let path = format!("/server/{id}");
        let kept = with("mine", json!({ "network": "10.30.0.0/16", "port": 1195 }));
        rig.http.put(&path, &kept).ok();
        for (id, fields) in [
            ("network_in_use", json!({ "network": "10.20.0.0/24" })),
            ("port_protocol_in_use", json!({ "port": 1194 })),
        ] {
            let reply = rig.http.put(&path, &with("mine", fields));
            assert_eq!(reply.error(), (400, id.to_owned()));
        }
        for wrong in ["{", "[]", "{\"port\": \"many\"}", "{\"name\": 7}"] {
            let mut headers = rig.http.authentication("POST", "/server");
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            headers.push(("Content-Length".to_owned(), wrong.len().to_string()));
            let reply = rig.http.send_with("POST", "/server", &headers, wrong.as_bytes());
            assert_eq!(reply.expect("an answer").status, 400, "{wrong}");
        }
    });
}

#[test]
fn a_document_that_can_not_be_read_is_left_out_and_hides_nothing_else() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let (org, id) = (rig.organization("acme"), rig.server(&body("good")));
        for (collection, document) in [
            (
                "servers",
                doc! { "name": "bad", "port": "x", "online": true, "hosts": [rig.host_id()] },
            ),
            ("users", doc! { "org_id": super::rig::oid(&org), "type": "client", "name": 5 }),
            ("organizations", doc! { "name": "bad" }),
            ("hosts", doc! { "_id": "f".repeat(32), "name": "bad" }),
            ("administrators", doc! { "username": "bad" }),
            ("jobs", doc! { "state": "ready" }),
        ] {
            rig.insert(collection, document);
        }
        let user_path = format!("/user/{org}");
        for (path, count) in
            [("/server", 1), ("/organization", 1), ("/host", 2), ("/admin", 1), (&*user_path, 0)]
        {
            assert_eq!(rig.http.get(path).ok().as_array().map(Vec::len), Some(count), "{path}");
        }
        for path in ["/job", "/status", &format!("/server/{id}/host")] {
            rig.http.get(path).ok();
        }
        rig.server(&with("next", json!({ "network": "10.40.0.0/16", "port": 1200 })));
    });
}

fn bridge(fields: Value) -> Value {
    let mut all = json!({
        "network": "10.30.0.0/24", "network_mode": "bridge", "network_start": "10.30.0.9",
        "network_end": "10.30.0.99",
    });
    let fields = fields.as_object().expect("fields").clone();
    all.as_object_mut().expect("fields").extend(fields);
    all
}

#[test]
fn while_it_runs_few_things_may_change() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let fields = json!({ "network": "10.30.0.0/16", "port": 1195, "inter_client": true });
        let before = with("office", fields);
        let id = rig.played_server(&before);
        let (org, other) = (rig.organization("acme"), rig.organization("zeta"));
        let path = format!("/server/{id}");
        rig.http.put(&format!("{path}/organization/{org}"), &json!({})).ok();
        rig.http.post(&format!("{path}/route"), &json!({ "network": "10.99.0.0/16" })).ok();
        rig.set(&id, doc! { "online": true });

        let with = |field: &str, value: Value| {
            let mut body = before.clone();
            body[field] = value;
            body
        };
        for (field, value) in [
            ("name", json!("renamed")),
            ("hide_ovpn", json!(true)),
            ("geo_sort", json!(true)),
            ("force_connect", json!(true)),
            ("block_outside_dns", json!(true)),
            ("replica_count", json!(2)),
            ("pre_connect_msg", json!("hello")),
        ] {
            let shown = rig.http.put(&path, &with(field, value.clone())).ok();
            assert_eq!(shown[field], value);
        }
        for (field, value) in [
            ("port", json!(1196)),
            ("network", json!("10.31.0.0/16")),
            ("cipher", json!("aes256")),
            ("inter_client", json!(false)),
            ("dns_servers", json!(["9.9.9.9"])),
            ("ping_interval", json!(4)),
        ] {
            let reply = rig.http.put(&path, &with(field, value));
            assert_eq!(reply.error(), (400, "server_not_offline".to_owned()), "{field}");
        }
        let hex = "31302e39392e302e302f3136";
        for (method, below, id) in [
            ("PUT", format!("organization/{other}"), "server_not_offline"),
            ("DELETE", format!("organization/{org}"), "server_not_offline"),
            ("POST", "route".to_owned(), "server_route_online"),
            ("PUT", format!("route/{hex}"), "server_route_online"),
            ("DELETE", format!("route/{hex}"), "server_route_online"),
        ] {
            let body = json!({ "network": "10.98.0.0/16" });
            let sent = (method != "DELETE").then_some(&body);
            let reply = rig.http.send(method, &format!("{path}/{below}"), sent);
            assert_eq!(reply.error(), (400, id.to_owned()), "{method} {below}");
        }
        let routes = json!([{ "network": "10.98.0.0/16" }]);
        let reply = rig.http.post(&format!("{path}/routes"), &routes);
        assert_eq!(reply.error(), (400, "server_route_online".to_owned()));

        // Hosts come and go while it runs.
        let host = format!("{path}/host/{}", rig.played_id());
        rig.http.delete(&host).ok();
        rig.http.put(&host, &json!({})).ok();
        rig.http.delete(&path).ok();
        rig.server(&body("after"));
    });
}
