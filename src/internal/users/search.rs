//! What is typed into the search field (contract 2.4), taken apart. Pure.

use crate::base::ids::{ServerId, UserId};

/// A search text: words with a known prefix narrow the list, the rest is part of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    pub name: Option<String>,
    pub id: Option<UserId>,
    pub user_type: Option<String>,
    pub group: Option<String>,
    pub email: Option<String>,
    /// Online or not, on one server or on any.
    pub status: Option<(bool, Option<ServerId>)>,
}

pub fn typed(text: &str) -> Typed {
    let mut typed = Typed::default();
    let mut rest = Vec::new();
    // The database takes no zero byte in a regular expression, and no name has one.
    for word in text.split(|c: char| c.is_whitespace() || c == '\0').filter(|w| !w.is_empty()) {
        let taken = match word.split_once(':') {
            Some((prefix, value)) if !value.is_empty() => typed.take(prefix, value),
            _ => None,
        };
        if taken.is_none() {
            rest.push(word);
        }
    }
    typed.name = Some(rest.join(" ")).filter(|name| !name.is_empty());
    typed
}

impl Typed {
    /// `None`: not such a word.
    fn take(&mut self, prefix: &str, value: &str) -> Option<()> {
        let text = || Some(value.to_owned());
        match prefix {
            "id" => self.id = Some(value.parse().ok()?),
            "type" => self.user_type = text(),
            "group" => self.group = text(),
            "email" => self.email = text(),
            "status" => self.status = Some(status(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn status(value: &str) -> Option<(bool, Option<ServerId>)> {
    let (status, server) = match value.split_once(':') {
        Some((status, server)) => (status, Some(server.parse().ok()?)),
        None => (value, None),
    };
    match status {
        "online" => Some((true, server)),
        "offline" => Some((false, server)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "65a000000000000000000001";

    #[test]
    fn a_search_is_taken_apart() {
        let some = |text: &str| Some(text.to_owned());
        let blank = Typed::default();
        let server: ServerId = ID.parse().expect("an id");
        for (text, expected) in [
            ("", blank.clone()),
            ("  anna ", Typed { name: some("anna"), ..blank.clone() }),
            ("\0anna\0b", Typed { name: some("anna b"), ..blank.clone() }),
            ("email:\0", Typed { name: some("email:"), ..blank.clone() }),
            ("anna b", Typed { name: some("anna b"), ..blank.clone() }),
            (&format!("id:{ID}"), Typed { id: ID.parse().ok(), ..blank.clone() }),
            ("id:1 x", Typed { name: some("id:1 x"), ..blank.clone() }),
            ("type:server", Typed { user_type: some("server"), ..blank.clone() }),
            ("group:a:b", Typed { group: some("a:b"), ..blank.clone() }),
            ("group:", Typed { name: some("group:"), ..blank.clone() }),
            (
                "email:@example.com ann group:ops",
                Typed {
                    name: some("ann"),
                    group: some("ops"),
                    email: some("@example.com"),
                    ..blank.clone()
                },
            ),
            ("status:online", Typed { status: Some((true, None)), ..blank.clone() }),
            (
                &format!("status:offline:{ID}"),
                Typed { status: Some((false, Some(server))), ..blank.clone() },
            ),
            ("status:busy", Typed { name: some("status:busy"), ..blank.clone() }),
            ("status:online:x", Typed { name: some("status:online:x"), ..blank.clone() }),
            ("other:x", Typed { name: some("other:x"), ..blank }),
        ] {
            assert_eq!(typed(text), expected, "{text}");
        }
    }
}
