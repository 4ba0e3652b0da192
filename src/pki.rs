//! Private keys and certificates. No threads, no I/O, no clock: the time is handed in, and what is
//! slow (RSA keys) is called from a worker of the queue only.
//!
//! ```text
//!   KeyKind ── PrivateKey::generate ─> pool ─┬─ Issuer::create ─> CA of an organization
//!                                            ├─ Issuer::issue ──> user and server certificates
//!                                            ├─ web::issue ─────> the edge's first certificate
//!                                            └─ signing_lines ──> server's signing key in profiles
//! ```
//!
//! Every validity begins a day in the past, so that a client whose clock is late still connects
//! (I4). Private keys leave this module as `Secret` text only (I10).
//! It must never store, log or send anything.

pub mod boxed;
pub mod certificate;
pub mod dh;
pub mod issue;
pub mod key;
pub mod static_key;
pub mod web;

pub use boxed::BoxKey;
pub use certificate::Certificate;
pub use dh::DhSize;
pub use issue::{Issuer, Role, Subject};
pub use key::{KeyKind, PrivateKey};
pub use static_key::static_key;

use openssl::error::ErrorStack;
use std::fmt;

/// Why no key or certificate came out.
#[derive(Debug)]
pub enum PkiError {
    /// libcrypto refused; what it said.
    Crypto { doing: &'static str, source: ErrorStack },
    /// The PEM text holds another kind of key than this program makes.
    KeyKindUnknown,
    /// The certificate's subject is not `O=<organization id>, CN=<user id>`.
    SubjectUnknown,
    /// The private key does not belong to the certificate.
    KeyMismatch,
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PkiError::Crypto { doing, .. } => write!(f, "libcrypto failed to {doing}"),
            PkiError::KeyKindUnknown => f.write_str("private key of an unknown kind"),
            PkiError::SubjectUnknown => f.write_str("certificate subject without our identifiers"),
            PkiError::KeyMismatch => f.write_str("private key and certificate do not match"),
        }
    }
}

impl std::error::Error for PkiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PkiError::Crypto { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn doing(doing: &'static str) -> impl Fn(ErrorStack) -> PkiError {
    move |source| PkiError::Crypto { doing, source }
}

#[cfg(test)]
mod tests;
