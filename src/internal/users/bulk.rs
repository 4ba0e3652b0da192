//! More users than are created while their client waits: checked at once, created by a job.

use crate::api::reply::Reply;
use crate::api::reply::user::UsersBackground;
use crate::base::ids::{JobId, OrgId};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::domain::user::{PinField, UserFields, UserSpec};
use crate::http::Response;
use crate::internal::answer::{Failure, Handled};
use crate::internal::app::App;
use crate::limits;
use crate::store::StoreError;
use crate::store::jobs::PlannedUser;
use crate::store::users::UserSummary;

pub const BUSY: Failure = Failure::Named {
    status: 429,
    id: "users_background_busy",
    message: "Users of this organization are being created already; wait until that is done.",
};

const BEGUN: UsersBackground = UsersBackground {
    status: "users_background",
    status_msg: "The users are being created in the background.",
};

/// `specs` are valid, and those of `fields`.
pub fn begin(app: &App, org: OrgId, specs: &[UserSpec], fields: Vec<UserFields>) -> Handled {
    let store = &app.ground.store;
    // Only spares the work below: it is decided when the job is made.
    if store.bulk_is_busy(org)? {
        return Err(BUSY);
    }
    let pins = fields.into_iter().map(|fields| match fields.pin {
        PinField::Set(pin) => Some(pin.expose().clone()),
        PinField::Remove | PinField::Keep => None,
    });
    let plan = |(spec, pin): (&UserSpec, Option<String>)| {
        let user = UserSummary::person(org, store.new_id(), spec, String::new());
        PlannedUser { user, pin }
    };
    let planned: Vec<PlannedUser> = specs.iter().zip(pins).map(plan).collect();
    let job = store.new_id();
    match store_all(app, job, org, &planned) {
        Ok(true) => {
            app.ground.bus.publish(Message::JobReady);
            app.ground.bus.emit(Event::Jobs);
            Ok(Response::json(202, BEGUN.to_json().unwrap_or_default()))
        }
        Ok(false) => {
            store.bulk_forget(job)?;
            Err(BUSY)
        }
        // The parts expire: whether the job was made may not be known.
        Err(error) => Err(error.into()),
    }
}

/// `false`: another one was faster.
fn store_all(
    app: &App,
    job: JobId,
    org: OrgId,
    planned: &[PlannedUser],
) -> Result<bool, StoreError> {
    let store = &app.ground.store;
    let parts: Vec<&[PlannedUser]> = planned.chunks(limits::BULK_PART_USERS).collect();
    let mut first = 0;
    for some in parts.chunks(limits::BULK_PARTS_AT_ONCE) {
        store.bulk_parts(job, first, some)?;
        first += i64::try_from(some.len()).unwrap_or(0);
    }
    store.bulk_begin(job, org, i64::try_from(planned.len()).unwrap_or(i64::MAX))
}
