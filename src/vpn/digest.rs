//! What has to be written of a batch of notes: pure. A client that came and went within a batch is
//! not recorded as connected, and of several totals the last counts.

use crate::base::ids::{ClientId, InstanceId, ServerId};
use crate::limits::{OUTPUT_LINE_BYTES_MAX, OUTPUT_LINES_MAX};
use crate::vpn::records::{Note, Session};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A step in the life of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Started,
    Failed { cause: String },
    Ended,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// Who is still connected at the end of the batch, with its totals so far.
    pub connected: Vec<(Session, Totals)>,
    pub bytes: Vec<(ClientId, Totals)>,
    pub gone: Vec<ClientId>,
    /// Everybody who came, also if they have gone since.
    pub came: Vec<Session>,
    /// Servers with clients that came or went.
    pub stirred: BTreeSet<ServerId>,
    pub steps: Vec<(ServerId, InstanceId, Step)>,
    pub output: BTreeMap<ServerId, Vec<String>>,
}

/// Bytes from and to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub received: u64,
    pub sent: u64,
}

/// `host`: as it stands in lines of output.
pub fn digest(notes: &[Note], host: &str) -> Digest {
    let mut digest = Digest::default();
    let mut totals: HashMap<ClientId, Totals> = HashMap::new();
    let mut gone: HashSet<ClientId> = HashSet::new();
    for note in notes {
        match note {
            Note::Connected(session) => {
                digest.came.push(session.clone());
                digest.stirred.insert(session.server);
            }
            Note::Bytes { client, received, sent, .. } => {
                totals.insert(*client, Totals { received: *received, sent: *sent });
            }
            Note::Gone { client, server } => {
                gone.insert(*client);
                digest.stirred.insert(*server);
            }
            Note::Refused { server, who, reason } => {
                let text = format!("refused {who}: {} ({})", reason.for_admin(), reason.code());
                digest.line(*server, host, &text);
            }
            Note::Output { server, line } => digest.line(*server, host, line),
            Note::Started { server, instance } => {
                digest.steps.push((*server, *instance, Step::Started));
            }
            Note::Failed { server, instance, cause } => {
                let step = Step::Failed { cause: cause.clone() };
                digest.steps.push((*server, *instance, step));
            }
            Note::Ended { server, instance } => {
                digest.steps.push((*server, *instance, Step::Ended));
            }
        }
    }
    for session in digest.came.iter().filter(|session| !gone.contains(&session.id)) {
        let totals = totals.remove(&session.id).unwrap_or_default();
        digest.connected.push((session.clone(), totals));
    }
    let came: HashSet<ClientId> = digest.came.iter().map(|session| session.id).collect();
    digest.bytes = totals.into_iter().filter(|(client, _)| !gone.contains(client)).collect();
    digest.gone = gone.into_iter().filter(|client| !came.contains(client)).collect();
    digest
}

impl Digest {
    fn line(&mut self, server: ServerId, host: &str, text: &str) {
        let mut text = format!("[{host}] {text}");
        let mut end = text.len().min(OUTPUT_LINE_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        let lines = self.output.entry(server).or_default();
        lines.push(text);
        if lines.len() > 2 * OUTPUT_LINES_MAX {
            lines.drain(..OUTPUT_LINES_MAX);
        }
    }

    /// Everything that this batch is about.
    pub fn servers(&self) -> BTreeSet<ServerId> {
        let steps = self.steps.iter().map(|step| step.0);
        steps.chain(self.stirred.iter().copied()).chain(self.output.keys().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{OrgId, UserId};
    use crate::vpn::admission::Reason;
    use std::net::Ipv4Addr;

    fn server() -> ServerId {
        ServerId::from_bytes([1; 12])
    }

    fn client(n: u8) -> ClientId {
        ClientId::from_bytes([n; 12])
    }

    fn session(n: u8) -> Session {
        Session {
            id: client(n),
            server: server(),
            instance: InstanceId::from_bytes([1; 12]),
            org: OrgId::from_bytes([1; 12]),
            user: UserId::from_bytes([n; 12]),
            user_name: "ann".to_owned(),
            cut: 0,
            cid: n.into(),
            platform: String::new(),
            device_name: String::new(),
            mac_address: String::new(),
            real_address: String::new(),
            address: Ipv4Addr::new(10, 8, 0, n),
            since_s: 0,
        }
    }

    fn bytes(n: u8, received: u64) -> Note {
        Note::Bytes { client: client(n), server: server(), received, sent: 0 }
    }

    fn gone(n: u8) -> Note {
        Note::Gone { client: client(n), server: server() }
    }

    #[test]
    fn only_the_end_of_a_batch_is_written() {
        let notes = [
            bytes(1, 5),
            Note::Connected(session(2)),
            bytes(2, 7),
            bytes(1, 9),
            Note::Connected(session(3)),
            bytes(3, 1),
            gone(3),
            gone(4),
        ];
        let digest = digest(&notes, "h1");
        let totals = |received| Totals { received, sent: 0 };
        assert_eq!(digest.connected, [(session(2), totals(7))]);
        assert_eq!(digest.bytes, [(client(1), totals(9))]);
        assert_eq!(digest.gone, [client(4)]);
        assert_eq!(digest.came, [session(2), session(3)], "both were active");
        assert_eq!(digest.servers(), [server()].into());
    }

    #[test]
    fn output_is_bounded_and_names_host_and_reason() {
        let line = |line: String| Note::Output { server: server(), line };
        let who = "ann".to_owned();
        let mut notes = vec![Note::Refused { server: server(), who, reason: Reason::PinWrong }];
        notes.push(line("é".repeat(OUTPUT_LINE_BYTES_MAX)));
        let lines = &digest(&notes, "h1").output[&server()];
        assert_eq!(lines[0], "[h1] refused ann: the PIN is wrong (pin_wrong)");
        assert!(lines[1].len() <= OUTPUT_LINE_BYTES_MAX && lines[1].ends_with('é'));
        let many: Vec<_> = (0..3 * OUTPUT_LINES_MAX).map(|n| line(n.to_string())).collect();
        let lines = &digest(&many, "h1").output[&server()];
        assert!(lines.len() <= 2 * OUTPUT_LINES_MAX);
        assert_eq!(lines.last(), Some(&format!("[h1] {}", 3 * OUTPUT_LINES_MAX - 1)));
    }

    #[test]
    fn steps_keep_their_order() {
        let instance = InstanceId::from_bytes([1; 12]);
        let cause = "x".to_owned();
        let notes = [
            Note::Failed { server: server(), instance, cause: cause.clone() },
            Note::Ended { server: server(), instance },
        ];
        let steps: Vec<_> = digest(&notes, "h").steps.into_iter().map(|step| step.2).collect();
        assert_eq!(steps, [Step::Failed { cause }, Step::Ended]);
    }
}
