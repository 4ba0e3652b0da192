//! What a test needs of its machine. A lack is said loudly; with `CI` set it is a failure.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::clock;

#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Root, and a kernel that makes namespaces.
    Namespaces,
    /// The tun driver.
    Tun,
    OpenVpn,
    Mongod,
    Nft,
    /// Wrong clocks for single programs.
    Faketime,
    Node,
    /// Chromium, and the packages of `tests/browser`.
    Browser,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Need::Namespaces => {
                answers("unshare", &["--net", "--mount", "--pid", "--fork", "true"])
            }
            Need::Tun => {
                Path::new("/sys/class/misc/tun").exists() && Path::new("/dev/net").exists()
            }
            Need::OpenVpn => answers("openvpn", &["--version"]),
            Need::Mongod => answers(&mongod(), &["--version"]),
            Need::Nft => answers("nft", &["--version"]),
            Need::Faketime => clock::library().is_some(),
            Need::Node => answers("node", &["--version"]),
            Need::Browser => {
                Path::new("tests/browser/node_modules/playwright-core").exists()
                    && answers("chromium", &["--version"])
            }
        }
    }
}

/// The program that `make test` found or fetched.
pub fn mongod() -> String {
    env::var("WARREN_MONGOD").unwrap_or_else(|_| "mongod".to_owned())
}

/// Whether all is there; if not, the caller ends its test.
pub fn all_met(needs: &[Need]) -> bool {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return true;
    }
    let words = format!("this machine lacks {missing:?}: run the tests as root with `make test`");
    assert!(env::var_os("CI").is_none(), "{words}");
    eprintln!("SKIPPED: {words}");
    false
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `needs!(Namespaces, Mongod)` at the top of a test ends it here if the machine lacks something.
#[macro_export]
macro_rules! needs {
    ($($need:ident),+ $(,)?) => {
        if !$crate::support::needs::all_met(&[$($crate::support::needs::Need::$need),+]) {
            return;
        }
    };
}
