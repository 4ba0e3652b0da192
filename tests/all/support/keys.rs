//! Keys for the pools of a test's daemon, so that it neither waits for them nor makes its own: the
//! same two keys again and again, made once per build directory, and DH parameters of a standard.

use std::fs;
use std::path::PathBuf;
use std::process;

use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::sync::Client;
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

/// What a fresh box keeps (src/store/settings.rs): the daemon finds nothing to do.
const LEVELS: [(&str, u32, usize); 3] =
    [("rsa2048", 2048, 64), ("rsa4096", 4096, 8), (DH2048, 2048, 1)];
const DH2048: &str = "dh2048";

/// Fills the pools of the database at `uri` `times` as much as a fresh box would.
pub fn plant(uri: &str, times: usize) {
    put(uri, LEVELS.map(|(kind, bits, level)| (kind, key(kind, bits), level * times)));
}

/// The same for DH parameters alone.
pub fn plant_dh(uri: &str, count: usize) {
    put(uri, [(DH2048, dh_params(), count)]);
}

fn put<const N: usize>(uri: &str, stocks: [(&'static str, String, usize); N]) {
    let client = Client::with_uri_str(uri).expect("a connection string");
    let pool = client.database("warren").collection::<Document>("pool");
    let documents = stocks.into_iter().flat_map(|(kind, content, count)| {
        (0..count).map(move |number| {
            // As far from each other as random ones, so that takers do not meet.
            let ticket = i64::MAX / count as i64 * number as i64;
            doc! {
                "_id": ObjectId::new(), "kind": kind, "ticket": ticket,
                "content": &content, "reserved_for": Bson::Null, "reserved_until": Bson::Null,
            }
        })
    });
    pool.insert_many(documents).run().expect("keys for the pools");
}

/// Those of RFC 3526, group 14: a real safe prime that need not be looked for.
pub fn dh_params() -> String {
    let prime = BigNum::get_rfc3526_prime_2048().expect("a number");
    let generator = BigNum::from_u32(2).expect("a number");
    let dh = Dh::from_pqg(prime, None, generator).expect("parameters");
    String::from_utf8(dh.params_to_pem().expect("PEM")).expect("text")
}

/// PKCS#8 PEM.
fn key(kind: &str, bits: u32) -> String {
    if kind == DH2048 {
        return dh_params();
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}.pem"));
    if let Ok(pem) = fs::read_to_string(&path) {
        return pem;
    }
    let key = Rsa::generate(bits).and_then(PKey::from_rsa).expect("a key");
    let pem = key.private_key_to_pem_pkcs8().expect("PEM");
    let part = path.with_extension(process::id().to_string());
    fs::write(&part, &pem).expect("a file");
    fs::rename(&part, &path).expect("a file");
    String::from_utf8(pem).expect("text")
}
