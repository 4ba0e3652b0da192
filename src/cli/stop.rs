//! `warren stop`: ends the daemon of this state directory and waits for its end.

use super::{Failure, exit, say};
use crate::config::Config;
use crate::limits;
use crate::sys::lock;
use crate::sys::process::{self, Identity};

pub fn stop(config: &Config) -> Result<(), Failure> {
    let Some(pid) = lock::holder(&config.state_dir) else {
        let text = format!("no daemon runs on {}", config.state_dir.display());
        return Err(Failure::new(exit::FOUND, text));
    };
    let running = Identity::of(pid).ok().map(|identity| process::adopt(&identity)).transpose();
    let running = running.map_err(|e| Failure::of(exit::SYSTEM, &e))?.flatten();
    if let Some(mut daemon) = running {
        daemon.signal(libc::SIGTERM).map_err(|e| Failure::of(exit::REFUSED, &e))?;
        if daemon.wait(limits::STOP_MAX * 2).is_none() {
            let text = format!("the daemon (pid {pid}) is still stopping; see its log");
            return Err(Failure::new(exit::NOT_NOW, text));
        }
    }
    say("stopped")
}
