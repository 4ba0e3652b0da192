//! The two cookies of a browser session (contract 1.6). Both are opaque to clients and both must be
//! sent: `session` is the key, `token` a text bound to it, so that what is made up costs no look
//! into the database.

use super::seal::{Purpose, Seal};
use crate::base::ids::to_hex;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::limits;

const KEY_CHARS: usize = 43;

/// A new session.
pub struct Fresh {
    /// What the database knows it by.
    pub key_hash: String,
    /// Values of `Set-Cookie`.
    pub cookies: [String; 2],
}

/// A key that nobody can guess, and what goes to the browser.
pub fn fresh(seal: &Seal, random: &Random, now_s: i64) -> Option<Fresh> {
    let key = Secret::new(random.alphanumeric(KEY_CHARS));
    let life_s = limits::SESSION_SECONDS;
    let token = seal.issue(Purpose::Session, key.expose(), now_s + life_s, random)?;
    let session = format!("session={}; Path=/; HttpOnly; Secure; SameSite=Lax", key.expose());
    let token = format!("token={token}; Path=/; HttpOnly; Secure; Max-Age={life_s}");
    Some(Fresh { key_hash: hash(key.expose()), cookies: [session, token] })
}

/// Values of `Set-Cookie` that make a browser forget both.
pub fn gone() -> [String; 2] {
    ["session", "token"].map(|name| format!("{name}=; Path=/; HttpOnly; Secure; Max-Age=0"))
}

/// What the database knows the session by that a `Cookie` header names, if the two belong together
/// and are not over.
pub fn key_hash(header: &str, seal: &Seal, now_s: i64) -> Option<String> {
    let key = value(header, "session")?;
    let token = value(header, "token")?;
    seal.holds(Purpose::Session, key, token, now_s).then(|| hash(key))
}

fn value<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn hash(key: &str) -> String {
    to_hex(&openssl::sha::sha256(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cookies_are_needed_and_belong_together() {
        let (random, seal) = (Random::seeded(1), Seal::new("x"));
        let made = |_| fresh(&seal, &random, 1000).expect("cookies");
        let [one, two] = [0, 1].map(made);
        let pair = |cookie: &str| cookie.split(';').next().unwrap_or_default().to_owned();
        let [key, token] = one.cookies.clone().map(|cookie| pair(&cookie));
        let other_token = pair(&two.cookies[1]);
        let over_s = 1000 + limits::SESSION_SECONDS;
        for (header, now_s, good) in [
            (format!("{key}; {token}"), 1000, true),
            (format!("a=b; {token};{key}"), over_s - 1, true),
            (format!("{key}; {token}"), over_s, false),
            (key.clone(), 1000, false),
            (token.clone(), 1000, false),
            (format!("{key}; {other_token}"), 1000, false),
            (format!("{key}x; {token}"), 1000, false),
            ("session=; token=".to_owned(), 1000, false),
            (String::new(), 1000, false),
        ] {
            let found = key_hash(&header, &seal, now_s);
            assert_eq!(found, good.then(|| one.key_hash.clone()), "{header}");
        }
        assert!(!one.key_hash.contains(key.trim_start_matches("session=")));
    }

    #[test]
    fn browsers_are_told_to_keep_them_from_scripts() {
        let made = fresh(&Seal::new("x"), &Random::seeded(2), 0).expect("cookies");
        for cookie in made.cookies.iter().chain(&gone()) {
            assert!(cookie.contains("; HttpOnly; Secure"), "{cookie}");
        }
        assert!(made.cookies[0].ends_with("SameSite=Lax"));
        assert!(made.cookies[1].ends_with("Max-Age=43200"));
    }
}
