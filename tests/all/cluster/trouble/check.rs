//! What must be true of every document when all is over.

use super::super::jobs::state;
use super::super::rig::{collection, documents};
use super::clerk::{Book, Fate, Org};
use crate::support::http::Http;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use warren::queue::policy::HOLDER_GONE;
use warren::tasks::TASKS;

/// Waits until nothing is to be done: no job is left, every pool is full, nothing is kept.
pub fn wait_quiet(set: &ReplicaSet, http: &mut Http) {
    let mut why = String::new();
    for _ in 0..480 {
        why = unquiet(set, http);
        if why.is_empty() {
            return;
        }
        pause(Duration::from_millis(500));
    }
    panic!("not settled: {why}");
}

fn unquiet(set: &ReplicaSet, http: &mut Http) -> String {
    let open = ["ready", "running"];
    let jobs = documents(set, "jobs");
    let jobs: Vec<&Document> = jobs.iter().filter(|job| open.contains(&state(job))).collect();
    if let Some(job) = jobs.first() {
        return format!("{} jobs, such as {job}", jobs.len());
    }
    for pool in list(http, "/pool") {
        let number = |field: &str| pool[field].as_i64().expect("a number");
        if number("depth") < number("target") || number("making") > 0 {
            return format!("a pool: {pool}");
        }
    }
    let kept = doc! { "reserved_for": { "$ne": Bson::Null } };
    match collection(set, "pool").count_documents(kept).run().expect("a count") {
        0 => String::new(),
        kept => format!("{kept} keys are kept for somebody"),
    }
}

fn list(http: &mut Http, path: &str) -> Vec<Value> {
    http.get(path).ok().as_array().expect("a list").clone()
}

/// Has every repair run; answers what they found.
pub fn repair(set: &ReplicaSet, http: &mut Http) -> BTreeMap<String, i64> {
    let runs = || -> BTreeMap<String, i64> {
        let name = |task: &Document| task.get_str("_id").expect("a name").to_owned();
        let run = |task: &Document| task.get_i64("run").expect("a number");
        documents(set, "tasks").iter().map(|task| (name(task), run(task))).collect()
    };
    let before = runs();
    for task in TASKS {
        http.put(&format!("/task/{}/run", task.name), &json!({})).ok();
    }
    wait_until("a run of every repair", seconds(60), || {
        let now = runs();
        let ran = TASKS.iter().all(|task| now[task.name] > before[task.name]);
        ran && list(http, "/task").iter().all(|task| task["holder"].is_null())
    });
    let found = |task: &Value| {
        assert!(task["error"].is_null(), "{task}");
        let name = task["name"].as_str().expect("a name").to_owned();
        (name, task["found"].as_i64().expect("a number"))
    };
    list(http, "/task").iter().map(found).filter(|(_, found)| *found > 0).collect()
}

fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document.get_str(field).unwrap_or_else(|_| panic!("no {field} in {:?}", document.get("_id")))
}

fn id(document: &Document, field: &str) -> ObjectId {
    document.get_object_id(field).unwrap_or_else(|_| panic!("no {field} in {document}"))
}

/// What the clerks know is so, and nothing else is there.
pub fn check(set: &ReplicaSet, books: &[Book]) {
    let (orgs, users) = (documents(set, "organizations"), documents(set, "users"));
    let servers = documents(set, "servers");
    let mut of_orgs: BTreeMap<ObjectId, Vec<&str>> = BTreeMap::new();
    let people = users.iter().filter(|user| text(user, "type") == "client");
    people.for_each(|user| of_orgs.entry(id(user, "org_id")).or_default().push(text(user, "name")));

    let known = books.iter().flat_map(|book| &book.orgs);
    let mut known: BTreeMap<&str, &Org> = known.map(|(name, org)| (name.as_str(), org)).collect();
    let mut count = 0;
    for org in &orgs {
        let (org_id, name) = (id(org, "_id"), text(org, "name"));
        let book = known.remove(name).unwrap_or_else(|| panic!("{name}: not ordered, or twice"));
        assert_ne!(book.fate, Fate::Gone, "{name}");
        let people = of_orgs.remove(&org_id).unwrap_or_default();
        assert_eq!(org.get_i64("user_count").expect("a count"), people.len() as i64, "{name}");
        count += people.len();
        check_users(name, book, people);
    }
    assert_eq!(of_orgs.len(), 0, "users of organizations that are not there");
    let lost = known.iter().find(|(_, org)| org.fate == Fate::There);
    assert!(lost.is_none(), "{lost:?} is lost");
    println!("figure: {} organizations, {count} users, {} servers", orgs.len(), servers.len());
    check_servers(books, &servers, &users, &orgs);
    check_keys(set, &orgs, &users, &servers);
    check_jobs(set, &orgs, books);
}

fn check_users(org: &str, book: &Org, people: Vec<&str>) {
    let mut there: HashSet<&str> = people.iter().copied().collect();
    assert_eq!(there.len(), people.len(), "{org}: somebody twice");
    for (name, fate) in &book.users {
        let is = there.remove(name.as_str());
        assert!(is == (*fate == Fate::There) || *fate == Fate::Unknown, "{org}: {name} {fate:?}");
    }
    for (names, fate) in &book.lots {
        let found = names.iter().filter(|name| there.remove(name.as_str())).count();
        let all = match fate {
            Fate::There => found == names.len(),
            Fate::Gone => found == 0,
            Fate::Unknown => found == 0 || found == names.len(),
        };
        assert!(all, "{org}: {found} of {} users of {} {fate:?}", names.len(), names[0]);
    }
    assert_eq!(there.len(), 0, "{org}: nobody ordered {there:?}");
}

fn check_servers(books: &[Book], servers: &[Document], users: &[Document], orgs: &[Document]) {
    let known = books.iter().flat_map(|book| &book.servers);
    let mut known: BTreeMap<&str, Fate> =
        known.map(|(name, server)| (name.as_str(), server.fate)).collect();
    let orgs: HashSet<ObjectId> = orgs.iter().map(|org| id(org, "_id")).collect();
    let mut holders = HashSet::new();
    for server in servers {
        let name = text(server, "name");
        let fate = known.remove(name).unwrap_or_else(|| panic!("{name}: not ordered, or twice"));
        assert_ne!(fate, Fate::Gone, "{name}");
        assert!(server.get_array("instances").expect("a list").is_empty(), "{name} runs");
        let attached = server.get_array("organizations").expect("a list");
        let is_there = |org: &Bson| org.as_object_id().is_some_and(|org| orgs.contains(&org));
        assert!(attached.iter().all(is_there), "{name} names organizations that are gone");
        if let Ok(holder) = server.get_object_id("primary_user") {
            holders.insert(holder);
            let signs = id(server, "primary_organization");
            assert!(attached.contains(&signs.into()), "{name}");
        }
        assert_eq!(server.get_object_id("primary_user").is_ok(), !attached.is_empty(), "{name}");
    }
    let lost = known.iter().find(|(_, fate)| **fate == Fate::There);
    assert!(lost.is_none(), "{lost:?} is lost");
    let held = users.iter().filter(|user| text(user, "type") == "server");
    let held: HashSet<ObjectId> = held.map(|user| id(user, "_id")).collect();
    assert_eq!(held, holders, "those who hold servers' certificates, and no other");
}

fn check_keys(set: &ReplicaSet, orgs: &[Document], users: &[Document], servers: &[Document]) {
    let pool = collection(set, "pool").find(doc! { "kind": { "$ne": "dh2048" } }).run();
    let pool: Vec<Document> = pool.expect("a cursor").collect::<Result<_, _>>().expect("documents");
    let (mut all, mut count) = (HashSet::new(), 0);
    for (documents, field) in [
        (orgs, "ca_private_key"),
        (users, "private_key"),
        (servers, "auth_private_key"),
        (&pool, "content"),
    ] {
        for document in documents {
            count += 1;
            assert!(all.insert(text(document, field)), "{field} of {:?}", document.get("_id"));
        }
    }
    println!("figure: {count} keys, {} of them in pools, none twice", pool.len());
}

/// What failed did for a reason, and nothing is left of what is over.
fn check_jobs(set: &ReplicaSet, orgs: &[Document], books: &[Book]) {
    let jobs = documents(set, "jobs");
    let orgs: HashSet<ObjectId> = orgs.iter().map(|org| id(org, "_id")).collect();
    let mut failed = 0;
    for job in jobs.iter().filter(|job| state(job) != "done") {
        failed += 1;
        let error = text(job, "error");
        let is_gone = text(job, "kind") == "bulk-users" && !orgs.contains(&id(job, "payload"));
        assert!(is_gone || error == HOLDER_GONE && text(job, "kind") != "bulk-users", "{job}");
    }
    println!("figure: {} jobs, {failed} given up with their organizations or hosts", jobs.len());
    // Of orders that nobody answered there may be lists that expire.
    let lots = books.iter().flat_map(|book| book.orgs.values()).flat_map(|org| &org.lots);
    let unanswered = lots.filter(|(_, fate)| *fate != Fate::There).count();
    let parts = collection(set, "job_parts").distinct("_id.job", doc! {}).run().expect("jobs");
    assert!(parts.len() <= unanswered, "{} lists of {unanswered}", parts.len());
    let jobs: HashSet<ObjectId> = jobs.iter().map(|job| id(job, "_id")).collect();
    let of_job = |part: &&Bson| part.as_object_id().is_some_and(|job| jobs.contains(&job));
    assert_eq!(parts.iter().filter(of_job).count(), 0, "lists of jobs that are over");
}

#[test]
fn whoever_is_missing_doubled_or_unordered_is_found() {
    let mut book = Org::new("id".to_owned(), Fate::There);
    for (name, fate) in [("ann", Fate::There), ("bob", Fate::Gone), ("cy", Fate::Unknown)] {
        book.users.insert(name.to_owned(), fate);
    }
    let lot = |first: &str, second: &str| vec![first.to_owned(), second.to_owned()];
    book.lots = vec![
        (lot("a1", "a2"), Fate::There),
        (lot("b1", "b2"), Fate::Gone),
        (lot("c1", "c2"), Fate::Unknown),
    ];
    let is_right = |people: &str| {
        let people = people.split(' ').collect();
        std::panic::catch_unwind(|| check_users("org", &book, people)).is_ok()
    };
    for right in ["ann a1 a2", "ann cy a1 a2", "a2 a1 c2 c1 ann"] {
        assert!(is_right(right), "{right}");
    }
    for wrong in [
        "a1 a2",
        "ann ann a1 a2",
        "ann bob a1 a2",
        "ann a1",
        "ann a1 a2 a2",
        "ann a1 a2 b1 b2",
        "ann a1 a2 c1",
        "ann a1 a2 dan",
    ] {
        assert!(!is_right(wrong), "{wrong}");
    }
}
