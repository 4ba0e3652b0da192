//! Profiles as a flat tar archive, one file per server (contract 3.1).

use crate::base::secret::Secret;
use std::io;

/// A file of an archive: a raw display name and its text.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub text: Secret<String>,
}

/// The files in the order given. Names are made safe, and told apart where servers share one.
pub fn tar(files: &[File], now_s: i64) -> io::Result<Secret<Vec<u8>>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut names: Vec<String> = Vec::with_capacity(files.len());
    for file in files {
        let name = unlike(&names, safe(&file.name));
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now_s).unwrap_or(0));
        header.set_size(file.text.expose().len() as u64);
        builder.append_data(&mut header, &name, file.text.expose().as_bytes())?;
        names.push(name);
    }
    builder.into_inner().map(Secret::new)
}

/// No separators, no control characters, no hidden file.
fn safe(name: &str) -> String {
    let fit = |c: char| if c == '/' || c == '\\' || c.is_control() { '_' } else { c };
    let name: String = name.chars().map(fit).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name,
    }
}

fn unlike(names: &[String], name: String) -> String {
    if !names.contains(&name) {
        return name;
    }
    let (stem, end) = name.rsplit_once('.').unwrap_or((&name, ""));
    let dot = if end.is_empty() { "" } else { "." };
    let numbered = |n| format!("{stem}_{n}{dot}{end}");
    (2..).map(numbered).find(|n| !names.contains(n)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Names and texts as another program finds them.
    fn unpacked(names: &[&str]) -> Vec<(String, String)> {
        let file = |name: &&str| File { name: (*name).to_owned(), text: Secret::new("#x".into()) };
        let files: Vec<File> = names.iter().map(file).collect();
        let bytes = tar(&files, 1_700_000_000).expect("archive");
        let mut archive = tar::Archive::new(bytes.expose().as_slice());
        let entries = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("entry");
            let name = entry.path().expect("path").display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (name, text)
        });
        entries.collect()
    }

    #[test]
    fn names_are_raw_but_safe_and_flat() {
        let long = format!("{}.ovpn", "é".repeat(200));
        for (name, stored) in [
            ("org_user_server.ovpn", "org_user_server.ovpn"),
            ("org_user@example.com_server #1.ovpn", "org_user@example.com_server #1.ovpn"),
            ("Ω_日本_s.ovpn", "Ω_日本_s.ovpn"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("a\\b\0c\nd.ovpn", "a_b_c_d.ovpn"),
            (".hidden", "_hidden"),
            ("..", "_."),
            ("", "_"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(unpacked(&[name]), [(stored.to_owned(), "#x".to_owned())], "{name}");
        }
    }

    #[test]
    fn equal_names_are_told_apart() {
        let names: Vec<String> =
            unpacked(&["a.ovpn", "a.ovpn", "b", "b", "a.ovpn"]).into_iter().map(|e| e.0).collect();
        assert_eq!(names, ["a.ovpn", "a_2.ovpn", "b", "b_2", "a_3.ovpn"]);
    }

    #[test]
    fn the_tar_program_reads_it() {
        let path = std::env::temp_dir().join(format!("warren-tar-{}", std::process::id()));
        let file = File { name: "a.ovpn".into(), text: Secret::new("client\n".into()) };
        std::fs::write(&path, tar(&[file], 0).expect("archive").expose()).expect("file");
        let out = std::process::Command::new("tar").arg("tf").arg(&path).output().expect("tar");
        let _ = std::fs::remove_file(&path);
        assert_eq!(String::from_utf8_lossy(&out.stdout), "a.ovpn\n");
    }
}
