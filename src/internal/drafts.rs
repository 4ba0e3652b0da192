//! What the next organization, user or server will need, made while nobody waits for it: a key
//! from its pool, and the certificate. A signature of an RSA-4096 key takes longer than all the
//! rest, and the database confirms that a key is taken as slowly as that something is created.
//!
//! Thread: `drafts`. It makes one draft for each kind of creation that was asked for lately, two
//! for users, of keys that are there anyway, once what was created is stored: the signature would
//! take the processor from that, and the confirmation of the taken key would go before its own.
//! When it ends it gives back those that nobody used. A crash loses them, which the pools allow.
//! Who comes while a draft of his is being signed waits for it: that is sooner done than a second
//! signature. Must never: use a draft twice.
//!
//! ```text
//!   taken ── want ──> thread: spare key, sign ──> draft ── take ──> the next one created
//! ```

use crate::base::ids::{OrgId, UserId};
use crate::base::secret::Secret;
use crate::ground::Ground;
use crate::internal::app::App;
use crate::internal::certificates::Authority;
use crate::limits;
use crate::pki::{BoxKey, Issuer, KeyKind, PkiError, PrivateKey, Role, Subject, static_key};
use crate::pool::Pools;
use crate::store::StoreError;
use crate::store::servers::ServerKeys;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub const ORGANIZATION_KEYS: KeyKind = KeyKind::Rsa4096;
pub const SERVER_KEYS: KeyKind = KeyKind::Rsa4096;
pub use crate::pool::USER_KEYS;

/// An organization that lacks a name only.
pub struct OrgDraft {
    pub id: OrgId,
    pub ca_user_id: UserId,
    pub key: Secret,
    pub certificate: String,
    /// End of the certificate's validity, seconds since the Unix epoch.
    pub expires_s: i64,
}

/// A user's identity, signed by one authority.
pub struct UserDraft {
    pub authority: Arc<Authority>,
    pub user: UserId,
    pub key: Secret,
    pub certificate: String,
}

impl OrgDraft {
    pub fn make(ground: &Ground, key: Secret) -> Result<OrgDraft, PkiError> {
        let (id, ca_user_id) = (ground.store.new_id(), ground.store.new_id());
        let subject = Subject { org: id, user: ca_user_id };
        let now_s = ground.clock.cluster_s();
        let issuer = Issuer::create(PrivateKey::from_pem(&key)?, subject, now_s)?;
        let certificate = issuer.certificate();
        let expires_s = certificate.not_after_s()?;
        Ok(OrgDraft { id, ca_user_id, key, certificate: certificate.to_pem()?, expires_s })
    }
}

impl UserDraft {
    pub fn make(
        ground: &Ground,
        authority: Arc<Authority>,
        key: Secret,
    ) -> Result<UserDraft, PkiError> {
        let (user, now_s) = (ground.store.new_id(), ground.clock.cluster_s());
        let certificate = authority.issue(&key, user, Role::Client, now_s)?;
        Ok(UserDraft { authority, user, key, certificate })
    }
}

/// The keys of a server, of which `signing` comes from the pool.
pub fn server_keys(ground: &Ground, signing: Secret) -> Result<ServerKeys, PkiError> {
    let boxed = BoxKey::generate()?;
    let mut signing_public = PrivateKey::from_pem(&signing)?.signing_lines()?.join("\n");
    signing_public.push('\n');
    Ok(ServerKeys {
        tls_auth: static_key(&ground.random),
        signing,
        signing_public,
        boxed: boxed.private()?,
        boxed_public: boxed.public()?,
    })
}

enum Want {
    Organization,
    Server,
    User(Arc<Authority>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Organization,
    Server,
    UserOf(OrgId),
}

impl Want {
    fn target(&self) -> Target {
        match self {
            Want::Organization => Target::Organization,
            Want::Server => Target::Server,
            Want::User(authority) => Target::UserOf(authority.org),
        }
    }
}

impl Target {
    /// How many are kept. Users often come one right after the other: while one is stored the next
    /// but one is signed.
    fn enough(self) -> usize {
        match self {
            Target::Organization | Target::Server => 1,
            Target::UserOf(_) => 2,
        }
    }
}

#[derive(Default)]
struct Made {
    organization: Option<OrgDraft>,
    server: Option<ServerKeys>,
    /// Oldest first, two for each organization.
    users: VecDeque<UserDraft>,
    /// What the thread is at.
    making: Option<Target>,
}

impl Made {
    /// Whether one is in the making and there is none.
    fn is_first(&self, target: Target) -> bool {
        self.making == Some(target) && self.count(target) == 0
    }

    fn count(&self, target: Target) -> usize {
        match target {
            Target::Organization => self.organization.iter().count(),
            Target::Server => self.server.iter().count(),
            Target::UserOf(org) => self.users.iter().filter(|d| d.authority.org == org).count(),
        }
    }
}

/// Hands out drafts and asks for new ones.
pub struct Drafts {
    want: Sender<Want>,
    wants: Receiver<Want>,
    /// Held to put in or take out, by handlers and the thread; never while signing or in I/O.
    made: Mutex<Made>,
    /// One was made, or will not be.
    settled: Condvar,
}

impl Default for Drafts {
    fn default() -> Drafts {
        let (want, wants) = bounded(limits::DRAFTS_MAX);
        Drafts { want, wants, made: Mutex::default(), settled: Condvar::new() }
    }
}

impl Drafts {
    pub fn organization(&self) -> Option<OrgDraft> {
        self.after(Target::Organization).organization.take()
    }

    pub fn server(&self) -> Option<ServerKeys> {
        self.after(Target::Server).server.take()
    }

    /// One that `authority` signed, or is signing.
    pub fn user(&self, authority: &Authority) -> Option<UserDraft> {
        let mut made = self.after(Target::UserOf(authority.org));
        let is_of = |d: &UserDraft| d.authority.certificate == authority.certificate;
        let at = made.users.iter().position(is_of)?;
        made.users.remove(at)
    }

    /// The key of a draft, for somebody who needs it for something else: the pool is empty.
    pub fn unmake(&self, kind: KeyKind) -> Option<Secret> {
        match kind {
            ORGANIZATION_KEYS => {
                let of_organization = self.organization().map(|draft| draft.key);
                of_organization.or_else(|| self.server().map(|keys| keys.signing))
            }
            USER_KEYS => self.made().users.pop_front().map(|draft| draft.key),
            _ => None,
        }
    }

    /// An organization is created: there may be another one.
    pub fn want_organization(&self) {
        // No room: others are created, too fast for drafts.
        let _ = self.want.try_send(Want::Organization);
    }

    pub fn want_server(&self) {
        let _ = self.want.try_send(Want::Server);
    }

    pub fn want_user(&self, authority: Arc<Authority>) {
        let _ = self.want.try_send(Want::User(authority));
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As soon as there is one or the thread is not at it.
    fn after(&self, target: Target) -> MutexGuard<'_, Made> {
        let at_it = |made: &mut Made| made.is_first(target);
        let waited = self.settled.wait_timeout_while(self.made(), limits::DRAFT_WAIT_MAX, at_it);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// `false`: there are enough already.
    fn begin(&self, target: Target) -> bool {
        let mut made = self.made();
        let wanted = made.count(target) < target.enough();
        made.making = wanted.then_some(target);
        wanted
    }

    /// Puts in what was made. Answers the key of one that had to make room.
    fn settle(&self, put: impl FnOnce(&mut Made)) -> Option<Secret> {
        let mut made = self.made();
        made.making = None;
        put(&mut made);
        self.settled.notify_all();
        let oldest = (made.users.len() > limits::DRAFTS_MAX).then(|| made.users.pop_front());
        oldest.flatten().map(|draft| draft.key)
    }
}

/// The thread.
pub fn run(app: &App, stop: &Stop) {
    let drafts = &app.drafts;
    loop {
        let want = select! {
            recv(stop.channel()) -> _ => None,
            recv(drafts.wants) -> want => want.ok(),
        };
        let Some(want) = want else { break };
        if drafts.begin(want.target())
            && let Some(key) = make(app, want)
        {
            give_back(&app.pools, USER_KEYS, &key);
        }
    }
    give_back_all(app);
}

/// Answers the key of an older draft that had to make room.
fn make(app: &App, want: Want) -> Option<Secret> {
    let (ground, drafts) = (&app.ground, &app.drafts);
    let failed = |e: &PkiError| log::error!("no draft was made: {e}");
    match want {
        Want::Organization => {
            let key = spare(&app.pools, ORGANIZATION_KEYS);
            let draft = key.and_then(|key| OrgDraft::make(ground, key).inspect_err(failed).ok());
            drafts.settle(|made| made.organization = draft)
        }
        Want::Server => {
            let key = spare(&app.pools, SERVER_KEYS);
            let draft = key.and_then(|key| server_keys(ground, key).inspect_err(failed).ok());
            drafts.settle(|made| made.server = draft)
        }
        Want::User(authority) => {
            let key = spare(&app.pools, USER_KEYS);
            let made = key.map(|key| UserDraft::make(ground, Arc::clone(&authority), key));
            let draft = made.and_then(|draft| draft.inspect_err(failed).ok());
            if draft.is_some() {
                // After what others want: there may be too few still.
                drafts.want_user(authority);
            }
            drafts.settle(|made| made.users.extend(draft))
        }
    }
}

fn spare(pools: &Pools, kind: KeyKind) -> Option<Secret> {
    pools.spare(kind).unwrap_or_else(|e| {
        log::debug!("no draft: {e}");
        None
    })
}

fn give_back_all(app: &App) {
    let Made { organization, server, users, .. } = std::mem::take(&mut *app.drafts.made());
    let of_organization = organization.map(|draft| (ORGANIZATION_KEYS, draft.key));
    let of_server = server.map(|keys| (SERVER_KEYS, keys.signing));
    let of_users = users.into_iter().map(|draft| (USER_KEYS, draft.key));
    for (kind, key) in of_organization.into_iter().chain(of_server).chain(of_users) {
        if !give_back(&app.pools, kind, &key) {
            // The database is away: the others would take as long.
            break;
        }
    }
}

fn give_back(pools: &Pools, kind: KeyKind, key: &Secret) -> bool {
    let given: Result<(), StoreError> = pools.give_back(kind, key);
    given.inspect_err(|e| log::warn!("an unused {kind} key is lost: {e}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::internal::certificates::tests::authority;
    use crate::thread;

    fn draft(number: u8) -> UserDraft {
        let text = |text: &str| Secret::new(format!("{text}{number}"));
        let certificate = text("certificate").expose().clone();
        let user = UserId::from_bytes([number; 12]);
        UserDraft { authority: authority(number), user, key: text("key"), certificate }
    }

    fn settle(drafts: &Drafts, draft: UserDraft) -> Option<Secret> {
        drafts.settle(|made| made.users.push_back(draft))
    }

    #[test]
    fn a_draft_is_for_its_authority_and_used_once() {
        let drafts = Drafts::default();
        let one = draft(1);
        let (of_one, renewed, of_two) = (Arc::clone(&one.authority), authority(1), authority(2));
        assert!(settle(&drafts, one).is_none());
        assert!(drafts.begin(Target::UserOf(of_one.org)), "for whoever comes right after");
        assert!(
            settle(&drafts, UserDraft { authority: Arc::clone(&of_one), ..draft(1) }).is_none()
        );
        assert!(!drafts.begin(Target::UserOf(of_one.org)), "two are enough");
        assert!(drafts.user(&of_two).is_none());
        assert!(drafts.user(&renewed).is_none(), "the same organization, another CA");
        assert!(drafts.user(&of_one).is_some() && drafts.user(&of_one).is_some());
        assert!(drafts.user(&of_one).is_none());
    }

    #[test]
    fn who_finds_one_does_not_wait_for_the_next() {
        let drafts = Drafts::default();
        let one = draft(1);
        let target = Target::UserOf(one.authority.org);
        assert!(drafts.begin(target));
        assert!(drafts.made().is_first(target));
        settle(&drafts, one);
        assert!(drafts.begin(target));
        assert!(!drafts.made().is_first(target), "there is one to be had");
    }

    #[test]
    fn who_comes_while_it_is_made_waits_for_it_and_nobody_else_does() {
        let drafts = Arc::new(Drafts::default());
        let one = draft(1);
        let (of_one, of_two) = (Arc::clone(&one.authority), authority(2));
        assert!(drafts.begin(Target::UserOf(of_one.org)));
        assert!(drafts.user(&of_two).is_none());
        let waiting = Arc::clone(&drafts);
        let (tell, told) = bounded(1);
        let waiter = thread::spawn("waiter", move || {
            let _ = tell.send(waiting.user(&of_one).is_some());
        });
        assert!(told.try_recv().is_err());
        settle(&drafts, one);
        assert_eq!(told.recv(), Ok(true));
        drop(waiter);
        // One that was not made lets go too.
        assert!(drafts.begin(Target::UserOf(of_two.org)));
        drafts.settle(|_| {});
        assert!(drafts.user(&of_two).is_none());
    }

    #[test]
    fn a_draft_makes_room_for_who_needs_its_key() {
        let drafts = Drafts::default();
        for number in [1, 2] {
            settle(&drafts, draft(number));
        }
        let key = |kind| drafts.unmake(kind).map(|key| key.expose().clone());
        assert_eq!(key(ORGANIZATION_KEYS), None);
        let keys = [(); 3].map(|()| key(USER_KEYS));
        assert_eq!(keys, [Some("key1".to_owned()), Some("key2".to_owned()), None]);
    }

    #[test]
    fn drafts_are_bounded_and_no_key_is_forgotten() {
        let drafts = Drafts::default();
        let max = u8::try_from(limits::DRAFTS_MAX).expect("few");
        for number in 0..max {
            assert!(settle(&drafts, draft(number)).is_none());
        }
        let key = settle(&drafts, draft(max)).expect("the oldest one's");
        assert_eq!(key.expose(), "key0");
        for _ in 0..=max {
            drafts.want_user(authority(1));
        }
        assert!(drafts.wants.is_full(), "and nobody has waited");
    }
}
