//! The text filters of the contract (1.4).

use std::net::{Ipv4Addr, Ipv6Addr};

/// "Filtered str": letters and digits of any script and a few signs; the rest (spaces, quotes,
/// control characters) is removed. What passes can stand in an OpenVPN directive.
pub fn filtered(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || "-=_@.:/!#$&*+?^|~".contains(*c)).collect()
}

/// [`filtered`], `None` if nothing is left.
pub fn filtered_or_none(text: &str) -> Option<String> {
    Some(filtered(text)).filter(|t| !t.is_empty())
}

/// Names are shown in lists, and stand in file names: longer ones are cut.
pub const NAME_CHARS_MAX: usize = 128;

/// The name of something: [`filtered`] and not too long, `None` if nothing is left.
pub fn name(text: &str) -> Option<String> {
    filtered_or_none(text).map(|name| cut(&name, NAME_CHARS_MAX).to_owned())
}

/// [`filtered`] entries without empty and repeated ones, in the order given.
pub fn filtered_list(entries: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter_map(|e| filtered_or_none(e)) {
        if !out.contains(&entry) {
            out.push(entry);
        }
    }
    out
}

/// The first `max` characters.
pub fn cut(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// "Clean domain": lower-case `host[:port]` of a URL, host, host:port or address; IPv6 in
/// brackets. `None` if it is empty or no such thing.
pub fn domain(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    authority(rest.split(['/', '?', '#']).next().unwrap_or(rest))
}

/// "Clean url": the same with scheme (`https://` unless given) and path; http and https only.
pub fn url(text: &str) -> Option<String> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), text),
    };
    if scheme != "https" && scheme != "http" || rest.chars().any(unfit_for_url) {
        return None;
    }
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(at);
    Some(format!("{scheme}://{}{tail}", authority(host)?))
}

/// A file name in ASCII, as similar as it can be (contract 2.9): fit for a header.
pub fn ascii_name(text: &str) -> String {
    text.chars().flat_map(|c| ascii_letters(c).chars()).collect()
}

/// Latin letters with marks, by the letters without them.
const UNMARKED: [(&str, &str); 42] = [
    ("A", "ÀÁÂÃÄÅĀĂĄ"),
    ("a", "àáâãäåāăą"),
    ("AE", "Æ"),
    ("ae", "æ"),
    ("C", "ÇĆĈĊČ"),
    ("c", "çćĉċč"),
    ("D", "ÐĎĐ"),
    ("d", "ðďđ"),
    ("E", "ÈÉÊËĒĔĖĘĚ"),
    ("e", "èéêëēĕėęě"),
    ("G", "ĜĞĠĢ"),
    ("g", "ĝğġģ"),
    ("H", "ĤĦ"),
    ("h", "ĥħ"),
    ("I", "ÌÍÎÏĨĪĬĮİ"),
    ("i", "ìíîïĩīĭįı"),
    ("J", "Ĵ"),
    ("j", "ĵ"),
    ("K", "Ķ"),
    ("k", "ķ"),
    ("L", "ĹĻĽĿŁ"),
    ("l", "ĺļľŀł"),
    ("N", "ÑŃŅŇ"),
    ("n", "ñńņň"),
    ("O", "ÒÓÔÕÖØŌŎŐ"),
    ("o", "òóôõöøōŏő"),
    ("OE", "Œ"),
    ("oe", "œ"),
    ("R", "ŔŖŘ"),
    ("r", "ŕŗř"),
    ("S", "ŚŜŞŠ"),
    ("s", "śŝşš"),
    ("ss", "ß"),
    ("T", "ŢŤŦ"),
    ("t", "ţťŧ"),
    ("U", "ÙÚÛÜŨŪŬŮŰŲ"),
    ("u", "ùúûüũūŭůűų"),
    ("W", "Ŵ"),
    ("w", "ŵ"),
    ("Y", "ÝŶŸ"),
    ("y", "ýÿŷ"),
    ("z", "źżž"),
];

fn ascii_letters(c: char) -> &'static str {
    const PLAIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.@+=#!&~ ";
    let plain = || PLAIN.find(c).and_then(|at| PLAIN.get(at..=at));
    let unmarked = || UNMARKED.iter().find(|(_, marked)| marked.contains(c)).map(|row| row.0);
    plain().or_else(unmarked).unwrap_or("_")
}

fn unfit_for_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'<>\\`".contains(c)
}

fn authority(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return match port.strip_prefix(':') {
            Some(port) => Some(format!("[{address}]:{}", port_number(port)?)),
            None => port.is_empty().then(|| format!("[{address}]")),
        };
    }
    match text.split_once(':') {
        Some((name, port)) => Some(format!("{}:{}", host(name)?, port_number(port)?)),
        None => host(text),
    }
}

fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

fn host(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let good = name.len() <= 253
        && name.split('.').all(label)
        && (!last_is_number || name.parse::<Ipv4Addr>().is_ok());
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filtered_text_keeps_letters_digits_and_the_contracts_signs() {
        for (text, kept) in [
            ("", ""),
            ("Main office 1", "Mainoffice1"),
            ("a-=_@.:/!#$&*+?^|~z", "a-=_@.:/!#$&*+?^|~z"),
            ("a\"b'c\\d;e,f(g)h[i]{j}<k>%l`m", "abcdefghijklm"),
            ("line\nbreak\ttab\0nul", "linebreaktabnul"),
            ("Zoë_Ω7日本", "Zoë_Ω7日本"),
        ] {
            assert_eq!(filtered(text), kept, "{text}");
        }
        assert_eq!(filtered_or_none(" \n"), None);
        assert_eq!(name(" ;"), None);
        let long = name(&" é".repeat(1000)).expect("a name");
        assert_eq!(long, "é".repeat(NAME_CHARS_MAX), "spaces do not count");
    }

    #[test]
    fn a_filtered_list_has_no_empty_and_no_repeated_entries() {
        let given = ["b", "a", " b ", "", "\t", "a"].map(str::to_owned);
        assert_eq!(filtered_list(&given), ["b", "a"]);
    }

    #[test]
    fn cut_counts_characters() {
        for (text, max, kept) in [("ééé", 2, "éé"), ("ab", 2, "ab"), ("", 3, ""), ("abc", 0, "")]
        {
            assert_eq!(cut(text, max), kept);
        }
    }

    #[test]
    fn names_of_files_are_folded_to_ascii() {
        for (text, name) in [
            ("org_anna_office.ovpn", "org_anna_office.ovpn"),
            ("Zoë_Ångström_straße", "Zoe_Angstrom_strasse"),
            ("Łódź.ŒUVRE", "Lodz.OEUVRE"),
            ("日本/\"\r\n;", "_______"),
            ("a@b+c=d", "a@b+c=d"),
        ] {
            assert_eq!(ascii_name(text), name);
        }
        for (letters, marked) in UNMARKED {
            assert!(letters.is_ascii() && !marked.is_ascii());
        }
    }

    #[test]
    fn domains_are_cleaned() {
        for (text, clean) in [
            ("VPN.Example.com", Some("vpn.example.com")),
            ("vpn.example.com:8443", Some("vpn.example.com:8443")),
            ("https://vpn.example.com/a/path?x=1", Some("vpn.example.com")),
            ("http://vpn.example.com:80/", Some("vpn.example.com:80")),
            (" host_1 ", Some("host_1")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:443", Some("192.0.2.1:443")),
            ("FD00::1", Some("[fd00::1]")),
            ("[fd00::1]", Some("[fd00::1]")),
            ("[FD00:0::1]:443", Some("[fd00::1]:443")),
            ("https://[fd00::1]:8443/x", Some("[fd00::1]:8443")),
            ("", None),
            ("  ", None),
            ("a b", None),
            ("a..b", None),
            ("-a.example", None),
            ("host:0", None),
            ("host:65536", None),
            ("host:+1", None),
            ("host:", None),
            ("192.0.2.256", None),
            ("10.1", None),
            ("[fd00::1", None),
            ("[fd00::1]x", None),
            ("user@host", None),
            ("host\"\nname", None),
        ] {
            assert_eq!(domain(text).as_deref(), clean, "{text}");
        }
        assert_eq!(domain(&"a".repeat(64)), None);
    }

    #[test]
    fn urls_are_cleaned() {
        for (text, clean) in [
            ("Example.com", Some("https://example.com")),
            ("HTTP://Example.com/Path?Q=1", Some("http://example.com/Path?Q=1")),
            ("https://example.com:8443", Some("https://example.com:8443")),
            ("fd00::1", Some("https://[fd00::1]")),
            ("ftp://example.com", None),
            ("javascript://example.com", None),
            ("https://", None),
            ("", None),
            ("https://example.com/a b", None),
            ("https://example.com/\"x", None),
        ] {
            assert_eq!(url(text).as_deref(), clean, "{text}");
        }
    }
}
