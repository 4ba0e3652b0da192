//! The seam below the named queries: all that is asked of a database, as data.
//!
//! `driver` answers it from MongoDB. The simulator (`tests/sim`) answers it from a model, so that
//! queries, fences and guards run there exactly as they are. Only the bus's cursor, a few commands
//! and the preparation of collections go past it.

use super::StoreError;
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::options::{FindOptions, UpdateModifications};
use std::fmt::Debug;
use std::ops::ControlFlow;

/// Which connection an operation goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Work,
    /// The one that nothing but the beat uses.
    Beat,
}

/// What an operation is for, and where its documents are.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub op: &'static str,
    pub collection: &'static str,
    pub line: Line,
}

/// An operation.
#[derive(Clone, Debug)]
pub enum Request {
    Find {
        filter: Document,
        options: Box<FindOptions>,
    },
    Count {
        filter: Document,
    },
    Aggregate {
        stages: Vec<Document>,
    },
    Insert {
        documents: Vec<RawDocumentBuf>,
    },
    Update {
        filter: Document,
        update: UpdateModifications,
        upsert: bool,
        many: bool,
    },
    /// Changes one and answers it as it is afterwards.
    Modify {
        filter: Document,
        update: UpdateModifications,
        sort: Option<Document>,
        fields: Option<Document>,
        upsert: bool,
    },
    /// Removes one and answers it.
    Remove {
        filter: Document,
        sort: Document,
    },
    Delete {
        filter: Document,
        many: bool,
    },
}

impl Request {
    /// Whether it may change something: its fate matters when no answer comes.
    pub fn writes(&self) -> bool {
        !matches!(self, Request::Find { .. } | Request::Count { .. } | Request::Aggregate { .. })
    }
}

/// Takes each document of an answer, as long as it wants more.
pub type Each<'a> = &'a mut dyn FnMut(RawDocumentBuf) -> ControlFlow<()>;

/// What may be done again after a failure in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Nothing,
    /// Nothing of it was done.
    Transaction,
    /// Whether it was done is not known; committing twice is the same as once.
    Commit,
}

#[derive(Debug)]
pub struct Failure {
    pub error: StoreError,
    pub again: Again,
}

/// A database. Requests answer how many documents they counted, matched, made or removed.
pub trait Documents: Debug + Send + Sync {
    fn run(&self, at: &At, request: Request, each: Each<'_>) -> Result<u64, StoreError>;
    fn session(&self, op: &'static str) -> Result<Box<dyn Session + '_>, StoreError>;
    /// See [`super::Store::primary_changes`].
    fn primary_changes(&self) -> u64;
}

/// One transaction after the other.
pub trait Session {
    fn start(&mut self, op: &'static str) -> Result<(), StoreError>;
    fn run(&mut self, at: &At, request: Request, each: Each<'_>) -> Result<u64, Failure>;
    fn commit(&mut self, op: &'static str) -> Result<(), Failure>;
    /// One that is abandoned ends by itself as well.
    fn abort(&mut self);
}
