//! Why the database does not answer, as far as this machine can tell, and where to look.

use super::chain;
use crate::config::Config;
use crate::mongod;
use crate::node;
use crate::store::StoreError;

/// `error` with what to do about it.
pub fn explain(config: &Config, error: &StoreError) -> String {
    let text = chain(error);
    if !matches!(error, StoreError::Unavailable { .. }) {
        return text;
    }
    if config.mongodb_uri.is_some() {
        return format!(
            "{text}: no host of mongodb_uri answers as primary; look whether mongod runs there \
             and can be reached from here"
        );
    }
    let settings = node::mongod_settings(config);
    match mongod::obstacle(&settings) {
        Some(obstacle) => format!("{text}: {}", chain(&obstacle)),
        None => format!("{text}: its log says why: {}", mongod::log_of(&settings).display()),
    }
}
