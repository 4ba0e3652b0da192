//! Wall clocks that are wrong: a preloaded library answers for one program, monotonic time apart.

use std::env::consts::ARCH;
use std::path::PathBuf;

/// Debian's `libfaketime`, if it is there.
pub fn library() -> Option<PathBuf> {
    let directory = PathBuf::from(format!("/usr/lib/{ARCH}-linux-gnu/faketime"));
    Some(directory.join("libfaketimeMT.so.1")).filter(|path| path.exists())
}

/// The environment of a program whose wall clock is off by `seconds`.
pub fn wrong_by(seconds: i64) -> Vec<(&'static str, String)> {
    if seconds == 0 {
        return Vec::new();
    }
    let library = library().expect("libfaketime: the test says that it needs it");
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", format!("{seconds:+}")),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_DISABLE_SHM", "1".to_owned()),
    ]
}
