//! From the table of routes to what the gate forwards or answers itself (contract 1.1).

use super::Routes;
use super::forward::Outgoing;
use super::gate;
use crate::api::{self, Encoded, Reject};
use crate::http::{Request, Response};

/// The routes of the API.
pub const API: Routes = Routes { typing, body_limit: api::body_limit };

fn typing(request: &Request) -> Result<Outgoing, Response> {
    let (path, query) = (request.path(), request.query());
    let content_type = request.header("Content-Type");
    let parsed = api::parse(&request.method, path, query, content_type, &request.body);
    let parsed = parsed.map_err(refusal)?;
    let Encoded { method, target, body } = parsed.call.encode();
    Ok(Outgoing { method: method.to_owned(), target, body, signed_path: Some(parsed.signed_path) })
}

fn refusal(reject: Reject) -> Response {
    match reject {
        Reject::NotFound => gate::not_found(),
        Reject::Moved { status, location } => Response::empty(status).with("Location", location),
        Reject::ContentType => Response::empty(520),
        Reject::Malformed => Response::empty(400),
    }
}
