//! One-time codes as an authenticator app makes them (RFC 6238: SHA-1, 30 s, six digits).

use std::time::{SystemTime, UNIX_EPOCH};

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

const PERIOD_S: u64 = 30;

/// The code of this moment.
pub fn now(secret: &str) -> String {
    at(secret, unix_time() / PERIOD_S)
}

/// The code of the period before or after: another one that a server accepts.
pub fn next(secret: &str) -> String {
    at(secret, unix_time() / PERIOD_S + 1)
}

pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

pub fn unix_time_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a near future")
}

fn at(secret: &str, step: u64) -> String {
    let key = PKey::hmac(&base32(secret)).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha1(), &key).expect("HMAC");
    let digest = signer.sign_oneshot_to_vec(&step.to_be_bytes()).expect("a digest");
    let offset = usize::from(digest[19] & 15);
    let word: [u8; 4] = digest[offset..offset + 4].try_into().expect("four bytes");
    format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'2'..=b'7' => symbol - b'2' + 26,
            _ => panic!("not base32: {text}"),
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

#[test]
fn codes_are_those_of_the_standard() {
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert_eq!(at(secret, 59 / PERIOD_S), "287082");
    assert_eq!(at(secret, 1_111_111_109 / PERIOD_S), "081804");
    assert_eq!(at(secret, 20_000_000_000 / PERIOD_S), "353130");
}
