//! One-time codes: RFC 6238 with SHA-1, 30 seconds, 6 digits, one step either way (contract 2.1).

use crate::base::secret::Secret;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

const STEP_S: i64 = 30;
const DIGITS: usize = 6;

/// Number of a 30 second step; a step whose code was used must not be accepted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(pub i64);

/// The step whose code this is: now, or one step before or after. `None` if the code is wrong.
pub fn matching_step(secret: &Secret<String>, code: &str, now_s: i64) -> Option<Step> {
    let key = Secret::new(base32(secret.expose())?);
    let now = now_s.div_euclid(STEP_S);
    let fits = |step: &Step| {
        code_at(&key, *step).is_some_and(|right| {
            right.len() == code.len() && memcmp::eq(right.as_bytes(), code.as_bytes())
        })
    };
    // All three are computed whatever fits, so that time says nothing.
    let matches = [now, now - 1, now + 1].map(|n| Some(Step(n)).filter(fits));
    matches.into_iter().flatten().next()
}

/// What an authenticator shows at that time; for tests and tools.
pub fn code(secret: &Secret<String>, now_s: i64) -> Option<String> {
    code_at(&Secret::new(base32(secret.expose())?), Step(now_s.div_euclid(STEP_S)))
}

/// Link behind the QR code of a profile page.
pub fn uri(user: &str, organization: &str, secret: &Secret<String>) -> Secret<String> {
    let (user, organization) = (percent(user), percent(organization));
    Secret::new(format!("otpauth://totp/{user}@{organization}?secret={}", secret.expose()))
}

fn code_at(key: &Secret<Vec<u8>>, step: Step) -> Option<String> {
    let key = PKey::hmac(key.expose()).ok()?;
    let mut signer = Signer::new(MessageDigest::sha1(), &key).ok()?;
    let mac = signer.sign_oneshot_to_vec(&step.0.to_be_bytes()).ok()?;
    let at = usize::from(mac.last()? & 15);
    let word = <[u8; 4]>::try_from(mac.get(at..at + 4)?).ok()?;
    let number = u32::from_be_bytes(word) & 0x7fff_ffff;
    Some(format!("{:0DIGITS$}", number % 1_000_000))
}

/// RFC 4648 base32; case, spaces and padding do not matter. `None` if it is none, or empty.
fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    for c in text.trim_end_matches('=').chars().filter(|c| !c.is_whitespace()) {
        let value = match c.to_ascii_uppercase() {
            c @ 'A'..='Z' => u32::from(c) - u32::from('A'),
            c @ '2'..='7' => u32::from(c) - u32::from('2') + 26,
            _ => return None,
        };
        bits = (bits << 5 | value) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    (!out.is_empty()).then_some(out)
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890`, the secret of RFC 6238's vectors.
    fn rfc() -> Secret<String> {
        Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned())
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (now_s, right) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(&rfc(), now_s).as_deref(), Some(right), "{now_s}");
        }
    }

    #[test]
    fn one_step_either_way_is_accepted_and_named() {
        let given = code(&rfc(), 1_111_111_111).expect("code");
        let step = Step(1_111_111_111 / 30);
        for (now_s, matched) in [
            (1_111_111_111, Some(step)),
            (1_111_111_111 - 30, Some(step)),
            (1_111_111_111 + 30, Some(step)),
            (1_111_111_111 - 60, None),
            (1_111_111_111 + 60, None),
        ] {
            assert_eq!(matching_step(&rfc(), &given, now_s), matched, "{now_s}");
        }
    }

    #[test]
    fn what_is_no_code_or_no_secret_never_fits() {
        for given in ["", "28708", "2870820", "28708x", " 287082"] {
            assert_eq!(matching_step(&rfc(), given, 59), None, "{given}");
        }
        for secret in ["", "!", "A", "1890"] {
            let secret = Secret::new(secret.to_owned());
            assert_eq!(matching_step(&secret, "287082", 59), None);
        }
    }

    #[test]
    fn secrets_are_read_as_people_write_them() {
        for text in
            ["gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ=="]
        {
            assert_eq!(code(&Secret::new(text.to_owned()), 59).as_deref(), Some("287082"));
        }
    }

    #[test]
    fn the_link_escapes_names() {
        let link = uri("a b/c", "Ω", &Secret::new("ABCD".into()));
        assert_eq!(link.expose(), "otpauth://totp/a%20b%2Fc@%CE%A9?secret=ABCD");
    }
}
