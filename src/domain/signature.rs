//! Signed requests: API tokens (contract 1.7) and profile sync (3.5, 3.6).
//!
//! Whether a nonce was used before is the caller's to ask, after the signature is good.

use crate::base::secret::Secret;
use openssl::base64::{decode_block, encode_block};
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

const TOKEN_CHARS_MAX: usize = 256;
const TIMESTAMP_CHARS_MAX: usize = 64;
const NONCE_CHARS_MAX: usize = 32;
const NONCE_CHARS_MIN: usize = 8;
const SIGNATURE_CHARS_MAX: usize = 512;
const SECRET_CHARS_MIN: usize = 8;
const SIGNED_CHARS_MAX: usize = 10_240;

/// Which kind of request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA256 with an administrator's secret.
    Api,
    /// HMAC-SHA512 with a user's sync secret.
    Sync,
}

/// The four headers, cut to their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    pub token: &'a str,
    pub timestamp: &'a str,
    pub nonce: &'a str,
    pub signature: &'a str,
}

/// What is signed besides the headers.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Decoded path without query and host.
    pub path: &'a str,
    /// Further parts, each appended with `&`: the envelope of 3.6; else none.
    pub parts: &'a [&'a str],
    /// Older API clients append their body; either form is accepted.
    pub body: Option<&'a [u8]>,
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    HeaderMissing,
    NonceTooShort,
    TimestampNotNumber,
    TimestampOutside,
    TooLong,
    SecretTooShort,
    Mismatch,
}

impl<'a> Headers<'a> {
    /// All four must be there.
    pub fn read(
        token: Option<&'a str>,
        timestamp: Option<&'a str>,
        nonce: Option<&'a str>,
        signature: Option<&'a str>,
    ) -> Result<Headers<'a>, BadSignature> {
        let part = |text: Option<&'a str>, max| match text {
            Some(text) if !text.is_empty() => Ok(super::text::cut(text, max)),
            _ => Err(BadSignature::HeaderMissing),
        };
        Ok(Headers {
            token: part(token, TOKEN_CHARS_MAX)?,
            timestamp: part(timestamp, TIMESTAMP_CHARS_MAX)?,
            nonce: part(nonce, NONCE_CHARS_MAX)?,
            signature: part(signature, SIGNATURE_CHARS_MAX)?,
        })
    }

    /// Judges everything but the uniqueness of the nonce.
    pub fn check(
        &self,
        scheme: Scheme,
        secret: &Secret<String>,
        signed: &Signed<'_>,
        now_s: i64,
        window_s: i64,
    ) -> Result<(), BadSignature> {
        if self.nonce.chars().count() < NONCE_CHARS_MIN {
            return Err(BadSignature::NonceTooShort);
        }
        let sent_s: i64 = self.timestamp.parse().map_err(|_| BadSignature::TimestampNotNumber)?;
        if now_s.abs_diff(sent_s) > window_s.unsigned_abs() {
            return Err(BadSignature::TimestampOutside);
        }
        if secret.expose().chars().count() < SECRET_CHARS_MIN {
            return Err(BadSignature::SecretTooShort);
        }
        let text = self.text(signed);
        if text.chars().count() > SIGNED_CHARS_MAX {
            return Err(BadSignature::TooLong);
        }
        let given = decode_block(self.signature).map_err(|_| BadSignature::Mismatch)?;
        let fits = |parts: &[&[u8]]| mac(scheme, secret, parts).is_some_and(|m| same(&m, &given));
        let plain = fits(&[text.as_bytes()]);
        let with_body = signed.body.filter(|body| !body.is_empty() && scheme == Scheme::Api);
        let right = plain || with_body.is_some_and(|body| fits(&[text.as_bytes(), b"&", body]));
        if right { Ok(()) } else { Err(BadSignature::Mismatch) }
    }

    fn text(&self, signed: &Signed<'_>) -> String {
        let head = [self.token, self.timestamp, self.nonce, signed.method, signed.path];
        [&head, signed.parts].concat().join("&")
    }
}

/// `signature` of a sync answer: base64 of HMAC-SHA512 over the text (contract 3.5).
pub fn sign_answer(secret: &Secret<String>, text: &str) -> Option<String> {
    mac(Scheme::Sync, secret, &[text.as_bytes()]).map(|m| encode_block(&m))
}

fn mac(scheme: Scheme, secret: &Secret<String>, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let digest = match scheme {
        Scheme::Api => MessageDigest::sha256(),
        Scheme::Sync => MessageDigest::sha512(),
    };
    let key = PKey::hmac(secret.expose().as_bytes()).ok()?;
    let mut signer = Signer::new(digest, &key).ok()?;
    for part in parts {
        signer.update(part).ok()?;
    }
    signer.sign_to_vec().ok()
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && memcmp::eq(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_700_000_000;
    const WINDOW_S: i64 = 43_200;
    const API: &str = "yw5QWvL1eWmsL8E7TaiTdM1n+tt3eDUy+K2uOaq3YZ4=";
    const SYNC: &str = "TDqUnMSZc1IRzxXucy+5UOza5DogSdHVmEkah6Jj2TOkrO31siC0todJOXhu52qC\
                        xG75eQW4MNp5YKbwoLtZ5w==";
    const SYNC_PATH: &str = "/key/sync/65a000000000000000000001/65a000000000000000000002/\
                             65a000000000000000000003/abcd";

    fn headers(signature: &str) -> Headers<'_> {
        Headers {
            token: "tokentokentokentokentokentoken01",
            timestamp: "1700000000",
            nonce: "0123456789abcdef0123456789abcdef",
            signature,
        }
    }

    fn secret() -> Secret<String> {
        Secret::new("secretsecretsecretsecretsecret01".to_owned())
    }

    fn get(path: &str) -> Signed<'_> {
        Signed { method: "GET", path, parts: &[], body: None }
    }

    #[test]
    fn the_contracts_vectors_are_good() {
        for (scheme, signature, path) in
            [(Scheme::Api, API, "/state"), (Scheme::Sync, SYNC, SYNC_PATH)]
        {
            let check = |path, now_s| {
                headers(signature).check(scheme, &secret(), &get(path), now_s, WINDOW_S)
            };
            assert_eq!(check(path, NOW_S), Ok(()), "{scheme:?}");
            assert_eq!(check(path, NOW_S + WINDOW_S), Ok(()));
            assert_eq!(check(path, NOW_S - WINDOW_S), Ok(()));
            assert_eq!(check(path, NOW_S + WINDOW_S + 1), Err(BadSignature::TimestampOutside));
            assert_eq!(check(path, NOW_S - WINDOW_S - 1), Err(BadSignature::TimestampOutside));
            assert_eq!(check("/other", NOW_S), Err(BadSignature::Mismatch));
        }
    }

    #[test]
    fn every_part_is_covered_and_bounded() {
        let good = headers(API);
        let long = "x".repeat(SIGNED_CHARS_MAX);
        for (bad, path, expect) in [
            (Headers { token: "other", ..good }, "/state", BadSignature::Mismatch),
            (Headers { timestamp: "1700000001", ..good }, "/state", BadSignature::Mismatch),
            (Headers { timestamp: "soon", ..good }, "/state", BadSignature::TimestampNotNumber),
            (Headers { timestamp: "1e9", ..good }, "/state", BadSignature::TimestampNotNumber),
            (Headers { nonce: "1234567", ..good }, "/state", BadSignature::NonceTooShort),
            (Headers { nonce: "12345678", ..good }, "/state", BadSignature::Mismatch),
            (Headers { signature: "", ..good }, "/state", BadSignature::Mismatch),
            (Headers { signature: "%%%", ..good }, "/state", BadSignature::Mismatch),
            (good, long.as_str(), BadSignature::TooLong),
        ] {
            let got = bad.check(Scheme::Api, &secret(), &get(path), NOW_S, WINDOW_S);
            assert_eq!(got, Err(expect), "{bad:?}");
        }
        let post = Signed { method: "POST", ..get("/state") };
        let short = Secret::new("1234567".to_owned());
        let check = |key: &Secret<String>, signed: &Signed<'_>| {
            good.check(Scheme::Api, key, signed, NOW_S, WINDOW_S)
        };
        assert_eq!(check(&secret(), &post), Err(BadSignature::Mismatch));
        assert_eq!(check(&short, &get("/state")), Err(BadSignature::SecretTooShort));
        let parts = Signed { parts: &["data"], ..get("/state") };
        assert_eq!(check(&secret(), &parts), Err(BadSignature::Mismatch));
    }

    #[test]
    fn both_forms_with_a_body_are_good_for_the_api_alone() {
        let body = br#"{"name":"a"}"#;
        let post = Signed { method: "POST", path: "/organization", parts: &[], body: Some(body) };
        let text = headers("").text(&post);
        for (scheme, with_body, right) in [
            (Scheme::Api, false, true),
            (Scheme::Api, true, true),
            (Scheme::Sync, false, true),
            (Scheme::Sync, true, false),
        ] {
            let tail: &[&[u8]] = if with_body { &[b"&", body] } else { &[] };
            let parts = [&[text.as_bytes()], tail].concat();
            let signature = encode_block(&mac(scheme, &secret(), &parts).expect("mac"));
            let got = headers(&signature).check(scheme, &secret(), &post, NOW_S, WINDOW_S);
            assert_eq!(got.is_ok(), right, "{scheme:?} {with_body}");
        }
        let other = Signed { body: Some(b"{}"), ..post };
        let parts: &[&[u8]] = &[text.as_bytes(), b"&", body];
        let signature = encode_block(&mac(Scheme::Api, &secret(), parts).expect("mac"));
        let got = headers(&signature).check(Scheme::Api, &secret(), &other, NOW_S, WINDOW_S);
        assert_eq!(got, Err(BadSignature::Mismatch));
    }

    #[test]
    fn headers_are_all_needed_and_cut() {
        let long = "9".repeat(600);
        let read = Headers::read(Some(&long), Some(&long), Some(&long), Some(&long));
        let lengths =
            read.map(|h| [h.token.len(), h.timestamp.len(), h.nonce.len(), h.signature.len()]);
        assert_eq!(lengths, Ok([256, 64, 32, 512]));
        for missing in 0..4 {
            let part = |n| (n != missing).then_some("x");
            let got = Headers::read(part(0), part(1), part(2), part(3));
            assert_eq!(got, Err(BadSignature::HeaderMissing));
        }
        let empty = Headers::read(Some(""), Some("1"), Some("2"), Some("3"));
        assert_eq!(empty, Err(BadSignature::HeaderMissing));
    }

    #[test]
    fn an_answer_is_signed_with_sha512() {
        let signed = sign_answer(&secret(), "conf").expect("signature");
        assert_eq!(decode_block(&signed).expect("base64").len(), 64);
    }
}
