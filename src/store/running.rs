//! What administrators see and change of running servers: their output, their clients, and what
//! goes with a server that is deleted.

use super::ops::{Tx, touch};
use super::seam::{At, Line, Request};
use super::servers::ServerDoc;
use super::users::UserDoc;
use super::vpn::{AddressDoc, ClientDoc, OutputDoc};
use super::{Store, StoreError, collections};
use crate::base::ids::{ClientId, OrgId, ServerId, UserId};
use crate::limits;
use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::ops::ControlFlow;

impl Store {
    /// The newest [`limits::OUTPUT_LINES_MAX`] lines, oldest first, each with the time when it was
    /// written down, in seconds.
    pub fn output(&self, server: ServerId) -> Result<Vec<(String, i64)>, StoreError> {
        let op = "read a server's output";
        let at = At { op, collection: collections::OUTPUT, line: Line::Work };
        let options = FindOptions::builder().sort(doc! { "_id": -1 }).build().into();
        let newest_first = Request::Find { filter: doc! { "server_id": server }, options };
        let mut chunks = Vec::<OutputDoc>::new();
        let mut count = 0;
        let mut read = Ok(());
        self.ask_while(&at, newest_first, |chunk: Result<OutputDoc, _>| {
            match chunk {
                Ok(chunk) => {
                    count += chunk.lines.len();
                    chunks.push(chunk);
                }
                Err(error) => read = Err(error),
            }
            match read.is_err() || count >= limits::OUTPUT_LINES_MAX {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        read?;
        // Ids of different hosts are in order to the second only.
        chunks.reverse();
        chunks.sort_by_key(|chunk| chunk.at);
        let lines = chunks.into_iter().flat_map(|chunk| {
            let at_s = chunk.at.timestamp_millis().div_euclid(1000);
            chunk.lines.into_iter().map(move |line| (line, at_s))
        });
        Ok(lines.skip(count.saturating_sub(limits::OUTPUT_LINES_MAX)).collect())
    }

    pub fn output_clear(&self, server: ServerId) -> Result<(), StoreError> {
        let theirs = doc! { "server_id": server };
        self.delete_all::<OutputDoc>("clear a server's output", theirs).map(drop)
    }

    /// By name; at most [`limits::CLIENTS_SHOWN_MAX`].
    pub fn clients(&self, server: ServerId) -> Result<Vec<ClientDoc>, StoreError> {
        let options = FindOptions::builder()
            .sort(doc! { "user_name": 1, "_id": 1 })
            .limit(limits::CLIENTS_SHOWN_MAX)
            .build();
        self.find("list a server's clients", doc! { "server_id": server }, options)
    }

    /// Marks a client whose tunnel must end. `false`: it has gone already.
    pub fn client_cut(&self, server: ServerId, client: ClientId) -> Result<bool, StoreError> {
        let filter = doc! { "_id": client, "server_id": server };
        let update = doc! { "$set": { "cut": true } };
        Ok(self.update::<ClientDoc>("disconnect a client", filter, update)?.yes())
    }

    /// Frees the addresses that people of an organization have on a server that it was taken out
    /// of, in batches: whatever is left when this is cut short is freed when it runs again. Ends
    /// when the organization is attached again, for its people have addresses then.
    pub fn addresses_free_of_org(&self, server: ServerId, org: OrgId) -> Result<(), StoreError> {
        const OP: &str = "free addresses";
        let mut after: Option<UserId> = None;
        loop {
            let users = self.user_ids(org, after)?;
            let Some(last) = users.last() else { return Ok(()) };
            after = Some(*last);
            let detached = self.transaction(OP, |tx: &mut Tx<'_>| {
                let found = tx.server(server)?;
                if found.is_some_and(|found| found.organizations.contains(&org)) {
                    return Ok(false);
                }
                let theirs = doc! { "server_id": server, "user_id": { "$in": users.clone() } };
                let free = doc! { "$unset": { "user_id": "" } };
                if tx.update_many::<AddressDoc>(OP, theirs, free)? > 0 {
                    // The server is the guard (I6): of this and an attachment one finds the other.
                    let touched = touch(Document::new());
                    tx.update::<ServerDoc>(OP, doc! { "_id": server }, touched)?;
                }
                Ok::<_, StoreError>(true)
            })?;
            if !detached {
                return Ok(());
            }
        }
    }

    /// Some ids of people of an organization, in order.
    fn user_ids(&self, org: OrgId, after: Option<UserId>) -> Result<Vec<UserId>, StoreError> {
        #[derive(Deserialize)]
        struct Only {
            #[serde(rename = "_id")]
            id: UserId,
        }
        let mut filter = doc! { "org_id": org, "type": "client" };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after });
        }
        let options = FindOptions::builder()
            .sort(doc! { "_id": 1 })
            .limit(limits::FREED_ADDRESSES_MAX)
            .projection(doc! { "_id": 1 })
            .build();
        let users: Vec<Only> = self.find_as::<UserDoc, _>("list users", filter, options)?;
        Ok(users.into_iter().map(|user| user.id).collect())
    }

    /// Forgets addresses of earlier generations: nothing looks at them.
    pub fn addresses_forget(&self, server: ServerId, current: i64) -> Result<(), StoreError> {
        let old = doc! { "server_id": server, "generation": { "$lt": current } };
        self.delete_all::<AddressDoc>("forget old addresses", old).map(drop)
    }

    /// Everything recorded about a server, but for itself.
    pub fn server_records_delete(&self, server: ServerId) -> Result<(), StoreError> {
        let of = || doc! { "server_id": server };
        self.delete_all::<AddressDoc>("free a server's addresses", of())?;
        self.delete_all::<ClientDoc>("forget a server's clients", of())?;
        self.output_clear(server)
    }
}
