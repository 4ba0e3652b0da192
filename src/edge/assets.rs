//! The console's files, compiled in: pages, scripts, styles, with entity tags and gzip forms.
//!
//! All of `/s/` is open: the files are public anyway, and the login page needs some of them. They
//! are revalidated on each use (a request of a few bytes), so that no browser mixes two versions.

use crate::http::{Body, Request, Response};
use std::collections::HashMap;

type File = (&'static str, &'static [u8], Option<&'static [u8]>);

const FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The table of files by the path under `/s/`.
pub struct Assets {
    by_name: HashMap<&'static str, Asset>,
}

struct Asset {
    kind: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    tag: String,
}

impl Assets {
    pub fn load() -> Assets {
        Assets::from_files(FILES)
    }

    fn from_files(files: &[File]) -> Assets {
        let entry = |&(name, plain, gzip): &File| {
            let tag = hex(&openssl::sha::sha256(plain)[..12]);
            Some((name, Asset { kind: kind(name)?, plain, gzip, tag }))
        };
        Assets { by_name: files.iter().filter_map(entry).collect() }
    }

    /// The file of a name, for this request's conditions; `None` if there is none.
    pub fn get(&self, name: &str, request: &Request) -> Option<Response> {
        let asset = self.by_name.get(name)?;
        let accepts_gzip = request.header("Accept-Encoding").is_some_and(accepts_gzip);
        let gzip = asset.gzip.filter(|_| accepts_gzip);
        let tag = match gzip {
            Some(_) => format!("\"{}-gz\"", asset.tag),
            None => format!("\"{}\"", asset.tag),
        };
        let known = request.header("If-None-Match").unwrap_or_default();
        let response = if known.split(',').any(|one| one.trim() == tag) {
            Response::empty(304)
        } else {
            let response = Response::new(200, Body::Static(gzip.unwrap_or(asset.plain)));
            match gzip {
                Some(_) => response.with("Content-Encoding", "gzip"),
                None => response,
            }
        };
        let response = response.with("Content-Type", asset.kind).with("ETag", tag);
        Some(response.with("Vary", "Accept-Encoding").with("Cache-Control", "no-cache"))
    }
}

fn kind(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn accepts_gzip(value: &str) -> bool {
    let mut codings = value.split(',').map(|coding| coding.split(';').map(str::trim));
    codings.any(|mut coding| {
        coding.next() == Some("gzip") && !coding.any(|weight| matches!(weight, "q=0" | "q=0.0"))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Request { method: "GET".into(), target: "/".into(), headers, body: Vec::new() }
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_file_is_served_packed_plain_or_not_at_all() {
        let assets =
            Assets::from_files(&[("a/b.js", b"plain", Some(b"packed")), ("x.md", b"", None)]);
        let plain = assets.get("a/b.js", &request(&[])).expect("there");
        assert!(matches!(plain.body, Body::Static(b"plain")));
        let accepts = ("Accept-Encoding", "br, gzip;q=0.9");
        let packed = assets.get("a/b.js", &request(&[accepts])).expect("there");
        assert!(matches!(packed.body, Body::Static(b"packed")));
        assert_eq!(header(&packed, "Content-Encoding"), Some("gzip"));
        let tag = header(&packed, "ETag").expect("a tag");
        let again = assets.get("a/b.js", &request(&[accepts, ("If-None-Match", tag)]));
        assert_eq!(again.expect("there").status, 304);
        let other = assets.get("a/b.js", &request(&[("If-None-Match", tag)])).expect("there");
        assert_eq!(other.status, 200);
        for missing in ["x.md", "a", "../a/b.js", ""] {
            assert!(assets.get(missing, &request(&[])).is_none(), "{missing}");
        }
        assert!(!accepts_gzip("gzip;q=0") && !accepts_gzip("xgzip"));
    }
}
