//! Changes of users: full replacements (contract 1.1), stored only on top of what was read.

use super::create::{fields, may_link};
use super::{no_person, pin_mode, view};
use crate::api::UserBody;
use crate::base::ids::{OrgId, UserId};
use crate::base::secret::Secret;
use crate::bus::Message;
use crate::domain::Refusal;
use crate::domain::event::Event;
use crate::domain::password::Verdict;
use crate::domain::user::{PinField, UserFields, UserSpec, may_set_pin};
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::limits;
use crate::store::users::{Replaced, UserSummary, UserType};

pub fn put_user(asked: &Asked<'_>, org: OrgId, user: UserId, body: UserBody) -> Handled {
    let app = asked.app;
    let send_key_email = body.send_key_email;
    let fields = fields(body);
    let organization = app.ground.store.org(org)?.ok_or(NOT_FOUND)?;
    let mut hashed = None;
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let found = app.ground.store.user(org, user)?;
        let Some(seen) = found.filter(|user| user.user_type == UserType::Client) else {
            return Err(no_person(app, org, user)?);
        };
        let next = next(app, &seen, &fields, &mut hashed)?;
        let links = next.network_links != seen.network_links;
        let store = &app.ground.store;
        let replaced =
            if links { store.user_replace_links(&next) } else { store.user_replace(&next) };
        match replaced? {
            Replaced::Moved => {}
            Replaced::ServersRun => return Err(Refusal::NetworkLinkNotOffline.into()),
            Replaced::Yes(stored) => {
                if stored.cut > seen.cut {
                    app.ground.bus.publish(Message::CutUser { org, user });
                }
                app.ground.bus.emit(Event::Users(org));
                if send_key_email {
                    return Err(EMAIL_NOT_CONFIGURED);
                }
                return answer::json(&view::short(*stored, &organization.name));
            }
        }
    }
    Ok(answer::overtaken())
}

/// There are no settings for sending mail; the change itself is saved.
const EMAIL_NOT_CONFIGURED: Failure = Failure::Named {
    status: 400,
    id: "email_not_configured",
    message: "The user is saved; no e-mail was sent, because sending e-mail is not set up.",
};

/// The user as it is to be, tunnels cut where the change asks for it. `hashed` keeps the hash of a
/// new PIN from one attempt to the next.
fn next(
    app: &App,
    seen: &UserSummary,
    fields: &UserFields,
    hashed: &mut Option<String>,
) -> Result<UserSummary, Failure> {
    let before = seen.spec();
    let spec = UserSpec::from_request(fields, Some(&before))?;
    if spec.network_links != before.network_links {
        may_link(app, seen.org_id)?;
    }
    let mut next = seen.clone();
    next.apply(&spec);
    let pin_changes = match &fields.pin {
        PinField::Keep => false,
        PinField::Remove => next.pin.take().is_some(),
        PinField::Set(pin) => {
            may_set_pin(pin_mode(app)?, spec.auth_type)?;
            let verdict = compare(app, seen, pin);
            if verdict != Verdict::Right {
                let hash = || app.access.hashing.hash(pin, &app.ground.random).expose().clone();
                next.pin = Some(hashed.get_or_insert_with(hash).clone());
            }
            verdict == Verdict::Wrong
        }
    };
    if before.disconnects(&spec, pin_changes) {
        next.cut += 1;
    }
    Ok(next)
}

/// Clients that repeat the same PIN with each change must not disconnect anybody.
fn compare(app: &App, user: &UserSummary, pin: &Secret) -> Verdict {
    match &user.pin {
        Some(stored) => app.access.hashing.check_pin(stored, pin),
        None => Verdict::Wrong,
    }
}
