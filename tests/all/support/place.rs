//! A place to run things: a PID and mount namespace, usually with a network of its own.
//!
//! Each place has a *holder*, the first process of its PID namespace. It ends when its standard
//! input does, which is when the test process ends, however that comes about; the kernel then
//! kills everything in the place. In its mount namespace the holder mounts a `/dev/net/tun` that
//! anybody may open, so that OpenVPN needs no root and the machine's own node stays as it is, and
//! a `/dev/shm` of its own: what lies there is named by process ids, which are those of the place.

use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use libc::{CLONE_FS, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID};

const HOLD: &str = r#"set -e
mount --make-rprivate /
mount -t proc proc /proc
[ "$1" = shared ] || mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /dev/net
mknod -m 666 /dev/net/tun c 10 200
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
[ "$1" = shared ] || ip link set lo up
echo ready
while read -r _; do :; done"#;

/// Clones are the same place; it ends with the last of them.
#[derive(Clone)]
pub struct Place(Arc<Holder>);

struct Holder {
    process: Child,
    pidfd: OwnedFd,
}

impl Place {
    /// A place with an empty network of its own: a loopback and nothing else.
    pub fn isolated() -> Place {
        Place::new(CLONE_NEWNET, "own")
    }

    /// A place on the machine's network. What runs in it still ends with it.
    pub fn on_this_network() -> Place {
        Place::new(0, "shared")
    }

    fn new(network: i32, name: &str) -> Place {
        let mut process = in_thread(|| {
            unshare(network | CLONE_NEWNS | CLONE_NEWPID);
            Command::new("bash")
                .args(["-c", HOLD, "holder", name])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("bash")
        });
        let mut line = String::new();
        let stdout = process.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the holder's answer");
        assert_eq!(line, "ready\n", "a namespace could not be made; are you root?");
        let pidfd = pidfd_open(process.id());
        Place(Arc::new(Holder { process, pidfd }))
    }

    /// The holder's process id, by which `ip link` names this place's network.
    pub fn pid(&self) -> u32 {
        self.0.process.id()
    }

    /// Runs `work` on a thread in this place's network. Its sockets stay there when it returns.
    pub fn net<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            self.enter(CLONE_NEWNET);
            work()
        })
    }

    /// Starts a command here. Its working directory is `/`: give it absolute paths.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        in_thread(|| {
            unshare(CLONE_FS);
            self.enter(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID);
            command.spawn()
        })
    }

    /// Runs a command here to its end.
    pub fn output(&self, command: &[&str]) -> Output {
        let mut started = Command::new(command[0]);
        started.args(&command[1..]).stdin(Stdio::null());
        started.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn(&mut started).unwrap_or_else(|e| panic!("{command:?}: {e}"));
        child.wait_with_output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
    }

    /// Runs a shell script here, which must succeed, and returns what it printed.
    pub fn sh(&self, script: &str) -> String {
        let output = self.output(&["sh", "-ec", script]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {} {errors}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    fn enter(&self, namespaces: i32) {
        // SAFETY: takes a descriptor that `self` keeps open, touches no memory.
        let result = unsafe { libc::setns(self.0.pidfd.as_raw_fd(), namespaces) };
        assert_eq!(result, 0, "setns: {}", io::Error::last_os_error());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// This thread and what it starts see a tun device that anybody may open; the machine's stays.
pub fn own_tun_node() {
    unshare(CLONE_NEWNS);
    let script = "mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /dev/net \
                  && mknod -m 666 /dev/net/tun c 10 200";
    let status = Command::new("sh").args(["-c", script]).status().expect("sh");
    assert!(status.success(), "a tun node");
}

/// Namespaces belong to a thread: each change of them gets a thread that ends afterwards.
fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| resume_unwind(panic)))
}

fn unshare(namespaces: i32) {
    // SAFETY: no memory is touched; only the calling thread is changed.
    let result = unsafe { libc::unshare(namespaces) };
    assert_eq!(result, 0, "unshare: {}", io::Error::last_os_error());
}

fn pidfd_open(pid: u32) -> OwnedFd {
    // SAFETY: no memory is touched.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    assert!(fd >= 0, "pidfd_open: {}", io::Error::last_os_error());
    // SAFETY: the kernel just gave us this descriptor, nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Sends `signal` to one process, which a test started.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: no memory is touched.
    let result = unsafe { libc::kill(pid as i32, signal) };
    assert_eq!(result, 0, "kill {pid}: {}", io::Error::last_os_error());
}
