//! Real MongoDB: a replica set of one on a Unix socket, or of three on the lab's network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::sync::Client;

use super::lab::Host;
use super::needs;
use super::place::Place;
use super::process::Process;
use super::temp::TempDir;
use super::wait::{seconds, wait_for, wait_until};

pub const PORT: u16 = 27017;

/// Names the set in its own configuration and in the connection string.
const SET: &str = "warren";

/// One `mongod`. Tests talk to it over its Unix socket, whatever happens to its network.
pub struct Mongod {
    process: Process,
    arguments: Vec<String>,
    socket: PathBuf,
    place: Place,
    dir: TempDir,
}

impl Mongod {
    /// Listens on `address`, or only on its Unix socket. Not part of a set unless `member`.
    fn start(place: &Place, address: Option<String>, member: bool) -> Mongod {
        let dir = TempDir::new("mongod");
        fs::create_dir(dir.join("data")).expect("a directory");
        let socket = dir.join(&format!("mongodb-{PORT}.sock"));
        let bind = address.unwrap_or_else(|| socket.display().to_string());
        let text = |path: PathBuf| path.display().to_string();
        let mut arguments: Vec<String> = [
            ("--dbpath", text(dir.join("data"))),
            ("--port", PORT.to_string()),
            ("--bind_ip", bind),
            ("--unixSocketPrefix", text(dir.path().to_owned())),
            ("--filePermissions", "0777".to_owned()),
            ("--wiredTigerCacheSizeGB", "0.25".to_owned()),
            ("--oplogSize", "64".to_owned()),
            ("--setParameter", "diagnosticDataCollectionEnabled=false".to_owned()),
            // As README recommends.
            ("--setParameter", "transactionLifetimeLimitSeconds=10".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        arguments.push("--quiet".to_owned());
        if member {
            arguments.extend(["--replSet".to_owned(), SET.to_owned()]);
        }
        let process = launch(place, &dir, &arguments);
        let mut mongod = Mongod { process, arguments, socket, place: place.clone(), dir };
        mongod.wait_ready();
        mongod
    }

    /// A server that is no replica set: Warren refuses it.
    pub fn standalone(place: &Place) -> Mongod {
        Mongod::start(place, None, false)
    }

    /// A client of this one server, whatever its state.
    pub fn client(&self) -> Client {
        let options = "directConnection=true&serverSelectionTimeoutMS=2000";
        Client::with_uri_str(format!("mongodb://{}/?{options}", self.socket_in_uri()))
            .expect("a connection string")
    }

    pub fn admin(&self, command: Document) -> Result<Document, Error> {
        self.client().database("admin").run_command(command).run()
    }

    pub fn is_primary(&self) -> bool {
        let hello = self.admin(doc! { "hello": 1 });
        hello.is_ok_and(|reply| reply.get_bool("isWritablePrimary").unwrap_or(false))
    }

    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Starts it again, after a kill, on the same data.
    pub fn restart(&mut self) {
        self.process = launch(&self.place, &self.dir, &self.arguments);
        self.wait_ready();
    }

    /// Another parameter from its next start on, such as `ttlMonitorSleepSecs=1`.
    pub fn set_parameter(&mut self, parameter: &str) {
        self.arguments.extend(["--setParameter".to_owned(), parameter.to_owned()]);
    }

    pub fn freeze(&self) {
        self.process.freeze();
    }

    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// A connection string for this server alone.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/", self.socket_in_uri())
    }

    /// Where it listens, whatever its network does.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn socket_in_uri(&self) -> String {
        self.socket.display().to_string().replace('/', "%2F")
    }

    fn wait_ready(&mut self) {
        self.process.wait_log("Waiting for connections", seconds(15));
    }
}

fn launch(place: &Place, dir: &TempDir, arguments: &[String]) -> Process {
    let log = dir.join("log");
    // A log of an earlier life must not be taken for this one's.
    let _ = fs::remove_file(&log);
    Process::start(place, Command::new(needs::mongod()).args(arguments), &log)
}

pub struct ReplicaSet {
    pub members: Vec<Mongod>,
    uri: String,
}

impl ReplicaSet {
    /// One member, reachable from every place by its Unix socket. The quick one.
    pub fn local() -> ReplicaSet {
        let member = Mongod::start(&Place::on_this_network(), None, true);
        let address = member.socket.display().to_string();
        let uri = format!("mongodb://{}/?replicaSet={SET}", member.socket_in_uri());
        ReplicaSet::initiate(vec![member], &[address], uri)
    }

    /// Three members like that: elections without a network.
    pub fn local_three() -> ReplicaSet {
        let place = Place::on_this_network();
        let members: Vec<Mongod> = (0..3).map(|_| Mongod::start(&place, None, true)).collect();
        let sockets: Vec<String> = members.iter().map(Mongod::socket_in_uri).collect();
        let addresses: Vec<String> =
            members.iter().map(|member| member.socket.display().to_string()).collect();
        let uri = format!("mongodb://{}/?replicaSet={SET}", sockets.join(","));
        ReplicaSet::initiate(members, &addresses, uri)
    }

    /// A member on each host, found by address: cuts of the lab reach it.
    pub fn on(hosts: &[&Host]) -> ReplicaSet {
        let addresses: Vec<String> =
            hosts.iter().map(|host| format!("{}:{PORT}", host.address)).collect();
        let start = |host: &&Host| Mongod::start(host, Some(host.address.to_string()), true);
        let uri = format!("mongodb://{}/?replicaSet={SET}", addresses.join(","));
        ReplicaSet::initiate(hosts.iter().map(start).collect(), &addresses, uri)
    }

    fn initiate(members: Vec<Mongod>, addresses: &[String], uri: String) -> ReplicaSet {
        let list: Vec<Document> = (0i32..)
            .zip(addresses)
            .map(|(number, address)| doc! { "_id": number, "host": address })
            .collect();
        // Elections ten times as fast as by default, silent cuts noticed in two seconds.
        let settings = doc! { "electionTimeoutMillis": 1000, "heartbeatTimeoutSecs": 2 };
        let config = doc! { "_id": SET, "members": list, "settings": settings };
        members[0].admin(doc! { "replSetInitiate": config }).expect("replSetInitiate");
        let set = ReplicaSet { members, uri };
        set.primary();
        set.wait_in_step();
        set
    }

    /// As sets are that nobody has configured: ten seconds of silence before an election.
    pub fn with_default_elections(self) -> ReplicaSet {
        let primary = &self.members[self.primary()];
        let reply = primary.admin(doc! { "replSetGetConfig": 1 }).expect("replSetGetConfig");
        let mut config = reply.get_document("config").expect("a configuration").clone();
        let version = config.get_i32("version").expect("a version");
        config.insert("version", version + 1);
        let settings = doc! { "electionTimeoutMillis": 10_000, "heartbeatTimeoutSecs": 10 };
        config.insert("settings", settings);
        primary.admin(doc! { "replSetReconfig": config }).expect("replSetReconfig");
        self
    }

    /// Waits until every member votes and holds the data: from then on any may be lost.
    pub fn wait_in_step(&self) {
        let ready = |mongod: &Mongod| {
            let hello = mongod.admin(doc! { "hello": 1 }).unwrap_or_default();
            ["isWritablePrimary", "secondary"]
                .iter()
                .any(|role| hello.get_bool(role).unwrap_or(false))
        };
        wait_until("all members of the replica set", seconds(30), || {
            self.members.iter().all(ready)
        });
    }

    /// The connection string for daemons: majority writes with journal are theirs to ask for.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The index of the primary, waiting for one.
    pub fn primary(&self) -> usize {
        let position = || self.members.iter().position(Mongod::is_primary);
        wait_for("a primary of the replica set", seconds(30), position)
    }

    /// The same while one member can not be trusted to know: it is cut off.
    pub fn primary_but(&self, other: usize) -> usize {
        let is_primary = |&n: &usize| n != other && self.members[n].is_primary();
        let position = || (0..self.members.len()).find(is_primary);
        wait_for("another primary of the replica set", seconds(60), position)
    }

    /// A client of the primary of this moment.
    pub fn client(&self) -> Client {
        self.members[self.primary()].client()
    }

    /// The primary steps down for ten seconds; another is elected if there is one.
    pub fn step_down(&self) {
        let command = doc! { "replSetStepDown": 10, "force": true };
        self.members[self.primary()].admin(command).expect("replSetStepDown");
    }
}
