//! DH parameters of servers: who lacks some, and who gets them.

use super::ServerDoc;
use crate::base::ids::ServerId;
use crate::pki::DhSize;
use crate::store::ops::{Tx, touch};
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

fn lacks(size: DhSize) -> Document {
    doc! { "dh_param_bits": i64::from(size.bits()), "dh_params": Bson::Null }
}

fn given(params: &str) -> Document {
    touch(doc! { "$set": { "dh_params": params } })
}

impl Store {
    /// Sizes of which some server lacks parameters.
    pub fn dh_sizes_lacked(&self) -> Result<Vec<DhSize>, StoreError> {
        #[derive(Deserialize)]
        struct Lacked {
            #[serde(rename = "_id")]
            bits: i64,
        }
        let stages = vec![
            doc! { "$match": { "dh_params": Bson::Null, "dh_param_bits": { "$type": "number" } } },
            doc! { "$group": { "_id": { "$toLong": "$dh_param_bits" } } },
            doc! { "$limit": 100 },
        ];
        let op = "look for servers without DH parameters";
        let lacked = self.aggregate::<ServerDoc, Lacked>(op, stages)?;
        let bits = lacked.into_iter().map(|lacked| lacked.bits);
        Ok(bits.filter_map(DhSize::of_bits).collect())
    }

    /// How many servers lack parameters of this size.
    pub fn dh_lacking(&self, size: DhSize) -> Result<u64, StoreError> {
        self.count::<ServerDoc>("count servers without DH parameters", lacks(size))
    }

    /// Some of them, the oldest first.
    pub fn dh_lackers(&self, size: DhSize, limit: i64) -> Result<Vec<ServerId>, StoreError> {
        #[derive(Deserialize)]
        struct Only {
            #[serde(rename = "_id")]
            id: ServerId,
        }
        let options = FindOptions::builder().sort(doc! { "_id": 1 }).limit(limit);
        let options = options.projection(doc! { "_id": 1 }).build();
        let op = "list servers without DH parameters";
        let found = self.find_as::<ServerDoc, Only>(op, lacks(size), options)?;
        Ok(found.into_iter().map(|server| server.id).collect())
    }

    /// Gives parameters to a server. `false`: it lacks none, or those of another size.
    pub fn dh_give(
        &self,
        server: ServerId,
        size: DhSize,
        params: &str,
    ) -> Result<bool, StoreError> {
        let mut filter = lacks(size);
        filter.insert("_id", server);
        Ok(self.update::<ServerDoc>("give DH parameters", filter, given(params))?.yes())
    }
}

impl Tx<'_> {
    pub fn dh_lacking(&mut self, size: DhSize) -> Result<u64, StoreError> {
        self.count::<ServerDoc>("count servers without DH parameters", lacks(size))
    }

    /// Gives parameters to any server that lacks some of this size. `false`: none does.
    pub fn dh_give_any(&mut self, size: DhSize, params: &str) -> Result<bool, StoreError> {
        Ok(self.update::<ServerDoc>("give DH parameters", lacks(size), given(params))?.yes())
    }

    /// Another size is wanted: what the server has is of no more use.
    pub fn dh_forget(&mut self, server: ServerId) -> Result<bool, StoreError> {
        let update = touch(doc! { "$set": { "dh_params": Bson::Null } });
        let op = "forget DH parameters";
        Ok(self.update::<ServerDoc>(op, doc! { "_id": server }, update)?.yes())
    }
}
