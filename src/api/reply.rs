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

/// A JSON list that is written as it comes: of a long one nothing is held but its text.
#[derive(Default)]
pub struct List(Vec<u8>);

impl List {
    /// `false`: not written, which is a bug.
    pub fn push<T: Serialize>(&mut self, item: &T) -> bool {
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.0, item).is_ok()
    }

    pub fn into_json(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            self.0.push(b'[');
        }
        self.0.push(b']');
        self.0
    }
}

/// An application error (contract 1.8).
#[derive(Debug, Serialize)]
pub struct ErrorReply<'a> {
    pub error: &'a str,
    pub error_msg: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_json_however_long_it_is() {
        for items in [&[][..], &["a"], &["a", "\"b\"", ""]] {
            let mut list = List::default();
            assert!(items.iter().all(|item| list.push(item)));
            assert_eq!(list.into_json(), items.to_json().expect("JSON"));
        }
    }
}
