//! Expressions, as pipelines and `$expr` have them.

use super::value::{add, at, compare, compare_present, is_true, number, subtract, whole};
use mongodb::bson::{Bson, DateTime, Document, Timestamp};
use std::cmp::Ordering;

/// What an expression sees beside its document.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// The server's time.
    pub now_ms: i64,
    pub cluster: u32,
    pub this: Option<Bson>,
}

impl Env {
    pub fn now(&self) -> Bson {
        Bson::DateTime(DateTime::from_millis(self.now_ms))
    }

    pub fn stamp(&self) -> Bson {
        let time = u32::try_from(self.now_ms / 1000).expect("a time of these days");
        Bson::Timestamp(Timestamp { time, increment: self.cluster })
    }
}

/// `None`: there is no such field.
pub fn evaluate(expression: &Bson, root: &Document, env: &Env) -> Option<Bson> {
    match expression {
        Bson::String(text) if text.starts_with("$$") => variable(text, env),
        Bson::String(text) if text.starts_with('$') => at(root, &text[1..]).cloned(),
        Bson::Document(parts) => match parts.iter().next() {
            Some((name, operand)) if name.starts_with('$') => operator(name, operand, root, env),
            _ => Some(Bson::Document(fields(parts, root, env))),
        },
        Bson::Array(items) => {
            let values = items.iter().map(|item| evaluate(item, root, env).unwrap_or(Bson::Null));
            Some(Bson::Array(values.collect()))
        }
        plain => Some(plain.clone()),
    }
}

fn fields(parts: &Document, root: &Document, env: &Env) -> Document {
    let values = parts.iter().map(|(key, part)| Some((key.clone(), evaluate(part, root, env)?)));
    values.flatten().collect()
}

fn variable(text: &str, env: &Env) -> Option<Bson> {
    let (name, path) = match text.split_once('.') {
        Some((name, path)) => (name, Some(path)),
        None => (text, None),
    };
    match (name, path) {
        ("$$NOW", None) => Some(env.now()),
        ("$$CLUSTER_TIME", None) => Some(env.stamp()),
        ("$$REMOVE", None) => None,
        ("$$this", None) => env.this.clone(),
        ("$$this", Some(path)) => at(env.this.as_ref()?.as_document()?, path).cloned(),
        _ => panic!("the model knows no variable {text}"),
    }
}

fn operator(name: &str, operand: &Bson, root: &Document, env: &Env) -> Option<Bson> {
    let one = |expression: &Bson| evaluate(expression, root, env);
    let two = || {
        let pair = operand.as_array().filter(|list| list.len() == 2);
        let pair = pair.unwrap_or_else(|| panic!("{name} with other than two operands"));
        (one(&pair[0]), one(&pair[1]))
    };
    let ordered = |fits: fn(Ordering) -> bool| {
        let (a, b) = two();
        Some(Bson::Boolean(fits(compare_present(a.as_ref(), b.as_ref()))))
    };
    let all = || operand.as_array().expect("operands").iter();
    let null = |value: Option<Bson>| value.unwrap_or(Bson::Null);
    Some(match name {
        "$literal" => operand.clone(),
        "$eq" => return ordered(Ordering::is_eq),
        "$ne" => return ordered(Ordering::is_ne),
        "$gt" => return ordered(Ordering::is_gt),
        "$gte" => return ordered(Ordering::is_ge),
        "$lt" => return ordered(Ordering::is_lt),
        "$lte" => return ordered(Ordering::is_le),
        "$and" => Bson::Boolean(all().all(|part| is_true(one(part).as_ref()))),
        "$or" => Bson::Boolean(all().any(|part| is_true(one(part).as_ref()))),
        "$add" => all().map(|part| null(one(part))).reduce(|a, b| add(&a, &b))?,
        "$subtract" => {
            let (a, b) = two();
            subtract(&null(a), &null(b))
        }
        "$cond" => {
            let parts = operand.as_array().expect("three operands");
            let branch = if is_true(one(&parts[0]).as_ref()) { 1 } else { 2 };
            return one(&parts[branch]);
        }
        "$ifNull" => {
            let (value, other) = two();
            return value.filter(|value| *value != Bson::Null).or(other);
        }
        "$mergeObjects" => {
            let mut merged = Document::new();
            for part in all() {
                match one(part) {
                    Some(Bson::Document(more)) => merged.extend(more),
                    None | Some(Bson::Null) => {}
                    other => panic!("{other:?} merged with documents"),
                }
            }
            Bson::Document(merged)
        }
        "$concatArrays" => {
            let parts: Option<Vec<_>> = all().map(|part| list(one(part))).collect();
            parts.map_or(Bson::Null, |parts| Bson::Array(parts.concat()))
        }
        "$sum" => sum(one(operand)),
        "$size" => list(one(operand)).map(|items| Bson::Int32(items.len() as i32))?,
        "$divide" => {
            let (a, b) = two();
            divide(a.as_ref(), b.as_ref())
        }
        "$toDouble" => one(operand).as_ref().and_then(double).map_or(Bson::Null, Bson::Double),
        "$not" => Bson::Boolean(!all().any(|part| is_true(one(part).as_ref()))),
        "$in" => {
            let (item, items) = two();
            is_in(&null(item), &list(items).expect("a list to look in"))
        }
        "$toLong" => Bson::Int64(whole(&one(operand)?).expect("a whole number")),
        "$map" | "$filter" => return each(name, operand.as_document()?, root, env),
        "$dateTrunc" => minute(operand.as_document()?, root, env),
        other => panic!("the model knows no operator {other}"),
    })
}

fn divide(a: Option<&Bson>, b: Option<&Bson>) -> Bson {
    let pair = a.and_then(double).zip(b.and_then(double));
    pair.map_or(Bson::Null, |(a, b)| Bson::Double(a / b))
}

fn is_in(item: &Bson, items: &[Bson]) -> Bson {
    Bson::Boolean(items.iter().any(|one| compare(one, item).is_eq()))
}

/// `None` of null.
fn double(value: &Bson) -> Option<f64> {
    let number = number(value);
    assert!(number.is_some() || *value == Bson::Null, "{value:?} is no number");
    number
}

fn list(value: Option<Bson>) -> Option<Vec<Bson>> {
    match value? {
        Bson::Array(items) => Some(items),
        _ => None,
    }
}

/// What is no number does not count.
fn sum(value: Option<Bson>) -> Bson {
    let items = match value {
        Some(Bson::Array(items)) => items,
        other => other.into_iter().collect(),
    };
    let numbers = items.iter().filter(|item| whole(item).is_some());
    numbers.fold(Bson::Int32(0), |sum, item| add(&sum, item))
}

fn each(name: &str, operand: &Document, root: &Document, env: &Env) -> Option<Bson> {
    let Some(items) = list(evaluate(operand.get("input")?, root, env)) else {
        return Some(Bson::Null);
    };
    let inside = |item: &Bson| Env { this: Some(item.clone()), ..env.clone() };
    Some(Bson::Array(match name {
        "$map" => {
            let body = operand.get("in")?;
            let one = |item: &Bson| evaluate(body, root, &inside(item)).unwrap_or(Bson::Null);
            items.iter().map(one).collect()
        }
        _ => {
            let test = operand.get("cond")?;
            let fits = |item: &Bson| is_true(evaluate(test, root, &inside(item)).as_ref());
            items.into_iter().filter(fits).collect()
        }
    }))
}

fn minute(operand: &Document, root: &Document, env: &Env) -> Bson {
    assert_eq!(operand.get_str("unit").ok(), Some("minute"), "the model truncates to minutes only");
    match operand.get("date").and_then(|date| evaluate(date, root, env)) {
        Some(Bson::DateTime(date)) => {
            let ms = date.timestamp_millis();
            Bson::DateTime(DateTime::from_millis(ms - ms.rem_euclid(60_000)))
        }
        other => panic!("{other:?} is no date"),
    }
}
