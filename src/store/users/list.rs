//! Lists of users: all, a page, or those that match a search.

use super::{UserDoc, UserSummary, UserType, without_keys};
use crate::base::ids::{OrgId, UserId};
use crate::store::organizations::{self, OrgDoc};
use crate::store::{Store, StoreError};
use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

/// Users of a batch of the driver: 10 000 users are a few round trips.
const BATCH: u32 = 4000;

/// What a list of users is narrowed by (contract 2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSearch {
    /// Case-insensitive substring of the name.
    pub name: Option<String>,
    pub id: Option<UserId>,
    pub user_type: Option<String>,
    pub group: Option<String>,
    pub email: Option<String>,
    pub presence: Option<Presence>,
}

/// Connected or not: those who are, and whether these or the others are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub online: bool,
    pub connected: Vec<UserId>,
}

fn summaries(skip: u64, limit: i64, sort: Document) -> FindOptions {
    let options = FindOptions::builder().sort(sort).skip(skip).limit(limit).batch_size(BATCH);
    options.projection(without_keys()).build()
}

fn by_name() -> Document {
    doc! { "name": 1, "_id": 1 }
}

fn order(last_active_first: bool) -> Document {
    match last_active_first {
        true => doc! { "last_active": -1, "name": 1 },
        false => by_name(),
    }
}

fn people(org: OrgId) -> Document {
    of_type(org, UserType::Client.as_str())
}

fn of_type(org: OrgId, user_type: &str) -> Document {
    doc! { "org_id": org, "type": user_type }
}

/// Text as a literal inside a regular expression of the server.
fn literal(text: &str) -> String {
    text.chars()
        .flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c]))
        .collect()
}

impl UserSearch {
    fn filter(&self, org: OrgId) -> Document {
        let client = UserType::Client.as_str();
        let mut filter = of_type(org, self.user_type.as_deref().unwrap_or(client));
        let contains = |text: &str| doc! { "$regex": literal(text), "$options": "i" };
        if let Some(name) = &self.name {
            filter.insert("name", contains(name));
        }
        if let Some(group) = &self.group {
            filter.insert("groups", group);
        }
        if let Some(email) = &self.email {
            filter.insert("email", contains(email));
        }
        let mut ids = Document::new();
        if let Some(id) = self.id {
            ids.insert("$eq", id);
        }
        if let Some(Presence { online, connected }) = &self.presence {
            ids.insert(if *online { "$in" } else { "$nin" }, connected.clone());
        }
        if !ids.is_empty() {
            filter.insert("_id", ids);
        }
        filter
    }
}

impl Store {
    /// Some people of an organization by name, or last active first.
    pub fn users(
        &self,
        org: OrgId,
        last_active_first: bool,
        skip: u64,
        limit: i64,
    ) -> Result<Vec<UserSummary>, StoreError> {
        let options = summaries(skip, limit, order(last_active_first));
        self.find_as::<UserDoc, _>("list users", people(org), options)
    }

    /// All of them, one by one.
    pub fn users_each(
        &self,
        org: OrgId,
        last_active_first: bool,
        each: impl FnMut(UserSummary),
    ) -> Result<(), StoreError> {
        let options = summaries(0, 0, order(last_active_first));
        self.find_each::<UserDoc, _>("list users", people(org), options, each)
    }

    pub fn server_users(&self, org: OrgId) -> Result<Vec<UserSummary>, StoreError> {
        let filter = of_type(org, UserType::Server.as_str());
        self.find_as::<UserDoc, _>("list server users", filter, summaries(0, 0, by_name()))
    }

    /// Up to `limit` matches by name, and how many there are in all.
    pub fn users_search(
        &self,
        org: OrgId,
        search: &UserSearch,
        limit: i64,
    ) -> Result<(Vec<UserSummary>, u64), StoreError> {
        let filter = search.filter(org);
        let count = self.count::<UserDoc>("count users", filter.clone())?;
        let options = summaries(0, limit, by_name());
        Ok((self.find_as::<UserDoc, _>("search users", filter, options)?, count))
    }

    /// All people of all organizations.
    pub fn user_count(&self) -> Result<u64, StoreError> {
        #[derive(Deserialize)]
        struct Total {
            n: i64,
        }
        let stages = vec![
            doc! { "$match": organizations::living() },
            doc! { "$group": { "_id": null, "n": { "$sum": { "$toLong": "$user_count" } } } },
        ];
        let total = self.aggregate::<OrgDoc, Total>("count users", stages)?;
        Ok(total.first().map_or(0, |total| u64::try_from(total.n).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_literal() {
        assert_eq!(literal("a.b*é"), "a\\.b\\*é");
    }

    #[test]
    fn a_search_is_of_people_unless_it_says_otherwise() {
        let org = OrgId::from_bytes([1; 12]);
        assert_eq!(UserSearch::default().filter(org), doc! { "org_id": org, "type": "client" });
        let id = UserId::from_bytes([2; 12]);
        let online = Presence { online: true, connected: vec![id] };
        let search = UserSearch {
            id: Some(id),
            user_type: Some("server".to_owned()),
            presence: Some(online),
            ..UserSearch::default()
        };
        let ids = doc! { "$eq": id, "$in": [id] };
        assert_eq!(search.filter(org), doc! { "org_id": org, "type": "server", "_id": ids });
    }
}
