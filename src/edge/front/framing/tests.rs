//! What is refused, what is read, and damaged heads in between.

use super::*;
use crate::base::random::Random;
use Refusal::{Expectation, HeadTooLong, Version};

/// The whole decision as the event loop makes it: `None` while the head is not whole.
fn judge(input: &[u8]) -> Option<Result<Head, Refusal>> {
    match head_end(input, &mut 0) {
        Err(refusal) => Some(Err(refusal)),
        Ok(None) => None,
        Ok(Some(end)) => Some(parse(&input[..end])),
    }
}

const DOUBTFUL: &[(&str, Refusal)] = &[
    // Line ends and folding.
    ("GET / HTTP/1.1\nHost: a\n\n", Malformed("bare line feed")),
    ("GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", Malformed("bare line feed")),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", Malformed("bare line feed")),
    ("GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n", Malformed("bare carriage return")),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("leading line break")),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("leading line break")),
    ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Malformed("folded header")),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n", Malformed("folded header")),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", Malformed("zero byte")),
    // Request line.
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("head")),
    ("GET / x HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("head")),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("method")),
    ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("target")),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("target")),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("target")),
    ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("target")),
    ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Malformed("target")),
    ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", Version),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Version),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", Malformed("no host")),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Malformed("host")),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Malformed("host")),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Malformed("host")),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Malformed("host")),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Malformed("head")),
    // Lengths.
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1c\r\n\r\n", Malformed("length")),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", Malformed("length")),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", Malformed("length")),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", Malformed("length")),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", Malformed("length")),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", Malformed("length")),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        Malformed("two lengths"),
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        Malformed("length and transfer encoding"),
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        Malformed("transfer encoding"),
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        Malformed("transfer encoding"),
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        Malformed("transfer encoding"),
    ),
    // Headers that matter behind.
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", Expectation),
    ("GET / HTTP/1.1\r\nHost: a\r\nCookie: \u{e9}\r\n\r\n", Malformed("header value")),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nAuth-Token: a\r\nauth-token: b\r\n\r\n",
        Malformed("header twice"),
    ),
];

#[test]
fn what_is_doubtful_is_refused() {
    let x = |n: usize| "x".repeat(n);
    let long_line = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", x(16_400));
    let many: String = (0..70).map(|n| format!("X-{n}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    let too_long = [(long_line.as_str(), HeadTooLong), (many.as_str(), HeadTooLong)];
    for (input, refusal) in DOUBTFUL.iter().chain(&too_long) {
        assert_eq!(judge(input.as_bytes()), Some(Err(*refusal)), "{input:?}");
    }
    assert_eq!(judge(x(16_385).as_bytes()), Some(Err(HeadTooLong)));
}

#[test]
fn what_is_clear_is_read() {
    let head = judge(
        b"POST /server/5f?page=1 HTTP/1.1\r\nhost: warren.example:8443\r\nAUTH-TOKEN: t\r\n\
          Cookie: a=1\r\nCookie: b=2\r\nX-Forwarded-For: 1.2.3.4\r\nWarren-Client: 1.2.3.4\r\n\
          Connection: keep-alive, Close\r\nExpect: 100-Continue\r\nContent-Length: 12\r\n\
          User-Agent:  curl/8 \r\n\r\nbody",
    );
    let head = head.expect("whole").expect("valid");
    assert_eq!((head.method.as_str(), head.target.as_str()), ("POST", "/server/5f?page=1"));
    assert_eq!(head.host, "warren.example:8443");
    assert_eq!(head.body, BodyLength::Bytes(12));
    assert!(!head.keep_alive && head.expects_continue);
    let copied: Vec<_> = head.copied.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let want = [("Auth-Token", "t"), ("Cookie", "a=1; b=2"), ("User-Agent", "curl/8")];
    assert_eq!(copied, want);
}

#[test]
fn a_head_in_single_bytes_is_found_at_the_same_place() {
    let whole = b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\nGET";
    let mut scanned = 0;
    for end in 0..whole.len() {
        let found = head_end(&whole[..end], &mut scanned).expect("nothing wrong");
        assert_eq!(found, (end >= whole.len() - 3).then_some(whole.len() - 3), "{end}");
        if found.is_some() {
            return;
        }
    }
    panic!("never found");
}

#[test]
fn bad_bytes_are_found_wherever_the_pieces_are_cut() {
    for bad in [&b"GET / HTTP/1.1\r\nA: b\n"[..], b"GET /\rx", b"G\nx", b"\r\n", b"GET /\r\n\r x"] {
        let mut scanned = 0;
        let refused = (0..=bad.len()).any(|end| head_end(&bad[..end], &mut scanned).is_err());
        assert!(refused, "{bad:?}");
    }
}

/// Heads with random damage: whatever passes is unambiguous by a reader written another way.
#[test]
fn what_passes_in_spite_of_damage_is_unambiguous() {
    let random = Random::seeded(0x57a7_7e2d);
    let seeds: [&[u8]; 2] = [
        b"POST /a?b=c HTTP/1.1\r\nHost: a.b:1\r\nContent-Length: 12\r\nCookie: a=b\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\
          \r\n",
    ];
    let splices: [&[u8]; 12] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"Content-Length: 5\r\n",
        b"Host: x\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"HTTP/1.1",
        b"\xff",
    ];
    let pick = |n: usize| random.below(n as u64) as usize;
    let mut passed = 0;
    for _ in 0..50_000 {
        let mut input = seeds[pick(2)].to_vec();
        for _ in 0..=pick(3) {
            let at = pick(input.len());
            match pick(3) {
                0 => input[at] = random.u64() as u8,
                1 => drop(input.remove(at)),
                _ => drop(input.splice(at..at, splices[pick(12)].iter().copied())),
            }
        }
        let Some(Ok(head)) = judge(&input) else { continue };
        passed += 1;
        let end = head_end(&input, &mut 0).expect("valid").expect("whole");
        let text = String::from_utf8_lossy(&input[..end]).to_ascii_lowercase();
        let lines: Vec<&str> = text.trim_end_matches("\r\n").split("\r\n").collect();
        let count = |name: &str| lines.iter().filter(|l| l.starts_with(name)).count();
        assert_eq!(lines[0].split(' ').count(), 3, "{input:?}");
        assert_eq!(count("host:"), 1, "{input:?}");
        let (lengths, codings) = (count("content-length:"), count("transfer-encoding:"));
        assert!(lengths + codings <= 1, "{input:?}");
        assert_eq!(head.body == BodyLength::Chunked, codings == 1, "{input:?}");
        assert!(!lines.iter().any(|line| line.contains(['\r', '\n', '\0'])), "{input:?}");
    }
    assert!(passed > 1000, "{passed}");
}
