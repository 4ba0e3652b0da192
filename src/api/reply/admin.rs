//! Administrators (contract 2.2).

use serde::Serialize;

/// An administrator. Its secrets are for itself and for super users.
#[derive(Serialize)]
pub struct AdminReply<'a> {
    pub id: String,
    pub username: &'a str,
    pub yubikey_id: Option<&'a str>,
    pub otp_auth: Option<bool>,
    pub otp_secret: Option<&'a str>,
    /// Always null: there is no such code here.
    pub local_otp_auth: Option<bool>,
    pub auth_api: Option<bool>,
    pub token: &'a str,
    pub secret: &'a str,
    pub default: Option<bool>,
    pub disabled: Option<bool>,
    pub super_user: bool,
}

/// An entry of the list.
#[derive(Serialize)]
pub struct AdminEntry<'a> {
    #[serde(flatten)]
    pub admin: AdminReply<'a>,
    /// Whether actions are audited.
    pub audit: bool,
}
