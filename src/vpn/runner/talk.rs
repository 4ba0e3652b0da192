//! The conversation with OpenVPN over its management socket.

use super::Actor;
use crate::limits::BYTE_COUNT_SECONDS;
use crate::vpn::instance::{Event, State};
use crate::vpn::management::{self, Asked, ClientEvent, Command, Incoming, Reply, Session};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// OpenVPN reads at once; one that does not is hung, and the next poll of its life decides.
const WRITE_MAX: Duration = Duration::from_millis(500);

/// What OpenVPN says of our own choices, and nobody can act on: that repeated lines are left out,
/// and that pings are set one by one (`keepalive` would push other figures than the server's).
const NOISE: [&str; 2] = ["NOTE: --mute triggered", "WARNING: --keepalive option is missing"];

fn is_noise(line: &str) -> bool {
    NOISE.iter().any(|known| line.contains(known))
}

impl Actor {
    /// Reaches the socket as soon as it is there, and asks for everything.
    pub(super) fn connect(&mut self) {
        let path = self.around.place.socket(self.server.id);
        let Ok(socket) = UnixStream::connect(path) else { return };
        let ready = socket.set_nonblocking(true);
        if ready.and_then(|()| socket.set_write_timeout(Some(WRITE_MAX))).is_err() {
            return;
        }
        self.socket = Some(socket);
        self.session = Session::default();
        self.ask(&Command::Begin { byte_count_s: BYTE_COUNT_SECONDS });
        // Without a hold this is an adopted one, whose clients are in its status.
        self.ask(&Command::Status);
    }

    pub(super) fn ask(&mut self, command: &Command<'_>) {
        if !self.session.ask(command) {
            log::error!("OpenVPN of server {} does not answer", self.server.name);
        }
    }

    pub(super) fn flush(&mut self) {
        let bytes = self.session.take_output();
        let Some(socket) = self.socket.as_mut().filter(|_| !bytes.is_empty()) else { return };
        let written = socket.set_nonblocking(false).and_then(|()| socket.write_all(&bytes));
        if written.and_then(|()| socket.set_nonblocking(true)).is_err() {
            // A new connection begins with the status again.
            self.socket = None;
        }
    }

    pub(super) fn read(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut buffer) {
                Ok(0) => self.socket = None,
                Ok(count) => {
                    for incoming in self.session.feed(&buffer[..count]) {
                        self.hear_openvpn(incoming);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.socket = None,
            }
        }
    }

    fn hear_openvpn(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Event(management::Event::Hold) => self.ask(&Command::HoldRelease),
            Incoming::Event(management::Event::State(state)) if state == "CONNECTED" => {
                self.happened(Event::Answers);
            }
            Incoming::Event(management::Event::Log(text)) if is_noise(&text) => {}
            Incoming::Event(management::Event::Log(text)) => self.output(&text),
            Incoming::Event(management::Event::Fatal(text)) => {
                self.output(&text);
                self.cause = Some(text);
            }
            Incoming::Event(management::Event::Client(event)) => self.hear_client(event),
            Incoming::Event(_) => {}
            Incoming::Answer(Some(Asked::Status), Reply::Block(lines)) => self.adopt_status(&lines),
            Incoming::Answer(asked, Reply::Error(text)) => self.failed(asked, &text),
            Incoming::Answer(..) => {}
        }
    }

    fn failed(&mut self, asked: Option<Asked>, text: &str) {
        match asked {
            // The client has gone meanwhile.
            Some(Asked::Pending { .. } | Asked::Auth { .. } | Asked::Deny { .. }) => {}
            Some(Asked::Kill { .. }) => {}
            // Nobody is connected to one that was just started, and it can not say so in its hold.
            Some(Asked::Status) if self.process_number > 0 => {}
            _ => log::warn!("OpenVPN of server {} says: {text}", self.server.name),
        }
    }

    pub(super) fn terminate(&mut self) {
        match (&self.socket, &self.process) {
            (Some(_), _) => self.ask(&Command::Terminate),
            (None, Some(process)) => {
                if let Err(e) = process.signal(libc::SIGTERM) {
                    log::error!("{e}");
                }
            }
            (None, None) => {}
        }
    }

    fn adopt_status(&mut self, lines: &[String]) {
        // In a hold nobody is connected, and `CONNECTED` is still to come.
        if self.has_title(lines) && self.process_number == 0 {
            self.adopt_rows(lines);
            if matches!(self.core.state(), State::Starting { .. }) {
                self.happened(Event::Answers);
            }
        }
    }

    fn has_title(&self, lines: &[String]) -> bool {
        lines.iter().any(|line| line.starts_with("TITLE"))
    }

    fn hear_client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connect { cid, kid, env } => self.knocks(cid, kid, &env, false),
            ClientEvent::Reauth { cid, kid, env } => self.knocks(cid, kid, &env, true),
            ClientEvent::Address { cid, primary, .. } => self.has_address(cid, primary),
            ClientEvent::Established { cid, .. } => self.established(cid),
            ClientEvent::ByteCount { cid, received, sent } => self.counted(cid, received, sent),
            ClientEvent::Disconnect { cid, env } => self.disconnected(cid, &env),
        }
    }
}
