//! Reaching the database: three clients, and what must be true of it before it is used.

use super::driver::Driver;
use super::{Store, StoreError, collections};
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::limits;
use mongodb::bson::{Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, ReadConcern, SelectionCriteria,
    ServerMonitoringMode, WriteConcern,
};
use mongodb::sync::Client;
use mongodb::{ServerType, error::ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Database used when the URI names none.
const DEFAULT_DATABASE: &str = "warren";
/// Oldest server version that has everything we use.
const VERSION_MIN: (u32, u32) = (5, 0);
const STANDALONE_CURE: &str = "the database is a standalone server; Warren needs a replica set \
     (one node is enough): start mongod with --replSet warren, then run once: \
     mongosh --eval 'rs.initiate()'";

/// What the doctor and the start-up log say of a database.
#[derive(Clone, Debug)]
pub struct Facts {
    pub version: String,
    pub set_name: String,
    /// The server's wall clock, milliseconds since the Unix epoch.
    pub now_ms: i64,
    pub members: Vec<String>,
    pub arbiters: Vec<String>,
}

/// Counts the primaries a client's monitor has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct PrimaryWatch(Arc<AtomicU64>);

impl PrimaryWatch {
    pub(super) fn changes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn handler(&self) -> EventHandler<SdamEvent> {
        let count = Arc::clone(&self.0);
        EventHandler::callback(move |event| {
            if let SdamEvent::ServerDescriptionChanged(change) = event {
                let was = change.previous_description.server_type() == ServerType::RsPrimary;
                let is = change.new_description.server_type() == ServerType::RsPrimary;
                if is && !was {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    }
}

impl Store {
    /// Checks the database at `uri` and prepares its collections. Does not retry.
    pub fn connect(uri: &Secret, clock: Clock, random: Random) -> Result<Store, StoreError> {
        let options = options(uri)?;
        let name = options.default_database.clone().unwrap_or(DEFAULT_DATABASE.to_owned());
        let primaries = PrimaryWatch::default();
        let mut beat_options = sized(&options, 1);
        beat_options.sdam_event_handler = Some(primaries.handler());
        let beat_client = client(beat_options)?;
        check(&beat_client)?;
        let work_client = client(sized(&options, limits::STORE_WORK_CONNECTIONS_MAX))?;
        let tail_client = client(sized(&options, 1))?;
        let driver = Driver {
            beat: beat_client.database(&name),
            tail: tail_client.database(&name),
            tail_client,
            work: work_client.database(&name),
            work_client,
            primaries,
        };
        collections::ensure(&driver.work)?;
        Ok(Store::of_driver(driver, clock, random))
    }

    /// For a command that looks at something or changes a little: one connection, and nothing is
    /// prepared, so a database that no host has used yet seems empty. Does not retry.
    pub fn open(uri: &Secret, clock: Clock, random: Random) -> Result<(Store, Facts), StoreError> {
        let options = options(uri)?;
        let name = options.default_database.clone().unwrap_or(DEFAULT_DATABASE.to_owned());
        let client = client(sized(&options, 1))?;
        let facts = check(&client)?;
        let driver = Driver {
            beat: client.database(&name),
            tail: client.database(&name),
            tail_client: client.clone(),
            work: client.database(&name),
            work_client: client,
            primaries: PrimaryWatch::default(),
        };
        Ok((Store::of_driver(driver, clock, random), facts))
    }

    /// One look at the database without preparing anything: for the doctor.
    pub fn examine(uri: &Secret) -> Result<Facts, StoreError> {
        check(&client(sized(&options(uri)?, 1))?)
    }
}

impl Store {
    /// Where the members of the replica set listen, as they know each other: `host:port`, or the
    /// path of a socket.
    pub fn members(&self) -> Result<Vec<String>, StoreError> {
        let hello = self.driver()?.work.run_command(doc! { "hello": 1 }).run();
        let hello = hello.map_err(|e| StoreError::read("look for the database's members", e))?;
        let members = hello.get_array("hosts").into_iter().flatten();
        Ok(members.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }
}

/// Makes a fresh local `mongod` a replica set of one; one that is already is left alone.
pub fn initiate_local(uri: &Secret, member: &str) -> Result<(), StoreError> {
    let mut options = options(uri)?;
    options.direct_connection = Some(true);
    // It does not know its name yet.
    options.repl_set_name = None;
    let admin = client(sized(&options, 1))?.database("admin");
    let hello = admin.run_command(doc! { "hello": 1 }).run();
    let hello = hello.map_err(|e| StoreError::read("greet the local database", e))?;
    if hello.contains_key("setName") {
        return Ok(());
    }
    let config = doc! { "_id": "warren", "members": [ { "_id": 0, "host": member } ] };
    match admin.run_command(doc! { "replSetInitiate": config }).run() {
        Ok(_) => Ok(()),
        // 23: initiated meanwhile.
        Err(e) if matches!(e.kind.as_ref(), ErrorKind::Command(c) if c.code == 23) => Ok(()),
        Err(e) => Err(StoreError::write("initiate the local replica set", e)),
    }
}

/// Whether it has the form of one; nobody is asked.
pub fn is_connection_string(uri: &Secret) -> bool {
    ConnectionString::parse(uri.expose().as_str()).is_ok()
}

fn options(uri: &Secret) -> Result<ClientOptions, StoreError> {
    let parsed = ClientOptions::parse(uri.expose().as_str()).run();
    // The driver's message may quote the URI, which may hold a password.
    let mut options = parsed.map_err(|_| {
        StoreError::Unusable("mongodb_uri is not a valid connection string".to_owned())
    })?;
    options.app_name = Some("warren".to_owned());
    options.connect_timeout = Some(limits::STORE_SELECT_MAX);
    options.server_selection_timeout = Some(limits::STORE_SELECT_MAX);
    options.heartbeat_freq = Some(limits::STORE_SELECT_MAX);
    options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria =
        Some(SelectionCriteria::ReadPreference(mongodb::options::ReadPreference::Primary));
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(limits::STORE_OPERATION_MAX)
            .build(),
    );
    Ok(options)
}

fn sized(options: &ClientOptions, connections: u32) -> ClientOptions {
    let mut options = options.clone();
    options.max_pool_size = Some(connections);
    options.max_idle_time = Some(Duration::from_secs(600));
    options
}

fn client(options: ClientOptions) -> Result<Client, StoreError> {
    Client::with_options(options)
        .map_err(|e| StoreError::Wrong { operation: "make a database client", source: Box::new(e) })
}

/// Reachable, new enough, and a replica set.
fn check(client: &Client) -> Result<Facts, StoreError> {
    let admin = client.database("admin");
    let run = |command: Document, what: &'static str| {
        admin.run_command(command).run().map_err(|e| explain(what, e))
    };
    let hello = run(doc! { "hello": 1 }, "reach the database")?;
    let Ok(set_name) = hello.get_str("setName") else {
        return Err(StoreError::Unusable(STANDALONE_CURE.to_owned()));
    };
    let build = run(doc! { "buildInfo": 1 }, "ask the database for its version")?;
    let version = build.get_str("version").unwrap_or("?").to_owned();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < VERSION_MIN {
        return Err(StoreError::Unusable(format!(
            "the database is MongoDB {version}; Warren needs {}.{} or newer",
            VERSION_MIN.0, VERSION_MIN.1
        )));
    }
    let names = |key: &str| {
        let list = hello.get_array(key).into_iter().flatten();
        list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    Ok(Facts {
        version,
        set_name: set_name.to_owned(),
        now_ms: hello.get_datetime("localTime").map_or(0, |t| t.timestamp_millis()),
        members: names("hosts"),
        arbiters: names("arbiters"),
    })
}

/// Turns the two mistakes people make into sentences; the rest keeps its class.
fn explain(operation: &'static str, error: mongodb::error::Error) -> StoreError {
    let refused = match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => true,
        ErrorKind::Command(c) => matches!(c.code, 13 | 18),
        _ => false,
    };
    if refused {
        return StoreError::Refused;
    }
    StoreError::read(operation, error)
}
