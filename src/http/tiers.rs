//! What edge and internal tier say to each other beside plain HTTP: header names, the order to park
//! a client, and the lines of the stream of wake-ups.
//!
//! **Parking.** A waiting route answers at once. With nothing to tell it answers what the client
//! gets when its time is up, and adds [`PARK`]; the front keeps both and asks again, with
//! [`RESUME`], when a wake-up names the key. `seq` is the number of wake-ups published *before*
//! the internal tier looked: a newer one for that key makes the front ask again at once.
//!
//! **Wake-ups.** `GET /internal/wakeups` is answered with an endless stream of [`wakeup_line`]s: at
//! first one for [`EVERYONE`] with the newest number, then one for each wake-up, and an empty line
//! at least every [`crate::limits::WAKEUPS_HEARTBEAT`].
//!
//! **Session.** `GET /internal/session` with a browser's cookies is answered 200 or 401.

use crate::limits;
use std::fmt;
use std::time::Duration;

/// Address of the client, without port.
pub const CLIENT: &str = "Warren-Client";
/// `https://<Host>` as the client used it, or `http://…` from the plain port.
pub const URL: &str = "Warren-Url";
/// Proves that the asker is the edge its parent started.
pub const TOKEN: &str = "Warren-Token";
/// The body as received, in base64, for signatures that cover it (contract 1.7).
pub const RAW_BODY: &str = "Warren-Raw-Body";
/// The path as the client signed it; the one asked for is written afresh.
pub const SIGNED_PATH: &str = "Warren-Signed-Path";
/// In an answer: a [`Park`].
pub const PARK: &str = "Warren-Park";
/// The token of the latest [`Park`], when the front asks again.
pub const RESUME: &str = "Warren-Resume";

pub const WAKEUPS_PATH: &str = "/internal/wakeups";
pub const SESSION_PATH: &str = "/internal/session";

/// The key that means every key.
pub const EVERYONE: &str = "*";

/// "Nothing yet": `<key>; until=<ms>; seq=<n>[; resume=<token>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Park {
    /// What to wait for; a wake-up names it.
    pub key: String,
    /// How long, from now; when asked again the front goes on with what it was told first.
    pub until: Duration,
    /// Wake-ups published before the look.
    pub seq: u64,
    /// From where on news counts.
    pub resume: Option<String>,
}

impl Park {
    pub fn parse(value: &str) -> Option<Park> {
        let mut parts = value.split(';').map(str::trim);
        let key = parts.next().filter(|key| is_key(key))?.to_owned();
        let (mut until, mut seq, mut resume) = (None, None, None);
        for part in parts {
            match part.split_once('=')? {
                ("until", ms) => until = ms.parse().ok(),
                ("seq", n) => seq = n.parse().ok(),
                ("resume", token) => resume = Some(token.to_owned()),
                _ => return None,
            }
        }
        let until = Duration::from_millis(until?).min(limits::PARK_MAX);
        Some(Park { key, until, seq: seq?, resume })
    }
}

impl fmt::Display for Park {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Park { key, until, seq, resume } = self;
        write!(f, "{key}; until={}; seq={seq}", until.as_millis())?;
        resume.iter().try_for_each(|token| write!(f, "; resume={token}"))
    }
}

/// Whether a text may name what clients wait for.
pub fn is_key(key: &str) -> bool {
    let plain = key.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    !key.is_empty() && key.len() <= limits::PARK_KEY_BYTES_MAX && plain
}

/// Wake-up number `n`, as it stands in the stream.
pub fn wakeup_line(n: u64, key: &str) -> String {
    format!("{n} {key}\n")
}

/// Reads a [`wakeup_line`] without its end.
pub fn parse_wakeup(line: &str) -> Option<(u64, &str)> {
    let (n, key) = line.split_once(' ')?;
    Some((n.parse().ok()?, Some(key).filter(|key| is_key(key))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_to_park_are_read_as_written() {
        let park = Park {
            key: "events".to_owned(),
            until: Duration::from_millis(9500),
            seq: 42,
            resume: Some("5f.1=".to_owned()),
        };
        assert_eq!(park.to_string(), "events; until=9500; seq=42; resume=5f.1=");
        assert_eq!(Park::parse(&park.to_string()), Some(park));
        let long = Park::parse("e; seq=1; until=99999999").expect("valid");
        assert_eq!((long.until, long.resume), (limits::PARK_MAX, None));
        for bad in ["", "e", "e; until=1", "e; seq=1", "e; until=x; seq=1", "e; until=1; seq=1; x"]
        {
            assert_eq!(Park::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn wakeups_are_read_as_written() {
        assert_eq!(parse_wakeup(wakeup_line(7, EVERYONE).trim_end()), Some((7, EVERYONE)));
        for bad in ["", "7", "x y", "1 a;b", "1 a b", "-1 a", "1 "] {
            assert_eq!(parse_wakeup(bad), None, "{bad}");
        }
    }
}
