//! The TLS side of the front: one context per certificate, handed to the event loops.
//!
//! Mozilla's intermediate profile without the finite-field suites (contract 1.1: ECDHE only, and
//! they cost a server most), server preference, three common groups, no renegotiation.

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, SslAcceptor, SslContext, SslMethod, SslOptions, SslRef, SslSessionCacheMode,
    select_next_proto,
};
use openssl::x509::X509;
use std::fmt;

const SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
const GROUPS: &str = "X25519:prime256v1:secp384r1";
const ALPN: &[u8] = b"\x08http/1.1";

#[derive(Debug)]
pub enum TlsError {
    /// No certificate in the chain, or one that can not be read.
    Certificate,
    /// The key can not be read or does not belong to the certificate.
    Key,
    Context(ErrorStack),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Certificate => write!(f, "the web certificate can not be read"),
            TlsError::Key => write!(f, "the web certificate and its key do not fit"),
            TlsError::Context(_) => write!(f, "TLS could not be set up"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsError::Context(source) => Some(source),
            _ => None,
        }
    }
}

impl From<ErrorStack> for TlsError {
    fn from(source: ErrorStack) -> Self {
        TlsError::Context(source)
    }
}

/// Makes the context for a chain (own certificate first) and its key, both in PEM.
pub fn context(chain_pem: &[u8], key_pem: &[u8]) -> Result<SslContext, TlsError> {
    let chain = X509::stack_from_pem(chain_pem).map_err(|_| TlsError::Certificate)?;
    let mut chain = chain.into_iter();
    let leaf = chain.next().ok_or(TlsError::Certificate)?;
    let key = PKey::private_key_from_pem(key_pem).map_err(|_| TlsError::Key)?;
    let mut context = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    context.set_cipher_list(SUITES)?;
    context.set_groups_list(GROUPS)?;
    context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE | SslOptions::NO_RENEGOTIATION);
    context.set_session_id_context(b"warren")?;
    // Resumption is by tickets, which cost no memory here.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_alpn_select_callback(alpn);
    context.set_certificate(&leaf)?;
    context.set_private_key(&key).map_err(|_| TlsError::Key)?;
    context.check_private_key().map_err(|_| TlsError::Key)?;
    for issuer in chain {
        context.add_extra_chain_cert(issuer)?;
    }
    Ok(context.build().into_context())
}

fn alpn<'a>(_: &mut SslRef, offered: &'a [u8]) -> Result<&'a [u8], AlpnError> {
    select_next_proto(ALPN, offered).ok_or(AlpnError::ALERT_FATAL)
}
