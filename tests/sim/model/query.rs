//! Filters, sorting and projections of `find`.

use super::expression::{Env, evaluate};
use super::value::{at, compare, is_true, rank, reach, whole};
use mongodb::bson::{Bson, Document};
use std::cmp::Ordering;

pub fn matches(filter: &Document, document: &Document, env: &Env) -> bool {
    filter.iter().all(|(key, wanted)| match key.as_str() {
        "$or" => clauses(wanted).any(|clause| matches(clause, document, env)),
        "$and" => clauses(wanted).all(|clause| matches(clause, document, env)),
        "$expr" => is_true(evaluate(wanted, document, env).as_ref()),
        key if key.starts_with('$') => panic!("the model knows no filter {key}"),
        path => match reach(document, path).as_slice() {
            [] => holds(wanted, None),
            // One of them is enough; tests that deny are asked of single values only.
            values => values.iter().any(|value| holds(wanted, Some(value))),
        },
    })
}

fn clauses(list: &Bson) -> impl Iterator<Item = &Document> {
    let list = list.as_array().expect("a list of clauses");
    list.iter().map(|clause| clause.as_document().expect("a clause"))
}

fn holds(wanted: &Bson, value: Option<&Bson>) -> bool {
    match wanted {
        Bson::Document(tests) if tests.keys().any(|key| key.starts_with('$')) => {
            tests.iter().all(|(test, operand)| passes(test, operand, value))
        }
        plain => equals(plain, value),
    }
}

/// A list matches by one of its elements, too; what is missing counts as null.
fn equals(wanted: &Bson, value: Option<&Bson>) -> bool {
    let same = |value: &Bson| compare(wanted, value) == Ordering::Equal;
    match value {
        None => *wanted == Bson::Null,
        Some(Bson::Array(items)) => items.iter().any(same) || value.is_some_and(same),
        Some(value) => same(value),
    }
}

fn passes(test: &str, operand: &Bson, value: Option<&Bson>) -> bool {
    let ordered = |fits: fn(Ordering) -> bool| {
        let value = value.unwrap_or(&Bson::Null);
        rank(value) == rank(operand) && fits(compare(value, operand))
    };
    match test {
        "$eq" => equals(operand, value),
        "$ne" => !equals(operand, value),
        "$in" => operand.as_array().expect("a list").iter().any(|one| equals(one, value)),
        "$exists" => value.is_some() == is_true(Some(operand)),
        "$gt" => ordered(Ordering::is_gt),
        "$gte" => ordered(Ordering::is_ge),
        "$lt" => ordered(Ordering::is_lt),
        "$lte" => ordered(Ordering::is_le),
        "$size" => match value {
            Some(Bson::Array(items)) => Some(items.len() as i64) == whole(operand),
            _ => false,
        },
        "$elemMatch" => value.is_some_and(|value| position(operand, value).is_some()),
        other => panic!("the model knows no test {other}"),
    }
}

/// Which element of a list is the first to have all that `wanted` says.
pub fn position(wanted: &Bson, list: &Bson) -> Option<usize> {
    let wanted = wanted.as_document().expect("what an element has");
    let fits =
        |item: &Bson| item.as_document().is_some_and(|item| matches(wanted, item, &Env::default()));
    list.as_array()?.iter().position(fits)
}

/// By the fields of `sort`, each up (1) or down (-1).
pub fn sort<D: std::borrow::Borrow<Document>>(documents: &mut [D], sort: &Document) {
    documents.sort_by(|a, b| {
        sort.iter().fold(Ordering::Equal, |order, (path, direction)| {
            order.then_with(|| {
                let of = |d: &D| at((*d).borrow(), path).cloned().unwrap_or(Bson::Null);
                let (a, b) = (of(a), of(b));
                let up = rank(&a).cmp(&rank(&b)).then_with(|| compare(&a, &b));
                if *direction == Bson::Int32(1) { up } else { up.reverse() }
            })
        })
    });
}

/// Fields to keep, or to leave out.
pub fn project(document: &Document, fields: Option<&Document>) -> Document {
    let Some(fields) = fields.filter(|fields| !fields.is_empty()) else { return document.clone() };
    let keeps = |value: &Bson| is_true(Some(value));
    let named = |key: &str| fields.get(key);
    let inclusive = fields.iter().any(|(key, value)| key != "_id" && keeps(value))
        || (fields.len() == 1 && named("_id").is_some_and(keeps));
    let stays = |key: &str| match named(key) {
        Some(value) => keeps(value),
        None => key == "_id" || !inclusive,
    };
    let kept = document.iter().filter(|(key, _)| stays(key));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}
