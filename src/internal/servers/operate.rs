//! Start, stop and restart: a wish in the document, a hint on the bus, and an answer when a host
//! has done it. Nobody waits here: the front asks again when the server's key is woken.

use super::shown;
use super::{find, tell, tell_users};
use crate::api::Operation;
use crate::api::reply::{ErrorReply, Reply};
use crate::base::ids::ServerId;
use crate::domain::event::Event;
use crate::domain::server::wake_key;
use crate::http::Response;
use crate::internal::answer::{self, Failure, Handled};
use crate::internal::app::{App, Asked};
use crate::internal::attachments;
use crate::limits;
use crate::store::counts::Living;
use crate::store::servers::ServerDoc;
use std::time::Duration;

/// Sent along when the front parks a client: the wish is recorded, only look.
const BEGUN: &str = "begun";

const NO_ORGANIZATION: Failure = Failure::Named {
    status: 500,
    id: "server_no_organization",
    message: "The server has no organization: attach one before you start it.",
};
const NO_HOST: Failure = Failure::Named {
    status: 500,
    id: "server_no_host",
    message: "The server has no host: attach one before you start it.",
};

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Start,
    Stop,
}

/// What a look at the documents found.
#[derive(Debug, PartialEq, Eq)]
enum Found<'a> {
    Done,
    NotYet,
    Failed(&'a str),
    /// Somebody else has stopped it meanwhile.
    Stopped,
}

pub fn operate_server(asked: &Asked<'_>, server: ServerId, operation: Operation) -> Handled {
    let app = asked.app;
    // Before the look: what is woken from now on makes the front ask again.
    let seq = app.wakeups.published();
    let begin = asked.resume().is_none();
    let now = match operation {
        Operation::Start if begin => start(app, server)?,
        Operation::Restart if begin => restart(app, server)?,
        Operation::Stop if begin => stop(app, server)?,
        _ => find(app, server)?,
    };
    match operation {
        Operation::Start | Operation::Restart => look(app, &now, Awaited::Start, seq),
        Operation::Stop => look(app, &now, Awaited::Stop, seq),
        Operation::Unknown => shown::one(app, &now),
    }
}

/// A server that runs is left alone, whatever keeps a further replica of it from starting.
fn start(app: &App, id: ServerId) -> Result<ServerDoc, Failure> {
    let server = find(app, id)?;
    let living = app.ground.store.living()?;
    if found(&server, &living, Awaited::Start) == Found::Done {
        return Ok(server);
    }
    attachments::give_certificate(app, &server)?;
    begun(app, id, app.ground.store.server_start(id)?)
}

fn restart(app: &App, id: ServerId) -> Result<ServerDoc, Failure> {
    attachments::give_certificate(app, &find(app, id)?)?;
    begun(app, id, app.ground.store.server_restart(id)?)
}

/// The server whose new run is recorded, or which is starting already; or why it can not.
fn begun(app: &App, id: ServerId, begun: Option<ServerDoc>) -> Result<ServerDoc, Failure> {
    if let Some(server) = begun {
        told(app, &server);
        return Ok(server);
    }
    let server = find(app, id)?;
    match (server.organizations.is_empty(), server.hosts.is_empty()) {
        (true, _) => Err(NO_ORGANIZATION),
        (_, true) => Err(NO_HOST),
        _ => Ok(server),
    }
}

fn stop(app: &App, id: ServerId) -> Result<ServerDoc, Failure> {
    let server = app.ground.store.server_stop(id)?.ok_or(answer::NOT_FOUND)?;
    told(app, &server);
    Ok(server)
}

fn told(app: &App, server: &ServerDoc) {
    tell(app, server, &[Event::Servers, Event::ServerHosts(server.id)]);
    tell_users(app, server);
}

fn look(app: &App, server: &ServerDoc, awaited: Awaited, seq: u64) -> Handled {
    let living = app.ground.store.living()?;
    match (found(server, &living, awaited), awaited) {
        (Found::Done, _) => shown::one(app, server),
        (Found::Failed(cause), _) => Ok(failed(cause)),
        (Found::Stopped, _) => Ok(failed("It was stopped before it had started.")),
        (Found::NotYet, Awaited::Start) => {
            let late = failed("No host has started it in time.");
            Ok(park(late, server, limits::START_WAIT_MAX, seq))
        }
        (Found::NotYet, Awaited::Stop) => {
            Ok(park(shown::one(app, server)?, server, limits::STOP_WAIT_MAX, seq))
        }
    }
}

fn park(late: Response, server: &ServerDoc, until: Duration, seq: u64) -> Response {
    answer::park(late, wake_key(server.id), until, seq, BEGUN.to_owned())
}

fn found<'a>(server: &'a ServerDoc, living: &Living, awaited: Awaited) -> Found<'a> {
    let mut held = living.instances(&server.instances);
    if awaited == Awaited::Stop {
        // Started again by somebody else: it will not end.
        return if server.online || held.next().is_none() { Found::Done } else { Found::NotYet };
    }
    let runs = held.any(|instance| instance.started.is_some() && instance.run >= server.run);
    match (&server.failure, server.online) {
        (_, false) => Found::Stopped,
        _ if runs => Found::Done,
        (Some(failure), true) => Found::Failed(&failure.cause),
        (None, true) => Found::NotYet,
    }
}

fn failed(cause: &str) -> Response {
    let reply = ErrorReply { error: "server_start_failed", error_msg: cause };
    Response::json(500, reply.to_json().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{HostId, InstanceId};
    use crate::base::secret::Secret;
    use crate::domain::server::tests::spec;
    use crate::store::counts::HostBrief;
    use crate::store::servers::{InstanceDoc, ServerKeys, ServerOptions, StartFailure};
    use mongodb::bson::DateTime;

    const HOST: HostId = HostId::from_bytes([1; 16]);
    const EPOCH: i64 = 7;
    const RUN: i64 = 3;

    fn server(online: bool, instances: Vec<InstanceDoc>, failed: bool) -> ServerDoc {
        let secret = || Secret::new(String::new());
        let keys = ServerKeys {
            tls_auth: secret(),
            signing: secret(),
            signing_public: String::new(),
            boxed: secret(),
            boxed_public: String::new(),
        };
        let (id, options) = (ServerId::from_bytes([1; 12]), ServerOptions::of(&spec(|_| {})));
        let at = DateTime::from_millis(0);
        let failure = StartFailure { host_id: HOST, cause: "no tun".to_owned(), at };
        let failure = failed.then_some(failure);
        let made = ServerDoc::new(id, options, Vec::new(), HOST, &keys);
        ServerDoc { online, instances, run: RUN, failure, ..made }
    }

    fn instance(run: i64, epoch: i64, started: bool) -> InstanceDoc {
        InstanceDoc {
            instance_id: InstanceId::from_bytes([1; 12]),
            host_id: HOST,
            epoch,
            run,
            started: started.then(|| DateTime::from_millis(0)),
        }
    }

    #[test]
    fn a_start_is_over_when_the_run_asked_for_answers_or_fails() {
        let name = String::new();
        let living = Living::of(vec![HostBrief { id: HOST, name, epoch: EPOCH, alive: true }]);
        let rows: [(&str, bool, Vec<InstanceDoc>, bool, Found<'_>); 9] = [
            ("nobody took it yet", true, vec![], false, Found::NotYet),
            ("it is starting", true, vec![instance(RUN, EPOCH, false)], false, Found::NotYet),
            ("it answers", true, vec![instance(RUN, EPOCH, true)], false, Found::Done),
            ("the run before", true, vec![instance(RUN - 1, EPOCH, true)], false, Found::NotYet),
            ("a dead host's", true, vec![instance(RUN, EPOCH - 1, true)], false, Found::NotYet),
            ("it failed", true, vec![], true, Found::Failed("no tun")),
            ("one of two answers", true, vec![instance(RUN, EPOCH, true)], true, Found::Done),
            ("stopped meanwhile", false, vec![instance(RUN, EPOCH, true)], false, Found::Stopped),
            ("stopped, then failed", false, vec![], true, Found::Stopped),
        ];
        for (what, online, instances, failed, expected) in rows {
            let server = server(online, instances, failed);
            assert_eq!(found(&server, &living, Awaited::Start), expected, "{what}");
        }
    }

    #[test]
    fn a_stop_is_over_when_no_living_host_holds_it() {
        let name = String::new();
        let living = Living::of(vec![HostBrief { id: HOST, name, epoch: EPOCH, alive: true }]);
        let rows: [(&str, bool, Vec<InstanceDoc>, Found<'_>); 4] = [
            ("none is left", false, vec![], Found::Done),
            ("it still ends", false, vec![instance(RUN, EPOCH, true)], Found::NotYet),
            ("a dead host's", false, vec![instance(RUN, EPOCH - 1, true)], Found::Done),
            ("started anew", true, vec![instance(RUN, EPOCH, true)], Found::Done),
        ];
        for (what, online, instances, expected) in rows {
            let server = server(online, instances, false);
            assert_eq!(found(&server, &living, Awaited::Stop), expected, "{what}");
        }
    }
}
