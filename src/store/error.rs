//! What can go wrong with the database, by what the caller may do about it.

use mongodb::error::{Error, ErrorKind, WriteFailure};
use std::fmt;

#[derive(Debug)]
pub enum StoreError {
    /// Nothing was done; try again later with back-off.
    Unavailable { operation: &'static str, source: Box<Error> },
    /// A write whose fate is not known: read again, never assume.
    Unknown { operation: &'static str, source: Box<Error> },
    /// A unique index refused the write.
    Duplicate { operation: &'static str, index: String },
    /// A bug, bad input or a document of another version.
    Wrong { operation: &'static str, source: Box<Error> },
    /// Wrong user name or password.
    Refused,
    /// The database itself is not usable; the text says what to do.
    Unusable(String),
}

impl StoreError {
    pub(super) fn read(operation: &'static str, error: Error) -> StoreError {
        StoreError::classify(operation, error, false)
    }

    pub(super) fn write(operation: &'static str, error: Error) -> StoreError {
        StoreError::classify(operation, error, true)
    }

    fn classify(operation: &'static str, error: Error, write: bool) -> StoreError {
        if let Some(index) = duplicate_index(&error) {
            return StoreError::Duplicate { operation, index };
        }
        let source = Box::new(error);
        // Whatever kept the answer of a commit back: an earlier try may have come through.
        if source.contains_label("UnknownTransactionCommitResult") {
            return StoreError::Unknown { operation, source };
        }
        match source.kind.as_ref() {
            ErrorKind::ServerSelection { .. } => StoreError::Unavailable { operation, source },
            // The second one may have been interrupted while it waited for its answer.
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } if write => {
                StoreError::Unknown { operation, source }
            }
            ErrorKind::ConnectionPoolCleared { .. } => {
                StoreError::Unavailable { operation, source }
            }
            ErrorKind::Io(_) => StoreError::Unavailable { operation, source },
            ErrorKind::Write(WriteFailure::WriteConcernError(_)) => {
                StoreError::Unknown { operation, source }
            }
            ErrorKind::Command(c) if is_passing(c.code) => {
                StoreError::Unavailable { operation, source }
            }
            _ if source.contains_label("TransientTransactionError") => {
                StoreError::Unavailable { operation, source }
            }
            _ => StoreError::Wrong { operation, source },
        }
    }

    /// Worth trying again: the database was away or busy.
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Unknown { .. })
    }
}

/// Whether this is the driver's account of a failure: long, and about topologies.
pub fn is_driver_error(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<Error>()
}

/// Codes of the server that pass: no primary, stepping down, shutting down, time limit, conflict.
fn is_passing(code: i32) -> bool {
    matches!(code, 6 | 7 | 24 | 50 | 89 | 91 | 112 | 189 | 262 | 9001 | 10107)
        || matches!(code, 11600 | 11602 | 13435 | 13436)
}

fn duplicate_index(error: &Error) -> Option<String> {
    let message = match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(e)) if e.code == 11000 => e.message.clone(),
        ErrorKind::Command(e) if e.code == 11000 => e.message.clone(),
        ErrorKind::InsertMany(e) => {
            let errors = e.write_errors.as_deref().unwrap_or_default();
            errors.iter().find(|e| e.code == 11000)?.message.clone()
        }
        _ => return None,
    };
    let name = message.split("index: ").nth(1).and_then(|rest| rest.split(' ').next());
    Some(name.unwrap_or_default().to_owned())
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable { operation, .. } => {
                write!(f, "the database is not available: {operation}")
            }
            StoreError::Unknown { operation, .. } => {
                write!(f, "the database did not confirm a write: {operation}")
            }
            StoreError::Duplicate { operation, index } => {
                write!(f, "exists already ({index}): {operation}")
            }
            StoreError::Wrong { operation, .. } => write!(f, "could not {operation}"),
            StoreError::Refused => {
                f.write_str("the database refused the user name or password of mongodb_uri")
            }
            StoreError::Unusable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Unavailable { source, .. }
            | StoreError::Unknown { source, .. }
            | StoreError::Wrong { source, .. } => Some(source.as_ref()),
            StoreError::Duplicate { .. } | StoreError::Refused | StoreError::Unusable(_) => None,
        }
    }
}
