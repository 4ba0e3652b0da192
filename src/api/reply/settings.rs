//! Settings, merged with the administrator who asks (contract 2.8).

use super::admin::AdminReply;
use serde::Serialize;

#[derive(Serialize)]
pub struct SettingsReply<'a> {
    #[serde(flatten)]
    pub admin: AdminReply<'a>,
    pub theme: &'a str,
    pub pin_mode: &'a str,
}
