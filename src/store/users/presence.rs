//! Where users are: their connections, and the addresses kept for them.

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::store::servers::ServerDoc;
use crate::store::vpn::{AddressDoc, ClientDoc};
use crate::store::{Store, StoreError};
use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Connections and addresses of some users.
#[derive(Default)]
pub struct Presences {
    /// Oldest first.
    pub clients: HashMap<UserId, Vec<ClientDoc>>,
    pub addresses: HashMap<(ServerId, UserId), Ipv4Addr>,
}

impl Store {
    /// Of users of an organization on `servers`; `users` `None`: of all.
    pub fn presences(
        &self,
        org: OrgId,
        servers: &[ServerDoc],
        users: Option<&[UserId]>,
    ) -> Result<Presences, StoreError> {
        let mut found = Presences::default();
        if servers.is_empty() || users.is_some_and(<[UserId]>::is_empty) {
            return Ok(found);
        }
        let ids: Vec<ServerId> = servers.iter().map(|server| server.id).collect();
        let mut connected = doc! { "server_id": { "$in": ids.clone() }, "org_id": org };
        let mut kept = doc! { "server_id": { "$in": ids }, "user_id": { "$exists": true } };
        if let Some(users) = users {
            connected.insert("user_id", doc! { "$in": users.to_vec() });
            kept.insert("user_id", doc! { "$in": users.to_vec() });
        }
        let oldest_first = doc! { "connected_since": 1, "_id": 1 };
        let options = FindOptions::builder().sort(oldest_first).build();
        for client in self.find::<ClientDoc>("list connections", connected, options)? {
            found.clients.entry(client.user_id).or_default().push(client);
        }
        let generations: HashMap<ServerId, i64> =
            servers.iter().map(|server| (server.id, server.generation)).collect();
        for row in self.find::<AddressDoc>("list addresses", kept, FindOptions::default())? {
            let current = generations.get(&row.server_id) == Some(&row.generation);
            if let (true, Some(user), Ok(bits)) = (current, row.user_id, row.address.try_into()) {
                found.addresses.insert((row.server_id, user), Ipv4Addr::from_bits(bits));
            }
        }
        Ok(found)
    }

    /// Users of an organization that are connected to one of `servers`.
    pub fn users_connected(
        &self,
        org: OrgId,
        servers: &[ServerId],
    ) -> Result<Vec<UserId>, StoreError> {
        #[derive(Deserialize)]
        struct Connected {
            #[serde(rename = "_id")]
            user: UserId,
        }
        let theirs = doc! { "server_id": { "$in": servers.to_vec() }, "org_id": org };
        let stages = vec![doc! { "$match": theirs }, doc! { "$group": { "_id": "$user_id" } }];
        let found = self.aggregate::<ClientDoc, Connected>("list connected users", stages)?;
        Ok(found.into_iter().map(|connected| connected.user).collect())
    }
}
