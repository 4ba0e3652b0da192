//! Forgetting a client's established flows, which a firewall would go on accepting.

use crate::sys::process::Exit;
use crate::sys::run::{RunError, run};
use std::net::IpAddr;

/// Deletes all flows from and to `address`. Without the `conntrack` program nothing is deleted: the
/// blocked set alone cuts the client, and the doctor names the program.
pub fn forget(address: IpAddr) -> Result<(), RunError> {
    let address = address.to_string();
    for side in ["--orig-src", "--orig-dst"] {
        match run("conntrack", &["-D", side, &address]) {
            // The program's way to say that there was nothing to delete.
            Err(RunError::Failed { exit: Exit::Code(1), .. }) => {}
            Err(e) if e.not_installed() => return Ok(()),
            result => drop(result?),
        }
    }
    Ok(())
}

pub fn installed() -> bool {
    !matches!(run("conntrack", &["--version"]), Err(e) if e.not_installed())
}
