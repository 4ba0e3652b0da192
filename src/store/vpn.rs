//! What running servers record: addresses of users, connected clients, output lines.

use super::ops::Stored;
use super::users::UserDoc;
use super::{Store, StoreError, collections};
use crate::base::ids::{ClientId, HostId, InstanceId, OrgId, ServerId, UserId};
use crate::limits;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

/// The address of a user on a server; a row without a user is free again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressDoc {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub server_id: ServerId,
    pub generation: i64,
    /// IPv4 as a number.
    pub address: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

impl Stored for AddressDoc {
    const COLLECTION: &'static str = collections::ADDRESSES;
}

/// A connected client; gone with its instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientDoc {
    #[serde(rename = "_id")]
    pub id: ClientId,
    pub server_id: ServerId,
    pub instance_id: InstanceId,
    pub host_id: HostId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub user_name: String,
    /// The management interface's client id within the instance.
    pub cid: i64,
    pub platform: Option<String>,
    pub device_name: Option<String>,
    pub mac_addr: Option<String>,
    pub real_address: String,
    /// Without prefix length.
    pub virt_address: String,
    pub virt_address6: Option<String>,
    /// Seconds since the Unix epoch, cluster time.
    pub connected_since: i64,
    pub bytes_received: i64,
    pub bytes_sent: i64,
    /// It was disconnected by an administrator: its tunnel must end, also on a host that missed the
    /// message (I3).
    #[serde(default)]
    pub cut: bool,
    /// The user's `cut` when this client was let in: a higher one ends its tunnel.
    #[serde(default)]
    pub user_cut: i64,
}

impl Stored for ClientDoc {
    const COLLECTION: &'static str = collections::CLIENTS;
}

/// Some lines of a server's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputDoc {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub server_id: ServerId,
    pub at: DateTime,
    /// Each `[<host name>] <text>`.
    pub lines: Vec<String>,
}

impl Stored for OutputDoc {
    const COLLECTION: &'static str = collections::OUTPUT;
}

/// Statements of one update command.
const STATEMENTS_MAX: usize = 1000;
/// Lines of one stored chunk of output.
const CHUNK_LINES_MAX: usize = 500;

impl Store {
    /// Records clients; those that are there stay as they are.
    pub fn clients_connected(&self, clients: &[ClientDoc]) -> Result<(), StoreError> {
        const OP: &str = "record connected clients";
        let statement = |client: &ClientDoc| {
            let mut fields = mongodb::bson::serialize_to_document(client)?;
            fields.remove("_id");
            let update = doc! { "$setOnInsert": fields };
            Ok(doc! { "q": { "_id": client.id }, "u": update, "upsert": true })
        };
        let statements: Result<Vec<_>, mongodb::bson::error::Error> =
            clients.iter().map(statement).collect();
        let statements = statements.map_err(|e| StoreError::write(OP, e.into()))?;
        self.update_each::<ClientDoc>(OP, statements)
    }

    /// Records totals of bytes: from the client, and to it.
    pub fn clients_counted(&self, counts: &[(ClientId, i64, i64)]) -> Result<(), StoreError> {
        let statement = |&(client, received, sent): &(ClientId, i64, i64)| {
            let totals = doc! { "bytes_received": received, "bytes_sent": sent };
            doc! { "q": { "_id": client }, "u": { "$max": totals } }
        };
        let statements = counts.iter().map(statement).collect();
        self.update_each::<ClientDoc>("record clients' bytes", statements)
    }

    pub fn clients_gone(&self, clients: &[ClientId]) -> Result<(), StoreError> {
        if clients.is_empty() {
            return Ok(());
        }
        let these = doc! { "_id": { "$in": clients.to_vec() } };
        self.delete_all::<ClientDoc>("record that clients have gone", these).map(drop)
    }

    pub fn instance_clients(&self, id: InstanceId) -> Result<Vec<ClientDoc>, StoreError> {
        self.find("read an instance's clients", doc! { "instance_id": id }, FindOptions::default())
    }

    /// Clients of these instances whose tunnels must end because an administrator said so.
    pub fn clients_to_cut(&self, instances: &[InstanceId]) -> Result<Vec<ClientId>, StoreError> {
        if instances.is_empty() {
            return Ok(Vec::new());
        }
        let filter = doc! { "instance_id": { "$in": instances.to_vec() }, "cut": true };
        let found: Vec<ClientDoc> =
            self.find("look for clients to be cut off", filter, FindOptions::default())?;
        Ok(found.into_iter().map(|client| client.id).collect())
    }

    /// These users have just been active. Decides nothing, so their `rev` stays.
    pub fn users_active(&self, users: &[UserId]) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let these = doc! { "_id": { "$in": users.to_vec() } };
        let now = doc! { "$currentDate": { "last_active": true } };
        self.update_all::<UserDoc>("record users' activity", these, now).map(drop)
    }

    /// Appends lines to a server's output. `number` is higher with each call of this process, so
    /// that chunks of one second keep their order.
    pub fn output_append(
        &self,
        server_id: ServerId,
        number: u32,
        lines: &[String],
    ) -> Result<(), StoreError> {
        let now_ms = self.clock().cluster_ms();
        let seconds = u32::try_from(now_ms.div_euclid(1000)).unwrap_or(u32::MAX);
        let mut chunks = Vec::new();
        for (lines, part) in lines.chunks(CHUNK_LINES_MAX).zip(0_u8..) {
            let mut id = self.new_id::<()>().bytes();
            id[..4].copy_from_slice(&seconds.to_be_bytes());
            id[4..8].copy_from_slice(&number.to_be_bytes());
            id[8] = part;
            let at = DateTime::from_millis(now_ms);
            chunks.push(OutputDoc { id: id.into(), server_id, at, lines: lines.to_vec() });
        }
        self.insert_many("record a server's output", &chunks)
    }

    /// Forgets the oldest chunks of a server's output beyond [`limits::OUTPUT_LINES_MAX`] lines.
    pub fn output_trim(&self, server: ServerId) -> Result<(), StoreError> {
        const OP: &str = "shorten a server's output";
        let stages = vec![
            doc! { "$match": { "server_id": server } },
            doc! { "$sort": { "_id": -1 } },
            doc! { "$project": { "count": { "$size": "$lines" } } },
        ];
        let mut lines = 0;
        for chunk in self.aggregate::<OutputDoc, Chunk>(OP, stages)? {
            if lines >= limits::OUTPUT_LINES_MAX {
                let old = doc! { "server_id": server, "_id": { "$lte": chunk.id } };
                return self.delete_all::<OutputDoc>(OP, old).map(drop);
            }
            lines += usize::try_from(chunk.count).unwrap_or(0);
        }
        Ok(())
    }

    /// Many single updates in few round trips. Each must be one that may be done twice.
    fn update_each<T: Stored>(
        &self,
        op: &'static str,
        statements: Vec<Document>,
    ) -> Result<(), StoreError> {
        let wait_ms = i64::try_from(limits::STORE_OPERATION_MAX.as_millis()).unwrap_or(0);
        for some in statements.chunks(STATEMENTS_MAX) {
            let concern = doc! { "w": "majority", "j": true, "wtimeout": wait_ms };
            let command = doc! {
                "update": T::COLLECTION,
                "updates": some.to_vec(),
                "ordered": false,
                "writeConcern": concern,
            };
            let reply = self.driver()?.work.run_command(command).run();
            let reply = reply.map_err(|e| StoreError::write(op, e))?;
            let custom = |text: String| Box::new(mongodb::error::Error::custom(text));
            if let Ok(errors) = reply.get_array("writeErrors") {
                let source = custom(format!("{errors:?}"));
                return Err(StoreError::Wrong { operation: op, source });
            }
            if let Ok(error) = reply.get_document("writeConcernError") {
                let source = custom(error.to_string());
                return Err(StoreError::Unknown { operation: op, source });
            }
        }
        Ok(())
    }
}

/// A chunk of output as far as it is counted.
#[derive(Deserialize)]
struct Chunk {
    #[serde(rename = "_id")]
    id: ObjectId,
    count: i32,
}
