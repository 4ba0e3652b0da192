//! Passwords and PINs: Argon2id, and the older hashes that imported data carries (contract 5).
//!
//! Checking costs 28 ms and 19 MiB by intent; callers bound how many run at once. Unknown names
//! are checked against [`StoredHash::of_nobody`], so that their answer takes as long.

use crate::base::random::Random;
use crate::base::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use openssl::base64::{decode_block, encode_block};
use openssl::memcmp;
use openssl::sha::Sha512;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Bounds on what a stored text may ask for: a damaged document must not eat the host.
const MEMORY_KIB_MAX: u32 = 64 * 1024;
const PASSES_MAX: u32 = 8;
/// The older scheme looked at this many characters.
const LEGACY_CHARS_MAX: usize = 128;

/// What an older hash was made for; its rounds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Password,
    Pin,
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the stored hash should be replaced by a new one.
    RightButOld,
}

/// A stored hash, read.
#[derive(Clone, Debug)]
pub struct StoredHash(Form);

#[derive(Clone, Debug)]
enum Form {
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Legacy {
        rounds: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// No password fits: an unknown name, or a document that can not be read.
    Nobody,
}

/// A new PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
pub fn hash(password: &Secret<String>, random: &Random) -> Secret<String> {
    let salt = random.bytes::<SALT_BYTES>();
    let hash = argon2id(password, &salt, [MEMORY_KIB, PASSES, LANES], HASH_BYTES);
    // INVARIANT: the parameters are constants within Argon2's bounds (test below).
    let hash = hash.expect("fixed Argon2id parameters");
    let (salt, hash) = (unpadded(&salt), unpadded(&hash));
    Secret::new(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
}

impl StoredHash {
    /// A text that is neither form fits no password.
    pub fn parse(stored: &Secret<String>, made_for: Use) -> StoredHash {
        let text = stored.expose();
        let form = match text.strip_prefix("$argon2id$v=19$") {
            Some(rest) => parse_phc(rest),
            None => parse_legacy(text, made_for),
        };
        StoredHash(form.unwrap_or(Form::Nobody))
    }

    /// For unknown names: takes as long as a real one and fits nothing.
    pub fn of_nobody() -> StoredHash {
        StoredHash(Form::Nobody)
    }

    /// The comparison takes the same time wherever the hashes differ.
    pub fn check(&self, password: &Secret<String>) -> Verdict {
        match &self.0 {
            Form::Argon2id { memory_kib, passes, lanes, salt, hash } => {
                let cost = [*memory_kib, *passes, *lanes];
                let right = argon2id(password, salt, cost, hash.len())
                    .is_some_and(|made| memcmp::eq(&made, hash));
                let current = cost == [MEMORY_KIB, PASSES, LANES] && hash.len() == HASH_BYTES;
                match (right, current) {
                    (false, _) => Verdict::Wrong,
                    (true, true) => Verdict::Right,
                    (true, false) => Verdict::RightButOld,
                }
            }
            Form::Legacy { rounds, salt, hash } => {
                let right = memcmp::eq(&legacy(password, salt, *rounds), hash);
                if right { Verdict::RightButOld } else { Verdict::Wrong }
            }
            Form::Nobody => {
                let made = argon2id(password, &[0; SALT_BYTES], [MEMORY_KIB, PASSES, LANES], 32);
                // Used, so that the work can not be left out by the compiler.
                std::hint::black_box(made);
                Verdict::Wrong
            }
        }
    }
}

fn argon2id(
    password: &Secret<String>,
    salt: &[u8],
    [memory_kib, passes, lanes]: [u32; 3],
    len: usize,
) -> Option<Vec<u8>> {
    let params = Params::new(memory_kib, passes, lanes, Some(len)).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = vec![0; len];
    argon2.hash_password_into(password.expose().as_bytes(), salt, &mut out).ok()?;
    Some(out)
}

/// `m=19456,t=2,p=1$<salt>$<hash>`
fn parse_phc(rest: &str) -> Option<Form> {
    let [cost, salt, hash] = split(rest, '$')?;
    let [memory, passes, lanes] = split(cost, ',')?;
    let memory_kib = memory.strip_prefix("m=")?.parse().ok()?;
    let passes = passes.strip_prefix("t=")?.parse().ok()?;
    let lanes = lanes.strip_prefix("p=")?.parse().ok()?;
    let (salt, hash) = (from_unpadded(salt)?, from_unpadded(hash)?);
    let bounded = memory_kib <= MEMORY_KIB_MAX
        && passes <= PASSES_MAX
        && lanes <= LANES
        && (16..=64).contains(&hash.len());
    bounded.then_some(Form::Argon2id { memory_kib, passes, lanes, salt, hash })
}

/// `<version>$<salt>$<hash>`; the version says how often SHA-512 is repeated.
fn parse_legacy(text: &str, made_for: Use) -> Option<Form> {
    let [version, salt, hash] = split(text, '$')?;
    let rounds = match (made_for, version) {
        (Use::Password, "0") => 0,
        (Use::Password, "1") => 5,
        (Use::Password, "2") => 10,
        (Use::Password, "3") => 100_000,
        (Use::Pin, "1") => 1024,
        (Use::Pin, "2") => 100_000,
        _ => return None,
    };
    let (salt, hash) = (decode_block(salt).ok()?, decode_block(hash).ok()?);
    (hash.len() == 64).then_some(Form::Legacy { rounds, salt, hash })
}

fn legacy(password: &Secret<String>, salt: &[u8], rounds: u32) -> [u8; 64] {
    let mut first = Sha512::new();
    first.update(super::text::cut(password.expose(), LEGACY_CHARS_MAX).as_bytes());
    first.update(salt);
    (0..rounds).fold(first.finish(), |hash, _| openssl::sha::sha512(&hash))
}

fn split<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

fn unpadded(bytes: &[u8]) -> String {
    encode_block(bytes).trim_end_matches('=').to_owned()
}

fn from_unpadded(text: &str) -> Option<Vec<u8>> {
    decode_block(&format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn check(stored: &str, made_for: Use, password: &str) -> Verdict {
        StoredHash::parse(&secret(stored), made_for).check(&secret(password))
    }

    #[test]
    fn a_new_hash_fits_its_password_alone() {
        let random = Random::system();
        let (one, two) = (hash(&secret("tea"), &random), hash(&secret("tea"), &random));
        assert_ne!(one, two, "each has a salt of its own");
        assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(check(one.expose(), Use::Password, "tea"), Verdict::Right);
        assert_eq!(check(one.expose(), Use::Pin, "tea"), Verdict::Right);
        assert_eq!(check(one.expose(), Use::Password, "Tea"), Verdict::Wrong);
        assert_eq!(check(one.expose(), Use::Password, ""), Verdict::Wrong);
    }

    #[test]
    fn older_hashes_fit_and_ask_to_be_replaced() {
        let password = "3$MTIzNDU2Nzg=$qqKzYLwxfp0xH2aZ/JN4HYO6Z2+w403K5Gk114Gh4yoZ4gGfa4ox86Q1gFR2\
                        Royrx8Qhuwy5ispxCfAdmy+3aQ==";
        let pin = "2$MTIzNDU2Nzg=$JMqCmUPv/NEqWjW2HM9MlLxcJHIDOcQt7+gFM159YW6k95oZZRgIflF9U0KHIM+Y\
                   wpKX0gRwIugbdVBPBgrWxw==";
        for (stored, made_for, given, verdict) in [
            (password, Use::Password, "correct horse", Verdict::RightButOld),
            (password, Use::Password, "correct horse ", Verdict::Wrong),
            (password, Use::Pin, "correct horse", Verdict::Wrong),
            (pin, Use::Pin, "123456", Verdict::RightButOld),
            (pin, Use::Pin, "123457", Verdict::Wrong),
            (pin, Use::Password, "123456", Verdict::Wrong),
        ] {
            assert_eq!(check(stored, made_for, given), verdict, "{given}");
        }
    }

    #[test]
    fn every_older_version_has_its_rounds() {
        let salt = b"12345678";
        for (version, made_for, rounds) in [
            ("0", Use::Password, 0),
            ("1", Use::Password, 5),
            ("2", Use::Password, 10),
            ("3", Use::Password, 100_000),
            ("1", Use::Pin, 1024),
            ("2", Use::Pin, 100_000),
        ] {
            let hash = encode_block(&legacy(&secret("tea"), salt, rounds));
            let stored = format!("{version}${}${hash}", encode_block(salt));
            assert_eq!(check(&stored, made_for, "tea"), Verdict::RightButOld, "{version}");
        }
    }

    #[test]
    fn an_argon2id_hash_of_other_cost_asks_to_be_replaced() {
        let salt = b"somesaltsomesalt";
        let made = argon2id(&secret("tea"), salt, [64, 1, 1], 32).expect("hash");
        let stored = format!("$argon2id$v=19$m=64,t=1,p=1${}${}", unpadded(salt), unpadded(&made));
        assert_eq!(check(&stored, Use::Password, "tea"), Verdict::RightButOld);
        assert_eq!(check(&stored, Use::Password, "coffee"), Verdict::Wrong);
    }

    #[test]
    fn nothing_fits_a_text_that_is_no_hash() {
        for stored in [
            "",
            "tea",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA",
            "9$MTIzNDU2Nzg=$AAAA",
            "0$MTIzNDU2Nzg=$",
            "0$$",
        ] {
            assert_eq!(check(stored, Use::Password, "tea"), Verdict::Wrong, "{stored}");
            assert_eq!(check(stored, Use::Password, ""), Verdict::Wrong, "{stored}");
        }
        assert_eq!(StoredHash::of_nobody().check(&secret("tea")), Verdict::Wrong);
    }
}
