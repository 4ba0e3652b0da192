//! Live sessions, as far as this host knows: read from the database, kept for at most
//! [`limits::SESSION_CACHE_MAX_AGE`], and forgotten at once by every change made here or told of
//! by the bus.

use crate::base::clock::Mono;
use crate::bus::{Bus, Heard, Message, Subscription};
use crate::limits;
use crate::store::admins::AdminDoc;
use crate::store::{Store, StoreError};
use crate::thread::Stop;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Finds the administrators behind sessions.
pub struct Sessions {
    /// Used by every handler for a moment each, never across I/O.
    inner: Mutex<Inner>,
}

struct Inner {
    cache: Cache,
    news: Subscription,
}

/// What is known, as plain data.
#[derive(Default)]
struct Cache {
    known: HashMap<String, Known>,
    /// How often everything was forgotten.
    generation: u64,
}

struct Known {
    admin: Arc<AdminDoc>,
    read_at: Mono,
}

impl Sessions {
    pub fn new(bus: &Bus) -> Sessions {
        let news = bus.subscribe("sessions");
        Sessions { inner: Mutex::new(Inner { cache: Cache::default(), news }) }
    }

    /// The administrator of a live session, if enabled.
    pub fn find(&self, store: &Store, key_hash: &str) -> Result<Option<Arc<AdminDoc>>, StoreError> {
        let now = store.clock().mono();
        let generation = {
            let mut inner = self.lock();
            inner.hear();
            if let Some(admin) = inner.cache.get(key_hash, now) {
                return Ok(Some(admin));
            }
            inner.cache.generation
        };
        let Some(id) = store.session_admin(key_hash)? else { return Ok(None) };
        let admin = store.admin(id)?.filter(|admin| !admin.is_disabled()).map(Arc::new);
        if let Some(admin) = &admin {
            self.lock().cache.put(key_hash, Arc::clone(admin), now, generation);
        }
        Ok(admin)
    }

    /// To be called after every change of administrators and sessions, before it is answered.
    pub fn forget(&self) {
        self.lock().cache.forget();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic left half done is at worst a missing entry.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hear(&mut self) {
        let stop = Stop::never();
        while let Some(heard) = self.news.next(&stop, Duration::ZERO) {
            if matches!(heard, Heard::Gap | Heard::Message(Message::Administrators)) {
                self.cache.forget();
            }
        }
    }
}

impl Cache {
    fn get(&self, key_hash: &str, now: Mono) -> Option<Arc<AdminDoc>> {
        let known = self.known.get(key_hash)?;
        let young = now.since(known.read_at) < limits::SESSION_CACHE_MAX_AGE;
        young.then(|| Arc::clone(&known.admin))
    }

    /// Unless everything was forgotten since `generation`, when the reading began.
    fn put(&mut self, key_hash: &str, admin: Arc<AdminDoc>, read_at: Mono, generation: u64) {
        if generation != self.generation {
            return;
        }
        if self.known.len() >= limits::SESSION_CACHE_MAX {
            self.known.clear();
        }
        self.known.insert(key_hash.to_owned(), Known { admin, read_at });
    }

    fn forget(&mut self) {
        self.known.clear();
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::AdminId;

    fn admin() -> Arc<AdminDoc> {
        Arc::new(AdminDoc {
            id: AdminId::from_bytes([1; 12]),
            username: "a".to_owned(),
            password: String::new(),
            default: None,
            default_password: None,
            yubikey_id: None,
            otp_auth: None,
            otp_secret: None,
            auth_api: None,
            token: String::new(),
            secret: String::new(),
            disabled: None,
            super_user: None,
            known_addresses: Vec::new(),
            password_changes: 0,
            created: None,
        })
    }

    #[test]
    fn what_is_known_grows_old() {
        let mut cache = Cache::default();
        let read = Mono::from_millis(1000);
        cache.put("a", admin(), read, 0);
        assert!(cache.get("a", read + Duration::from_millis(1999)).is_some());
        assert!(cache.get("a", read + limits::SESSION_CACHE_MAX_AGE).is_none());
        assert!(cache.get("b", read).is_none());
    }

    #[test]
    fn a_reading_from_before_a_change_is_not_kept() {
        let mut cache = Cache::default();
        cache.put("a", admin(), Mono::ZERO, 0);
        cache.forget();
        assert!(cache.get("a", Mono::ZERO).is_none());
        cache.put("a", admin(), Mono::ZERO, 0);
        assert!(cache.get("a", Mono::ZERO).is_none());
        cache.put("a", admin(), Mono::ZERO, 1);
        assert!(cache.get("a", Mono::ZERO).is_some());
    }

    #[test]
    fn there_are_never_too_many() {
        let mut cache = Cache::default();
        for n in 0..=limits::SESSION_CACHE_MAX {
            cache.put(&n.to_string(), admin(), Mono::ZERO, 0);
        }
        assert!(cache.known.len() <= limits::SESSION_CACHE_MAX);
    }
}
