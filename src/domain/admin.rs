//! Administrators: names, passwords, and how many sign-ins are too many.

use super::{Refusal, text};
use crate::base::random::Random;
use crate::base::secret::Secret;
use std::net::{IpAddr, Ipv6Addr};

const USERNAME_CHARS_MAX: usize = 128;
const PASSWORD_CHARS_MIN: usize = 8;
/// Longer ones are cut when they are checked (contract 2.1), so none is ever set.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Name of an administrator whom a PUT left without one.
pub const NAMELESS: &str = "undefined";
/// Name of the first administrator.
pub const FIRST: &str = "admin";

/// Characters of a generated password, and of API tokens and their secrets.
const GENERATED_CHARS: usize = 16;
const TOKEN_CHARS: usize = 32;

/// For the first sign-in; it must be changed there.
pub fn generated_password(random: &Random) -> Secret {
    Secret::new(random.alphanumeric(GENERATED_CHARS))
}

/// An API token, or its secret.
pub fn token(random: &Random) -> String {
    random.alphanumeric(TOKEN_CHARS)
}

/// As stored and looked up.
pub fn username(given: &str) -> String {
    text::filtered(text::cut(given, USERNAME_CHARS_MAX)).to_lowercase()
}

/// Whether `password` may be set. `generated`: the one that was made for the first sign-in.
pub fn new_password(password: &Secret, generated: Option<&str>) -> Result<(), Refusal> {
    let length = password.expose().chars().count();
    if length < PASSWORD_CHARS_MIN {
        return Err(Refusal::PasswordTooShort);
    }
    if length > PASSWORD_CHARS_MAX {
        return Err(Refusal::PasswordTooLong);
    }
    if generated == Some(password.expose().as_str()) {
        return Err(Refusal::PasswordUnchanged);
    }
    Ok(())
}

/// What one client is for the limits: an IPv4 address, or the /64 of an IPv6 one.
pub fn client_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) if v6.is_loopback() => v6.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Attempts within the window, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Of this account from this client.
    pub pair: i64,
    /// Of this account, and from this client, by those who never signed in there; 0 for others.
    pub account: i64,
    pub client: i64,
}

/// Bounds of [`Attempts`].
#[derive(Clone, Copy, Debug)]
pub struct AttemptsMax {
    pub pair: i64,
    pub account: i64,
    pub client: i64,
    /// Of a client on an account that many strangers try.
    pub stranger: i64,
}

impl Attempts {
    /// Nobody can shut an administrator out from elsewhere: whatever strangers do, a client that
    /// somebody signed in from keeps its own count, and a new one has a few attempts.
    pub fn too_many(&self, max: &AttemptsMax) -> bool {
        let crowded = self.account > max.account;
        let pair_max = if crowded { max.stranger } else { max.pair };
        self.pair > pair_max || self.client > max.client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filtered_cut_and_in_lower_case() {
        for (given, name) in
            [("Admin", "admin"), (" a b\n", "ab"), ("ÄRA@x.y", "ära@x.y"), ("<>", ""), ("", "")]
        {
            assert_eq!(username(given), name);
        }
        assert_eq!(username(&"a".repeat(200)).len(), 128);
    }

    #[test]
    fn a_new_password_is_neither_short_nor_long_nor_the_generated_one() {
        let long = "x".repeat(129);
        for (password, verdict) in [
            ("", Err(Refusal::PasswordTooShort)),
            ("1234567", Err(Refusal::PasswordTooShort)),
            ("äöüäöüä", Err(Refusal::PasswordTooShort)),
            ("12345678", Ok(())),
            ("generated", Err(Refusal::PasswordUnchanged)),
            ("Generated", Ok(())),
            (&long[1..], Ok(())),
            (&long, Err(Refusal::PasswordTooLong)),
        ] {
            let got = new_password(&Secret::new(password.to_owned()), Some("generated"));
            assert_eq!(got, verdict, "{password}");
        }
    }

    #[test]
    fn clients_are_addresses_or_networks() {
        for (address, key) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("2001:db8::1", "2001:db8::/64"),
            ("::1", "::1"),
        ] {
            assert_eq!(client_key(address.parse().expect("an address")), key);
        }
    }

    #[test]
    fn strangers_shut_nobody_out() {
        const MAX: AttemptsMax = AttemptsMax { pair: 30, account: 300, client: 300, stranger: 3 };
        for (pair, account, client, too_many, why) in [
            (30, 0, 0, false, "known, its own last one"),
            (31, 0, 0, true, "known, guessing"),
            (30, 300, 300, false, "new, its own last one"),
            (31, 31, 31, true, "new, guessing"),
            (1, 9000, 1, false, "new, while many strangers guess"),
            (3, 9000, 3, false, "the same, its last one"),
            (4, 9000, 4, true, "one of the strangers"),
            (1, 1, 301, true, "tries name after name"),
        ] {
            assert_eq!(Attempts { pair, account, client }.too_many(&MAX), too_many, "{why}");
        }
    }
}
