//! The seam answered by MongoDB.

use super::connect::PrimaryWatch;
use super::seam::{Again, At, Documents, Each, Failure, Line, Request, Session};
use super::{Store, StoreError};
use crate::limits;
use mongodb::action::Action;
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::error::{Error, Result as Driven};
use mongodb::options::{
    FindOneAndDeleteOptions, FindOneAndUpdateOptions, FindOptions, ReturnDocument,
    UpdateModifications,
};
use mongodb::sync::{Client, ClientSession, Collection, Database};

/// The three clients.
#[derive(Debug)]
pub(super) struct Driver {
    pub beat: Database,
    pub tail: Database,
    pub tail_client: Client,
    pub work: Database,
    pub work_client: Client,
    pub primaries: PrimaryWatch,
}

impl Store {
    /// What is not below the seam: commands and cursors of the real database.
    pub(super) fn driver(&self) -> Result<&Driver, StoreError> {
        let missing = || StoreError::Unusable("a model of a database has no cursors".to_owned());
        self.0.driver.as_deref().ok_or_else(missing)
    }
}

/// For the driver all documents are of one type: its operations are large, and would otherwise be
/// compiled once for each of ours.
type Raw = Collection<RawDocumentBuf>;
type InSession<'a> = Option<&'a mut ClientSession>;

impl Driver {
    fn answer(&self, at: &At, request: Request, session: InSession, each: Each) -> Driven<u64> {
        let database = match at.line {
            Line::Work => &self.work,
            Line::Beat => &self.beat,
        };
        let coll: Raw = database.collection(at.collection);
        match request {
            Request::Find { filter, options } => find(&coll, filter, *options, session, each),
            Request::Aggregate { stages } => aggregate(&coll, stages, session, each),
            Request::Count { filter } => {
                let doing = coll.count_documents(filter).max_time(limits::STORE_OPERATION_MAX);
                doing.optional(session, |doing, session| doing.session(session)).run()
            }
            Request::Insert { documents } => insert(&coll, documents, session),
            Request::Update { filter, update, upsert, many } => {
                let doing = match many {
                    true => coll.update_many(filter, update),
                    false => coll.update_one(filter, update),
                };
                let doing = doing.optional(upsert.then_some(true), |doing, yes| doing.upsert(yes));
                let doing = doing.optional(session, |doing, session| doing.session(session));
                doing.run().map(|done| done.matched_count)
            }
            Request::Modify { filter, update, sort, fields, upsert } => {
                let mut options = after();
                (options.sort, options.projection) = (sort, fields);
                options.upsert = upsert.then_some(true);
                modify(&coll, filter, update, options, session, each)
            }
            Request::Remove { filter, sort } => {
                let options = FindOneAndDeleteOptions::builder()
                    .sort(sort)
                    .max_time(limits::STORE_OPERATION_MAX)
                    .build();
                let doing = coll.find_one_and_delete(filter).with_options(options);
                let doing = doing.optional(session, |doing, session| doing.session(session));
                Ok(hand_over(doing.run()?, each))
            }
            Request::Delete { filter, many } => {
                let doing = match many {
                    true => coll.delete_many(filter),
                    false => coll.delete_one(filter),
                };
                let doing = doing.optional(session, |doing, session| doing.session(session));
                doing.run().map(|done| done.deleted_count)
            }
        }
    }
}

fn after() -> FindOneAndUpdateOptions {
    FindOneAndUpdateOptions::builder()
        .return_document(ReturnDocument::After)
        .max_time(limits::STORE_OPERATION_MAX)
        .build()
}

fn find(
    coll: &Raw,
    filter: Document,
    mut options: FindOptions,
    session: InSession,
    each: Each,
) -> Driven<u64> {
    options.max_time.get_or_insert(limits::STORE_OPERATION_MAX);
    let doing = coll.find(filter).with_options(options);
    match session {
        None => hand_on(doing.run()?, each),
        Some(session) => {
            let mut cursor = doing.session(&mut *session).run()?;
            hand_on(std::iter::from_fn(|| cursor.next(&mut *session)), each)
        }
    }
}

fn aggregate(coll: &Raw, stages: Vec<Document>, session: InSession, each: Each) -> Driven<u64> {
    let doing = coll.aggregate(stages).max_time(limits::STORE_OPERATION_MAX);
    let doing = doing.with_type::<RawDocumentBuf>();
    match session {
        None => hand_on(doing.run()?, each),
        Some(session) => {
            let mut cursor = doing.session(&mut *session).run()?;
            hand_on(std::iter::from_fn(|| cursor.next(&mut *session)), each)
        }
    }
}

fn insert(coll: &Raw, documents: Vec<RawDocumentBuf>, session: InSession) -> Driven<u64> {
    let count = documents.len() as u64;
    match <[RawDocumentBuf; 1]>::try_from(documents) {
        Ok([one]) => {
            let doing = coll.insert_one(one);
            doing.optional(session, |doing, session| doing.session(session)).run()?;
        }
        Err(all) => {
            let doing = coll.insert_many(all);
            doing.optional(session, |doing, session| doing.session(session)).run()?;
        }
    }
    Ok(count)
}

fn modify(
    coll: &Raw,
    filter: Document,
    update: UpdateModifications,
    options: FindOneAndUpdateOptions,
    session: InSession,
    each: Each,
) -> Driven<u64> {
    let doing = coll.find_one_and_update(filter, update).with_options(options);
    let doing = doing.optional(session, |doing, session| doing.session(session));
    Ok(hand_over(doing.run()?, each))
}

fn hand_on(mut cursor: impl Iterator<Item = Driven<RawDocumentBuf>>, each: Each) -> Driven<u64> {
    let mut count = 0;
    while let Some(document) = cursor.next().transpose()? {
        count += 1;
        if each(document).is_break() {
            break;
        }
    }
    Ok(count)
}

fn hand_over(document: Option<RawDocumentBuf>, each: Each) -> u64 {
    let count = u64::from(document.is_some());
    if let Some(document) = document {
        let _ = each(document);
    }
    count
}

impl Documents for Driver {
    fn run(&self, at: &At, request: Request, each: Each<'_>) -> Result<u64, StoreError> {
        let writes = request.writes();
        self.answer(at, request, None, each).map_err(|error| match writes {
            true => StoreError::write(at.op, error),
            false => StoreError::read(at.op, error),
        })
    }

    fn session(&self, op: &'static str) -> Result<Box<dyn Session + '_>, StoreError> {
        let started = self.work_client.start_session().run();
        let session = started.map_err(|e| StoreError::read(op, e))?;
        Ok(Box::new(Transactions { driver: self, session }))
    }

    fn primary_changes(&self) -> u64 {
        self.primaries.changes()
    }
}

struct Transactions<'a> {
    driver: &'a Driver,
    session: ClientSession,
}

impl Session for Transactions<'_> {
    fn start(&mut self, op: &'static str) -> Result<(), StoreError> {
        self.session.start_transaction().run().map_err(|e| StoreError::read(op, e))
    }

    fn run(&mut self, at: &At, request: Request, each: Each<'_>) -> Result<u64, Failure> {
        let done = self.driver.answer(at, request, Some(&mut self.session), each);
        done.map_err(|error| failure(at.op, error))
    }

    fn commit(&mut self, op: &'static str) -> Result<(), Failure> {
        self.session.commit_transaction().run().map_err(|error| failure(op, error))
    }

    fn abort(&mut self) {
        // The server ends an abandoned transaction by itself as well.
        let _ = self.session.abort_transaction().run();
    }
}

fn failure(op: &'static str, error: Error) -> Failure {
    let again = if error.contains_label("TransientTransactionError") {
        Again::Transaction
    } else if error.contains_label("UnknownTransactionCommitResult") {
        Again::Commit
    } else {
        Again::Nothing
    };
    Failure { error: StoreError::write(op, error), again }
}
