//! The self-signed certificate of the edge, until an administrator or ACME brings a better one.

use super::certificate::{Certificate, builder, days_from};
use super::key::{KeyKind, PrivateKey};
use super::{PkiError, doing};
use crate::base::random::Random;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509Name};
use std::net::IpAddr;

const VALID_DAYS: i64 = 3650;
/// RFC 5280: the common name holds at most this many characters.
const COMMON_NAME_MAX: usize = 64;

/// A new P-256 key and a certificate for the DNS names and IP addresses given (at least one is
/// needed for a browser to match; the first becomes the common name).
pub fn issue(
    names: &[String],
    random: &Random,
    now_s: i64,
) -> Result<(PrivateKey, Certificate), PkiError> {
    let key = PrivateKey::generate(KeyKind::P256)?;
    let serial =
        BigNum::from_slice(&random.bytes::<15>()).map_err(doing("make a serial number"))?;
    let mut x509 = builder(&key, &serial, now_s, days_from(now_s, VALID_DAYS))?;
    sign(&mut x509, &key, names).map_err(doing("sign a web certificate"))?;
    Ok((key, x509.build().into()))
}

fn sign(x509: &mut X509Builder, key: &PrivateKey, names: &[String]) -> Result<(), ErrorStack> {
    let common = names.iter().find(|n| n.len() <= COMMON_NAME_MAX).map_or("warren", String::as_str);
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common)?;
    let name = name.build();
    x509.set_subject_name(&name)?;
    x509.set_issuer_name(&name)?;
    x509.append_extension(BasicConstraints::new().critical().build()?)?;
    x509.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    x509.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let context = x509.x509v3_context(None, None);
    let id = SubjectKeyIdentifier::new().build(&context)?;
    let alternatives = alternatives(names).map(|san| san.build(&context)).transpose()?;
    x509.append_extension(id)?;
    if let Some(extension) = alternatives {
        x509.append_extension(extension)?;
    }
    x509.sign(key.inner(), key.digest())
}

fn alternatives(names: &[String]) -> Option<SubjectAlternativeName> {
    let mut san = SubjectAlternativeName::new();
    for name in names {
        match name.parse::<IpAddr>() {
            Ok(address) => san.ip(&address.to_string()),
            Err(_) => san.dns(name),
        };
    }
    (!names.is_empty()).then_some(san)
}
