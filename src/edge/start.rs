//! What the parent tells the edge: through an inherited socket, because arguments and environment
//! are readable by others (I10), and again whenever the certificate changes.
//!
//! Frames: one byte of kind, four of length (big endian), payload. The edge ends when the channel
//! does.

use crate::base::log::Format;
use crate::base::secret::Secret;
use crate::limits;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::RawFd;
use std::path::PathBuf;
use zeroize::Zeroize;

/// Numbers of the descriptors the edge inherits: its arguments, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// One end of a pair of stream sockets; the parent keeps the other one.
    pub channel: RawFd,
    /// Listeners: TLS, gate (a Unix socket), and the plain port if it is wanted.
    pub https: RawFd,
    pub gate: RawFd,
    pub http: Option<RawFd>,
}

impl Numbers {
    pub fn to_args(self) -> Vec<OsString> {
        let numbers = [Some(self.channel), Some(self.https), Some(self.gate), self.http];
        numbers.into_iter().flatten().map(|number| number.to_string().into()).collect()
    }

    pub fn from_args(args: impl Iterator<Item = OsString>) -> Option<Numbers> {
        let numbers: Option<Vec<RawFd>> =
            args.map(|arg| arg.to_str()?.parse().ok().filter(|number| *number > 2)).collect();
        match *numbers?.as_slice() {
            [channel, https, gate] => Some(Numbers { channel, https, gate, http: None }),
            [channel, https, gate, http] => {
                Some(Numbers { channel, https, gate, http: Some(http) })
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
pub enum Message {
    /// The first one.
    Settings(Settings),
    /// The second one, and later ones.
    Certificate(WebCertificate),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The internal tier's socket.
    pub internal: PathBuf,
    /// Path of the gate's socket, whose listener the edge inherits.
    pub gate: PathBuf,
    /// Sent with every request, so that the internal tier knows its own edge.
    pub token: Secret,
    /// Port that redirects name.
    pub https_port: u16,
    pub log_format: Format,
    pub log_level: log::LevelFilter,
}

/// Chain (own certificate first) and key, in PEM.
#[derive(Clone, Debug)]
pub struct WebCertificate {
    pub chain_pem: Vec<u8>,
    pub key_pem: Secret<Vec<u8>>,
}

#[derive(Debug)]
pub enum ChannelError {
    /// The parent has gone.
    Closed,
    Io(io::Error),
    /// A message that is no message, or out of order.
    Invalid(&'static str),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelError::Closed => write!(f, "the parent has closed the channel"),
            ChannelError::Io(_) => write!(f, "the channel to the parent broke"),
            ChannelError::Invalid(what) => write!(f, "the parent sent an invalid {what}"),
        }
    }
}

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ChannelError::Io(source) => Some(source),
            _ => None,
        }
    }
}

impl Message {
    /// Parent's side.
    pub fn send(&self, channel: &mut impl Write) -> io::Result<()> {
        let (kind, mut payload) = match self {
            Message::Settings(settings) => (b'S', settings.encode()),
            Message::Certificate(certificate) => (b'C', certificate.encode()),
        };
        let sent = Self::send_frame(channel, kind, &payload);
        payload.zeroize();
        sent
    }

    fn send_frame(channel: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
        if payload.len() > limits::EDGE_MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        channel.write_all(&[kind])?;
        channel.write_all(&length.to_be_bytes())?;
        channel.write_all(payload)?;
        channel.flush()
    }

    /// Edge's side; waits for the next one.
    pub fn receive(channel: &mut impl Read) -> Result<Message, ChannelError> {
        let mut header = [0; 5];
        channel.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ChannelError::Closed,
            _ => ChannelError::Io(error),
        })?;
        let [kind, length @ ..] = header;
        let length = u32::from_be_bytes(length) as usize;
        if length > limits::EDGE_MESSAGE_BYTES_MAX {
            return Err(ChannelError::Invalid("length"));
        }
        let mut payload = vec![0; length];
        channel.read_exact(&mut payload).map_err(ChannelError::Io)?;
        let message = match kind {
            b'S' => Settings::decode(&payload).map(Message::Settings),
            b'C' => WebCertificate::decode(&payload).map(Message::Certificate),
            _ => None,
        };
        payload.zeroize();
        message.ok_or(ChannelError::Invalid("message"))
    }
}

impl Settings {
    fn encode(&self) -> Vec<u8> {
        let fields = [
            ("internal", self.internal.to_string_lossy().into_owned()),
            ("gate", self.gate.to_string_lossy().into_owned()),
            ("token", self.token.expose().clone()),
            ("https_port", self.https_port.to_string()),
            ("log_format", format_name(self.log_format).to_owned()),
            ("log_level", self.log_level.to_string()),
        ];
        let lines = fields.map(|(name, value)| format!("{name}={value}\n"));
        lines.concat().into_bytes()
    }

    fn decode(payload: &[u8]) -> Option<Settings> {
        let text = std::str::from_utf8(payload).ok()?;
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        Some(Settings {
            internal: field("internal")?.into(),
            gate: field("gate")?.into(),
            token: Secret::from(field("token")?.to_owned()),
            https_port: field("https_port")?.parse().ok()?,
            log_format: FORMATS
                .into_iter()
                .find(|f| Some(format_name(*f)) == field("log_format"))?,
            log_level: field("log_level")?.parse().ok()?,
        })
    }
}

const FORMATS: [Format; 3] =
    [Format::Text { priority: false }, Format::Text { priority: true }, Format::Json];

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Text { priority: false } => "text",
        Format::Text { priority: true } => "priority",
        Format::Json => "json",
    }
}

impl WebCertificate {
    /// Length of the chain, chain, key.
    fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.chain_pem.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &self.chain_pem, self.key_pem.expose()].concat()
    }

    fn decode(payload: &[u8]) -> Option<WebCertificate> {
        let (length, rest) = payload.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (chain, key) = rest.split_at_checked(length)?;
        Some(WebCertificate { chain_pem: chain.to_vec(), key_pem: Secret::new(key.to_vec()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_sent() {
        let settings = Settings {
            internal: "/run/a=b/internal.sock".into(),
            gate: "/run/gate.sock".into(),
            token: Secret::from("t0ken".to_owned()),
            https_port: 8443,
            log_format: Format::Text { priority: true },
            log_level: log::LevelFilter::Info,
        };
        let certificate =
            WebCertificate { chain_pem: b"chain".to_vec(), key_pem: Secret::new(b"key".to_vec()) };
        let mut channel = Vec::new();
        Message::Settings(settings.clone()).send(&mut channel).expect("sent");
        Message::Certificate(certificate).send(&mut channel).expect("sent");
        let mut channel = channel.as_slice();
        let first = Message::receive(&mut channel);
        assert!(matches!(first, Ok(Message::Settings(got)) if got == settings));
        let Ok(Message::Certificate(got)) = Message::receive(&mut channel) else { panic!() };
        assert_eq!(
            (got.chain_pem.as_slice(), got.key_pem.expose().as_slice()),
            (&b"chain"[..], &b"key"[..])
        );
        assert!(matches!(Message::receive(&mut channel), Err(ChannelError::Closed)));
    }

    #[test]
    fn numbers_are_read_as_written() {
        for http in [None, Some(6)] {
            let numbers = Numbers { channel: 3, https: 4, gate: 5, http };
            assert_eq!(Numbers::from_args(numbers.to_args().into_iter()), Some(numbers));
        }
        for bad in [&[][..], &["3", "4"], &["3", "4", "x"], &["1", "2", "3"], &["3"; 5]] {
            assert_eq!(Numbers::from_args(bad.iter().map(OsString::from)), None, "{bad:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in
            [&b"S\xff\xff\xff\xff"[..], b"X\0\0\0\0", b"S\0\0\0\x01x", b"C\0\0\0\x04\0\0\0\x09"]
        {
            let got = Message::receive(&mut &*bytes);
            assert!(matches!(got, Err(ChannelError::Invalid(_))), "{bytes:?}: {got:?}");
        }
    }
}
