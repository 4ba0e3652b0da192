//! Keeps secrets out of core files and away from debuggers (I10).

use std::io;

/// No core file, no ptrace, no reading of `/proc/self/mem` by processes of the same user.
pub fn hide_memory() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: system calls on plain values and a pointer to a local.
    let results = unsafe {
        [
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none),
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0),
        ]
    };
    if results == [0, 0] { Ok(()) } else { Err(io::Error::last_os_error()) }
}
