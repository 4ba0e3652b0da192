//! Events (contract 2.7).

use serde::Serialize;

/// Something that the client may want to load again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventReply {
    /// The cursor for what comes after it.
    pub id: String,
    /// Seconds since the Unix epoch.
    pub timestamp: f64,
    #[serde(rename = "type")]
    pub kind: String,
    pub resource_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reply::Reply;

    #[test]
    fn an_event_looks_as_the_contract_says() {
        let event = EventReply {
            id: "65a000000000000000000001".to_owned(),
            timestamp: 1_700_000_000.0,
            kind: "users_updated".to_owned(),
            resource_id: None,
        };
        let json = String::from_utf8(event.to_json().expect("JSON")).expect("text");
        let expected = "{\"id\":\"65a000000000000000000001\",\"timestamp\":1700000000.0,\
                        \"type\":\"users_updated\",\"resource_id\":null}";
        assert_eq!(json, expected);
    }
}
