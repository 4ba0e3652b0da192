//! Users (contract 2.4).

mod bulk;
mod change;
mod create;
mod search;
mod view;

pub use bulk::BUSY;
pub use change::put_user;
pub use create::{create_user, create_users};
pub use view::may_use;

use crate::api::UserListing;
use crate::api::reply::List;
use crate::api::reply::user::{UserFullReply, UserMatches, UserPage};
use crate::base::ids::{OrgId, ServerId, UserId};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::domain::user::{OTP_SECRET_CHARS, PinMode};
use crate::internal::answer::{self, Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::servers::last_page;
use crate::limits;
use crate::store::StoreError;
use crate::store::organizations::OrgSummary;
use crate::store::servers::ServerDoc;
use crate::store::users::{Presence, Presences, UserSearch, UserSummary, UserType};
use view::Surroundings;

/// Matches shown when the search does not say how many.
const MATCHES: u32 = 10;

pub fn list_users(asked: &Asked<'_>, org: OrgId, query: UserListing) -> Handled {
    let app = asked.app;
    let scene = Scene::of(app, org)?;
    match (query.search, query.page) {
        (Some(search), _) => matches(app, &scene, &search, query.limit),
        (None, Some(page)) => one_page(app, &scene, page, query.last_active),
        (None, None) => all(app, &scene, query.last_active),
    }
}

/// Written as it is read: ten thousand users are megabytes.
fn all(app: &App, scene: &Scene, last_active: bool) -> Handled {
    let (store, org) = (&app.ground.store, scene.org.id);
    let presences = store.presences(org, &scene.servers, None)?;
    let around = scene.around(app, &presences)?;
    let (mut list, mut whole) = (List::default(), true);
    store.users_each(org, last_active, |user| whole &= list.push(&around.full(user)))?;
    for user in store.server_users(org)? {
        whole &= list.push(&around.full(user));
    }
    match whole {
        true => answer::list(list),
        false => Err(Failure::Bug("a user is no JSON".to_owned())),
    }
}

fn one_page(app: &App, scene: &Scene, page: u32, last_active: bool) -> Handled {
    let (store, org) = (&app.ground.store, &scene.org);
    let skip = u64::from(page) * u64::from(limits::USERS_PAGE);
    let mut users = store.users(org.id, last_active, skip, limits::USERS_PAGE.into())?;
    let count = u64::try_from(org.user_count).unwrap_or(0);
    let page_total = last_page(count, limits::USERS_PAGE);
    if page == page_total {
        users.extend(store.server_users(org.id)?);
    }
    let users = scene.show(app, users)?;
    answer::json(&UserPage { page, page_total, server_count: scene.servers.len(), users })
}

fn matches(app: &App, scene: &Scene, text: &str, limit: Option<u32>) -> Handled {
    let (store, clock) = (&app.ground.store, &app.ground.clock);
    let began = clock.mono();
    let search_limit = limit.filter(|n| *n > 0).unwrap_or(MATCHES).min(limits::USER_MATCHES_MAX);
    let search = scene.search(app, text)?;
    let (users, search_count) = store.users_search(scene.org.id, &search, search_limit.into())?;
    let users = scene.show(app, users)?;
    answer::json(&UserMatches {
        search: text.to_owned(),
        search_more: search_count > u64::from(search_limit),
        search_limit,
        search_count,
        search_time: clock.mono().since(began).as_secs_f64(),
        server_count: scene.servers.len(),
        users,
    })
}

pub fn get_user(asked: &Asked<'_>, org: OrgId, user: UserId) -> Handled {
    let found = asked.app.ground.store.user(org, user)?.ok_or(NOT_FOUND)?;
    let scene = Scene::of(asked.app, org)?;
    let shown = scene.show(asked.app, vec![found])?;
    answer::json(shown.first().ok_or(NOT_FOUND)?)
}

pub fn delete_user(asked: &Asked<'_>, org: OrgId, user: UserId) -> Handled {
    let ground = &asked.app.ground;
    if !ground.store.user_delete(org, user)? {
        return Err(no_person(asked.app, org, user)?);
    }
    ground.bus.publish(Message::CutUser { org, user });
    ground.bus.emit(Event::Organizations);
    ground.bus.emit(Event::Users(org));
    answer::done()
}

pub fn renew_otp_secret(asked: &Asked<'_>, org: OrgId, user: UserId) -> Handled {
    let ground = &asked.app.ground;
    let organization = ground.store.org(org)?.ok_or(NOT_FOUND)?;
    let secret = ground.random.base32(OTP_SECRET_CHARS);
    let Some(stored) = ground.store.user_set_otp_secret(org, user, &secret)? else {
        return Err(no_person(asked.app, org, user)?);
    };
    ground.bus.emit(Event::Users(org));
    answer::json(&view::short(stored, &organization.name))
}

/// Why there is no such person to change.
fn no_person(app: &App, org: OrgId, user: UserId) -> Result<Failure, StoreError> {
    let found = app.ground.store.user(org, user)?;
    Ok(found.map_or(NOT_FOUND, |_| Failure::Named {
        status: 400,
        id: "user_is_server",
        message: "This is a server's own certificate; it goes with its server.",
    }))
}

fn pin_mode(app: &App) -> Result<PinMode, StoreError> {
    Ok(PinMode::of_setting(app.ground.store.user_settings()?.pin_mode.as_deref()))
}

/// An organization with its servers.
struct Scene {
    org: OrgSummary,
    servers: Vec<ServerDoc>,
}

impl Scene {
    fn of(app: &App, org: OrgId) -> Result<Scene, Failure> {
        let store = &app.ground.store;
        let org = store.org(org)?.ok_or(NOT_FOUND)?;
        Ok(Scene { servers: store.servers_of_org(org.id)?, org })
    }

    fn show(&self, app: &App, users: Vec<UserSummary>) -> Result<Vec<UserFullReply>, StoreError> {
        let people = users.iter().filter(|user| user.user_type == UserType::Client);
        let ids: Vec<UserId> = people.map(|user| user.id).collect();
        let presences = app.ground.store.presences(self.org.id, &self.servers, Some(&ids))?;
        let around = self.around(app, &presences)?;
        Ok(users.into_iter().map(|user| around.full(user)).collect())
    }

    fn around<'a>(
        &'a self,
        app: &App,
        presences: &'a Presences,
    ) -> Result<Surroundings<'a>, StoreError> {
        let pin_mode = pin_mode(app)?;
        Ok(Surroundings { org: &self.org, servers: &self.servers, presences, pin_mode })
    }

    fn search(&self, app: &App, text: &str) -> Result<UserSearch, StoreError> {
        let search::Typed { name, id, user_type, group, email, status } = search::typed(text);
        let presence = match status {
            None => None,
            Some((online, server)) => {
                let ids = self.servers.iter().map(|server| server.id);
                let of: Vec<ServerId> =
                    ids.filter(|id| server.is_none_or(|wanted| wanted == *id)).collect();
                let connected = app.ground.store.users_connected(self.org.id, &of)?;
                Some(Presence { online, connected })
            }
        };
        Ok(UserSearch { name, id, user_type, group, email, presence })
    }
}
