//! Certificates: reading and writing, and the parts shared by everything that issues them.

use super::issue::Subject;
use super::key::PrivateKey;
use super::{PkiError, doing};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::{X509, X509Builder, X509NameRef, X509Ref};
use std::fmt;

const DAY_S: i64 = 86_400;

/// A certificate.
#[derive(Clone)]
pub struct Certificate(X509);

impl Certificate {
    /// Reads the first certificate of a PEM text; words before it are skipped (imported
    /// certificates carry a dump there).
    pub fn from_pem(pem: &str) -> Result<Certificate, PkiError> {
        X509::from_pem(pem.as_bytes()).map(Certificate).map_err(doing("read a certificate"))
    }

    pub fn to_pem(&self) -> Result<String, PkiError> {
        self.0.to_pem().map(ascii).map_err(doing("write a certificate"))
    }

    /// End of validity in seconds since the Unix epoch.
    pub fn not_after_s(&self) -> Result<i64, PkiError> {
        unix_s(self.0.not_after())
    }

    pub fn not_before_s(&self) -> Result<i64, PkiError> {
        unix_s(self.0.not_before())
    }

    /// Whom it names.
    pub fn subject(&self) -> Result<Subject, PkiError> {
        let entry = |nid| text_of(self.0.subject_name(), nid).ok_or(PkiError::SubjectUnknown);
        let org = entry(Nid::ORGANIZATIONNAME)?.parse().map_err(|_| PkiError::SubjectUnknown)?;
        let user = entry(Nid::COMMONNAME)?.parse().map_err(|_| PkiError::SubjectUnknown)?;
        Ok(Subject { org, user })
    }

    /// SHA-256 of the DER form in lower-case hex, as OpenVPN's `tls_digest_sha256_0` shows it
    /// without its colons.
    pub fn fingerprint(&self) -> Result<String, PkiError> {
        let digest = self.0.digest(MessageDigest::sha256()).map_err(doing("digest"))?;
        Ok(crate::base::ids::to_hex(&digest))
    }

    /// Serial number in upper-case hex without leading zeros.
    pub fn serial(&self) -> Result<String, PkiError> {
        let number = self.0.serial_number().to_bn().map_err(doing("read a serial number"))?;
        let hex = number.to_hex_str().map_err(doing("write a serial number"))?;
        Ok(hex.trim_start_matches('0').to_owned())
    }

    /// Whether `key` is the private half of this certificate's key.
    pub fn belongs_to(&self, key: &PrivateKey) -> bool {
        self.0.public_key().is_ok_and(|public| public.public_eq(key.inner()))
    }

    pub(super) fn inner(&self) -> &X509Ref {
        &self.0
    }
}

impl From<X509> for Certificate {
    fn from(x509: X509) -> Certificate {
        Certificate(x509)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.serial().unwrap_or_default())
    }
}

/// A builder with version, serial and a validity that begins a day before `now_s`.
pub(super) fn builder(
    key: &PrivateKey,
    serial: &BigNum,
    now_s: i64,
    not_after_s: i64,
) -> Result<X509Builder, PkiError> {
    let build = || {
        let mut x509 = X509::builder()?;
        x509.set_version(2)?;
        x509.set_serial_number(&*serial.to_asn1_integer()?)?;
        x509.set_pubkey(key.inner())?;
        x509.set_not_before(&*Asn1Time::from_unix(now_s - DAY_S)?)?;
        x509.set_not_after(&*Asn1Time::from_unix(not_after_s)?)?;
        Ok(x509)
    };
    build().map_err(doing("begin a certificate"))
}

pub(super) fn days_from(now_s: i64, days: i64) -> i64 {
    now_s + days * DAY_S
}

fn unix_s(time: &Asn1TimeRef) -> Result<i64, PkiError> {
    let epoch = Asn1Time::from_unix(0).map_err(doing("read a date"))?;
    let since = epoch.diff(time).map_err(doing("read a date"))?;
    Ok(i64::from(since.days) * DAY_S + i64::from(since.secs))
}

fn text_of(name: &X509NameRef, nid: Nid) -> Option<String> {
    let entry = name.entries_by_nid(nid).next()?;
    Some(String::from_utf8_lossy(entry.data().as_slice()).into_owned())
}

/// PEM as text; libcrypto writes nothing but ASCII.
pub(super) fn ascii(pem: Vec<u8>) -> String {
    String::from_utf8(pem).unwrap_or_default()
}
