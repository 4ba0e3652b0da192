//! Queries: forwarded only where a route lists them, unknown names dropped.

use super::Reject;
use super::path::{decode, encode};
use super::table::{Input, Output};

/// A route with a query takes no body.
pub const LIMIT: usize = 0;

/// Query of the lists: with a page the answer is an object (contract 1.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub page: Option<u32>,
}

/// Query of the list of users (contract 2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserListing {
    pub page: Option<u32>,
    pub search: Option<String>,
    /// How many matches to show.
    pub limit: Option<u32>,
    /// Sorts by last activity, then by name.
    pub last_active: bool,
}

pub trait Query: Sized {
    /// `value` finds a parameter that is not empty.
    fn read(value: &dyn Fn(&str) -> Option<String>) -> Result<Self, Reject>;
    fn pairs(&self) -> Vec<(&'static str, Option<String>)>;
}

impl Query for Listing {
    fn read(value: &dyn Fn(&str) -> Option<String>) -> Result<Listing, Reject> {
        Ok(Listing { page: number(value("page"))? })
    }

    fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("page", self.page.map(|n| n.to_string()))]
    }
}

impl Query for UserListing {
    fn read(value: &dyn Fn(&str) -> Option<String>) -> Result<UserListing, Reject> {
        Ok(UserListing {
            page: number(value("page"))?,
            search: value("search"),
            limit: number(value("limit"))?,
            last_active: value("last_active").as_deref() == Some("true"),
        })
    }

    fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("page", self.page.map(|n| n.to_string())),
            ("search", self.search.clone()),
            ("limit", self.limit.map(|n| n.to_string())),
            ("last_active", self.last_active.then(|| "true".to_owned())),
        ]
    }
}

fn number(text: Option<String>) -> Result<Option<u32>, Reject> {
    text.map(|text| text.parse()).transpose().map_err(|_| Reject::Malformed)
}

pub fn read<T: Query>(input: &Input<'_>) -> Result<T, Reject> {
    let unplus = |text: &str| decode(&text.replace('+', " "));
    let value = |wanted: &str| {
        let pairs = input.query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(name, _)| unplus(name) == wanted);
        values.next().map(|(_, value)| unplus(value)).filter(|value| !value.is_empty())
    };
    T::read(&value)
}

pub fn write(query: &impl Query, output: &mut Output) {
    let pair = |(name, value): (_, Option<String>)| Some(format!("{name}={}", encode(&value?)));
    let pairs: Vec<String> = query.pairs().into_iter().filter_map(pair).collect();
    output.query = pairs.join("&");
}
