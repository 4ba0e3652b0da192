//! Private keys of the kinds that pools keep.

use super::{PkiError, doing};
use crate::base::secret::Secret;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use std::fmt;
use std::str::FromStr;

/// What kind of private key; the text names are stable (settings, pools, stored documents).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    Rsa2048,
    Rsa4096,
    P256,
    P384,
    Ed25519,
}

impl KeyKind {
    pub const ALL: [KeyKind; 5] =
        [KeyKind::Rsa2048, KeyKind::Rsa4096, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519];

    pub const fn as_str(self) -> &'static str {
        match self {
            KeyKind::Rsa2048 => "rsa2048",
            KeyKind::Rsa4096 => "rsa4096",
            KeyKind::P256 => "p256",
            KeyKind::P384 => "p384",
            KeyKind::Ed25519 => "ed25519",
        }
    }

    /// Whether making one takes long enough (0.1 to 5 s) to be worth a pool and a worker.
    pub const fn is_slow(self) -> bool {
        matches!(self, KeyKind::Rsa2048 | KeyKind::Rsa4096)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyKind {
    type Err = PkiError;
    fn from_str(text: &str) -> Result<KeyKind, PkiError> {
        KeyKind::ALL.into_iter().find(|k| k.as_str() == text).ok_or(PkiError::KeyKindUnknown)
    }
}

/// A private key; its only way out is [`PrivateKey::to_pem`]. libcrypto wipes it on drop.
#[derive(Clone)]
pub struct PrivateKey(PKey<Private>);

impl PrivateKey {
    /// Takes up to 5 s for [`KeyKind::Rsa4096`], microseconds for the elliptic ones.
    pub fn generate(kind: KeyKind) -> Result<PrivateKey, PkiError> {
        let rsa = |bits| Rsa::generate(bits).and_then(PKey::from_rsa);
        let curve = |nid| {
            let group = EcGroup::from_curve_name(nid)?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        };
        let key = match kind {
            KeyKind::Rsa2048 => rsa(2048),
            KeyKind::Rsa4096 => rsa(4096),
            KeyKind::P256 => curve(Nid::X9_62_PRIME256V1),
            KeyKind::P384 => curve(Nid::SECP384R1),
            KeyKind::Ed25519 => PKey::generate_ed25519(),
        };
        key.map(PrivateKey).map_err(doing("make a private key"))
    }

    /// Reads PKCS#8, and the older forms (PKCS#1, SEC1) that imported data carries.
    pub fn from_pem(pem: &Secret<String>) -> Result<PrivateKey, PkiError> {
        PKey::private_key_from_pem(pem.expose().as_bytes())
            .map(PrivateKey)
            .map_err(doing("read a private key"))
    }

    /// PKCS#8 PEM, unencrypted.
    pub fn to_pem(&self) -> Result<Secret<String>, PkiError> {
        let pem = self.0.private_key_to_pem_pkcs8().map_err(doing("write a private key"))?;
        Ok(Secret::new(super::certificate::ascii(pem)))
    }

    /// Imported keys may have other sizes than ours: those are usable, but of no kind.
    pub fn kind(&self) -> Option<KeyKind> {
        match (self.0.id(), self.0.bits()) {
            (Id::RSA, 2048) => Some(KeyKind::Rsa2048),
            (Id::RSA, 4096) => Some(KeyKind::Rsa4096),
            (Id::EC, 256) => Some(KeyKind::P256),
            (Id::EC, 384) => Some(KeyKind::P384),
            (Id::ED25519, _) => Some(KeyKind::Ed25519),
            _ => None,
        }
    }

    /// Lines of the PKCS#1 PEM public key, as the profile header's `server_public_key` carries
    /// them (contract 3.2). RSA only.
    pub fn signing_lines(&self) -> Result<Vec<String>, PkiError> {
        let rsa = self.0.rsa().map_err(|_| PkiError::KeyKindUnknown)?;
        let pem = rsa.public_key_to_pem_pkcs1().map_err(doing("write a public key"))?;
        Ok(super::certificate::ascii(pem).lines().map(str::to_owned).collect())
    }

    pub(super) fn inner(&self) -> &PKeyRef<Private> {
        &self.0
    }

    /// keyEncipherment means something for RSA keys only.
    pub(super) fn is_rsa(&self) -> bool {
        self.0.id() == Id::RSA
    }

    pub(super) fn digest(&self) -> MessageDigest {
        match self.kind() {
            Some(KeyKind::P384) => MessageDigest::sha384(),
            // Ed25519 brings its own.
            Some(KeyKind::Ed25519) => MessageDigest::null(),
            _ => MessageDigest::sha256(),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind().map_or("other", KeyKind::as_str))
    }
}
