//! New users: each gets a key from the pool and a certificate signed at once.

use super::{bulk, view};
use crate::api::{ForwardingBody, PinBody, UserBody};
use crate::base::ids::OrgId;
use crate::base::secret::Secret;
use crate::domain::Refusal;
use crate::domain::event::Event;
use crate::domain::user::{OTP_SECRET_CHARS, PinField, SYNC_CHARS, UserFields, UserSpec};
use crate::http::Response;
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::certificates::Authority;
use crate::internal::drafts::{self, UserDraft};
use crate::internal::keys::{self, Keys};
use crate::limits;
use crate::pki::Role;
use crate::store::users::{Created, UserDoc, UserKeys, UserSummary};
use std::sync::Arc;

pub fn create_user(asked: &Asked<'_>, org: OrgId, body: UserBody) -> Handled {
    create_users(asked, org, vec![body])
}

/// All or none; what a rule refuses is refused before anything is made.
pub fn create_users(asked: &Asked<'_>, org: OrgId, bodies: Vec<UserBody>) -> Handled {
    if bodies.len() > limits::USERS_BULK_MAX {
        return Err(Failure::Named {
            status: 400,
            id: "users_too_many",
            message: "At most ten thousand users can be created at once.",
        });
    }
    let app = asked.app;
    let fields: Vec<UserFields> = bodies.into_iter().map(fields).collect();
    let spec = |fields: &UserFields| UserSpec::from_request(fields, None);
    let specs: Vec<UserSpec> = fields.iter().map(spec).collect::<Result<_, _>>()?;
    let authority = authority(app, org)?;
    if specs.iter().any(|spec| !spec.network_links.is_empty()) {
        may_link(app, org)?;
    }
    if specs.len() > limits::USERS_AT_ONCE_MAX {
        return bulk::begin(app, org, &specs, fields);
    }
    let drafts = match drafts(asked, &authority, specs.len())? {
        Drafted::There(drafts) => drafts,
        Drafted::Later(response) => return Ok(response),
    };
    let new = specs.iter().zip(&fields).zip(&drafts);
    let people: Vec<UserSummary> =
        new.map(|((spec, fields), draft)| person(app, draft, spec, &fields.pin)).collect();
    let (users, organization) = store(app, Arc::clone(&authority), people, drafts)?;
    app.drafts.want_user(authority);
    let bus = &app.ground.bus;
    for event in [Event::Organizations, Event::Users(org), Event::Servers] {
        bus.emit(event);
    }
    let replies = users.into_iter().map(|user| view::short(user.summary, &organization));
    answer::json(&replies.collect::<Vec<_>>())
}

enum Drafted {
    There(Vec<UserDraft>),
    Later(Response),
}

/// Identities for new users: one made in advance, or as many as are needed now.
fn drafts(asked: &Asked<'_>, authority: &Arc<Authority>, count: usize) -> Result<Drafted, Failure> {
    let app = asked.app;
    // Keys may be kept for who comes again.
    let may_be_ready = count == 1 && asked.resume().is_none();
    if let Some(draft) = may_be_ready.then(|| app.drafts.user(authority)).flatten() {
        return Ok(Drafted::There(vec![draft]));
    }
    match keys::take(asked, drafts::USER_KEYS, count)? {
        Keys::There(keys) => {
            let sign = |key| UserDraft::make(&app.ground, Arc::clone(authority), key);
            Ok(Drafted::There(keys.into_iter().map(sign).collect::<Result<_, _>>()?))
        }
        Keys::Later(response) => Ok(Drafted::Later(response)),
    }
}

/// Answers the users and the name of their organization.
fn store(
    app: &App,
    mut authority: Arc<Authority>,
    people: Vec<UserSummary>,
    drafts: Vec<UserDraft>,
) -> Result<(Vec<UserDoc>, String), Failure> {
    let org = authority.org;
    let with_keys = people.into_iter().zip(drafts);
    let mut users: Vec<UserDoc> =
        with_keys.map(|(summary, draft)| UserDoc { summary, keys: keys_of(app, draft) }).collect();
    for _ in 0..limits::CHANGE_TRIES_MAX {
        match app.ground.store.users_create(org, &authority.certificate, &users)? {
            Created::Yes { organization } => return Ok((users, organization)),
            Created::Gone => {
                app.authorities.forget(org);
                return Err(NOT_FOUND);
            }
            Created::ServersRun => return Err(Refusal::NetworkLinkNotOffline.into()),
            Created::OtherAuthority => {
                app.authorities.forget(org);
                authority = self::authority(app, org)?;
                for user in &mut users {
                    let key = Secret::new(user.keys.private_key.clone());
                    let now_s = app.ground.clock.cluster_s();
                    user.keys.certificate =
                        authority.issue(&key, user.summary.id, Role::Client, now_s)?;
                }
            }
        }
    }
    Err(Failure::Bug(format!("the authority of organization {org} does not stay the same")))
}

fn person(app: &App, draft: &UserDraft, spec: &UserSpec, pin: &PinField) -> UserSummary {
    let random = &app.ground.random;
    let otp_secret = random.base32(OTP_SECRET_CHARS);
    let mut person = UserSummary::person(draft.authority.org, draft.user, spec, otp_secret);
    if let PinField::Set(pin) = pin {
        person.pin = Some(app.access.hashing.hash(pin, random).expose().clone());
    }
    person
}

fn keys_of(app: &App, draft: UserDraft) -> UserKeys {
    let random = &app.ground.random;
    UserKeys {
        private_key: draft.key.expose().clone(),
        certificate: draft.certificate,
        sync_token: random.alphanumeric(SYNC_CHARS),
        sync_secret: random.alphanumeric(SYNC_CHARS),
    }
}

/// From memory if it signed lately: what rests on it is checked when the users are stored.
fn authority(app: &App, org: OrgId) -> Result<Arc<Authority>, Failure> {
    if let Some(known) = app.authorities.known(org) {
        return Ok(known);
    }
    let org = app.ground.store.org_with_keys(org)?.ok_or(NOT_FOUND)?;
    Ok(app.authorities.of(&org)?)
}

/// Network links change only while no server of the organization runs: refused here before anything
/// is made for it, and looked at again in the transaction that stores it.
pub(super) fn may_link(app: &App, org: OrgId) -> Result<(), Failure> {
    let servers = app.ground.store.servers_of_org(org)?;
    match servers.iter().any(|server| server.online) {
        true => Err(Refusal::NetworkLinkNotOffline.into()),
        false => Ok(()),
    }
}

/// What a request says, as the rules take it.
pub(super) fn fields(body: UserBody) -> UserFields {
    let forwarding = |f: ForwardingBody| [f.protocol, f.port, f.dport];
    UserFields {
        name: body.name,
        email: body.email,
        auth_type: body.auth_type,
        yubico_id: body.yubico_id,
        groups: body.groups,
        pin: match body.pin {
            PinBody::Remove => PinField::Remove,
            PinBody::Keep => PinField::Keep,
            PinBody::Set(pin) => PinField::Set(pin),
        },
        disabled: body.disabled,
        network_links: body.network_links,
        bypass_secondary: body.bypass_secondary,
        client_to_client: body.client_to_client,
        mac_addresses: body.mac_addresses,
        dns_servers: body.dns_servers,
        dns_suffix: body.dns_suffix,
        port_forwarding: body.port_forwarding.into_iter().map(forwarding).collect(),
    }
}
