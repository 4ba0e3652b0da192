//! Users: what a request may say (contract 2.4), PIN rules, and what follows for sessions.

use super::network::Network;
use super::{Refusal, text};
use crate::base::secret::Secret;
use std::net::IpAddr;

/// Name of a user whom a PUT left without one.
const NAMELESS: &str = "undefined";
const YUBICO_CHARS: usize = 12;
/// Of the secret of a user's one-time codes, and of those of its profiles.
pub const OTP_SECRET_CHARS: usize = 16;
pub const SYNC_CHARS: usize = 32;
const PIN_CHARS_MIN: usize = 6;

const AUTH_TYPES: [&str; 30] = [
    "local",
    "duo",
    "yubico",
    "radius",
    "radius_duo",
    "plugin",
    "azure",
    "azure_duo",
    "azure_yubico",
    "google",
    "google_duo",
    "google_yubico",
    "authzero",
    "authzero_duo",
    "authzero_yubico",
    "slack",
    "slack_duo",
    "slack_yubico",
    "saml",
    "saml_duo",
    "saml_yubico",
    "saml_okta",
    "saml_okta_duo",
    "saml_okta_yubico",
    "saml_onelogin",
    "saml_onelogin_duo",
    "saml_onelogin_yubico",
    "saml_jumpcloud",
    "saml_jumpcloud_duo",
    "saml_jumpcloud_yubico",
];

/// How a user proves who it is, by its name in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthType(&'static str);

impl AuthType {
    pub const LOCAL: AuthType = AuthType("local");

    pub fn parse(text: &str) -> Option<AuthType> {
        AUTH_TYPES.into_iter().find(|name| *name == text).map(AuthType)
    }

    pub const fn as_str(self) -> &'static str {
        self.0
    }

    pub fn is_radius(self) -> bool {
        self.0.starts_with("radius")
    }

    pub fn has_yubikey(self) -> bool {
        self.0.ends_with("yubico")
    }

    /// A password of somebody else's stands where a PIN would.
    pub fn has_password(self) -> bool {
        self.is_radius() || self.0 == "plugin"
    }
}

/// Setting `pin_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinMode {
    Optional,
    Required,
    Disabled,
}

impl PinMode {
    /// As it is stored; optional unless it says otherwise.
    pub fn of_setting(stored: Option<&str>) -> PinMode {
        match stored {
            Some("required") => PinMode::Required,
            Some("disabled") => PinMode::Disabled,
            _ => PinMode::Optional,
        }
    }
}

/// The field `pin` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PinField {
    /// null, `""`, false, omitted.
    #[default]
    Remove,
    /// true.
    Keep,
    Set(Secret<String>),
}

/// A port that the server's hosts pass on to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// `udp`, `tcp`; both if `None`.
    pub protocol: Option<String>,
    /// `80` or `8000-8010`.
    pub port: String,
    /// Port at the user; the same if `None`.
    pub dport: Option<String>,
}

/// What a request says; omitted and null are the zero values (contract 1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFields {
    pub name: String,
    pub email: String,
    pub auth_type: String,
    pub yubico_id: String,
    pub groups: Vec<String>,
    pub pin: PinField,
    pub disabled: bool,
    pub network_links: Vec<String>,
    pub bypass_secondary: bool,
    pub client_to_client: bool,
    pub mac_addresses: Vec<String>,
    pub dns_servers: Vec<String>,
    pub dns_suffix: String,
    /// Protocol, port and dport as sent.
    pub port_forwarding: Vec<[String; 3]>,
}

/// Every option of a user, valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSpec {
    pub name: String,
    pub email: Option<String>,
    pub auth_type: AuthType,
    pub yubico_id: Option<String>,
    pub groups: Vec<String>,
    pub disabled: bool,
    pub network_links: Vec<Network>,
    pub bypass_secondary: bool,
    pub client_to_client: bool,
    pub mac_addresses: Vec<String>,
    pub dns_servers: Vec<IpAddr>,
    pub dns_suffix: Option<String>,
    pub port_forwarding: Vec<Forwarding>,
}

impl UserSpec {
    /// POST (`before` is `None`) and PUT are full replacements, but for name and kind of
    /// authentication. The PIN is judged here and applied by the caller.
    pub fn from_request(
        fields: &UserFields,
        before: Option<&UserSpec>,
    ) -> Result<UserSpec, Refusal> {
        let yubico_id = text::filtered_or_none(text::cut(&fields.yubico_id, YUBICO_CHARS));
        if let PinField::Set(pin) = &fields.pin {
            check_pin(pin)?;
        }
        let factors = [
            (matches!(fields.pin, PinField::Set(_)), Refusal::PinBypassSecondary),
            (yubico_id.is_some(), Refusal::YubikeyBypassSecondary),
        ];
        if let Some((_, refusal)) = factors.into_iter().find(|f| f.0 && fields.bypass_secondary) {
            return Err(refusal);
        }
        let kept = before.map_or(AuthType::LOCAL, |b| b.auth_type);
        let link = |net: &String| net.parse().map_err(|_| Refusal::NetworkLinkInvalid);
        let dns = |ip: &String| ip.trim().parse().map_err(|_| Refusal::DnsServerInvalid);
        let port_forwarding =
            fields.port_forwarding.iter().map(forwarding).collect::<Result<_, _>>()?;
        Ok(UserSpec {
            name: text::name(&fields.name).unwrap_or_else(|| NAMELESS.to_owned()),
            email: text::filtered_or_none(&fields.email),
            auth_type: AuthType::parse(&fields.auth_type).unwrap_or(kept),
            yubico_id,
            groups: text::filtered_list(&fields.groups),
            disabled: fields.disabled,
            network_links: fields.network_links.iter().map(link).collect::<Result<_, _>>()?,
            bypass_secondary: fields.bypass_secondary,
            client_to_client: fields.client_to_client,
            mac_addresses: text::filtered_list(&fields.mac_addresses),
            dns_servers: fields.dns_servers.iter().map(dns).collect::<Result<_, _>>()?,
            dns_suffix: text::filtered_or_none(&fields.dns_suffix),
            port_forwarding,
        })
    }

    /// Whether the user's connections must end when `self` becomes `next`.
    pub fn disconnects(&self, next: &UserSpec, pin_changes: bool) -> bool {
        pin_changes
            || next.disabled && !self.disabled
            || self.auth_type != next.auth_type
            || self.yubico_id != next.yubico_id
            || self.network_links != next.network_links
            || self.mac_addresses != next.mac_addresses
            || self.dns_servers != next.dns_servers
            || self.dns_suffix != next.dns_suffix
    }
}

/// Digits, and enough of them.
pub fn check_pin(pin: &Secret<String>) -> Result<(), Refusal> {
    if !pin.expose().bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::PinNotDigits);
    }
    if pin.expose().len() < PIN_CHARS_MIN { Err(Refusal::PinTooShort) } else { Ok(()) }
}

/// Whether users may set a PIN on their profile page (contract 2.10).
pub fn may_set_pin(mode: PinMode, auth_type: AuthType) -> Result<(), Refusal> {
    match mode {
        PinMode::Disabled => Err(Refusal::PinDisabled),
        _ if auth_type.is_radius() => Err(Refusal::PinRadius),
        _ => Ok(()),
    }
}

/// What a user has and a server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors {
    pub auth_type: AuthType,
    pub bypass_secondary: bool,
    pub has_pin: bool,
    pub pin_mode: PinMode,
    /// The server's `otp_auth`.
    pub otp: bool,
    /// The server's `sso_auth`, and `bypass_sso_auth`.
    pub sso: bool,
    pub bypass_sso: bool,
}

impl Factors {
    fn asks_pin(&self) -> bool {
        match self.pin_mode {
            PinMode::Disabled => false,
            PinMode::Optional => self.has_pin,
            PinMode::Required => true,
        }
    }
}

/// `password_mode` of a profile (contract 3.2): which factors the typed password is made of.
pub fn password_mode(f: &Factors) -> Option<&'static str> {
    let pin = f.asks_pin();
    if f.bypass_secondary || f.sso && !f.bypass_sso {
        return None;
    }
    if f.bypass_sso {
        return pin.then_some("pin");
    }
    Some(match (f.auth_type.has_yubikey(), f.otp, f.auth_type.has_password(), pin) {
        (true, _, true, _) => "yubikey_password",
        (true, _, _, true) => "yubikey_pin",
        (true, ..) => "yubikey",
        (_, true, true, _) => "otp_password",
        (_, true, _, true) => "otp_pin",
        (_, true, ..) => "otp",
        (_, _, true, _) => "password",
        (_, _, _, true) => "pin",
        _ => return None,
    })
}

/// `auth_modes` (contract 2.4): what this user's connections may have to prove. `f.otp`: on some
/// server of the user.
pub fn auth_modes(f: &Factors) -> Vec<&'static str> {
    const PROVIDERS: [(&str, &str); 9] = [
        ("google", "google"),
        ("azure", "azure"),
        ("authzero", "authzero"),
        ("slack", "slack"),
        ("saml_onelogin", "onelogin"),
        ("saml_okta", "okta"),
        ("saml_jumpcloud", "jumpcloud"),
        ("radius", "radius"),
        ("plugin", "plugin"),
    ];
    let is_of = |(prefix, _): &&(&str, &str)| f.auth_type.as_str().starts_with(prefix);
    let mut modes: Vec<_> =
        PROVIDERS.iter().find(is_of).map(|(_, mode)| *mode).into_iter().collect();
    if f.bypass_secondary {
        modes.push("bypass_secondary");
        return modes;
    }
    if f.auth_type.has_yubikey() {
        modes.push("yubico");
    } else if f.otp {
        modes.push("otp");
    }
    if f.asks_pin() && !f.auth_type.has_password() {
        modes.push("pin");
    }
    modes
}

/// `dns_mapping`: `<user>.<organization>.vpn`, the user's part before `@`, dots as dashes.
pub fn dns_name(user: &str, organization: &str) -> String {
    let user = user.split('@').next().unwrap_or(user);
    let label = |text: &str| text.to_lowercase().replace('.', "-");
    format!("{}.{}.vpn", label(user), label(organization))
}

fn forwarding([protocol, port, dport]: &[String; 3]) -> Result<Forwarding, Refusal> {
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" => None,
        known @ ("udp" | "tcp") => Some(known.to_owned()),
        _ => return Err(Refusal::ProtocolInvalid),
    };
    let port = ports(port).ok_or(Refusal::PortInvalid)?;
    let dport = match dport.as_str() {
        "" => None,
        given => Some(ports(given).ok_or(Refusal::PortInvalid)?),
    };
    Ok(Forwarding { protocol, port, dport })
}

/// A port or a range of them, in one form.
fn ports(text: &str) -> Option<String> {
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once(['-', ':']) {
        None => number(text).map(|port| port.to_string()),
        Some((low, high)) => {
            let (low, high) = (number(low)?, number(high)?);
            (low < high).then(|| format!("{low}-{high}"))
        }
    }
}

#[cfg(test)]
mod tests;
