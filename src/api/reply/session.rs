//! Signing in and out, and what a console must know first (contract 2.1).

use serde::Serialize;

/// After signing in.
#[derive(Debug, Serialize)]
pub struct SignedIn {
    pub authenticated: bool,
    /// The generated first password is still in use.
    pub default: bool,
}

/// After signing out.
#[derive(Debug, Serialize)]
pub struct SignedOut {
    pub authenticated: bool,
}

/// 402: a second factor is missing.
#[derive(Debug, Serialize)]
pub struct FactorNeeded {
    pub error: &'static str,
    pub error_msg: &'static str,
    pub otp_auth: Option<bool>,
    pub local_otp_auth: Option<bool>,
    pub yubico_auth: bool,
}

/// `GET /state`. Nothing is sold here, so there is no subscription to tell of.
#[derive(Serialize)]
pub struct StateReply<'a> {
    pub super_user: bool,
    pub csrf_token: &'a str,
    pub theme: &'a str,
    pub user: Option<&'a str>,
    pub active: bool,
    pub plan: Option<&'a str>,
    pub version: u64,
    pub sso: Option<&'a str>,
}
