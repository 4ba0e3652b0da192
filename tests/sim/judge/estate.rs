//! What must hold of users that are created in bulk, and of servers and their slots.

use super::{Judge, Record, flag, holder_is_gone, host_id, long, text};
use crate::sim::model::{Changed, Data, key};
use mongodb::bson::{Bson, Document};
use std::collections::{BTreeMap, BTreeSet};
use warren::base::ids::to_hex;

fn items(document: &Document, field: &str) -> Vec<Document> {
    let items = document.get_array(field).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Bson::as_document).cloned().collect()
}

fn replicas(server: &Document) -> usize {
    usize::try_from(long(server, "replica_count")).unwrap_or(0).max(1)
}

fn is_bulk(job: &Document) -> bool {
    text(job, "kind") == Some("bulk-users")
}

/// A slot's holder, as jobs name theirs.
fn is_void(instance: &Document, data: &Data) -> bool {
    let field = |name: &str| instance.get(name).cloned().unwrap_or(Bson::Null);
    let holder = mongodb::bson::doc! { "host": field("host_id"), "epoch": field("epoch") };
    holder_is_gone(&mongodb::bson::doc! { "holder": holder }, data)
}

fn created(job: &Document, data: &Data) -> i64 {
    let id = job.get_object_id("_id").expect("an id").to_hex();
    let theirs = data.all("users").filter(|user| text(user, "name") == Some(&id));
    theirs.count() as i64
}

impl Judge {
    /// A transaction of bulk creations is done.
    pub(super) fn bulk(&mut self, record: &Record, data: &Data) {
        let open = |job: &&Document| {
            is_bulk(job) && matches!(text(job, "state"), Some("ready" | "running"))
        };
        let under_way = data.all("jobs").filter(open).count();
        self.check(under_way <= 1, "an organization has one bulk creation", record);
        if record.op != "create users" {
            return;
        }
        let job = record.changes.iter().find(|change| change.collection == "jobs");
        let Some((change, after)) = job.and_then(|job| Some((job, job.after.as_ref()?))) else {
            return self.check(false, "users are created by a job", record);
        };
        let before = change.before.as_deref().expect("it was there");
        let held = self.held.get(&(record.who, change.key.clone()));
        let mine = held == Some(&long(before, "fence")) && text(before, "state") == Some("running");
        self.check(mine, "only its holder gets a job on", record);
        let all = created(after, data) == long(after, "position");
        self.check(all, "a job created as many as it says", record);
        let people = data.all("users").filter(|user| text(user, "type") == Some("client"));
        let counted = data.all("organizations").map(|org| long(org, "user_count")).sum::<i64>();
        self.check(people.count() as i64 == counted, "an organization counts its users", record);
    }

    pub(super) fn places(&mut self, record: &Record, data: &Data) {
        let (mut networks, mut ports, mut all) = (BTreeSet::new(), BTreeSet::new(), 0);
        for server in data.all("servers") {
            all += 1;
            networks.insert(text(server, "network").expect("a network").to_owned());
            ports.insert(long(server, "port"));
        }
        let apart = networks.len() == all && ports.len() == all;
        self.check(apart, "no two servers have the same place", record);
    }

    pub(super) fn server(&mut self, record: &Record, change: &Changed, data: &Data) {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return };
        let (had, has) = (items(before, "instances"), items(after, "instances"));
        let is_in = |all: &[Document], one: &Document| {
            all.iter().any(|other| other.get("instance_id") == one.get("instance_id"))
        };
        let gone: Vec<&Document> = had.iter().filter(|one| !is_in(&has, one)).collect();
        let new: Vec<&Document> = has.iter().filter(|one| !is_in(&had, one)).collect();
        let own = |one: &Document| {
            let host = self.hosts.get(&record.who).map(|host| to_hex(&host_id(*host)));
            host.is_some() && text(one, "host_id") == host.as_deref()
        };
        let free = gone.iter().all(|one| own(one) || is_void(one, data));
        let mine = new.iter().all(|one| own(one));
        self.check(free && mine, "a slot is its holder's", record);
        if record.op != "claim a server" {
            return self.check(new.is_empty(), "slots are claimed", record);
        }
        let wanted = flag(before, "online") == Some(true);
        self.check(wanted, "what is claimed should run", record);
        let hosts = before.get_array("hosts").expect("hosts");
        let may = new.iter().all(|one| one.get("host_id").is_some_and(|host| hosts.contains(host)));
        self.check(may, "a server runs where it may", record);
        let current = new.iter().all(|one| long(one, "run") == long(before, "run"));
        self.check(current, "what is claimed is the run that is wanted", record);
        self.check(has.len() <= replicas(after), "no more replicas than wanted", record);
        let hosts: BTreeSet<_> = has.iter().map(|one| text(one, "host_id")).collect();
        self.check(hosts.len() == has.len(), "a host runs one replica", record);
    }

    pub(super) fn unsettled_users(&self, data: &Data) -> Option<String> {
        for job in data.all("jobs").filter(|job| is_bulk(job)) {
            let (position, done) = (long(job, "position"), text(job, "state") == Some("done"));
            if created(job, data) != position || done != (position == long(job, "total")) {
                return Some(format!("{} users created: {job}", created(job, data)));
            }
            let id = job.get("_id");
            let left = data
                .all("job_parts")
                .any(|part| part.get_document("_id").is_ok_and(|part| part.get("job") == id));
            if done && left {
                return Some(format!("something is left of {job}"));
            }
        }
        None
    }

    /// Documents and processes say the same, and as much runs as should.
    pub(super) fn unsettled_servers(&self, data: &Data) -> Option<String> {
        let mut named = BTreeMap::new();
        for server in data.all("servers") {
            let held = items(server, "instances");
            let may = server.get_array("hosts").expect("hosts").len();
            let wanted = match flag(server, "online") {
                Some(true) => replicas(server).min(may),
                _ => 0,
            };
            if held.len() != wanted || held.iter().any(|one| is_void(one, data)) {
                return Some(format!("not {wanted} replicas: {server}"));
            }
            for one in held {
                let id = one.get_object_id("instance_id").expect("an id").bytes();
                named.insert(id, key(one.get("host_id").unwrap_or(&Bson::Null)));
            }
        }
        let running: BTreeMap<_, _> = self
            .processes
            .iter()
            .flat_map(|(host, all)| all.values().map(|(id, _)| (*host, id.bytes())))
            .map(|(host, id)| (id, key(&Bson::String(to_hex(&host_id(host))))))
            .collect();
        (named != running).then(|| format!("named {named:?}, running {running:?}"))
    }
}
