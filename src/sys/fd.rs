//! Descriptors: waiting for several at once, wake-ups, filled pipes, Unix sockets, inheritance.

use crate::limits::{CHILD_INPUT_BYTES_MAX, LISTEN_BACKLOG_MAX};
use crate::sys::FileError;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Waits until one of `fds` can be read, has ended or failed: which of them, none on time-out.
pub fn poll<const N: usize>(fds: [BorrowedFd<'_>; N], timeout: Duration) -> [bool; N] {
    let mut polled =
        fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    // Rounded up: a wait of half a millisecond must not become a busy loop.
    let ms = timeout.as_micros().div_ceil(1000);
    let ms = libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX);
    // SAFETY: the array lives across the call and its length is passed.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, ms) };
    // An interrupted wait looks like a time-out; every caller loops on its own deadline.
    if ready <= 0 { [false; N] } else { polled.map(|p| p.revents != 0) }
}

pub fn readable(fd: BorrowedFd<'_>, timeout: Duration) -> bool {
    poll([fd], timeout) == [true]
}

/// Ends a [`poll`] of another thread. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    pub fn new() -> io::Result<Waker> {
        // SAFETY: plain system call; no memory is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        Ok(Waker(Arc::new(own(fd)?)))
    }

    pub fn wake(&self) {
        // SAFETY: eight bytes of a local, as an eventfd takes them. It fails only when the counter
        // is full, and then it is readable anyway.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const ONE).cast(), 8) };
    }

    /// To be called before looking for what the wake-up was about.
    pub fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes into a local that lives across the call.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

static ONE: u64 = 1;

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The reading end of a pipe that holds `bytes` and then ends: they touch no file, and whoever
/// reads them first has taken them away.
pub fn filled_pipe(bytes: &[u8]) -> io::Result<OwnedFd> {
    let size = libc::c_int::try_from(bytes.len()).unwrap_or(libc::c_int::MAX);
    if bytes.len() > CHILD_INPUT_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let (read, mut write) = io::pipe()?;
    // SAFETY: plain system call on a descriptor we own; no memory is passed.
    if unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, size) } < size {
        return Err(io::Error::last_os_error());
    }
    write.write_all(bytes)?;
    Ok(read.into())
}

/// A pipe whose writer never blocks: what does not fit before it is read is lost.
pub fn lossy_pipe() -> io::Result<(io::PipeReader, OwnedFd)> {
    let (read, write) = io::pipe()?;
    set_nonblocking(write.as_fd())?;
    set_nonblocking(read.as_fd())?;
    Ok((read, write.into()))
}

/// What such a pipe holds now.
pub fn drain(pipe: &mut io::PipeReader) -> String {
    let mut bytes = Vec::new();
    // Ends with `WouldBlock` while the writer lives: what was read until then is the answer.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain system call on a borrowed, thus open, descriptor; no memory is passed.
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes over a descriptor that our parent kept open for us ([`super::process::Spec::keep`]).
///
/// `None` if it is not open. Call it once per number, early in `main`: the number must have been
/// said by the parent.
pub fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: plain system call; on a descriptor that is not open it fails.
    let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open, and by contract the parent left it for exactly this caller.
    (number > 2 && set == 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// A listening Unix socket with these permissions, in place of a dead one.
///
/// The directory must keep strangers out: the permissions are set after the socket exists.
pub fn listen_unix(path: &Path, mode: u32) -> Result<UnixListener, FileError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::at("replace the socket", path)(e));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(FileError::at("listen on", path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(FileError::at("set the permissions of", path))?;
    Ok(listener)
}

/// A listening TCP port with room for a burst of clients ([`LISTEN_BACKLOG_MAX`]).
pub fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // SAFETY: plain system call on a descriptor we own; no memory is passed. Listening again only
    // changes the length of the queue.
    let listening = unsafe { libc::listen(listener.as_raw_fd(), LISTEN_BACKLOG_MAX) };
    if listening == 0 { Ok(listener) } else { Err(io::Error::last_os_error()) }
}

/// How many descriptors this process may have open.
pub fn descriptors_max() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local that lives across the call. It fails for bad arguments
    // only.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Who is at the other end of a Unix socket, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

pub fn peer(socket: &UnixStream) -> io::Result<Peer> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: both pointers are to locals that live across the call; `size` is the room in `peer`.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer { pid: peer.pid, uid: peer.uid, gid: peer.gid })
}

fn own(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a call that has just succeeded made it for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_pipe_holds_more_than_the_kernels_default() {
        let bytes = vec![7; 300_000];
        let mut read = std::fs::File::from(filled_pipe(&bytes).expect("a pipe"));
        let mut back = Vec::new();
        read.read_to_end(&mut back).expect("all of it");
        assert_eq!(back, bytes);
        let error = filled_pipe(&vec![0; CHILD_INPUT_BYTES_MAX + 1]).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_waker_ends_a_poll_until_it_is_cleared() {
        let waker = Waker::new().expect("an eventfd");
        assert!(!readable(waker.as_fd(), Duration::ZERO));
        waker.clone().wake();
        assert!(readable(waker.as_fd(), Duration::from_secs(5)));
        waker.clear();
        assert!(!readable(waker.as_fd(), Duration::ZERO));
    }

    #[test]
    fn a_lossy_pipe_neither_blocks_its_writer_nor_its_reader() {
        let (mut read, write) = lossy_pipe().expect("a pipe");
        let mut write = std::fs::File::from(write);
        assert_eq!(drain(&mut read), "");
        let full = (0..1000).find_map(|_| write.write(&[b'x'; 4096]).err()).expect("gets full");
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(drain(&mut read).len(), 65_536);
    }

    #[test]
    fn the_kernel_says_who_the_peer_is() {
        let (a, _b) = UnixStream::pair().expect("a pair");
        assert_eq!(peer(&a).expect("a peer").pid, std::process::id() as i32);
    }
}
