//! Mutations: each takes away one fence, guard or condition from what the store asks of the
//! database, or one promise of the database itself. Every one must make some seed fail.

use mongodb::bson::Document;
use mongodb::options::UpdateModifications;
use warren::store::seam::Request;

pub struct Mutation {
    pub name: &'static str,
    /// Operations that are edited.
    op: &'static str,
    collection: &'static str,
    /// Taken out of their filters.
    filter: &'static [&'static str],
    /// Not set by their updates.
    set: &'static [&'static str],
    /// Guards that begin so are not written.
    guard: &'static str,
    pub no_transactions: bool,
    pub no_conflicts: bool,
    pub no_majority: bool,
    pub reads_local: bool,
    pub primary_unseen: bool,
    /// One that fails.
    pub seed: u64,
}

const NONE: Mutation = Mutation {
    name: "",
    op: "",
    collection: "",
    filter: &[],
    set: &[],
    guard: "",
    no_transactions: false,
    no_conflicts: false,
    no_majority: false,
    reads_local: false,
    primary_unseen: false,
    seed: 0,
};

const fn without(
    name: &'static str,
    op: &'static str,
    filter: &'static [&'static str],
) -> Mutation {
    Mutation { name, op, filter, ..NONE }
}

const fn setting(name: &'static str, op: &'static str, set: &'static [&'static str]) -> Mutation {
    Mutation { name, op, set, ..NONE }
}

const fn within(collection: &'static str, mutation: Mutation) -> Mutation {
    Mutation { collection, ..mutation }
}

pub static MUTATIONS: &[Mutation] = &[
    without("a claim takes running jobs", "claim a job", &["state"]),
    setting("a claim raises no fence", "claim a job", &["fence"]),
    without("a job ends without fence", "end a job", &["fence"]).by(4),
    without("a job ends in any state", "end a job", &["state"]).by(5),
    without("a job is given back without fence", "give a job back", &["fence"]).by(25),
    without("a job is given back in any state", "give a job back", &["state"]).by(30),
    without("a job fails without fence", "record a failed job", &["fence"]),
    without("a job fails in any state", "record a failed job", &["state"]),
    setting("the end of a job forgets who waits", "end a job", &["reserved_for"]),
    without("taken jobs are reserved", "reserve a job", &["reserved_for"]).by(1),
    without("ended jobs are reserved", "reserve a job", &["state"]).by(1),
    without("kept keys are taken", "take from a pool", &["reserved_for"]),
    without("kept keys are reserved", "reserve from a pool", &["reserved_for"]).by(1),
    within(
        "pool",
        without("keys are kept for no time", "release expired reservations", &["$expr"]),
    ),
    within(
        "jobs",
        without("jobs are kept for no time", "release expired reservations", &["$expr"]).by(3),
    ),
    Mutation { name: "pools are filled without guard", guard: "pool", ..NONE },
    Mutation {
        name: "administrators change without guard",
        guard: "administrators",
        seed: 1,
        ..NONE
    },
    without("a task is reserved that has moved", "reserve a task", &["run", "fence"]).by(4),
    without("a task is reserved without fence", "reserve a task", &["fence"]).by(10),
    setting("a reservation raises no fence", "reserve a task", &["fence"]),
    without("a task ends without fence", "end a task", &["fence"]),
    setting("the end of a task raises no fence", "end a task", &["fence"]),
    without("a task that goes on is reserved", "reserve a task", &["kept"]).by(23),
    without("a task that goes on is given up", "end a task", &["kept"]).by(169),
    without("a task is gone on with without fence", "go on with a task", &["fence"]),
    without("a job is put off without fence", "put a job off", &["fence"]).by(25),
    without("jobs that are over are cancelled", "cancel a job", &["state"]).by(1),
    setting("a cancelled job keeps its fence", "cancel a job", &["fence"]),
    without("jobs are retried in any state", "retry a job", &["$or"]),
    Mutation { name: "bulk creations begin without guard", guard: "bulk users", seed: 16, ..NONE },
    without("users are created without fence", "move a bulk creation", &["fence"]).by(4),
    Mutation { name: "servers are placed without guard", guard: "places", seed: 38, ..NONE },
    without("slots are claimed that have changed", "claim a server", &["$and"]).by(1),
    without("stopped servers are claimed", "claim a server", &["online"]),
    without("an older run is claimed", "claim a server", &["run"]),
    without("detached hosts claim servers", "claim a server", &["hosts"]).by(10),
    without("more replicas are claimed", "claim a server", &["replica_count"]).by(3),
    without("a beat that moved is declared dead", "declare a host dead", &["beat", "epoch"]).by(11),
    without("the dead beat on", "beat", &["epoch"]),
    Mutation { name: "a change of primary is unseen", primary_unseen: true, seed: 1, ..NONE },
    Mutation { name: "transactions are not atomic", no_transactions: true, ..NONE },
    Mutation { name: "writes do not conflict", no_conflicts: true, ..NONE },
    Mutation { name: "writes wait for no majority", no_majority: true, ..NONE },
];

impl Mutation {
    const fn by(self, seed: u64) -> Mutation {
        Mutation { seed, ..self }
    }

    /// Whether the request writes a guard that is not there any more.
    pub fn drops(&self, op: &str, request: &Request) -> bool {
        let Request::Update { filter, .. } = request else { return false };
        let name = filter.get_str("_id").unwrap_or_default();
        op == "write a guard" && !self.guard.is_empty() && name.starts_with(self.guard)
    }

    pub fn edit(&self, op: &str, request: Request, collection: &str) -> Request {
        let elsewhere = !self.collection.is_empty() && self.collection != collection;
        if self.op != op || elsewhere {
            return request;
        }
        let mut request = request;
        match &mut request {
            Request::Find { filter, .. }
            | Request::Count { filter }
            | Request::Remove { filter, .. }
            | Request::Delete { filter, .. } => self.loosen(filter),
            // What is made anew takes its fields from there.
            Request::Update { upsert: true, .. } => {}
            Request::Update { filter, update, .. } | Request::Modify { filter, update, .. } => {
                self.loosen(filter);
                self.reset(update);
            }
            Request::Insert { .. } | Request::Aggregate { .. } => {}
        }
        request
    }

    fn loosen(&self, filter: &mut Document) {
        self.filter.iter().for_each(|field| {
            filter.remove(field);
        });
    }

    fn reset(&self, update: &mut UpdateModifications) {
        let UpdateModifications::Pipeline(stages) = update else { return };
        let sets = stages.iter_mut().filter_map(|stage| stage.get_document_mut("$set").ok());
        for set in sets {
            for field in self.set {
                match *field {
                    // Who waits is forgotten; all else stays as it was.
                    "reserved_for" => drop(set.insert("reserved_for", "$$REMOVE")),
                    field => drop(set.remove(field)),
                }
            }
        }
    }
}
