//! The certificate authority of an organization, and what it issues (contract 4.4).

use super::certificate::{Certificate, builder, days_from};
use super::key::PrivateKey;
use super::{PkiError, doing};
use crate::base::ids::{OrgId, UserId};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509Name};

/// Validity of everything an organization issues, its CA included.
const VALID_DAYS: i64 = 10_000;

/// Whom a certificate names: clients are known by nothing else (contract 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub org: OrgId,
    pub user: UserId,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    /// An OpenVPN server; it may also connect to others (server links).
    Server,
}

/// An organization's CA: its certificate with the key that belongs to it.
#[derive(Clone, Debug)]
pub struct Issuer {
    key: PrivateKey,
    certificate: Certificate,
}

impl Issuer {
    /// A new self-signed CA; `subject.user` is the organization's CA user.
    pub fn create(key: PrivateKey, subject: Subject, now_s: i64) -> Result<Issuer, PkiError> {
        let end_s = days_from(now_s, VALID_DAYS);
        let mut x509 = builder(&key, &serial(subject.user)?, now_s, end_s)?;
        let sign = |x509: &mut X509Builder| {
            let name = name(subject)?;
            x509.set_subject_name(&name)?;
            x509.set_issuer_name(&name)?;
            x509.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build()?;
            x509.append_extension(usage)?;
            let id = SubjectKeyIdentifier::new().build(&x509.x509v3_context(None, None))?;
            x509.append_extension(id)?;
            x509.sign(key.inner(), key.digest())
        };
        sign(&mut x509).map_err(doing("sign a CA"))?;
        Ok(Issuer { certificate: x509.build().into(), key })
    }

    /// The stored pair; refused if the two do not belong together.
    pub fn restore(key: PrivateKey, certificate: Certificate) -> Result<Issuer, PkiError> {
        if certificate.belongs_to(&key) {
            Ok(Issuer { key, certificate })
        } else {
            Err(PkiError::KeyMismatch)
        }
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Signs a certificate for `key`; it never outlives the CA.
    pub fn issue(
        &self,
        key: &PrivateKey,
        subject: Subject,
        role: Role,
        now_s: i64,
    ) -> Result<Certificate, PkiError> {
        let end_s = days_from(now_s, VALID_DAYS).min(self.certificate.not_after_s()?);
        let mut x509 = builder(key, &serial(subject.user)?, now_s, end_s)?;
        self.sign(&mut x509, key, subject, role).map_err(doing("sign a certificate"))?;
        Ok(x509.build().into())
    }

    fn sign(
        &self,
        x509: &mut X509Builder,
        key: &PrivateKey,
        subject: Subject,
        role: Role,
    ) -> Result<(), ErrorStack> {
        let ca = self.certificate.inner();
        let name = name(subject)?;
        x509.set_subject_name(&name)?;
        x509.set_issuer_name(ca.subject_name())?;
        x509.append_extension(BasicConstraints::new().critical().build()?)?;
        let mut usage = KeyUsage::new();
        usage.critical().digital_signature();
        if key.is_rsa() {
            usage.key_encipherment();
        }
        x509.append_extension(usage.build()?)?;
        let mut extended = ExtendedKeyUsage::new();
        if role == Role::Server {
            extended.server_auth();
        }
        x509.append_extension(extended.client_auth().build()?)?;
        let context = x509.x509v3_context(Some(ca), None);
        let own = SubjectKeyIdentifier::new().build(&context)?;
        let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        x509.append_extension(own)?;
        x509.append_extension(issuer)?;
        x509.sign(self.key.inner(), self.key.digest())
    }
}

/// `O=<organization id>, CN=<user id>`.
fn name(subject: Subject) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, &subject.org.to_string())?;
    name.append_entry_by_nid(Nid::COMMONNAME, &subject.user.to_string())?;
    Ok(name.build())
}

/// FNV-1a-64 of the user id's text: what existing certificates carry (contract 4.4).
fn serial(user: UserId) -> Result<BigNum, PkiError> {
    let hash = user.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    BigNum::from_slice(&hash.to_be_bytes()).map_err(doing("write a serial number"))
}
