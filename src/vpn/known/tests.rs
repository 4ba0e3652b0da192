//! What is remembered of people, and how little room that takes.

use super::*;

fn id(n: u32) -> UserId {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    UserId::from_bytes(bytes)
}

fn org(n: u8) -> OrgId {
    OrgId::from_bytes([n; 12])
}

fn person(n: u32) -> Person {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$";
    Person {
        id: id(n),
        org: org(1),
        name: format!("user{n}"),
        is_client: true,
        disabled: n.is_multiple_of(2),
        groups: vec!["staff".to_owned()],
        pin: Some(Secret::new(format!("{hash}{}", "A".repeat(43)))),
        otp_secret: Secret::new("ABCDEFGHIJKLMNOP".to_owned()),
        bypass_secondary: false,
        mac_addresses: Vec::new(),
        foreign_factor: false,
        cut: i64::from(n),
    }
}

#[test]
fn a_person_comes_back_as_it_was() {
    let known = Known::default();
    let bare = Person { pin: None, groups: Vec::new(), ..person(1) };
    let mut odd = person(2);
    odd.name = "é\u{0}\u{1f}".to_owned();
    odd.groups = vec![String::new(), "b".to_owned()];
    odd.mac_addresses = vec!["00:00".to_owned()];
    odd.pin = Some(Secret::new(String::new()));
    (odd.foreign_factor, odd.bypass_secondary, odd.is_client) = (true, true, false);
    for person in [bare, odd] {
        assert!(known.put(&person) && !known.put(&person), "news once");
        assert_eq!(known.person(org(1), person.id), Some(person.clone()));
        assert_eq!(known.person(org(2), person.id), None, "another organization's certificate");
    }
    let long = Person { name: "x".repeat(70_000), ..person(3) };
    assert!(!known.put(&long), "not remembered, so asked for each time");
}

#[test]
fn what_is_not_needed_or_not_there_any_more_goes() {
    let known = Known::default();
    for n in 0..4 {
        known.put(&person(n));
    }
    known.put(&Person { org: org(2), ..person(9) });
    assert!(known.sweep(org(1), &[id(0), id(1)].into()));
    assert!(!known.sweep(org(1), &[id(0), id(1)].into()), "nothing is left to go");
    assert!(known.person(org(1), id(3)).is_none() && known.person(org(2), id(9)).is_some());
    assert!(known.forget(id(1)) && !known.forget(id(1)));

    let server = ServerId::from_bytes([1; 12]);
    known.put_address(server, 1, id(0), Ipv4Addr::new(10, 8, 0, 2));
    assert_eq!(known.address(server, 2, id(0)), None, "of another network");
    known.put_address(server, 2, id(0), Ipv4Addr::new(10, 9, 0, 2));
    assert_eq!(known.address(server, 1, id(0)), None);
    assert_eq!(known.address(server, 2, id(0)), Some(Ipv4Addr::new(10, 9, 0, 2)));
    known.narrow(&[org(2)].into(), &BTreeSet::new());
    assert!(known.person(org(1), id(0)).is_none() && known.person(org(2), id(9)).is_some());
    assert_eq!(known.address(server, 2, id(0)), None);
}

/// Bytes of the tables' own slots and of what they point to, malloc's headers included.
fn bytes(memory: &Memory) -> usize {
    fn table<K, V>(map: &HashMap<K, V>) -> usize {
        // One control byte a slot; a table is at most seven eighths full.
        (size_of::<(K, V)>() + 1) * (map.capacity() * 8 / 7)
    }
    let texts: usize = memory.people.values().map(|p| p.0.expose().len() + 16).sum();
    let addresses: usize = memory.addresses.values().map(|a| table(&a.by_user)).sum();
    table(&memory.people) + texts + addresses
}

#[test]
fn a_user_takes_at_most_256_bytes() {
    const USERS: u32 = 10_000;
    let known = Known::default();
    let server = ServerId::from_bytes([1; 12]);
    for n in 0..USERS {
        known.put(&person(n));
        known.put_address(server, 1, id(n), Ipv4Addr::from_bits(n));
    }
    let each = bytes(&known.memory()) / USERS as usize;
    println!("a known user takes {each} bytes");
    assert!(each <= 256, "{each}");
}
