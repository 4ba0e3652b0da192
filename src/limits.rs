//! Every bound of the program with its unit, and what happens when it is reached (I9).

use std::time::Duration;

// --- Liveness (design section 5) ---------------------------------------------------------------

/// Time between two beats of a host.
pub const BEAT_PERIOD: Duration = Duration::from_millis(1000);
/// An unchanged beat over this much of the observer's monotonic time: the host is declared dead.
pub const DEAD_AFTER: Duration = Duration::from_millis(3000);
/// A slower read proves nothing: the observation starts anew.
pub const READ_SLOW: Duration = Duration::from_millis(500);
/// Own acknowledged beats an observer needs within its window.
pub const OWN_BEATS_MIN: u32 = 3;
/// Without an acknowledged beat for this long, the database counts as away and is not waited for.
pub const DATABASE_SILENT_MAX: Duration = Duration::from_millis(2500);
/// After a change of primary nobody is declared dead for this long.
pub const PRIMARY_SETTLE: Duration = Duration::from_secs(10);

/// How long a start whose identity may be a copy watches for a beat that moves, and how often.
pub const TWIN_WATCH: Duration = Duration::from_millis(3000);
pub const TWIN_LOOK: Duration = Duration::from_millis(250);
/// How often the daemon's main thread looks whether it is still itself.
pub const SELF_LOOK_PERIOD: Duration = Duration::from_millis(1000);

/// How long a start waits for the lock of its state directory: what a killed daemon was about to
/// start, and a `stop` that clears up after one, hold it for a moment.
pub const LOCK_WAIT_MAX: Duration = Duration::from_millis(1000);
pub const LOCK_LOOK: Duration = Duration::from_millis(20);

/// A host whose clock is this far off the database's says so.
pub const CLOCK_SKEW_MS_MAX: i64 = 2000;
/// Health answers 504 when the database has not heard this host for this long (contract 2.7).
pub const HEALTH_SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often the daemon looks after things that only grow, as the database's log.
pub const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(3600);

// --- Store -------------------------------------------------------------------------------------

/// Server side limit of one database operation: it is ended there and reported as unavailable.
pub const STORE_OPERATION_MAX: Duration = Duration::from_secs(2);
/// Driver's server selection, connect and heartbeat times.
pub const STORE_SELECT_MAX: Duration = Duration::from_millis(2000);
/// Connections of the client for ordinary work: further operations wait for one.
pub const STORE_WORK_CONNECTIONS_MAX: u32 = 16;
/// Documents in one transaction: larger results are committed in chunks.
pub const TRANSACTION_DOCUMENTS_MAX: usize = 200;
/// Attempts of one transaction, and how long others follow the first one, before it is reported as
/// unavailable: fifty at once on one document get through, and no request waits beyond its time.
pub const TRANSACTION_TRIES_MAX: u32 = 32;
pub const TRANSACTION_TIME_MAX: Duration = Duration::from_millis(2000);
/// How far back a refresh by `rev` looks again.
pub const REV_OVERLAP: Duration = Duration::from_secs(90);
/// Consumers of bus hints reconcile from documents at least this often (I3).
pub const RECONCILE_PERIOD: Duration = Duration::from_secs(15);

// --- Bus (design section 6) --------------------------------------------------------------------

/// Size of the capped collection: the oldest messages make room; late readers see a gap.
pub const BUS_BYTES: i64 = 16 * 1024 * 1024;
/// One message; a larger one is a bug and refused.
pub const BUS_MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Messages waiting to be published: equal hints are merged, then the oldest goes and all
/// subscribers everywhere reconcile by their period.
pub const BUS_OUTBOX_MAX: usize = 4096;
/// Messages written at once; further ones follow.
pub const BUS_WRITE_MAX: usize = 500;
/// Messages read at once: with the largest ones still within the server's largest reply.
pub const BUS_READ_MAX: i32 = 1000;
/// Newest messages remembered to find the place again: if the database lost them all, a gap.
pub const BUS_HEARD_MAX: usize = 4096;
/// Pause before the bus is tried again: first and longest.
pub const BUS_BACKOFF_MIN: Duration = Duration::from_millis(20);
pub const BUS_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Time for the bus to end, with one last attempt to write what waits; then it is left behind.
pub const BUS_STOP_MAX: Duration = Duration::from_secs(3);
/// Messages a subscriber may lag: then its backlog is dropped and it gets a gap.
pub const BUS_SUBSCRIBER_MAX: usize = 1024;
/// How long one getMore waits for news at the server. News come at once; what takes as long is to
/// notice another primary while the old one still answers.
pub const BUS_AWAIT: Duration = Duration::from_millis(2000);
/// How far before the last seen message a resume starts.
pub const BUS_RESUME_OVERLAP: Duration = Duration::from_secs(10);
/// Events kept for the console: an older cursor resumes at the newest (contract 2.7).
pub const EVENT_RING_MAX: usize = 4096;
/// Organizations and servers named one by one after a gap; with more, one event without a
/// resource stands for all.
pub const EVENT_SUBJECTS_MAX: usize = 512;
/// Those who wait for events are woken at most this often: then there may be several.
pub const EVENT_WAKE_PERIOD: Duration = Duration::from_millis(20);
/// Pause before organizations and servers are listed again after a gap.
pub const EVENT_RETRY: Duration = Duration::from_secs(1);

// --- HTTP --------------------------------------------------------------------------------------

/// Request bodies by the contract; larger: 400.
pub const BODY_BYTES_MAX: usize = 50_000;
/// Bodies of bulk user creation.
pub const BODY_BULK_USERS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bodies of bulk route creation.
pub const BODY_BULK_ROUTES_BYTES_MAX: usize = 1024 * 1024;
/// Objects and values in one body; more: 400. Each object is written afresh with all its fields,
/// so that bytes alone bound neither memory nor what reaches the internal tier.
pub const BODY_OBJECTS_MAX: usize = 12 * 1024;
pub const BODY_VALUES_MAX: usize = 160 * 1024;
/// A body written afresh: the longest one received, and all fields of that many objects.
pub const FORWARD_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bodies with certificates (settings).
pub const BODY_CERTIFICATE_BYTES_MAX: usize = 200_000;
/// Request line and headers; larger: 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request; more: 431.
pub const HEADERS_MAX: usize = 64;
/// Bytes of a path segment kept (contract 1.1).
pub const SEGMENT_BYTES_MAX: usize = 128;
/// Client connections in total: the longest idle one makes room, else the new one is closed.
pub const CONNECTIONS_MAX: usize = 4096;
/// Client connections per address (IPv6: per /64).
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;
/// Requests under way between front and gate; further ones wait in the front.
pub const FRONT_IN_FLIGHT_MAX: usize = 64;
/// Time for the TLS handshake; then the connection is closed.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Time for a request's head; then 408.
pub const HEAD_MAX: Duration = Duration::from_secs(10);
/// Idle keep-alive connections are closed after this.
pub const IDLE_MAX: Duration = Duration::from_secs(60);
/// A whole request with its answer, parked waiters apart.
pub const REQUEST_MAX: Duration = Duration::from_secs(120);
/// A long poll is answered with nothing after this (contract 2.7).
pub const EVENT_POLL_MAX: Duration = Duration::from_secs(10);
/// Threads of the gate, each at most waiting for one answer of the internal tier.
pub const GATE_WORKERS: usize = 32;
/// Threads that receive requests in the internal tier: one for each that the gate can make, and
/// some for the streams of wake-ups.
pub const INTERNAL_WORKERS: usize = GATE_WORKERS + 4;
/// Requests given up because their announced body was absurd; then the server stops receiving.
pub const HTTP_GIVEN_UP_MAX: usize = 32;
/// Head of an answer between the tiers; a larger one is a bug and answered 502.
pub const ANSWER_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Body whose text goes along for signatures that cover it: no longer string is signed.
pub const RAW_BODY_BYTES_MAX: usize = 10_240;
/// Longest wait for the next bytes of the internal tier; then 504.
pub const FORWARD_MAX: Duration = Duration::from_secs(30);
/// Clients in the kernel's queue of a port; further ones have to try again.
pub const LISTEN_BACKLOG_MAX: i32 = 4096;
/// Event loops that own the client connections.
pub const FRONT_LOOPS: usize = 2;
/// Requests of woken waiters among [`FRONT_IN_FLIGHT_MAX`]: ordinary ones always find room.
pub const FRONT_WAKES_IN_FLIGHT_MAX: usize = 16;
/// What has come of request bodies that are not whole yet: of those within [`BODY_BYTES_MAX`], and
/// apart from them of larger ones, so that these leave room for a sign-in; further bytes get 503.
pub const FRONT_BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
pub const FRONT_LARGE_BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of an answer that wait for a slow client; then the gate is not read.
pub const FRONT_BACKLOG_BYTES_MAX: usize = 128 * 1024;
/// Messages on their way to an event loop: a connection is closed, a wake-up wakes everyone.
pub const FRONT_INBOX_MAX: usize = 1024;
/// Granularity of the front's deadlines.
pub const FRONT_TICK: Duration = Duration::from_millis(250);
/// Time and bytes a closed client may still send before its connection is reset.
pub const LINGER_MAX: Duration = Duration::from_secs(1);
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// Out of descriptors: pause before the next accept.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Answer kept for a parked client; a larger one is sent at once.
pub const PARK_ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Longest time a client may be parked, whatever the internal tier asks for.
pub const PARK_MAX: Duration = Duration::from_secs(60);
/// Name of what a parked client waits for; longer ones are refused.
pub const PARK_KEY_BYTES_MAX: usize = 128;
/// Newest wake-ups remembered for answers still under way; older ones count as "something".
pub const PARK_SEEN_MAX: usize = 1024;
/// Wake-ups not yet written to the edge; when full everyone is woken instead.
pub const WAKEUPS_OUTBOX_MAX: usize = 1024;
/// Longest pause between two lines of the stream of wake-ups.
pub const WAKEUPS_HEARTBEAT: Duration = Duration::from_secs(5);
/// Silence on the stream of wake-ups; then it is opened anew.
pub const WAKEUPS_SILENCE_MAX: Duration = Duration::from_secs(12);
/// Pause before the stream of wake-ups is opened anew: first and longest.
pub const WAKEUPS_BACKOFF_MIN: Duration = Duration::from_millis(50);
pub const WAKEUPS_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Time for the edge's threads to end; then the process ends without them.
pub const EDGE_STOP_MAX: Duration = Duration::from_secs(3);
/// A message of the parent to the edge (certificate chain and key): two of them fit the channel's
/// buffer, so that writing them never waits for the edge.
pub const EDGE_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Handlers of the internal tier that may use the store at once; a late one is abandoned.
pub const HANDLERS_MAX: usize = 12;
/// A handler is at one request for longer only while the database is silent: while all are,
/// further requests are answered 503 at once.
pub const HANDLER_HANGS_AFTER: Duration = Duration::from_millis(1500);
/// Requests that wait for a handler; further ones are answered 503.
pub const HANDLERS_WAITING_MAX: usize = INTERNAL_WORKERS;
/// Silence of the database towards the beat: then few requests at a time wait for it, and all
/// others are answered 503 at once.
pub const AWAY_AFTER: Duration = Duration::from_secs(5);
pub const AWAY_HANDLERS_MAX: usize = 2;
/// A request that waits for the database longer than this is answered 503 with `Retry-After`.
pub const HANDLER_DEADLINE: Duration = Duration::from_millis(2800);

/// Users of one request that are created before it is answered; more are created by a job.
pub const USERS_AT_ONCE_MAX: usize = 10;
/// Users of one request; more are refused.
pub const USERS_BULK_MAX: usize = 10_000;
/// Matches of a search for users that are shown: as many as are asked for, up to this.
pub const USER_MATCHES_MAX: u32 = 10_000;
/// Deleting an organization goes on for this long; then its client is asked to come again, which
/// the front does by itself for the second time. What is left then needs another request.
pub const ORGANIZATION_DELETE_STEP: Duration = Duration::from_millis(500);
pub const ORGANIZATION_DELETE_MAX: Duration = Duration::from_secs(50);
/// Attempts of a change that others overtake; then 503.
pub const CHANGE_TRIES_MAX: u32 = 8;
/// Users signed in advance, two for each organization: the oldest makes room.
pub const DRAFTS_MAX: usize = 8;
/// A request waits this long for one in the making; then it signs for itself.
pub const DRAFT_WAIT_MAX: Duration = Duration::from_millis(50);
/// Certificate authorities kept ready to sign, about 10 kB each: the oldest makes room.
pub const AUTHORITIES_MAX: usize = 64;

// --- Sessions and login (contract 1.6, 1.9) ----------------------------------------------------

pub const SESSION_SECONDS: i64 = 43_200;
/// Live sessions of one administrator: the oldest is dropped.
pub const SESSIONS_PER_ADMIN_MAX: usize = 16;
pub const CSRF_SECONDS: i64 = 604_800;
/// Accepted distance of an API timestamp from cluster time.
pub const API_WINDOW_SECONDS: i64 = 43_200;
/// Attempts per account, client address and window; further ones are refused.
pub const LOGIN_ATTEMPTS_MAX: u32 = 30;
pub const LOGIN_WINDOW_SECONDS: i64 = 600;
/// Attempts per account by clients that never signed in to it: then each of those has few.
pub const LOGIN_ACCOUNT_ATTEMPTS_MAX: i64 = 300;
pub const LOGIN_STRANGER_ATTEMPTS_MAX: i64 = 3;
/// Attempts of one such client on all accounts; further ones are refused.
pub const LOGIN_CLIENT_ATTEMPTS_MAX: i64 = 300;
/// Client addresses remembered for each administrator: the oldest is forgotten.
pub const KNOWN_ADDRESSES_MAX: usize = 16;
/// Age of what is known of a session; then it is read again.
pub const SESSION_CACHE_MAX_AGE: Duration = Duration::from_secs(2);
/// Sessions known at once; then all are read again.
pub const SESSION_CACHE_MAX: usize = 1024;
/// Password hashes made or checked at once (Argon2id, 19 MiB each).
pub const PASSWORD_HASHES_MAX: usize = 2;
/// Sign-ins under way, and waiting for their turn; further ones are answered 503.
pub const LOGIN_HANDLERS_MAX: usize = 2;
pub const LOGINS_WAITING_MAX: usize = 8;
/// Of these, those of one client address; further ones are answered 503, so that others find room.
pub const LOGINS_PER_CLIENT_MAX: usize = 4;

// --- Children ----------------------------------------------------------------------------------

/// From TERM to KILL for a supervised child.
pub const CHILD_STOP_MAX: Duration = Duration::from_secs(5);
/// From KILL to the end of a process: longer means the kernel holds it, which is reported.
pub const CHILD_KILL_MAX: Duration = Duration::from_secs(2);
/// Input of a child, kept by the kernel in a pipe until it is read; longer: not started.
pub const CHILD_INPUT_BYTES_MAX: usize = 1024 * 1024;
/// A short command (`ip`, `nft`, …): then it is killed and reported.
pub const COMMAND_MAX: Duration = Duration::from_secs(10);
/// Output of a short command; the rest is not read.
pub const COMMAND_OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Back-off of a child that keeps dying: first and longest pause.
pub const CHILD_BACKOFF_MIN: Duration = Duration::from_millis(200);
pub const CHILD_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A whole stop of the daemon.
pub const STOP_MAX: Duration = Duration::from_secs(10);

/// Time for the local database to answer: it may have to repair its files after a power cut.
pub const MONGOD_START_MAX: Duration = Duration::from_secs(60);
/// From TERM to KILL for the local database, which writes a checkpoint first.
pub const MONGOD_STOP_MAX: Duration = Duration::from_secs(8);
/// Its log: then a new file is begun and one old one kept.
pub const MONGOD_LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// With less space than this on its disk it is not started.
pub const MONGOD_FREE_BYTES_MIN: u64 = 500_000_000;

// --- Queue, pools, tasks (design sections 7 to 9) ----------------------------------------------

/// Children that make keys at once on one host, beside the one for urgent work; half the cores,
/// but no more than these.
pub const HEAVY_WORKERS_MAX: usize = 4;
/// Niceness of such a child: tunnels and the console come first.
pub const WORK_NICE: i32 = 10;
/// What such a child may answer, and what of its errors is kept; more is a failure.
pub const WORK_RESULT_BYTES_MAX: usize = 64 * 1024;
pub const WORK_ERROR_BYTES_MAX: usize = 512;
/// Commits of a finished job while the database is away, a pause apart; then another host does the
/// job again.
pub const JOB_COMMITS_MAX: u32 = 30;
pub const JOB_COMMIT_PAUSE: Duration = Duration::from_secs(2);
/// A running job of this host that is in no worker's hands for so long is free again: its claim was
/// never answered, or the database heard nothing of its end. Many times what an answer may take.
pub const JOB_FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
/// Pause before a failed job is tried again: first and longest.
pub const JOB_RETRY_MIN: Duration = Duration::from_secs(2);
pub const JOB_RETRY_MAX: Duration = Duration::from_secs(60);
/// While other hosts work, how often a host looks whether they have gone.
pub const JOBS_WATCH_PERIOD: Duration = Duration::from_secs(3);
/// Running jobs looked at in one go, the longest without progress first: the rest comes later.
pub const JOBS_LOOKED_AT_MAX: i64 = 500;
/// Jobs of one state that the console shows; the newest.
pub const JOBS_LISTED_MAX: i64 = 100;
/// Users in one part of a bulk creation, and in one transaction of it.
pub const BULK_PART_USERS: usize = 50;
/// Parts stored at once, before their job.
pub const BULK_PARTS_AT_ONCE: usize = 20;
/// Keys reserved in the making by a bulk creation that finds none, so that others wait for few.
pub const BULK_RESERVE_MAX: usize = 10;
/// How long it is put off then.
pub const BULK_WAIT: Duration = Duration::from_secs(2);
/// Attempts of one step of it while the database is away, [`JOB_COMMIT_PAUSE`] apart.
pub const BULK_STEP_TRIES_MAX: u32 = 15;
/// Keys of one take; a larger one is refused.
pub const POOL_TAKE_MAX: usize = 1000;
/// Reservations made in one call of a take; the rest follows in the next call.
pub const POOL_RESERVE_MAX: usize = 200;
/// How long what is reserved for a requester waits after it asked last: longer than a client is
/// parked ([`PARK_MAX`]). Then it is anybody's.
pub const POOL_RESERVED_MAX: Duration = Duration::from_secs(90);
/// The pools' level follows what was taken in this time.
pub const POOL_RATE_WINDOW: Duration = Duration::from_secs(600);
/// Keys in a pool, however many are taken.
pub const POOL_RSA2048_MAX: i64 = 1024;
pub const POOL_RSA4096_MAX: i64 = 128;
pub const POOL_DH2048_MAX: i64 = 1;
/// Least time between two plans for refilling by one host.
pub const POOL_REFILL_PAUSE: Duration = Duration::from_secs(1);
/// Longest random delay before a host tries to reserve a task that is due.
pub const TASK_DELAY_MAX: Duration = Duration::from_millis(2000);
/// Attempts of one run of a task: then it is reported and waits for its next period.
pub const TASK_ATTEMPTS_MAX: i64 = 3;
/// Documents a repair reads at once.
pub const REPAIR_BATCH: i64 = 500;
/// A dead host that is silent for longer has left for good what it held: until then it may come
/// back and go on with servers that nobody else took.
pub const HOST_RETURN_MAX: Duration = Duration::from_secs(600);
/// A host that counts as alive and is silent for longer is reported.
pub const HOST_SILENCE_REPORTED: Duration = Duration::from_secs(30);

// --- VPN ---------------------------------------------------------------------------------------

/// Lines of a server's output kept (contract 2.5): the oldest go.
pub const OUTPUT_LINES_MAX: usize = 5000;
/// PIN checks (Argon2id, 19 MiB each) at once.
pub const PIN_CHECKS_MAX: usize = 2;
/// One line on a management socket; a longer one is cut and the rest skipped.
pub const MANAGEMENT_LINE_BYTES_MAX: usize = 8 * 1024;
/// Environment entries of one client message; further ones are dropped.
pub const MANAGEMENT_ENV_MAX: usize = 256;
/// Lines of one status reply; further ones are dropped.
pub const MANAGEMENT_BLOCK_LINES_MAX: usize = 32 * 1024;
/// Commands that OpenVPN has not answered: then it hangs, and no more are sent.
pub const MANAGEMENT_PENDING_MAX: usize = 8 * 1024;
/// OpenVPN must answer on its socket within this after its start.
pub const OPENVPN_START_MAX: Duration = Duration::from_secs(5);
/// From the request to end (clients are told for two seconds) to KILL.
pub const OPENVPN_STOP_MAX: Duration = Duration::from_secs(5);
/// Failed starts of an instance in a row before it is shown as failing; it is tried on, slowly.
pub const OPENVPN_STARTS_MAX: u32 = 5;
/// Things about running servers that wait to be recorded; further ones are lost, which is logged.
pub const BOOKS_NOTES_MAX: usize = 16 * 1024;
/// They are recorded at most this often.
pub const BOOKS_PERIOD: Duration = Duration::from_millis(1000);
/// The same for what somebody waits for, as a start: what comes together still goes together.
pub const BOOKS_HURRY: Duration = Duration::from_millis(20);
/// Threads that check who wants to connect.
pub const ADMISSION_WORKERS: usize = 4;
/// Clients that wait for their check; further ones are refused as busy and come again.
pub const ADMISSIONS_WAITING_MAX: usize = 4096;
/// Users, addresses, PINs and codes remembered for times without the database: then anew.
pub const KNOWN_USERS_MAX: usize = 128 * 1024;
/// Users or addresses read at once when a server starts.
pub const KNOWN_PAGE: i64 = 1000;
/// How often everything known of the users of servers here is read as a whole.
pub const KNOWN_RELOAD_PERIOD: Duration = Duration::from_secs(3600);
/// Pause before users are read again that could not be read.
pub const KNOWN_RETRY: Duration = Duration::from_secs(1);
/// For how long hints about users are gathered before they are read again.
pub const KNOWN_PAUSE: Duration = Duration::from_millis(100);
/// Messages to the keeper of what is known of users; further hints say nothing new.
pub const PEOPLE_INBOX_MAX: usize = 64;
/// How many servers fewer another host may run before a server that ran here goes there.
pub const CLAIM_HYSTERESIS: usize = 1;
/// A slot that the least loaded host has left free for this long is anybody's.
pub const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
/// Attempts to take a slot, or an address, that others take at the same time; then later again.
pub const CLAIM_TRIES_MAX: usize = 4;
pub const ADDRESS_TRIES_MAX: usize = 64;
/// Bytes of one line of a server's output; the rest of a longer one is cut off.
pub const OUTPUT_LINE_BYTES_MAX: usize = 1024;
/// Lines after which a server's output is shortened to its bound again.
pub const OUTPUT_TRIM_LINES: usize = 500;
/// Messages to a running server; further ones wait.
pub const RUNNER_INBOX_MAX: usize = 8 * 1024;
/// Between byte counts of OpenVPN.
pub const BYTE_COUNT_SECONDS: u32 = 5;
/// Between questions for what the database knows of adopted clients.
pub const SESSIONS_RETRY: Duration = Duration::from_millis(1000);
/// Between attempts to reach a management socket that is not there yet.
pub const MANAGEMENT_RETRY: Duration = Duration::from_millis(3);
/// Messages to the keeper of this host's servers; further ones wait.
pub const FLEET_INBOX_MAX: usize = 1024;
/// How often it looks for servers that failed to start.
pub const FLEET_TICK: Duration = Duration::from_millis(500);
/// The same while servers are ending, which may be started again.
pub const FLEET_STOP_TICK: Duration = Duration::from_millis(50);
/// Pause before it asks again what should run, after the database did not say.
pub const FLEET_RETRY: Duration = Duration::from_secs(1);
/// Failed starts remembered, so that they are tried again ever more slowly.
pub const START_PAUSES_MAX: usize = 4096;

// --- Servers over the API ----------------------------------------------------------------------

/// Entries of a page of a list (contract 1.5).
pub const SERVERS_PAGE: u32 = 3;
pub const HOSTS_PAGE: u32 = 10;
pub const ORGANIZATIONS_PAGE: u32 = 5;
pub const USERS_PAGE: u32 = 10;
/// How long a creation waits for its key; then 503.
pub const KEY_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a start is waited for (contract 2.5); then 500.
pub const START_WAIT_MAX: Duration = Duration::from_secs(29);
/// How long a stop is waited for; then it is answered as it stands.
pub const STOP_WAIT_MAX: Duration = Duration::from_secs(15);
/// Routes of one server; further ones are refused.
pub const ROUTES_MAX: usize = 4096;
/// Clients of one server in an answer; further ones are not shown.
pub const CLIENTS_SHOWN_MAX: i64 = 20_000;
/// Users whose addresses are freed at once: in one transaction with the server's document.
pub const FREED_ADDRESSES_MAX: i64 = TRANSACTION_DOCUMENTS_MAX as i64 - 1;
/// Age of the counts of `GET /status`; they are also read anew when something changed.
pub const STATUS_AGE_MAX: Duration = Duration::from_millis(1000);
