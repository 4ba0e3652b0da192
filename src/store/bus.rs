//! Messages between hosts: hints that something in the documents has changed (I3).
//!
//! They are written with a majority and read without one. Reading without is what makes a hint
//! quick: it arrives while the writer still waits for its acknowledgement. Writing with one costs
//! no reader anything, only the writer's next batch a millisecond, and what is acknowledged so
//! survives the loss of the primary. What was heard and then lost is written again by its host.

use super::ops::{Stored, written};
use super::{Store, StoreError, collections, read};
use crate::base::ids::{ClientId, EventId, HostId, JobId, OrgId, ServerId, UserId};
use crate::domain::event::Event;
use crate::limits;
use mongodb::bson::{Bson, Document, RawDocumentBuf, Timestamp, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::FindOptions;
use mongodb::sync::{ClientSession, Database};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a message says. None of it is secret (I10), and losing one only delays a reaction (I3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "topic", content = "body", rename_all = "snake_case")]
pub enum Message {
    /// The console's clients may want to load something again.
    Event { kind: String, resource: Option<String> },
    /// Somebody may wait for this key (`http::tiers`, parking).
    Wake { key: String },
    /// What this server should be or do has changed.
    Server { server: ServerId },
    /// This user's tunnels must end now.
    CutUser { org: OrgId, user: UserId },
    /// This client's tunnel must end now.
    CutClient { client: ClientId },
    /// A job is ready to be claimed.
    JobReady,
    /// This job was taken from whoever works on it.
    JobTaken { job: JobId },
    /// Somebody wants a task to run now.
    TaskWanted,
    /// A pool was taken from.
    PoolTaken,
    /// This host's life is over, or another one has begun: what it held is free.
    HostGone { host: HostId },
    /// Administrators, their sessions or tokens have changed.
    Administrators,
    /// Settings have changed.
    Settings,
    /// Wakes the reader of `host`, and nobody else, because it ends.
    Goodbye { host: HostId },
}

impl Message {
    /// Tells the console's clients.
    pub fn about(event: Event) -> Message {
        Message::Event { kind: event.kind().to_owned(), resource: event.resource() }
    }

    /// Bytes of its texts: all else in it is small by its type.
    pub fn text_bytes(&self) -> usize {
        match self {
            Message::Event { kind, resource } => {
                kind.len() + resource.as_ref().map_or(0, String::len)
            }
            Message::Wake { key } => key.len(),
            _ => 0,
        }
    }
}

/// A message as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BusDoc {
    #[serde(rename = "_id")]
    id: EventId,
    /// Written as zero, filled in by the server.
    ts: Timestamp,
    from: HostId,
    #[serde(flatten)]
    message: Message,
}

impl Stored for BusDoc {
    const COLLECTION: &'static str = collections::BUS;
}

/// When the server took a message. Neighbours in the bus may have theirs the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub seconds: u32,
    ordinal: u32,
}

impl Stamp {
    pub const fn new(seconds: u32, ordinal: u32) -> Stamp {
        Stamp { seconds, ordinal }
    }

    pub fn earlier(self, by: Duration) -> Stamp {
        let by = u32::try_from(by.as_secs()).unwrap_or(u32::MAX);
        Stamp { seconds: self.seconds.saturating_sub(by), ordinal: 0 }
    }
}

/// A message as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEntry {
    pub id: EventId,
    pub at: Stamp,
    /// `None`: of another version, or the one that only keeps the collection from being empty.
    pub message: Option<Message>,
}

impl BusEntry {
    fn read(document: Document) -> Option<BusEntry> {
        let id = EventId::from_bytes(document.get_object_id("_id").ok()?.bytes());
        let ts = document.get_timestamp("ts").ok()?;
        let message = read::parts::<BusDoc>(&document).ok().map(|doc| doc.message);
        Some(BusEntry { id, at: Stamp::new(ts.time, ts.increment), message })
    }
}

/// Messages in natural order.
#[derive(Debug, Default)]
pub struct BusBatch {
    pub entries: Vec<BusEntry>,
    /// There was nothing newer at that moment.
    pub at_end: bool,
    /// The cursor has ended: open another one.
    pub ended: bool,
}

/// An open cursor on the bus, and the session it belongs to.
pub struct BusTail {
    session: ClientSession,
    cursor: i64,
}

const OPEN: &str = "open the bus";
const READ: &str = "read the bus";
const PUBLISH: &str = "publish messages";

impl Store {
    /// Writes messages in this order. Doing so again after a failure is safe: those that are there
    /// already, by their ids, count as written.
    pub fn bus_publish(
        &self,
        from: HostId,
        batch: &[(EventId, Message)],
    ) -> Result<(), StoreError> {
        let ts = Timestamp { time: 0, increment: 0 };
        let docs = batch.iter().map(|(id, message)| BusDoc {
            id: *id,
            ts,
            from,
            message: message.clone(),
        });
        // Not ordered: it would end at the first message that is there already.
        let bus = self.driver()?.work.collection::<RawDocumentBuf>(collections::BUS);
        let docs: Result<Vec<_>, _> = docs.map(|doc| written(PUBLISH, &doc)).collect();
        bus.insert_many(docs?).ordered(false).run().map(drop).or_else(settled)
    }

    /// The newest message.
    pub fn bus_newest(&self) -> Result<Option<BusEntry>, StoreError> {
        let newest = FindOptions::builder()
            .sort(doc! { "$natural": -1 })
            .limit(1)
            .max_time(limits::STORE_OPERATION_MAX)
            .build();
        let coll = self.driver()?.tail.collection::<Document>(collections::BUS);
        let found = coll.find(doc! {}).with_options(newest).run();
        let mut found = found.map_err(|e| StoreError::read(OPEN, e))?;
        let first = found.next().transpose().map_err(|e| StoreError::read(OPEN, e))?;
        Ok(first.and_then(BusEntry::read))
    }

    /// A cursor on everything from `since` on, and what it finds at once.
    pub fn bus_open(&self, since: Stamp) -> Result<(BusTail, BusBatch), StoreError> {
        let session = self.driver()?.tail_client.start_session().run();
        let mut session = session.map_err(|e| StoreError::read(OPEN, e))?;
        let since = Timestamp { time: since.seconds, increment: since.ordinal };
        let find = doc! {
            "find": collections::BUS,
            "filter": { "ts": { "$gte": since } },
            "tailable": true,
            "awaitData": true,
            "batchSize": limits::BUS_READ_MAX,
            "maxTimeMS": millis(limits::STORE_OPERATION_MAX),
            "readConcern": { "level": "local" },
        };
        let reply = self.driver()?.tail.run_command(find).session(&mut session).run();
        let reply = reply.map_err(|e| StoreError::read(OPEN, e))?;
        let (cursor, batch) = batch(reply, "firstBatch");
        Ok((BusTail { session, cursor }, batch))
    }

    /// What came since, waiting a little for it. After a failure the cursor is of no more use.
    pub fn bus_more(&self, tail: &mut BusTail) -> Result<BusBatch, StoreError> {
        let more = doc! {
            "getMore": tail.cursor,
            "collection": collections::BUS,
            "batchSize": limits::BUS_READ_MAX,
            "maxTimeMS": millis(limits::BUS_AWAIT),
        };
        let reply = self.driver()?.tail.run_command(more).session(&mut tail.session).run();
        let (cursor, batch) = batch(reply.map_err(|e| StoreError::read(READ, e))?, "nextBatch");
        tail.cursor = cursor;
        Ok(batch)
    }

    /// Frees the cursor at the server, which would keep it for some minutes otherwise.
    pub fn bus_close(&self, mut tail: BusTail) {
        let kill = doc! { "killCursors": collections::BUS, "cursors": [tail.cursor] };
        // It may be at a server that is primary no more, or that has gone.
        let _ = self.driver().map(|d| d.tail.run_command(kill).session(&mut tail.session).run());
    }

    /// The newest events for the console, at most `limit`, in natural order.
    pub fn bus_events(&self, limit: i64) -> Result<Vec<BusEntry>, StoreError> {
        let newest = FindOptions::builder().sort(doc! { "$natural": -1 }).limit(limit).build();
        let filter = doc! { "topic": "event" };
        let found = self.find_as::<BusDoc, Document>("read past events", filter, newest)?;
        Ok(found.into_iter().rev().filter_map(BusEntry::read).collect())
    }

    /// What events are about: the ids of organizations and servers, at most `limit` of each.
    pub fn event_subjects(&self, limit: i64) -> Result<(Vec<OrgId>, Vec<ServerId>), StoreError> {
        let ids = || FindOptions::builder().projection(doc! { "_id": 1 }).limit(limit).build();
        let orgs = self.find_as::<super::organizations::OrgDoc, Only<OrgId>>(
            "list organizations",
            doc! {},
            ids(),
        )?;
        let servers = self.find_as::<super::servers::ServerDoc, Only<ServerId>>(
            "list servers",
            doc! {},
            ids(),
        )?;
        let (orgs, servers) = (orgs.into_iter(), servers.into_iter());
        Ok((orgs.map(|org| org.id).collect(), servers.map(|server| server.id).collect()))
    }
}

/// A document's id alone.
#[derive(Deserialize)]
struct Only<I> {
    #[serde(rename = "_id")]
    id: I,
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Reads the reply to a `find` or `getMore`.
fn batch(mut reply: Document, name: &str) -> (i64, BusBatch) {
    let mut cursor = match reply.remove("cursor") {
        Some(Bson::Document(cursor)) => cursor,
        _ => Document::new(),
    };
    let id = cursor.get_i64("id").unwrap_or(0);
    let items = match cursor.remove(name) {
        Some(Bson::Array(items)) => items,
        _ => Vec::new(),
    };
    let full = items.len() >= usize::try_from(limits::BUS_READ_MAX).unwrap_or(usize::MAX);
    let entries = items.into_iter().filter_map(|item| match item {
        Bson::Document(document) => BusEntry::read(document),
        _ => None,
    });
    (id, BusBatch { entries: entries.collect(), at_end: !full, ended: id == 0 })
}

/// Messages that are there already are written.
fn settled(error: Error) -> Result<(), StoreError> {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(failed) => {
            let mut refused = failed.write_errors.iter().flatten().filter(|e| e.code != 11000);
            match (refused.next(), &failed.write_concern_error) {
                (Some(_), _) => Err(StoreError::write(PUBLISH, error)),
                (None, Some(_)) => {
                    Err(StoreError::Unknown { operation: PUBLISH, source: Box::new(error) })
                }
                (None, None) => Ok(()),
            }
        }
        _ => Err(StoreError::write(PUBLISH, error)),
    }
}

/// Makes the bus what readers need: capped, large enough, and never empty, because a cursor on an
/// empty one is dead at once.
pub(super) fn prepare(database: &Database) -> Result<(), StoreError> {
    const OP: &str = "prepare the bus";
    let size = limits::BUS_BYTES;
    match collections::listed(database, doc! { "name": collections::BUS })?.first() {
        Some(found) => is_fit(found.get_document("options").ok(), size)?,
        None => {
            let create = doc! { "create": collections::BUS, "capped": true, "size": size };
            collections::create(database, create)?;
        }
    }
    let any = database.collection::<Document>(collections::BUS).find_one(doc! {}).run();
    match any.map_err(|e| StoreError::read(OP, e))? {
        Some(_) => Ok(()),
        None => first_message(database),
    }
}

fn is_fit(options: Option<&Document>, size: i64) -> Result<(), StoreError> {
    let capped = options.is_some_and(|options| options.get_bool("capped").unwrap_or(false));
    let have = match options.and_then(|options| options.get("size")) {
        Some(Bson::Int32(n)) => i64::from(*n),
        Some(Bson::Int64(n)) => *n,
        // A size no collection of that use has.
        _ => 0,
    };
    let problem = match capped {
        true if have >= size => return Ok(()),
        true => format!("is capped at {have} bytes"),
        false => "is not capped".to_owned(),
    };
    Err(StoreError::Unusable(format!(
        "the collection {name} {problem}, and Warren needs it capped at {size} bytes; it holds \
         nothing but passing messages: stop all hosts, then run once: \
         mongosh <mongodb_uri> --eval 'db.{name}.drop()'",
        name = collections::BUS,
    )))
}

/// Two hosts may write it at once: the same id.
fn first_message(database: &Database) -> Result<(), StoreError> {
    let id = EventId::from_bytes([0; 12]);
    let first = doc! { "_id": id, "ts": Timestamp { time: 0, increment: 0 }, "topic": "first" };
    let coll = database.collection::<Document>(collections::BUS);
    match coll.insert_one(first).run().map_err(|e| StoreError::write("begin the bus", e)) {
        Err(StoreError::Duplicate { .. }) => Ok(()),
        done => done.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::serialize_to_document;

    #[test]
    fn every_message_is_read_as_written() {
        let org = OrgId::from_bytes([1; 12]);
        let user = UserId::from_bytes([2; 12]);
        let host = HostId::from_bytes([3; 16]);
        let id = EventId::from_bytes([4; 12]);
        for message in [
            Message::Event { kind: "users_updated".to_owned(), resource: Some(org.to_string()) },
            Message::Event { kind: "servers_updated".to_owned(), resource: None },
            Message::Wake { key: "job/1".to_owned() },
            Message::Server { server: ServerId::from_bytes([5; 12]) },
            Message::CutUser { org, user },
            Message::CutClient { client: ClientId::from_bytes([6; 12]) },
            Message::JobReady,
            Message::JobTaken { job: JobId::from_bytes([7; 12]) },
            Message::TaskWanted,
            Message::PoolTaken,
            Message::Administrators,
            Message::Settings,
            Message::HostGone { host },
            Message::Goodbye { host },
        ] {
            let ts = Timestamp { time: 7, increment: 8 };
            let stored = BusDoc { id, ts, from: host, message: message.clone() };
            let document = serialize_to_document(&stored).expect("a document");
            assert!(document.get_object_id("_id").is_ok(), "{document}");
            let at = Stamp::new(7, 8);
            let read = BusEntry { id, at, message: Some(message) };
            assert_eq!(BusEntry::read(document), Some(read));
        }
    }

    #[test]
    fn a_message_of_another_version_keeps_its_place() {
        let id = EventId::from_bytes([4; 12]);
        let ts = Timestamp { time: 7, increment: 8 };
        let newer = doc! { "_id": id, "ts": ts, "topic": "novelty", "body": { "x": 1 } };
        let read = BusEntry { id, at: Stamp::new(7, 8), message: None };
        assert_eq!(BusEntry::read(newer), Some(read));
    }

    #[test]
    fn stamps_are_ordered_by_the_server_and_go_back_by_seconds() {
        let at = Stamp::new(100, 5);
        assert!(Stamp::new(100, 4) < at && at < Stamp::new(101, 0));
        assert_eq!(at.earlier(Duration::from_secs(10)), Stamp::new(90, 0));
        assert_eq!(at.earlier(Duration::from_secs(1000)), Stamp::new(0, 0));
    }
}
