//! The fence: the only place that starts programs, calls the kernel or holds `unsafe`.
//!
//! Threads: one per [`supervise::Supervisor`].
//! Keeps: arguments are vectors, the environment of a child is cleared, cores are off (I10);
//! nothing is signalled but through a pidfd whose process was identified first, so that a reused
//! pid is never hit. Every wait has a bound (I9).
//!
//! Must never: import anything of ours but `base`, `limits` and `thread`, or decide policy: callers
//! say what should be, this module makes it so and says what stood in the way.

pub mod conntrack;
pub mod dirs;
pub mod env;
pub mod fd;
pub mod forward;
pub mod hardening;
pub mod host;
pub mod lock;
pub mod nft;
pub mod notify;
pub mod process;
pub mod run;
pub mod supervise;
pub mod tun;
pub mod users;

use std::fmt;
use std::path::{Path, PathBuf};

/// Something about a file, directory or socket did not work.
#[derive(Debug)]
pub struct FileError {
    pub action: &'static str,
    pub path: PathBuf,
    pub source: std::io::Error,
}

impl FileError {
    /// For `map_err`: `FileError::at("create", path)`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
        move |source| FileError { action, path: path.to_owned(), source }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {} {}", self.action, self.path.display())
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
