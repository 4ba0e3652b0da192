//! Updates, classic and as pipelines, and the stages of aggregations.

use super::expression::{Env, evaluate};
use super::query::{matches, position, project, sort};
use super::value::{add, at, compare, whole};
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::options::UpdateModifications;
use std::cmp::Ordering;

pub fn apply(
    document: &Document,
    update: &UpdateModifications,
    is_new: bool,
    env: &Env,
) -> Document {
    match update {
        UpdateModifications::Document(update) => classic(document.clone(), update, is_new, env),
        UpdateModifications::Pipeline(stages) => {
            stages.iter().fold(document.clone(), |document, stage| {
                let (name, body) = only(stage);
                match name {
                    "$set" => set(&document, body, env),
                    "$replaceWith" => match evaluate(body, &document, env) {
                        Some(Bson::Document(new)) => new,
                        other => panic!("{other:?} is no document"),
                    },
                    other => panic!("the model knows no stage {other} in updates"),
                }
            })
        }
        other => panic!("the model knows no update {other:?}"),
    }
}

/// What an upsert that matched nothing begins with.
pub fn seed(filter: &Document, fresh: [u8; 12]) -> Document {
    let plain = |value: &Bson| match value {
        Bson::Document(inner) => !inner.keys().any(|key| key.starts_with('$')),
        _ => true,
    };
    let fields = filter.iter().filter(|(key, value)| !key.starts_with('$') && plain(value));
    let mut document: Document = fields.map(|(k, v)| (k.clone(), v.clone())).collect();
    if !document.contains_key("_id") {
        document.insert("_id", ObjectId::from_bytes(fresh));
    }
    document
}

fn only(stage: &Document) -> (&str, &Bson) {
    let (name, body) = stage.iter().next().expect("a stage");
    (name, body)
}

/// All expressions see the document as it was.
fn set(document: &Document, body: &Bson, env: &Env) -> Document {
    let mut after = document.clone();
    for (key, expression) in body.as_document().expect("fields to set") {
        assert!(!key.contains('.'), "the model sets no inner fields in pipelines: {key}");
        match evaluate(expression, document, env) {
            Some(value) => {
                after.insert(key, value);
            }
            None => {
                after.remove(key);
            }
        }
    }
    after
}

fn classic(mut document: Document, update: &Document, is_new: bool, env: &Env) -> Document {
    for (name, body) in update {
        for (path, operand) in body.as_document().expect("fields to change") {
            if name == "$set"
                && let Some((list, rest)) = path.split_once('.')
            {
                inner(&mut document, list, rest, operand);
                continue;
            }
            assert!(!path.contains('.'), "the model changes no inner fields: {path}");
            let before = document.get(path).cloned();
            match name.as_str() {
                "$setOnInsert" if !is_new => continue,
                "$set" | "$setOnInsert" => document.insert(path, operand.clone()),
                "$unset" => document.remove(path),
                "$inc" => {
                    let sum =
                        before.map_or_else(|| operand.clone(), |before| add(&before, operand));
                    document.insert(path, sum)
                }
                "$max" => {
                    let larger = before.filter(|b| compare(b, operand) != Ordering::Less);
                    document.insert(path, larger.unwrap_or_else(|| operand.clone()))
                }
                "$pull" => {
                    let mut items = list(before);
                    items.retain(|item| !is_pulled(operand, item, env));
                    document.insert(path, items)
                }
                "$addToSet" => {
                    let mut items = list(before);
                    if !items.contains(operand) {
                        items.push(operand.clone());
                    }
                    document.insert(path, items)
                }
                "$currentDate" => match operand {
                    Bson::Document(_) => document.insert(path, env.stamp()),
                    _ => document.insert(path, env.now()),
                },
                other => panic!("the model knows no update {other}"),
            };
        }
    }
    document
}

fn list(value: Option<Bson>) -> Vec<Bson> {
    value.map_or_else(Vec::new, |value| value.as_array().expect("a list").clone())
}

fn is_pulled(operand: &Bson, item: &Bson, env: &Env) -> bool {
    match (operand, item) {
        (Bson::Document(wanted), Bson::Document(item)) => matches(wanted, item, env),
        (Bson::Document(wanted), plain) => {
            matches(&doc! { "item": wanted.clone() }, &doc! { "item": plain.clone() }, env)
        }
        (plain, item) => plain == item,
    }
}

/// `<list>.<number>.<field>`
fn inner(document: &mut Document, list: &str, rest: &str, value: &Bson) {
    let (number, field) = rest.split_once('.').expect("a field of an element");
    let number: usize = number.parse().expect("the number of an element");
    let items = document.get_array_mut(list).expect("a list");
    let item = items[number].as_document_mut().expect("a document in it");
    item.insert(field, value.clone());
}

/// With the number in the place of `$`: the first element that the filter found.
pub fn positioned(
    update: &UpdateModifications,
    filter: &Document,
    document: &Document,
) -> UpdateModifications {
    let UpdateModifications::Document(operators) = update else { return update.clone() };
    let Ok(set) = operators.get_document("$set") else { return update.clone() };
    let named = |path: &String| match path.split_once(".$.") {
        None => path.clone(),
        Some((list, field)) => {
            let wanted = filter.get_document(list).ok().and_then(|test| test.get("$elemMatch"));
            let items = document.get(list).expect("a list");
            let number = wanted.and_then(|wanted| position(wanted, items));
            format!("{list}.{}.{field}", number.expect("the filter found an element"))
        }
    };
    let set: Document = set.iter().map(|(path, value)| (named(path), value.clone())).collect();
    let mut operators = operators.clone();
    operators.insert("$set", set);
    operators.into()
}

pub fn aggregate(documents: Vec<Document>, stages: &[Document], env: &Env) -> Vec<Document> {
    stages.iter().fold(documents, |mut documents, stage| {
        let (name, body) = only(stage);
        let fields = || body.as_document().expect("fields");
        match name {
            "$match" => documents.retain(|document| matches(fields(), document, env)),
            "$sort" => sort(&mut documents, fields()),
            "$limit" => {
                let most = whole(body).expect("a number");
                documents.truncate(usize::try_from(most).expect("a number"));
            }
            "$set" => documents = documents.iter().map(|d| set(d, body, env)).collect(),
            "$project" => documents = documents.iter().map(|d| shape(d, fields(), env)).collect(),
            "$group" => documents = group(documents, fields(), env),
            "$unwind" => documents = unwind(documents, body.as_str().expect("a path")),
            other => panic!("the model knows no stage {other}"),
        }
        documents
    })
}

/// Kept fields and computed ones.
fn shape(document: &Document, fields: &Document, env: &Env) -> Document {
    let plain = |value: &Bson| matches!(value, Bson::Int32(_) | Bson::Boolean(_));
    let kept: Document = fields.clone().into_iter().filter(|(_, value)| plain(value)).collect();
    let kept = if kept.is_empty() {
        doc! { "_id": 1 }
    } else {
        kept
    };
    let mut shaped = project(document, Some(&kept));
    for (key, expression) in fields.iter().filter(|(_, value)| !plain(value)) {
        if let Some(value) = evaluate(expression, document, env) {
            shaped.insert(key, value);
        }
    }
    shaped
}

fn group(documents: Vec<Document>, fields: &Document, env: &Env) -> Vec<Document> {
    let by = fields.get("_id").expect("what to group by");
    let counted: Vec<&String> = fields.keys().filter(|name| *name != "_id").collect();
    for name in &counted {
        let one = Bson::Document(doc! { "$sum": 1_i64 });
        assert_eq!(fields.get(name), Some(&one), "beside `_id` the model only counts");
    }
    let mut groups: Vec<(Bson, i64)> = Vec::new();
    for document in &documents {
        let value = evaluate(by, document, env).unwrap_or(Bson::Null);
        match groups.iter_mut().find(|(id, _)| *id == value) {
            Some((_, count)) => *count += 1,
            None => groups.push((value, 1)),
        }
    }
    let group = |(id, count): (Bson, i64)| {
        let counts = counted.iter().map(|name| ((*name).clone(), Bson::Int64(count)));
        [("_id".to_owned(), id)].into_iter().chain(counts).collect()
    };
    groups.into_iter().map(group).collect()
}

fn unwind(documents: Vec<Document>, path: &str) -> Vec<Document> {
    let name = path.trim_start_matches('$');
    let mut all = Vec::new();
    for document in documents {
        let items = at(&document, name).and_then(Bson::as_array).cloned().unwrap_or_default();
        all.extend(items.into_iter().map(|item| {
            let mut one = document.clone();
            one.insert(name, item);
            one
        }));
    }
    all
}
