//! Organizations as clients see them (contract 2.3).

use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct OrganizationReply {
    pub id: String,
    pub name: String,
    /// The CA's not-after, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub expiration: Option<String>,
    pub auth_api: bool,
    pub auth_token: Option<String>,
    pub auth_secret: Option<String>,
    /// People only.
    pub user_count: i64,
}

#[derive(Debug, Serialize)]
pub struct OrganizationPage {
    pub page: u32,
    /// Index of the last page.
    pub page_total: u32,
    pub organizations: Vec<OrganizationReply>,
}
