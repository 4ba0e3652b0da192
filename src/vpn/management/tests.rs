//! What OpenVPN says, whole and in pieces.

use super::*;
use crate::base::random::Random;
use crate::vpn::client_config::Directive;

fn events(text: &str) -> Vec<Event> {
    Parser::default().feed(text.as_bytes())
}

const CONNECT: &str = ">CLIENT:CONNECT,7,1\r\n>CLIENT:ENV,username=\r\n\
    >CLIENT:ENV,password=a=b,\"c\r\n>CLIENT:ENV,X509_0_CN=ünï\r\n>CLIENT:ENV,END\r\n";

#[test]
fn lines_become_events() {
    let rows = [
        (">HOLD:Waiting for hold release:0\r\n", Some(Event::Hold)),
        (">STATE:1,CONNECTED,SUCCESS,10.8.0.1,,,,\n", Some(Event::State("CONNECTED".into()))),
        (">LOG:1,I,a, b\n", Some(Event::Log("a, b".into()))),
        (">FATAL:bind failed\n", Some(Event::Fatal("bind failed".into()))),
        ("SUCCESS: pid=3\r\n", Some(Event::Reply(Reply::Success("pid=3".into())))),
        ("ERROR: no\n", Some(Event::Reply(Reply::Error("no".into())))),
        ("a\nb\nEND\n", Some(Event::Reply(Reply::Block(vec!["a".into(), "b".into()])))),
        (
            ">BYTECOUNT_CLI:4,10,20\n",
            Some(Event::Client(ClientEvent::ByteCount { cid: 4, received: 10, sent: 20 })),
        ),
        (
            ">CLIENT:ADDRESS,0,10.8.0.2,1\n",
            Some(Event::Client(ClientEvent::Address {
                cid: 0,
                address: "10.8.0.2".into(),
                primary: true,
            })),
        ),
        (">INFO:hello\n", None),
        (">BYTECOUNT_CLI:4,x\n", None),
        (">STATE:\n", None),
        (">CLIENT:CONNECT\n", None),
        (">CLIENT:ENV,END\n", None),
    ];
    for (text, want) in rows {
        assert_eq!(events(text), want.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn a_client_block_is_read_also_byte_by_byte_and_its_password_is_not_printed() {
    let mut parser = Parser::default();
    let pieces = CONNECT.as_bytes().iter().flat_map(|byte| parser.feed(&[*byte]));
    let got: Vec<Event> = pieces.collect();
    let [Event::Client(ClientEvent::Connect { cid: 7, kid: 1, env })] = &got[..] else {
        panic!("{got:?}");
    };
    assert_eq!(env.get("X509_0_CN"), "ünï");
    assert_eq!(env.password.expose(), "a=b,\"c");
    assert!(!format!("{got:?}").contains("a=b"));
}

#[test]
fn replies_are_matched_in_order_whatever_comes_between() {
    let mut session = Session::default();
    assert!(session.ask(&Command::Status));
    assert!(session.ask(&Command::Kill { cid: 3, how: Kill::Next }));
    assert_eq!(session.take_output(), b"status 3\nclient-kill 3 RESTART,[N]\n");
    let got = session.feed(b">LOG:1,,x\nTITLE\t1\n>HOLD:0\nEND\nSUCCESS: killed\nERROR: what\n");
    let kinds: Vec<_> = got
        .iter()
        .filter_map(|incoming| match incoming {
            Incoming::Answer(asked, _) => Some(*asked),
            Incoming::Event(_) => None,
        })
        .collect();
    assert_eq!(kinds, [Some(Asked::Status), Some(Asked::Kill { cid: 3 }), None]);
}

#[test]
fn commands_can_not_be_broken_out_of() {
    let deny = Command::Deny { cid: 1, kid: 2, log: "a\"b\n", client: "c\\" };
    assert_eq!(deny.encode(), "client-deny 1 2 \"a\\\"b\" \"c\\\\\"\n");
    let directive = Directive::new("ifconfig-push 10.8.0.2 255.255.255.0".into()).expect("valid");
    let accept = Command::Accept { cid: 1, kid: 2, directives: &[directive], announce: true };
    assert_eq!(
        accept.encode(),
        "client-pending-auth 1 2 \"\" 20\nclient-auth 1 2\n\
         ifconfig-push 10.8.0.2 255.255.255.0\nEND\n"
    );
    assert_eq!(accept.asked().len(), 2);
}

#[test]
fn long_lines_are_cut_and_the_next_one_is_read() {
    let text = format!(">LOG:1,,{}\n>HOLD:0\n", "x".repeat(3 * MANAGEMENT_LINE));
    let got = events(&text);
    assert!(matches!(&got[..], [Event::Log(text), Event::Hold] if text.len() < MANAGEMENT_LINE));
}

const MANAGEMENT_LINE: usize = crate::limits::MANAGEMENT_LINE_BYTES_MAX;

/// Damages real lines at random: nothing panics, and a good block afterwards is read.
#[test]
fn no_input_breaks_it() {
    let seed = 20_261_123;
    let random = Random::seeded(seed);
    let good = CONNECT.replace("END", "tls_id_0=x\r\n>CLIENT:ENV,END");
    for round in 0..2_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..random.below(20) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.bytes::<1>()[0],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b">\n,:=\xffE"[random.below(7) as usize]),
            }
        }
        let mut session = Session::default();
        for piece in bytes.chunks(1 + random.below(9) as usize) {
            session.feed(piece);
        }
        let after = session.feed(format!("\nEND\n{CONNECT}").as_bytes());
        let read = after.iter().any(|incoming| {
            matches!(incoming, Incoming::Event(Event::Client(ClientEvent::Connect { .. })))
        });
        assert!(read, "seed {seed}, round {round}");
    }
}
