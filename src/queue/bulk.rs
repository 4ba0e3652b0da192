//! Bulk creation of users, step by step. Each step is one transaction that creates some users and
//! moves the job under its fence: whoever goes on does so where the last step ended.

use crate::base::ids::OrgId;
use crate::base::secret::Secret;
use crate::domain::event::Event;
use crate::domain::password;
use crate::domain::user::{OTP_SECRET_CHARS, SYNC_CHARS};
use crate::ground::Ground;
use crate::limits;
use crate::pki::{Certificate, Issuer, PkiError, PrivateKey, Role, Subject};
use crate::pool::{Pools, Taken, USER_KEYS};
use crate::store::StoreError;
use crate::store::jobs::{Chunk, Claim, JobState, PlannedUser, Step};
use crate::store::organizations::OrgDoc;
use crate::store::pool::PoolKind;
use crate::store::users::{UserDoc, UserKeys};
use crate::thread::Stop;

/// One claim of a bulk creation.
pub struct Bulk<'a> {
    pub ground: &'a Ground,
    pub pools: &'a Pools,
    pub stop: &'a Stop,
    pub claim: Claim,
    pub org: OrgId,
}

/// How a claim ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// The job is another's by now, or was cancelled.
    Taken,
    /// Its next keys are in the making.
    Waits,
    Stopped,
    Failed(String),
    /// The same, and another attempt would end as this one.
    Hopeless(String),
}

/// How a step ended.
enum Stepped {
    /// So many are created now.
    To(i64),
    Over(Ended),
}

impl Bulk<'_> {
    /// Creates users from `position` on, until all are there or something is in the way.
    pub fn go_on(&self, mut position: i64, total: i64) -> Result<Ended, StoreError> {
        // Taken and not known to be used.
        let mut keys = Vec::new();
        let mut tries = 0;
        let ended = loop {
            if self.stop.is_set() {
                break Ok(Ended::Stopped);
            }
            match self.step(position, total, &mut keys) {
                Ok(Stepped::To(reached)) => {
                    (position, tries) = (reached, 0);
                    if position >= total {
                        break Ok(Ended::Done);
                    }
                }
                Ok(Stepped::Over(ended)) => break Ok(ended),
                Err(error) if error.is_passing() && tries < limits::BULK_STEP_TRIES_MAX => {
                    log::debug!("a step of job {} is tried again: {error}", self.claim.job);
                    tries += 1;
                    // Users may have them by now: others' are better than the same ones twice.
                    if matches!(error, StoreError::Unknown { .. }) {
                        keys.clear();
                    }
                    self.stop.wait(limits::JOB_COMMIT_PAUSE);
                    match self.reached(position) {
                        Ok(Some(reached)) if reached > position => {
                            keys.clear();
                            position = reached;
                        }
                        Ok(Some(_)) | Err(_) => {}
                        // Who has it now knows what became of the keys.
                        Ok(None) => {
                            keys.clear();
                            break Ok(Ended::Taken);
                        }
                    }
                    if position >= total {
                        break Ok(Ended::Done);
                    }
                }
                Err(error) => {
                    // They may be in use, if the last step is done after all.
                    keys.clear();
                    break Err(error);
                }
            }
        };
        for key in keys {
            self.pools.give_back(USER_KEYS, &key)?;
        }
        ended
    }

    fn step(
        &self,
        position: i64,
        total: i64,
        keys: &mut Vec<Secret>,
    ) -> Result<Stepped, StoreError> {
        let store = &self.ground.store;
        let over = |ended| Ok(Stepped::Over(ended));
        let (part, within) = place(position);
        let Some(planned) = store.bulk_part(self.claim.job, part)? else {
            // A step that was thought to have failed may have used it up.
            return over(match self.reached(position)? {
                Some(reached) if reached > position => return Ok(Stepped::To(reached)),
                Some(_) => Ended::Hopeless("what was left to create has expired".to_owned()),
                None => Ended::Taken,
            });
        };
        let planned = planned.get(within..).unwrap_or_default();
        if keys.is_empty() {
            match self.keys(planned.len())? {
                Taken::Keys(taken) => *keys = taken,
                Taken::Making { .. } => return over(Ended::Waits),
                Taken::Failed { error } => return over(Ended::Failed(error)),
            }
        }
        let planned = planned.get(..keys.len()).unwrap_or(planned);
        let Some(org) = store.org_with_keys(self.org)? else {
            return over(self.nobody_s()?);
        };
        if planned.iter().any(|planned| !planned.user.network_links.is_empty())
            && store.servers_of_org(self.org)?.iter().any(|server| server.online)
        {
            let why = "network links can not be created while a server of the organization runs";
            return over(Ended::Failed(why.to_owned()));
        }
        let users = match self.make(&org, planned, keys) {
            Ok(users) => users,
            Err(error) => return over(Ended::Failed(error.to_string())),
        };
        let reached = position + signed(users.len());
        let chunk = Chunk {
            claim: self.claim,
            org: self.org,
            ca_certificate: &org.ca_certificate,
            users: &users,
            position,
            part_over: (place(reached).0 > part || reached >= total).then_some(part),
            is_last: reached >= total,
        };
        match store.bulk_step(&chunk)? {
            Step::Done => {
                // Fewer users than keys were left: the rest is given back.
                keys.drain(..users.len());
                self.tell();
                Ok(Stepped::To(reached))
            }
            Step::OtherAuthority => Ok(Stepped::To(position)),
            Step::Gone => over(self.nobody_s()?),
            Step::Lost => match self.reached(position)? {
                Some(reached) if reached > position => {
                    keys.clear();
                    Ok(Stepped::To(reached))
                }
                _ => over(Ended::Taken),
            },
        }
    }

    /// The organization is gone, and with it the use of what was left.
    fn nobody_s(&self) -> Result<Ended, StoreError> {
        self.ground.store.bulk_forget(self.claim.job)?;
        Ok(Ended::Hopeless("the organization is gone".to_owned()))
    }

    /// How far the job is; `None`: it is another's by now, or was cancelled.
    fn reached(&self, position: i64) -> Result<Option<i64>, StoreError> {
        let job = self.ground.store.job(self.claim.job)?;
        let ours = job.filter(|job| job.fence == self.claim.fence.0);
        Ok(ours.and_then(|job| match job.state {
            JobState::Running | JobState::Done => Some(job.position.max(position)),
            JobState::Ready | JobState::Failed => None,
        }))
    }

    /// As many as there are, or a few that are reserved: others need some too.
    fn keys(&self, wanted: usize) -> Result<Taken, StoreError> {
        let store = &self.ground.store;
        let depth = store.pool_depth(PoolKind::Key(USER_KEYS))?;
        let there = usize::try_from(depth).unwrap_or(usize::MAX) >= wanted;
        let count = if there { wanted } else { wanted.min(limits::BULK_RESERVE_MAX) };
        // The same for every host that goes on: what is reserved is found again.
        let token = self.claim.job.to_string();
        let taken = self.pools.take(USER_KEYS, count, Some(&token))?;
        if matches!(taken, Taken::Failed { .. }) {
            // The next attempt asks for others.
            store.jobs_release_failed(&token)?;
        }
        Ok(taken)
    }

    fn make(
        &self,
        org: &OrgDoc,
        planned: &[PlannedUser],
        keys: &[Secret],
    ) -> Result<Vec<UserDoc>, PkiError> {
        let ca_key = PrivateKey::from_pem(&Secret::new(org.ca_private_key.clone()))?;
        let issuer = Issuer::restore(ca_key, Certificate::from_pem(&org.ca_certificate)?)?;
        let now_s = self.ground.clock.cluster_s();
        let random = &self.ground.random;
        let one = |(planned, key): (&PlannedUser, &Secret)| {
            let mut summary = planned.user.clone();
            let subject = Subject { org: self.org, user: summary.id };
            let certificate =
                issuer.issue(&PrivateKey::from_pem(key)?, subject, Role::Client, now_s)?;
            summary.otp_secret = random.base32(OTP_SECRET_CHARS);
            let pin = planned.pin.as_ref().map(|pin| Secret::new(pin.clone()));
            summary.pin = pin.map(|pin| password::hash(&pin, random).expose().clone());
            let keys = UserKeys {
                private_key: key.expose().clone(),
                certificate: certificate.to_pem()?,
                sync_token: random.alphanumeric(SYNC_CHARS),
                sync_secret: random.alphanumeric(SYNC_CHARS),
            };
            Ok(UserDoc { summary, keys })
        };
        planned.iter().zip(keys).map(one).collect()
    }

    fn tell(&self) {
        for event in [Event::Organizations, Event::Users(self.org), Event::Servers, Event::Jobs] {
            self.ground.bus.emit(event);
        }
    }
}

/// In which part a user stands, and where in it.
fn place(position: i64) -> (i64, usize) {
    let size = signed(limits::BULK_PART_USERS);
    (position.div_euclid(size), usize::try_from(position.rem_euclid(size)).unwrap_or(0))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_stand_in_parts() {
        let size = signed(limits::BULK_PART_USERS);
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(size - 1), (0, limits::BULK_PART_USERS - 1));
        assert_eq!(place(size), (1, 0));
        assert_eq!(place(3 * size + 7), (3, 7));
    }
}
