//! What becomes of documents, and what is said of those that do not fit together.

use super::*;
use crate::base::ids::ServerId;
use crate::domain::route::of_new_server;
use crate::domain::server::tests::spec;
use crate::store::servers::{RouteDoc, ServerOptions};
use mongodb::bson::Timestamp;

fn org(n: u8) -> OrgId {
    OrgId::from_bytes([n; 12])
}

fn user() -> UserId {
    UserId::from_bytes([7; 12])
}

fn doc() -> ServerDoc {
    ServerDoc {
        id: ServerId::from_bytes([1; 12]),
        options: ServerOptions::of(&spec(|_| {})),
        routes: of_new_server(None).iter().map(RouteDoc::of).collect(),
        organizations: vec![org(1), org(2)],
        hosts: Vec::new(),
        online: true,
        run: 1,
        instances: Vec::new(),
        failure: None,
        primary_organization: Some(org(1)),
        primary_user: Some(user()),
        dh_params: None,
        tls_auth_key: "tls".to_owned(),
        auth_private_key: String::new(),
        auth_public_key: String::new(),
        auth_box_private_key: String::new(),
        auth_box_public_key: String::new(),
        generation: 4,
        address_high: 0,
        rev: Timestamp { time: 0, increment: 0 },
    }
}

fn papers(orgs: &[u8], user_type: UserType) -> Papers {
    let authority = |n: &u8| Authority { org: org(*n), certificate: format!("ca{n}") };
    let (certificate, private_key) = ("certificate".to_owned(), "key".to_owned());
    let identity = ServerIdentity { id: user(), user_type, certificate, private_key };
    Papers::of(orgs.iter().map(authority).collect(), vec![identity])
}

#[test]
fn a_document_becomes_what_is_run() {
    let mut doc = doc();
    let own = RouteDoc { network: "virtual".to_owned(), ..doc.routes[0].clone() };
    doc.routes.push(own);
    let server = server(&doc).expect("valid");
    assert_eq!((server.id, server.generation), (doc.id, 4));
    assert_eq!(server.organizations, doc.organizations);
    let routes: Vec<_> = server.routes.iter().map(|route| route.network).collect();
    assert_eq!(routes, [Network::ANY4], "its own network is none");
    let keys = keys(&doc, &papers(&[2, 1], UserType::Server)).expect("complete");
    assert_eq!(keys.authorities, ["ca1", "ca2"]);
    assert_eq!((keys.certificate.as_str(), keys.key.expose().as_str()), ("certificate", "key"));
    assert_eq!(keys.tls_auth.map(|key| key.expose().clone()).as_deref(), Some("tls"));
}

#[test]
fn what_does_not_fit_together_is_named() {
    type Change = fn(&mut ServerDoc);
    let rows: [(Change, &str); 9] = [
        (|d| d.options.port = -1, "the stored server has no valid port"),
        (|d| d.options.bind_address = Some("here".to_owned()), "no valid bind_address"),
        (|d| d.options.cipher = "rot13".to_owned(), "no valid cipher"),
        (|d| d.organizations.clear(), "no organization is attached"),
        (|d| d.options.network_mode = "bridge".to_owned(), "network mode bridge is not supported"),
        (|d| d.options.sso_auth = true, "single sign-on"),
        (|d| d.options.device_auth = true, "registered devices"),
        (|d| d.options.dynamic_firewall = true, "dynamic firewall"),
        (|d| d.routes[0].nat_netmap = Some("10.1.0.0/16".to_owned()), "0.0.0.0/0 maps addresses"),
    ];
    for (change, want) in rows {
        let mut doc = doc();
        change(&mut doc);
        let fault = server(&doc).expect_err(want).to_string();
        assert!(fault.contains(want), "{fault}");
    }
}

#[test]
fn dh_parameters_are_taken_up_where_openvpn_takes_them() {
    for (bits, params, expected) in [
        (2048, Some("params"), Some("params")),
        (4096, Some("params"), Some("params")),
        // No server of the library's usual security level starts with those.
        (1024, Some("params"), None),
        (1536, Some("params"), None),
        (2048, None, None),
    ] {
        let mut doc = ServerDoc { dh_params: params.map(str::to_owned), ..doc() };
        doc.options.dh_param_bits = bits;
        let keys = keys(&doc, &papers(&[1, 2], UserType::Server));
        let got = keys.expect("keys").dh_params;
        assert_eq!(got.as_deref(), expected, "{bits}");
    }
}

#[test]
fn missing_papers_are_named() {
    let gone = keys(&doc(), &papers(&[1], UserType::Server));
    assert_eq!(gone.err(), Some(Fault::OrganizationGone(org(2))));
    let person = keys(&doc(), &papers(&[1, 2], UserType::Client));
    assert_eq!(person.err(), Some(Fault::NoCertificate), "a person's key is not a server's");
    let nobody = ServerDoc { primary_user: None, ..doc() };
    let nobody = keys(&nobody, &papers(&[1, 2], UserType::Server));
    assert_eq!(nobody.err(), Some(Fault::NoCertificate));
}
