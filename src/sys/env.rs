//! The process's own environment.

use std::ffi::OsString;

/// Where programs are looked for: the daemon's own `PATH` is not trusted to its children.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// From here on memory is the kernel's again once it is freed.
const LARGE_BYTES: libc::c_int = 1024 * 1024;

/// One worker thread is enough for the database driver's hidden runtime, which reads only this.
/// Must be the first thing in `main`.
pub fn limit_driver_threads() {
    // SAFETY: called before any other thread exists, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var("TOKIO_WORKER_THREADS", "1") };
}

/// Pools of small blocks: threads share them. By default each of the first sixteen threads has its
/// own, and what it frees is nobody else's.
const POOLS: libc::c_int = 2;

/// Large blocks go back to the kernel as soon as they are freed: else the 19 MiB of a password hash
/// stay with the thread that made it. Must be called before there are other threads.
pub fn keep_little_memory() {
    // SAFETY: it takes two numbers; no other thread allocates meanwhile.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
    }
}

/// Set by systemd for a service of type notify.
pub fn notify_socket() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET")
}

/// How often systemd wants to hear from us, in microseconds.
pub fn watchdog_us() -> Option<u64> {
    std::env::var("WATCHDOG_USEC").ok()?.parse().ok()
}
