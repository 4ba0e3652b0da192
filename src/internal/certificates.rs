//! Signing with the certificate authorities of organizations.
//!
//! Reading a CA's key takes longer than the rest of a request, and its first signature more than
//! the next ones. So authorities stay in memory once read, by organization and certificate.

use crate::base::ids::{OrgId, UserId};
use crate::base::secret::Secret;
use crate::limits;
use crate::pki::{Certificate, Issuer, PkiError, PrivateKey, Role, Subject};
use crate::store::organizations::OrgDoc;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A certificate authority, ready to sign.
pub struct Authority {
    pub org: OrgId,
    /// PEM, as the organization's document has it.
    pub certificate: String,
    issuer: Issuer,
}

/// Authorities that signed lately; clones share them.
#[derive(Clone, Default)]
pub struct Authorities {
    /// Oldest first. Held for a look or a push by handlers, never while signing or in I/O.
    known: Arc<Mutex<VecDeque<Arc<Authority>>>>,
}

impl Authority {
    fn read(org: &OrgDoc) -> Result<Authority, PkiError> {
        let key = PrivateKey::from_pem(&Secret::new(org.ca_private_key.clone()))?;
        let issuer = Issuer::restore(key, Certificate::from_pem(&org.ca_certificate)?)?;
        Ok(Authority { org: org.id, certificate: org.ca_certificate.clone(), issuer })
    }

    /// A certificate in PEM for the holder of `key_pem`, a private key.
    pub fn issue(
        &self,
        key_pem: &Secret,
        user: UserId,
        role: Role,
        now_s: i64,
    ) -> Result<String, PkiError> {
        let key = PrivateKey::from_pem(key_pem)?;
        let subject = Subject { org: self.org, user };
        self.issuer.issue(&key, subject, role, now_s)?.to_pem()
    }
}

impl Authorities {
    /// The authority of an organization as it was last seen: whoever signs with it checks in the
    /// transaction that stores the result that it still is the one.
    pub fn known(&self, org: OrgId) -> Option<Arc<Authority>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|authority| authority.org == org).map(Arc::clone)
    }

    /// The authority of this very document.
    pub fn of(&self, org: &OrgDoc) -> Result<Arc<Authority>, PkiError> {
        if let Some(known) = self.known(org.id).filter(|a| a.certificate == org.ca_certificate) {
            return Ok(known);
        }
        let authority = Arc::new(Authority::read(org)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.org != org.id);
        if known.len() >= limits::AUTHORITIES_MAX {
            known.pop_front();
        }
        known.push_back(Arc::clone(&authority));
        Ok(authority)
    }

    /// The organization is gone.
    pub fn forget(&self, org: OrgId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|authority| authority.org != org);
    }

    /// Signs at once: [`Authorities::of`] and [`Authority::issue`].
    pub fn issue(
        &self,
        org: &OrgDoc,
        key_pem: &Secret,
        user: UserId,
        role: Role,
        now_s: i64,
    ) -> Result<String, PkiError> {
        self.of(org)?.issue(key_pem, user, role, now_s)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::pki::KeyKind;
    use crate::store::organizations::OrgSummary;

    fn org(number: u8) -> OrgDoc {
        let (id, ca_user_id) = (OrgId::from_bytes([number; 12]), UserId::from_bytes([9; 12]));
        let key = PrivateKey::generate(KeyKind::P256).expect("a key");
        let subject = Subject { org: id, user: ca_user_id };
        let issuer = Issuer::create(key.clone(), subject, 1_700_000_000).expect("a CA");
        let summary = OrgSummary {
            id,
            name: String::new(),
            auth_api: false,
            auth_token: None,
            auth_secret: None,
            ca_user_id,
            ca_expires: 0,
            user_count: 0,
        };
        let certificate = issuer.certificate().to_pem().expect("PEM");
        OrgDoc::new(summary, key.to_pem().expect("PEM").expose().clone(), certificate)
    }

    /// Another one each time.
    pub fn authority(number: u8) -> Arc<Authority> {
        Authorities::default().of(&org(number)).expect("an authority")
    }

    #[test]
    fn the_same_document_is_read_once_and_a_renewed_one_anew() {
        let (authorities, org_1) = (Authorities::default(), org(1));
        assert!(authorities.known(org_1.id).is_none());
        let first = authorities.of(&org_1).expect("an authority");
        assert!(Arc::ptr_eq(&first, &authorities.of(&org_1).expect("the same")));
        let renewed = authorities.of(&org(1)).expect("another");
        assert!(!Arc::ptr_eq(&first, &renewed));
        assert!(authorities.known(org_1.id).is_some_and(|known| Arc::ptr_eq(&known, &renewed)));
    }

    #[test]
    fn only_so_many_are_kept_and_the_oldest_goes() {
        let authorities = Authorities::default();
        let max = u8::try_from(limits::AUTHORITIES_MAX).expect("few");
        (0..=max).for_each(|number| drop(authorities.of(&org(number)).expect("an authority")));
        assert!(authorities.known(OrgId::from_bytes([0; 12])).is_none());
        assert!(authorities.known(OrgId::from_bytes([1; 12])).is_some());
        assert!(authorities.known(OrgId::from_bytes([max; 12])).is_some());
    }

    #[test]
    fn a_certificate_names_the_organization_and_its_holder() {
        let org = org(1);
        let user = UserId::from_bytes([7; 12]);
        let key = PrivateKey::generate(KeyKind::P256).expect("a key");
        let pem = key.to_pem().expect("PEM");
        let issued = Authorities::default().issue(&org, &pem, user, Role::Client, 1_700_000_000);
        let issued = Certificate::from_pem(&issued.expect("issued")).expect("a certificate");
        assert_eq!(issued.subject().expect("a subject"), Subject { org: org.id, user });
        assert!(issued.belongs_to(&key));
    }

    #[test]
    fn a_key_of_somebody_else_is_no_authority() {
        let other = OrgDoc { ca_private_key: org(2).ca_private_key, ..org(1) };
        assert!(matches!(Authorities::default().of(&other), Err(PkiError::KeyMismatch)));
    }
}
