//! What admission needs of users and addresses, in bulk and by what has changed.

use super::seam::{At, Line, Request};
use super::users::{UserDoc, UserType};
use super::vpn::AddressDoc;
use super::{Store, StoreError, collections};
use crate::base::ids::{OrgId, ServerId, UserId};
use crate::limits;
use mongodb::bson::{Document, Timestamp, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

/// A user without keys and everything else that decides no admission.
#[derive(Clone, Debug, Deserialize)]
pub struct KnownUser {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub org_id: OrgId,
    pub name: String,
    #[serde(rename = "type")]
    pub user_type: UserType,
    #[serde(default)]
    pub groups: Vec<String>,
    pub auth_type: String,
    pub pin: Option<String>,
    pub otp_secret: String,
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub bypass_secondary: bool,
    #[serde(default)]
    pub mac_addresses: Vec<String>,
    #[serde(default)]
    pub cut: i64,
    rev: Timestamp,
}

/// What has become of users since some time.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    pub changed: Vec<KnownUser>,
    pub deleted: Vec<UserId>,
    /// Seconds of the newest change among them, by the database's clock.
    pub newest_s: Option<u32>,
}

fn fields() -> Document {
    let names = [
        "org_id",
        "name",
        "type",
        "groups",
        "auth_type",
        "pin",
        "otp_secret",
        "disabled",
        "bypass_secondary",
        "mac_addresses",
        "cut",
        "rev",
    ];
    names.into_iter().map(|name| (name.to_owned(), 1.into())).collect()
}

impl Store {
    /// Those of these users that there are.
    pub fn users_known(&self, ids: &[UserId]) -> Result<Vec<KnownUser>, StoreError> {
        let options = FindOptions::builder().projection(fields()).build();
        let filter = doc! { "_id": { "$in": ids.to_vec() } };
        self.find_as::<UserDoc, _>("read users", filter, options)
    }

    /// People of an organization by name, a page at a time, after the last one of the page before.
    pub fn users_known_of(
        &self,
        org: OrgId,
        after: Option<&KnownUser>,
    ) -> Result<Vec<KnownUser>, StoreError> {
        let mut filter = doc! { "org_id": org, "type": "client" };
        if let Some(KnownUser { name, id, .. }) = after {
            let later = doc! { "name": { "$gt": name } };
            filter.insert("$or", vec![later, doc! { "name": name, "_id": { "$gt": *id } }]);
        }
        let options = FindOptions::builder()
            .projection(fields())
            .sort(doc! { "name": 1, "_id": 1 })
            .limit(limits::KNOWN_PAGE)
            .build();
        self.find_as::<UserDoc, _>("read users", filter, options)
    }

    /// Users changed or deleted at `since_s` or later, by the database's clock.
    pub fn users_changed(&self, since_s: u32) -> Result<UserChanges, StoreError> {
        #[derive(Deserialize)]
        struct Deleted {
            #[serde(rename = "_id")]
            id: UserId,
            rev: Timestamp,
        }
        const OP: &str = "read what users have changed";
        let since = doc! { "rev": { "$gte": Timestamp { time: since_s, increment: 0 } } };
        let options = FindOptions::builder().projection(fields()).build();
        let changed: Vec<KnownUser> = self.find_as::<UserDoc, _>(OP, since.clone(), options)?;
        let at = At { op: OP, collection: collections::TOMBSTONES, line: Line::Work };
        let gone = Request::Find { filter: since, options: Box::default() };
        let deleted: Vec<Deleted> = self.ask_all(&at, gone)?;
        let changed_s = changed.iter().map(|user| user.rev.time);
        let newest_s = changed_s.chain(deleted.iter().map(|gone| gone.rev.time)).max();
        let deleted = deleted.into_iter().map(|gone| gone.id).collect();
        Ok(UserChanges { changed, deleted, newest_s })
    }

    /// Who has which address on a server, a page at a time, above the last one of the page before.
    pub fn addresses_of(
        &self,
        server: ServerId,
        generation: i64,
        after: i64,
    ) -> Result<Vec<(UserId, i64)>, StoreError> {
        let filter = doc! {
            "server_id": server,
            "generation": generation,
            "address": { "$gt": after },
            "user_id": { "$exists": true },
        };
        let by_address = FindOptions::builder().sort(doc! { "address": 1 });
        let options = by_address.limit(limits::KNOWN_PAGE).build();
        let rows: Vec<AddressDoc> = self.find("read addresses", filter, options)?;
        Ok(rows.into_iter().filter_map(|row| Some((row.user_id?, row.address))).collect())
    }

    /// The address of a user on a server.
    pub fn address_of(
        &self,
        server: ServerId,
        generation: i64,
        user: UserId,
    ) -> Result<Option<i64>, StoreError> {
        let filter = doc! { "server_id": server, "generation": generation, "user_id": user };
        let row = self.find_one::<AddressDoc>("read an address", filter)?;
        Ok(row.map(|row| row.address))
    }

    /// Gives a freed address within `first..=last` to a user. `Duplicate`: it has one by now.
    pub fn address_take_freed(
        &self,
        server: ServerId,
        generation: i64,
        user: UserId,
        (first, last): (i64, i64),
    ) -> Result<Option<i64>, StoreError> {
        let free = doc! {
            "server_id": server,
            "generation": generation,
            "user_id": null,
            "address": { "$gte": first, "$lte": last },
        };
        let theirs = doc! { "$set": { "user_id": user } };
        let lowest = doc! { "address": 1 };
        let row: Option<AddressDoc> = self.modify("take a freed address", free, lowest, theirs)?;
        Ok(row.map(|row| row.address))
    }

    /// Gives a user an address that nobody had yet. `Duplicate`: index `address`, somebody has it;
    /// index `user`, the user has one by now.
    pub fn address_insert(
        &self,
        server: ServerId,
        generation: i64,
        user: UserId,
        address: i64,
    ) -> Result<(), StoreError> {
        let row = AddressDoc {
            id: self.new_id::<()>().bytes().into(),
            server_id: server,
            generation,
            address,
            user_id: Some(user),
        };
        self.insert("take an address", &row)
    }

    /// The highest address handed out in this generation of a server; 0: none. `None`: the server
    /// is gone or has another generation.
    pub fn address_highest(
        &self,
        server: ServerId,
        generation: i64,
    ) -> Result<Option<i64>, StoreError> {
        #[derive(Deserialize)]
        struct High {
            address_high: i64,
        }
        let options = FindOptions::builder().projection(doc! { "address_high": 1 }).build();
        let filter = doc! { "_id": server, "generation": generation };
        let found: Vec<High> = self.find_as::<super::servers::ServerDoc, _>(
            "read a server's highest address",
            filter,
            options,
        )?;
        Ok(found.first().map(|high| high.address_high))
    }

    /// An address at least this high is handed out. A mark that lags is harmless: the index knows.
    pub fn address_raise(
        &self,
        server: ServerId,
        generation: i64,
        address: i64,
    ) -> Result<(), StoreError> {
        let filter = doc! { "_id": server, "generation": generation };
        let update = doc! { "$max": { "address_high": address } };
        let op = "note the highest address";
        self.update::<super::servers::ServerDoc>(op, filter, update).map(drop)
    }
}
