//! Organizations (contract 2.3).

use crate::api::reply::organization::{OrganizationPage, OrganizationReply};
use crate::api::{Listing, OrganizationBody, OrganizationChange};
use crate::base::clock::utc_text;
use crate::base::ids::OrgId;
use crate::base::random::Random;
use crate::domain::event::Event;
use crate::domain::{names, text};
use crate::ground::Ground;
use crate::http::Response;
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::drafts::{self, OrgDraft};
use crate::internal::keys::{self, Keys};
use crate::internal::servers::last_page;
use crate::limits;
use crate::store::organizations::{DeletionStep, OrgDoc, OrgSummary};
use crate::succession;

const TOKEN_CHARS: usize = 32;

pub fn list_organizations(asked: &Asked<'_>, query: Listing) -> Handled {
    let store = &asked.app.ground.store;
    let Some(page) = query.page else {
        let all: Vec<_> = store.orgs(0, 0)?.into_iter().map(reply).collect();
        return answer::json(&all);
    };
    let skip = u64::from(page) * u64::from(limits::ORGANIZATIONS_PAGE);
    let found = store.orgs(skip, limits::ORGANIZATIONS_PAGE.into())?;
    answer::json(&OrganizationPage {
        page,
        page_total: last_page(store.org_count()?, limits::ORGANIZATIONS_PAGE),
        organizations: found.into_iter().map(reply).collect(),
    })
}

pub fn get_organization(asked: &Asked<'_>, org: OrgId) -> Handled {
    let found = asked.app.ground.store.org(org)?.ok_or(NOT_FOUND)?;
    answer::json(&reply(found))
}

pub fn create_organization(asked: &Asked<'_>, body: OrganizationBody) -> Handled {
    let app = asked.app;
    // Keys may be kept for who comes again.
    let may_be_ready = asked.resume().is_none();
    let draft = match may_be_ready.then(|| app.drafts.organization()).flatten() {
        Some(draft) => draft,
        None => match keys::take(asked, drafts::ORGANIZATION_KEYS, 1)? {
            Keys::There(keys) => {
                let key = keys.into_iter().next();
                let key = key.ok_or_else(|| Failure::Bug("a pool gave no key".to_owned()))?;
                OrgDraft::make(&app.ground, key)?
            }
            Keys::Later(response) => return Ok(response),
        },
    };
    let org = new_organization(&app.ground.random, &body, draft);
    app.ground.store.org_insert(&org)?;
    app.drafts.want_organization();
    app.ground.bus.emit(Event::Organizations);
    answer::json(&reply(org.summary))
}

fn new_organization(random: &Random, body: &OrganizationBody, draft: OrgDraft) -> OrgDoc {
    let fresh = || random.alphanumeric(TOKEN_CHARS);
    let [auth_token, auth_secret] = api_pair([None, None], body.auth_api, [false; 2], fresh);
    let name = text::name(&body.name);
    let summary = OrgSummary {
        id: draft.id,
        name: name.unwrap_or_else(|| names::random_name(random)),
        auth_api: body.auth_api,
        auth_token,
        auth_secret,
        ca_user_id: draft.ca_user_id,
        ca_expires: draft.expires_s,
        user_count: 0,
    };
    OrgDoc::new(summary, draft.key.expose().clone(), draft.certificate)
}

pub fn put_organization(asked: &Asked<'_>, org: OrgId, body: OrganizationChange) -> Handled {
    let ground = &asked.app.ground;
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let seen = ground.store.org(org)?.ok_or(NOT_FOUND)?;
        let next = changed(&seen, &body, &ground.random);
        if let Some(stored) = ground.store.org_update(&seen, &next)? {
            ground.bus.emit(Event::Organizations);
            return answer::json(&reply(stored));
        }
    }
    Ok(answer::overtaken())
}

fn changed(seen: &OrgSummary, body: &OrganizationChange, random: &Random) -> OrgSummary {
    let had = [seen.auth_token.clone(), seen.auth_secret.clone()];
    let renew = [body.auth_token, body.auth_secret];
    let [auth_token, auth_secret] =
        api_pair(had, body.auth_api, renew, || random.alphanumeric(TOKEN_CHARS));
    OrgSummary {
        name: text::name(&body.name).unwrap_or_else(|| seen.name.clone()),
        auth_api: body.auth_api,
        auth_token,
        auth_secret,
        ..seen.clone()
    }
}

/// Token and secret: none while the API is off for the organization, else those there were, unless
/// there were none or new ones are asked for.
fn api_pair(
    had: [Option<String>; 2],
    auth_api: bool,
    renew: [bool; 2],
    fresh: impl Fn() -> String,
) -> [Option<String>; 2] {
    let [token, secret] = had;
    let one = |had: Option<String>, renew: bool| match (auth_api, renew) {
        (false, _) => None,
        (true, true) => Some(fresh()),
        (true, false) => had.or_else(|| Some(fresh())),
    };
    [one(token, renew[0]), one(secret, renew[1])]
}

/// Also finishes what an earlier request had begun. It takes many steps, and no handler is held
/// for all of them: after some the front is told to ask again.
pub fn delete_organization(asked: &Asked<'_>, org: OrgId) -> Handled {
    let Ground { store, bus, clock, .. } = &asked.app.ground;
    if !store.org_begin_deletion(org)? {
        // Whoever comes again has somebody else to thank for the end.
        return if asked.resume().is_some() { answer::done() } else { Err(NOT_FOUND) };
    }
    asked.app.authorities.forget(org);
    // It is hidden from now on, whatever becomes of the rest.
    bus.emit(Event::Organizations);
    let (seq, began) = (asked.app.wakeups.published(), clock.mono());
    while clock.mono().since(began) < limits::ORGANIZATION_DELETE_STEP {
        match succession::deletion_step(&asked.app.ground, org)? {
            DeletionStep::Detached(server) => succession::tell(&asked.app.ground, server),
            DeletionStep::Users(_) => {}
            DeletionStep::Finished => {
                bus.emit(Event::Servers);
                bus.emit(Event::Organizations);
                return answer::done();
            }
        }
    }
    Ok(go_on(asked.app, org, seq))
}

/// Parks the client and wakes it at once.
fn go_on(app: &App, org: OrgId, seq: u64) -> Response {
    let message = "The organization is gone, but not yet all of its users; ask again for the rest.";
    let late = answer::later("organization_deleting", message);
    let key = format!("organization/{org}");
    log::debug!("organization {org} is gone in part; its client comes again");
    app.wakeups.publish(&key);
    answer::park(late, key, limits::ORGANIZATION_DELETE_MAX, seq, "deleting".to_owned())
}

fn reply(org: OrgSummary) -> OrganizationReply {
    OrganizationReply {
        id: org.id.to_string(),
        name: org.name,
        expiration: Some(utc_text(org.ca_expires)),
        auth_api: org.auth_api,
        auth_token: org.auth_token,
        auth_secret: org.auth_secret,
        user_count: org.user_count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_and_secret_are_there_exactly_with_the_api() {
        let had = || [Some("t".to_owned()), Some("s".to_owned())];
        let some = |text: &str| Some(text.to_owned());
        for (before, auth_api, renew, after) in [
            ([None, None], false, [false, false], [None, None]),
            ([None, None], false, [true, true], [None, None]),
            ([None, None], true, [false, false], [some("new"), some("new")]),
            (had(), true, [false, false], had()),
            (had(), true, [true, false], [some("new"), some("s")]),
            (had(), true, [false, true], [some("t"), some("new")]),
            (had(), false, [false, false], [None, None]),
        ] {
            let made = api_pair(before.clone(), auth_api, renew, || "new".to_owned());
            assert_eq!(made, after, "{before:?} {auth_api} {renew:?}");
        }
    }
}
