//! Short texts that only this cluster can have written: the token beside the session's key, and
//! CSRF tokens. They are checked without the database, and hold on every host.
//!
//! `<expiry in unix seconds>.<random>.<hex of HMAC-SHA256>`, bound to a purpose and a subject.

use crate::base::ids::to_hex;
use crate::base::random::Random;
use crate::base::secret::Secret;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

const NONCE_CHARS: usize = 16;

/// The key that all hosts share (setting `cookie_secret`).
pub struct Seal(Secret<Vec<u8>>);

/// What a text is good for; one for another purpose is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The cookie `token`, bound to the session's key.
    Session,
    /// The header `Csrf-Token`, bound to the administrator.
    Csrf,
    /// No text for clients: names under which attempts are counted.
    Attempts,
}

impl Seal {
    pub fn new(cookie_secret: &str) -> Seal {
        // It is base64 unless somebody else wrote it.
        let bytes = openssl::base64::decode_block(cookie_secret);
        Seal(Secret::new(bytes.unwrap_or_else(|_| cookie_secret.as_bytes().to_vec())))
    }

    /// A new text; `None` if the HMAC could not be made.
    pub fn issue(
        &self,
        purpose: Purpose,
        subject: &str,
        expires_s: i64,
        random: &Random,
    ) -> Option<String> {
        let stem = format!("{expires_s}.{}", random.alphanumeric(NONCE_CHARS));
        let mac = self.mac(purpose, &[subject, &stem])?;
        Some(format!("{stem}.{mac}"))
    }

    /// Whether `text` was issued for this and is not over.
    pub fn holds(&self, purpose: Purpose, subject: &str, text: &str, now_s: i64) -> bool {
        let Some((stem, given)) = text.rsplit_once('.') else { return false };
        let expires_s = stem.split_once('.').and_then(|(expiry, _)| expiry.parse::<i64>().ok());
        let right = self.mac(purpose, &[subject, stem]);
        let same = right.is_some_and(|right| {
            right.len() == given.len() && memcmp::eq(right.as_bytes(), given.as_bytes())
        });
        same && expires_s.is_some_and(|expires_s| now_s < expires_s)
    }

    /// Hex of the HMAC over the parts, which are told apart by their lengths.
    pub fn mac(&self, purpose: Purpose, parts: &[&str]) -> Option<String> {
        let key = PKey::hmac(self.0.expose()).ok()?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
        signer.update(format!("{purpose:?}").as_bytes()).ok()?;
        for part in parts {
            signer.update(&part.len().to_be_bytes()).ok()?;
            signer.update(part.as_bytes()).ok()?;
        }
        Some(to_hex(&signer.sign_to_vec().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_for_its_purpose_subject_and_time_alone() {
        let random = Random::seeded(1);
        let seal = Seal::new("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
        let issue = || seal.issue(Purpose::Csrf, "a", 100, &random).expect("a text");
        let text = issue();
        assert!(seal.holds(Purpose::Csrf, "a", &text, 99));
        assert_ne!(text, issue(), "each is another");
        assert!(!seal.holds(Purpose::Csrf, "a", &text, 100), "over");
        assert!(!seal.holds(Purpose::Csrf, "b", &text, 99), "somebody else's");
        assert!(!seal.holds(Purpose::Session, "a", &text, 99), "another purpose");
        assert!(!Seal::new("other").holds(Purpose::Csrf, "a", &text, 99), "another cluster");
        let longer = text.replacen("100.", "999.", 1);
        assert!(!seal.holds(Purpose::Csrf, "a", &longer, 99), "made longer");
        let mut other = text.clone();
        other.pop();
        for bad in ["", ".", "..", "100", "100.x.", &other, &text[4..], "x.y.z"] {
            assert!(!seal.holds(Purpose::Csrf, "a", bad, 99), "{bad}");
        }
    }

    #[test]
    fn parts_can_not_be_shifted() {
        let seal = Seal::new("x");
        let mac = |parts: &[&str]| seal.mac(Purpose::Attempts, parts);
        assert_ne!(mac(&["ab", "c"]), mac(&["a", "bc"]));
        assert_eq!(mac(&["a"]), mac(&["a"]));
    }
}
