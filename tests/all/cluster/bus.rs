//! The bus between three hosts whose clocks disagree, while the database loses members.

use super::peer::{GAP, Peer, settle};
use super::rig::{HOSTS, Links, MEMBERS, collection, distribution, primary_uri, scaled, site};
use crate::bus::rig::{Ear, LONGEST, flood, host, natural_order_of};
use crate::needs;
use crate::support::http::Http;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Document, doc};
use mongodb::sync::Client;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Messages of each host; together at least 20 000.
const EACH: usize = 6700;
const PERIOD: Duration = Duration::from_micros(2500);

/// What an ear made of what stands in the collection.
#[derive(Debug)]
struct Hearing {
    missing: usize,
    /// Heard again.
    again: usize,
    gaps: usize,
    /// Of each message only the last hearing counts: those behind one that comes after them, and
    /// not as a neighbour, in the collection of every member.
    displaced: usize,
}

/// Where each message stands.
type Places = HashMap<String, usize>;

fn places(keys: Vec<String>) -> Places {
    keys.into_iter().zip(0..).collect()
}

/// Members may have messages that were written at the same moment in different orders, and what
/// the first primary had is gone when it has been brought into line with the others.
const NEIGHBOURS: usize = 8;

fn compare(heard: &[String], members: &[Places]) -> Hearing {
    let gaps = heard.iter().filter(|line| *line == GAP).count();
    let mut seen = HashSet::new();
    let known = || heard.iter().filter(|line| members[0].contains_key(*line));
    let last: Vec<&String> = known().rev().filter(|key| seen.insert(*key)).collect();
    let is_displaced =
        |pair: &&[&String]| members.iter().all(|at| at[pair[1]] > at[pair[0]] + NEIGHBOURS);
    Hearing {
        missing: members[0].len() - last.len(),
        again: known().count() - last.len(),
        gaps,
        // The newest come first.
        displaced: last.windows(2).filter(is_displaced).count(),
    }
}

/// What stands in the database of these speakers, in its natural order.
fn natural(client: &Client, words: &[&str]) -> Vec<String> {
    let all = natural_order_of(client).into_iter();
    all.filter(|key| words.iter().any(|word| key.starts_with(word))).collect()
}

/// How often neighbours stand otherwise at another member.
fn disagreements(members: &[Places]) -> usize {
    let mut keys: Vec<&String> = members[0].keys().collect();
    keys.sort_by_key(|key| members[0][*key]);
    let others = members[1..].iter();
    others.map(|at| keys.windows(2).filter(|pair| at[pair[0]] > at[pair[1]]).count()).sum()
}

#[test]
fn a_killed_primary_and_one_that_steps_down_lose_no_message() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, mut set) = site(Links::Open, 0);
    let peers: Vec<Peer> = (0..HOSTS.len()).map(|n| Peer::start(&site, set.uri(), n)).collect();
    settle(&peers);
    let each = scaled(EACH / 2, 350);
    let heard = |peer: &Peer, word: &str| {
        let heard: HashSet<String> = peer.heard().into_iter().collect();
        heard.iter().filter(|line| line.starts_with(word)).count()
    };
    for (word, is_killed) in [("say-", true), ("tell-", false)] {
        for peer in &peers {
            peer.speak(&format!("{word}{}", peer.name()), each, PERIOD, 0);
        }
        wait_until("a part of it", seconds(30), || heard(&peers[0], word) > each / 2);
        let primary = set.primary();
        match is_killed {
            true => set.members[primary].kill_9(),
            false => set.step_down(),
        }
        let (begin, before) = (Instant::now(), heard(&peers[0], word));
        wait_until("everybody to hear all", seconds(90), || {
            let counts: Vec<usize> = peers.iter().map(|peer| heard(peer, word)).collect();
            let is_all = counts.iter().all(|count| *count == 3 * each);
            // What a failure has to say.
            let there = || natural(&set.client(), &[word]).len();
            assert!(is_all || begin.elapsed() < seconds(60), "{counts:?} of {}", there());
            is_all
        });
        println!(
            "figure: {} lost after {before}, all heard {:.1?} later",
            MEMBERS[primary],
            begin.elapsed()
        );
        if is_killed {
            set.members[primary].restart();
            set.wait_in_step();
        }
    }
    // What is told again comes at once.
    pause(seconds(2));
    let members = set.members.iter().map(|one| places(natural(&one.client(), &["say-", "tell-"])));
    let members: Vec<Places> = members.collect();
    members.iter().for_each(|one| assert_eq!(one.len(), 6 * each, "each stands there once"));
    println!(
        "figure: neighbours that members have in different orders: {}",
        disagreements(&members)
    );
    for peer in &peers {
        let hearing = compare(&peer.heard(), &members);
        println!("figure: {}: {hearing:?} of {}", peer.name(), 6 * each);
        let Hearing { missing, gaps, displaced, .. } = hearing;
        assert_eq!((missing, gaps, displaced), (0, 0, 0), "{}", peer.name());
        assert!(hearing.again < 1000, "only what a lost primary had may come again: {hearing:?}");
    }
}

#[test]
fn a_host_frozen_over_a_rollover_hears_of_a_gap_at_once_when_it_is_back() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Cut, 0);
    let peers: Vec<Peer> = (0..HOSTS.len()).map(|n| Peer::start(&site, set.uri(), n)).collect();
    let mut times = Vec::new();
    for round in 0..scaled(5, 1) {
        settle(&peers);
        let gaps = |peer: &Peer| peer.heard().iter().filter(|line| *line == GAP).count();
        let before = gaps(&peers[2]);
        peers[2].process.freeze();
        // The collection is 16 MiB: half as much again.
        let count = 3 * 16 * 1024 * 1024 / LONGEST / 2;
        let name = format!("flood-{round}");
        peers[0].speak(&name, count, Duration::from_micros(1500), LONGEST);
        let last = format!("{name}/{}", count - 1);
        wait_until("the flood", seconds(60), || {
            peers[..2].iter().all(|peer| peer.heard().contains(&last))
        });
        let left = natural(&set.client(), &[name.as_str()]);
        assert!(left.len() < count, "{} of {count} are left: no rollover", left.len());
        let begin = Instant::now();
        peers[2].process.thaw();
        wait_until("the gap", seconds(6), || gaps(&peers[2]) > before);
        times.push(begin.elapsed());
        assert_eq!(gaps(&peers[1]), 0, "those who kept up missed nothing");
    }
    println!("figure: told of a gap after its return: {}", distribution(&times));
    settle(&peers);
    assert!(collection(&set, "bus").estimated_document_count().run().expect("a count") > 0);
}

/// The newest of the consoles' events, as their cursor.
fn newest_event(set: &ReplicaSet) -> String {
    let events = collection(set, "bus").find(doc! { "topic": "event" }).run().expect("a cursor");
    let last: Document = events.last().expect("an event").expect("a document");
    last.get_object_id("_id").expect("an id").to_hex()
}

/// What a client hears at once after `cursor`, and the next one.
fn hear(http: &mut Http, cursor: &mut String) -> Vec<String> {
    let items = http.get(&format!("/event/{cursor}")).ok();
    let items = items.as_array().expect("a list");
    if let Some(last) = items.last() {
        *cursor = last["id"].as_str().expect("an id").to_owned();
    }
    items.iter().map(|item| item["type"].as_str().expect("a kind").to_owned()).collect()
}

/// What only a gap tells of, all at once.
const EVERYTHING: [&str; 5] = [
    "settings_updated",
    "administrators_updated",
    "organizations_updated",
    "servers_updated",
    "jobs_updated",
];

#[test]
fn a_daemon_frozen_over_a_rollover_has_its_clients_load_everything_at_once() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Cut, 0);
    let daemons = site.start(&set);
    let mut consoles = site.sign_in(&daemons);
    let mut third = consoles.remove(2);
    let speaker = host(&primary_uri(&set), 9, 0);
    let mut times = Vec::new();
    for _ in 0..scaled(5, 1) {
        for theme in ["dark", "light"] {
            consoles[0].put("/settings", &json!({ "theme": theme })).ok();
        }
        // Its place is in the third host's memory.
        let mut cursor = newest_event(&set);
        consoles[0].put("/settings", &json!({ "theme": "dark" })).ok();
        wait_until("a change of another host", seconds(15), || {
            hear(&mut third, &mut cursor).iter().any(|kind| kind == "theme_dark")
        });
        daemons[2].process.freeze();
        let before = newest_event(&set);
        flood(&speaker, "flood", &[&Ear::on(&speaker)]);
        assert!(!bus_has(&set, &before), "no rollover");
        let (begin, mut heard) = (Instant::now(), HashSet::new());
        daemons[2].process.thaw();
        wait_until("a reload of everything", seconds(6), || {
            heard.extend(hear(&mut third, &mut cursor));
            EVERYTHING.iter().all(|kind| heard.contains(*kind))
        });
        times.push(begin.elapsed());
    }
    println!("figure: clients were told to load all after its return: {}", distribution(&times));
}

fn bus_has(set: &ReplicaSet, event: &str) -> bool {
    let id = mongodb::bson::oid::ObjectId::parse_str(event).expect("an id");
    let found = collection(set, "bus").find_one(doc! { "_id": id }).run().expect("a read");
    found.is_some()
}
