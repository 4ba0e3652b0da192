//! Bodies of answers (contract 2): what is written to clients, one file per resource.

pub mod admin;
pub mod event;
pub mod host;
pub mod organization;
pub mod route;
pub mod server;
pub mod session;
pub mod settings;
pub mod status;
pub mod user;
pub mod work;

use serde::Serialize;

/// What can be an answer's JSON body.
pub trait Reply {
    /// Plain data always can be written; `None` is a bug.
    fn to_json(&self) -> Option<Vec<u8>>;
}

impl<T: Serialize + ?Sized> Reply for T {
    fn to_json(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

/// An application error (contract 1.8).
#[derive(Debug, Serialize)]
pub struct ErrorReply<'a> {
    pub error: &'a str,
    pub error_msg: &'a str,
}
