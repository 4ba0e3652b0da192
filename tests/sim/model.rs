//! A model of the database at the level of documents: versions, snapshots, conflicts, and as much
//! of the server's language as the store uses. What it does not know it names in a panic.

mod change;
mod expression;
mod query;
mod value;

pub use expression::Env;
pub use value::key;

use mongodb::bson::{Bson, Document, RawDocumentBuf};
use mongodb::options::UpdateModifications;
use std::collections::BTreeMap;
use std::sync::Arc;
use warren::store::seam::Request;

/// A document, or that there is none any more, and the write that made it so.
#[derive(Clone)]
struct Row {
    document: Option<Arc<Document>>,
    seq: u64,
}

/// Everything stored at one moment. Cloning one is cheap: it is a snapshot.
#[derive(Clone, Default)]
pub struct Data {
    collections: BTreeMap<&'static str, Arc<BTreeMap<Vec<u8>, Row>>>,
    /// The newest write in it.
    pub seq: u64,
}

/// What a write did to one document.
#[derive(Clone, Debug)]
pub struct Changed {
    pub collection: &'static str,
    pub key: Vec<u8>,
    pub before: Option<Arc<Document>>,
    pub after: Option<Arc<Document>>,
}

#[derive(Default)]
pub struct Answer {
    pub count: u64,
    pub documents: Vec<Document>,
    pub changes: Vec<Changed>,
}

/// Nothing was done because of a unique index, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate(pub &'static str);

/// Unique fields beside `_id`.
const UNIQUE: &[(&str, &str)] = &[("administrators", "username")];

impl Data {
    pub fn all(&self, collection: &str) -> impl Iterator<Item = &Document> {
        let rows = self.collections.get(collection).into_iter();
        rows.flat_map(|rows| rows.values().filter_map(|row| row.document.as_deref()))
    }

    pub fn get(&self, collection: &str, key: &[u8]) -> Option<Arc<Document>> {
        self.row(collection, key)?.document.clone()
    }

    fn row(&self, collection: &str, key: &[u8]) -> Option<&Row> {
        self.collections.get(collection)?.get(key)
    }

    /// Which write was the last one there.
    pub fn written(&self, collection: &str, key: &[u8]) -> Option<u64> {
        self.row(collection, key).map(|row| row.seq)
    }

    /// Puts changes in, as write `seq`.
    pub fn put(&mut self, changes: &[Changed], seq: u64) {
        self.seq = seq;
        for change in changes {
            let rows = self.collections.entry(change.collection).or_default();
            let rows = Arc::make_mut(rows);
            rows.insert(change.key.clone(), Row { document: change.after.clone(), seq });
        }
    }

    /// What a request finds, or would change; `put` then does it.
    pub fn answer(
        &self,
        collection: &'static str,
        request: &Request,
        env: &Env,
        fresh: [u8; 12],
    ) -> Result<Answer, Duplicate> {
        let look = Look { data: self, collection, env, fresh };
        match request {
            Request::Find { filter, options } => Ok(look.find(filter, options)),
            Request::Count { filter } => {
                Ok(Answer { count: look.matching(filter).len() as u64, ..Answer::default() })
            }
            Request::Aggregate { stages } => {
                let all = self.all(collection).cloned().collect();
                Ok(found(change::aggregate(all, stages, env)))
            }
            Request::Insert { documents } => look.insert(documents),
            Request::Update { filter, update, upsert, many } => {
                look.update(filter, update, None, *upsert, if *many { usize::MAX } else { 1 })
            }
            Request::Modify { filter, update, sort, fields, upsert } => {
                let mut answer = look.update(filter, update, sort.as_ref(), *upsert, 1)?;
                for document in &mut answer.documents {
                    *document = query::project(document, fields.as_ref());
                }
                Ok(answer)
            }
            Request::Remove { filter, sort } => {
                let mut answer = look.delete(filter, Some(sort), 1);
                let gone = answer.changes.iter().flat_map(|change| &change.before);
                answer.documents = gone.map(|document| (**document).clone()).collect();
                Ok(answer)
            }
            Request::Delete { filter, many } => {
                Ok(look.delete(filter, None, if *many { usize::MAX } else { 1 }))
            }
        }
    }
}

fn found(documents: Vec<Document>) -> Answer {
    Answer { count: documents.len() as u64, documents, changes: Vec::new() }
}

struct Look<'a> {
    data: &'a Data,
    collection: &'static str,
    env: &'a Env,
    fresh: [u8; 12],
}

impl Look<'_> {
    fn matching(&self, filter: &Document) -> Vec<&Document> {
        // Most filters name one document.
        if let Some(id) = filter.get("_id").filter(|id| !matches!(id, Bson::Document(_))) {
            let row = self.data.row(self.collection, &key(id));
            let document = row.and_then(|row| row.document.as_deref());
            return document.filter(|d| query::matches(filter, d, self.env)).into_iter().collect();
        }
        let all = self.data.all(self.collection);
        all.filter(|document| query::matches(filter, document, self.env)).collect()
    }

    fn sorted(&self, filter: &Document, sort: Option<&Document>) -> Vec<&Document> {
        let mut matching = self.matching(filter);
        if let Some(sort) = sort {
            query::sort(&mut matching, sort);
        }
        matching
    }

    fn find(&self, filter: &Document, options: &mongodb::options::FindOptions) -> Answer {
        let matching = self.sorted(filter, options.sort.as_ref());
        let skip = usize::try_from(options.skip.unwrap_or(0)).expect("few");
        let most = match options.limit.unwrap_or(0).unsigned_abs() {
            0 => usize::MAX,
            most => usize::try_from(most).expect("few"),
        };
        let matching = matching.into_iter().skip(skip).take(most);
        found(matching.map(|d| query::project(d, options.projection.as_ref())).collect())
    }

    fn change(&self, before: Option<&Document>, after: Option<Document>) -> Changed {
        let named = after.as_ref().or(before).and_then(|document| document.get("_id"));
        let key = key(named.expect("every document has an id"));
        let before = before.and_then(|_| self.data.get(self.collection, &key));
        Changed { collection: self.collection, key, before, after: after.map(Arc::new) }
    }

    fn insert(&self, documents: &[RawDocumentBuf]) -> Result<Answer, Duplicate> {
        let mut answer = Answer { count: documents.len() as u64, ..Answer::default() };
        for raw in documents {
            let document = Document::try_from(raw).expect("a whole document");
            answer.changes.push(self.added(document)?);
        }
        Ok(answer)
    }

    fn added(&self, document: Document) -> Result<Changed, Duplicate> {
        let change = self.change(None, Some(document.clone()));
        if self.data.get(self.collection, &change.key).is_some() {
            return Err(Duplicate("_id_"));
        }
        let mut unique = UNIQUE.iter().filter(|(collection, _)| *collection == self.collection);
        match unique.find(|(_, field)| {
            self.data.all(self.collection).any(|other| other.get(field) == document.get(field))
        }) {
            Some((_, field)) => Err(Duplicate(field)),
            None => Ok(change),
        }
    }

    fn update(
        &self,
        filter: &Document,
        update: &UpdateModifications,
        sort: Option<&Document>,
        upsert: bool,
        most: usize,
    ) -> Result<Answer, Duplicate> {
        let mut answer = Answer::default();
        for before in self.sorted(filter, sort).into_iter().take(most) {
            let update = change::positioned(update, filter, before);
            let after = change::apply(before, &update, false, self.env);
            answer.count += 1;
            // The server writes nothing where nothing changes.
            if after != *before {
                answer.changes.push(self.change(Some(before), Some(after.clone())));
            }
            answer.documents.push(after);
        }
        if answer.count == 0 && upsert {
            let seed = change::seed(filter, self.fresh);
            let new = change::apply(&seed, update, true, self.env);
            answer.changes.push(self.added(new.clone())?);
            answer.documents.push(new);
        }
        Ok(answer)
    }

    fn delete(&self, filter: &Document, sort: Option<&Document>, most: usize) -> Answer {
        let matching = self.sorted(filter, sort);
        let changes: Vec<Changed> =
            matching.into_iter().take(most).map(|gone| self.change(Some(gone), None)).collect();
        Answer { count: changes.len() as u64, documents: Vec::new(), changes }
    }
}
