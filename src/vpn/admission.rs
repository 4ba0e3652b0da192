//! Who may connect: facts in, a judgement out. No I/O, so every row of the rules is a test.
//!
//! Order: certificate identity → membership → disabled → groups and platform → PIN and code →
//! address → configuration. The first three need the certificate's word only, which OpenVPN has
//! verified; what a user types is looked at last, so that a stranger learns nothing from it.

use crate::base::ids::{OrgId, UserId};
use crate::base::secret::Secret;
use crate::vpn::management::Env;
use crate::vpn::settings::{Devices, Server};

/// Digits of a one-time code.
const CODE_DIGITS: usize = 6;

/// Who knocks, as its certificate (verified by OpenVPN) and its program say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    pub org: OrgId,
    pub user: UserId,
    pub password: Secret,
    /// As in `IV_PLAT` or `UV_PLATFORM`, lower case.
    pub platform: String,
    pub device_name: String,
    pub mac_address: String,
    /// `address:port` as OpenVPN shows it.
    pub real_address: String,
    /// It understands that its admission is pending.
    pub takes_pending: bool,
}

/// What admission needs to know of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    pub org: OrgId,
    pub name: String,
    /// A person; not the holder of a server's own certificate.
    pub is_client: bool,
    pub disabled: bool,
    pub groups: Vec<String>,
    /// Hash of the PIN.
    pub pin: Option<Secret>,
    pub otp_secret: Secret,
    pub bypass_secondary: bool,
    /// Network adapters that may connect; empty: any.
    pub mac_addresses: Vec<String>,
    /// It proves itself by something that nothing here can check.
    pub foreign_factor: bool,
    /// Raised by each change that ends the tunnels of the user.
    pub cut: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinMode {
    Optional,
    Required,
    Disabled,
}

/// Why somebody was not let in. The names are stable: they are shown, counted and searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    CertificateIdentity,
    UnknownUser,
    NotMember,
    Disabled,
    Group,
    Platform,
    Adapter,
    ForeignFactor,
    PinMissing,
    PinUnset,
    PinWrong,
    CodeMissing,
    CodeWrong,
    CodeReplayed,
    TooManyAttempts,
    NoAddress,
    Unavailable,
    Busy,
}

impl Reason {
    pub fn code(self) -> &'static str {
        match self {
            Reason::CertificateIdentity => "certificate_identity",
            Reason::UnknownUser => "unknown_user",
            Reason::NotMember => "not_member",
            Reason::Disabled => "user_disabled",
            Reason::Group => "group",
            Reason::Platform => "platform",
            Reason::Adapter => "mac_address",
            Reason::ForeignFactor => "auth_type",
            Reason::PinMissing => "pin_missing",
            Reason::PinUnset => "pin_unset",
            Reason::PinWrong => "pin_wrong",
            Reason::CodeMissing => "code_missing",
            Reason::CodeWrong => "code_wrong",
            Reason::CodeReplayed => "code_replayed",
            Reason::TooManyAttempts => "too_many_attempts",
            Reason::NoAddress => "no_address",
            Reason::Unavailable => "unavailable",
            Reason::Busy => "busy",
        }
    }

    /// For the person at the client: nothing that helps to guess.
    pub fn for_client(self) -> &'static str {
        match self {
            Reason::CertificateIdentity | Reason::UnknownUser | Reason::NotMember => {
                "This profile is not valid for this server"
            }
            Reason::Disabled => "Your account is disabled",
            Reason::Group => "Your group may not use this server",
            Reason::Platform => "This kind of device may not use this server",
            Reason::Adapter => "This device may not use your account",
            Reason::ForeignFactor => "This server can not check how your account proves itself",
            Reason::PinUnset => "A PIN must be set before you can connect",
            Reason::PinMissing | Reason::PinWrong | Reason::CodeMissing | Reason::CodeWrong => {
                "The PIN or code is not right"
            }
            Reason::CodeReplayed => "This code was used already; wait for the next one",
            Reason::TooManyAttempts => "Too many attempts; try again later",
            Reason::NoAddress => "The server has no free address",
            Reason::Unavailable | Reason::Busy => "The server can not check you now; try again",
        }
    }

    /// For the administrator.
    pub fn for_admin(self) -> &'static str {
        match self {
            Reason::CertificateIdentity => "the certificate names no organization and user",
            Reason::UnknownUser => "the user of this certificate does not exist any more",
            Reason::NotMember => "the user's organization is not attached to this server",
            Reason::Disabled => "the user is disabled",
            Reason::Group => "the user is in none of the server's groups",
            Reason::Platform => "the server does not allow this platform",
            Reason::Adapter => "the user may not connect from this network adapter",
            Reason::ForeignFactor => "the user's authentication type can not be checked here",
            Reason::PinMissing => "no PIN was given",
            Reason::PinUnset => "PINs are required, and the user has none",
            Reason::PinWrong => "the PIN is wrong",
            Reason::CodeMissing => "no one-time code was given",
            Reason::CodeWrong => "the one-time code is wrong",
            Reason::CodeReplayed => "the one-time code was used before",
            Reason::TooManyAttempts => "too many wrong PINs or codes of this user",
            Reason::NoAddress => "the server's network has no free address",
            Reason::Unavailable => "the database could not be asked",
            Reason::Busy => "too many checks are waiting",
        }
    }
}

/// What is to be proved yet, by work that takes time: hashing and a database write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// The PIN as typed and the hash it must match.
    pub pin: Option<(Secret, Secret)>,
    /// The code as typed and the secret it must come from.
    pub code: Option<(Secret, Secret)>,
}

impl Proofs {
    pub fn is_empty(&self) -> bool {
        self.pin.is_none() && self.code.is_none()
    }
}

impl Knock {
    /// Reads OpenVPN's environment of a client.
    pub fn read(env: &Env) -> Result<Knock, Reason> {
        let parse = |name: &str| env.get(name).to_owned();
        let org = env.get("X509_0_O").parse().map_err(|_| Reason::CertificateIdentity)?;
        let user = env.get("X509_0_CN").parse().map_err(|_| Reason::CertificateIdentity)?;
        let either = |a: &str, b: &str| if env.get(a).is_empty() { parse(b) } else { parse(a) };
        let protocol: u32 = env.get("IV_PROTO").parse().unwrap_or(0);
        Ok(Knock {
            org,
            user,
            password: env.password.clone(),
            platform: either("UV_PLATFORM", "IV_PLAT").to_lowercase(),
            device_name: parse("UV_NAME"),
            mac_address: parse("IV_HWADDR"),
            real_address: Knock::address(env),
            takes_pending: protocol & PROTO_AUTH_PENDING != 0,
        })
    }

    /// Where it comes from, with the port.
    pub fn address(env: &Env) -> String {
        let (v4, port) = (env.get("untrusted_ip"), env.get("untrusted_port"));
        let host = if v4.is_empty() { env.get("untrusted_ip6") } else { v4 };
        format!("{host}:{port}")
    }
}

/// Bit of `IV_PROTO`: the client knows the message that its admission is pending.
const PROTO_AUTH_PENDING: u32 = 1 << 4;

/// Everything that needs no work: refused, or let in once the proofs hold.
///
/// `known`: this client's factors were proved when it connected (it negotiates new keys), so only
/// what an administrator may have changed is looked at.
pub fn judge(
    knock: &Knock,
    server: &Server,
    person: Option<&Person>,
    pin_mode: PinMode,
    known: bool,
) -> Result<Proofs, Reason> {
    let person = person.filter(|p| p.id == knock.user && p.org == knock.org && p.is_client);
    let person = person.ok_or(Reason::UnknownUser)?;
    if !server.organizations.contains(&person.org) {
        return Err(Reason::NotMember);
    }
    if person.disabled {
        return Err(Reason::Disabled);
    }
    if !server.groups.is_empty() && !server.groups.iter().any(|g| person.groups.contains(g)) {
        return Err(Reason::Group);
    }
    let mobile = matches!(knock.platform.as_str(), "android" | "ios");
    let allowed = match server.allowed_devices {
        None => true,
        Some(Devices::Mobile) => mobile,
        Some(Devices::Desktop) => !mobile,
    };
    if !allowed {
        return Err(Reason::Platform);
    }
    let adapter = |allowed: &String| allowed.eq_ignore_ascii_case(&knock.mac_address);
    if !person.mac_addresses.is_empty() && !person.mac_addresses.iter().any(adapter) {
        return Err(Reason::Adapter);
    }
    if person.foreign_factor && !person.bypass_secondary {
        return Err(Reason::ForeignFactor);
    }
    if known {
        return Ok(Proofs { pin: None, code: None });
    }
    factors(&knock.password, server, person, pin_mode)
}

fn factors(
    password: &Secret,
    server: &Server,
    person: &Person,
    pin_mode: PinMode,
) -> Result<Proofs, Reason> {
    let hash = match (pin_mode, &person.pin) {
        (PinMode::Disabled, _) | (PinMode::Optional, None) => None,
        (PinMode::Required, None) if person.bypass_secondary => None,
        (PinMode::Required, None) => return Err(Reason::PinUnset),
        (_, Some(hash)) => Some(hash.clone()),
    };
    let wants_code = server.otp_auth && !person.bypass_secondary;
    let (pin, code) = split(password.expose(), wants_code);
    let code = match (wants_code, code) {
        (false, _) => None,
        (true, None) => return Err(Reason::CodeMissing),
        (true, Some(code)) => Some((Secret::new(code), person.otp_secret.clone())),
    };
    let pin = match hash {
        None => None,
        Some(_) if pin.is_empty() => return Err(Reason::PinMissing),
        Some(hash) => Some((Secret::new(pin), hash)),
    };
    Ok(Proofs { pin, code })
}

/// What was typed, as PIN and code: concatenated, or apart in the form of a static challenge.
fn split(password: &str, wants_code: bool) -> (String, Option<String>) {
    if let Some(rest) = password.strip_prefix("SCRV1:")
        && let Some((pin, code)) = rest.split_once(':')
    {
        let code = decode(code).filter(|code| !code.is_empty());
        return (decode(pin).unwrap_or_default(), code);
    }
    if !wants_code {
        return (password.to_owned(), None);
    }
    let cut = password.len().checked_sub(CODE_DIGITS).filter(|cut| password.is_char_boundary(*cut));
    let parts = cut.map(|cut| password.split_at(cut));
    match parts {
        Some((pin, code)) if code.bytes().all(|b| b.is_ascii_digit()) => {
            (pin.to_owned(), Some(code.to_owned()))
        }
        _ => (password.to_owned(), None),
    }
}

fn decode(base64: &str) -> Option<String> {
    String::from_utf8(openssl::base64::decode_block(base64).ok()?).ok()
}

#[cfg(test)]
mod tests;
