//! Bodies of requests. What is omitted has its zero value; unknown fields are dropped.

use crate::base::secret::Secret;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

/// All bodies are records whose fields may be left out.
macro_rules! records {
    ($($(#[$of_record:meta])* $name:ident {
        $($(#[$of_field:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$of_record])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }
    )*};
}

records! {
    /// Who signs in.
    LoginBody {
        username: String,
        #[serde(with = "secret")]
        password: Secret,
        #[serde(with = "secret")]
        otp_code: Secret,
        #[serde(with = "secret")]
        yubico_key: Secret,
    }

    /// Settings; name and password are those of the administrator who asks, empty to keep them.
    SettingsBody {
        username: String,
        #[serde(with = "secret")]
        password: Secret,
        theme: String,
        pin_mode: String,
    }

    /// An administrator.
    AdminBody {
        username: String,
        /// Empty: keep.
        #[serde(with = "secret")]
        password: Secret,
        yubikey_id: String,
        super_user: bool,
        auth_api: bool,
        /// Anything but the empty text makes a new one.
        #[serde(with = "secret")]
        token: Secret,
        /// The same.
        #[serde(with = "secret")]
        secret: Secret,
        disabled: bool,
        otp_auth: bool,
        /// Makes a new one.
        otp_secret: bool,
        local_otp_auth: bool,
    }

    /// A new organization.
    OrganizationBody {
        name: String,
        auth_api: bool,
    }

    /// An organization's fields.
    OrganizationChange {
        name: String,
        auth_api: bool,
        /// Makes a new one.
        auth_token: bool,
        /// The same.
        auth_secret: bool,
    }

    /// A user.
    UserBody {
        name: String,
        email: String,
        auth_type: String,
        yubico_id: String,
        groups: Vec<String>,
        pin: PinBody,
        disabled: bool,
        network_links: Vec<String>,
        bypass_secondary: bool,
        client_to_client: bool,
        mac_addresses: Vec<String>,
        dns_servers: Vec<String>,
        dns_suffix: String,
        port_forwarding: Vec<ForwardingBody>,
        send_key_email: bool,
    }

    /// A port passed on to a user.
    ForwardingBody {
        protocol: String,
        port: String,
        dport: String,
    }

    /// A route of a server.
    RouteBody {
        network: String,
        comment: String,
        metric: i64,
        nat: bool,
        nat_interface: String,
        nat_netmap: String,
        advertise: bool,
        advertise_resource: Vec<String>,
        net_gateway: bool,
    }

    /// A server's options.
    ServerBody {
        name: String,
        network: String,
        network_wg: String,
        network_mode: String,
        network_start: String,
        network_end: String,
        wg: bool,
        port: i64,
        port_wg: i64,
        protocol: String,
        bind_address: String,
        dh_param_bits: i64,
        cipher: String,
        hash: String,
        groups: Vec<String>,
        dns_servers: Vec<String>,
        search_domain: String,
        ipv6: bool,
        ipv6_firewall: bool,
        restrict_routes: bool,
        multi_device: bool,
        inter_client: bool,
        otp_auth: bool,
        sso_auth: bool,
        lzo_compression: bool,
        block_outside_dns: bool,
        jumbo_frames: bool,
        dns_mapping: bool,
        route_dns: bool,
        debug: bool,
        vxlan: bool,
        hide_ovpn: bool,
        ovpn_dco: bool,
        dynamic_firewall: bool,
        bypass_sso_auth: bool,
        geo_sort: bool,
        force_connect: bool,
        device_auth: bool,
        multihome: bool,
        ping_interval: i64,
        ping_timeout: i64,
        ping_interval_wg: i64,
        ping_timeout_wg: i64,
        link_ping_interval: i64,
        link_ping_timeout: i64,
        inactive_timeout: i64,
        session_timeout: i64,
        allowed_devices: String,
        max_clients: i64,
        max_devices: i64,
        replica_count: i64,
        #[serde(deserialize_with = "number_or_text")]
        mss_fix: i64,
        tun_mtu: i64,
        fragment: i64,
        pre_connect_msg: String,
    }
}

/// A PIN in a request: text, true or false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PinBody {
    /// null, `""`, false, omitted.
    #[default]
    Remove,
    /// true.
    Keep,
    Set(Secret),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FlagOrText {
    Flag(bool),
    Text(String),
}

impl<'de> Deserialize<'de> for PinBody {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PinBody, D::Error> {
        Ok(match FlagOrText::deserialize(from)? {
            FlagOrText::Flag(true) => PinBody::Keep,
            FlagOrText::Flag(false) => PinBody::Remove,
            FlagOrText::Text(text) if text.is_empty() => PinBody::Remove,
            FlagOrText::Text(text) => PinBody::Set(text.into()),
        })
    }
}

impl Serialize for PinBody {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            PinBody::Remove => to.serialize_bool(false),
            PinBody::Keep => to.serialize_bool(true),
            PinBody::Set(pin) => to.serialize_str(pin.expose()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

/// Terraform sends a number as text.
fn number_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    match NumberOrText::deserialize(from)? {
        NumberOrText::Number(number) => Ok(number),
        NumberOrText::Text(text) if text.is_empty() => Ok(0),
        NumberOrText::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

/// Secrets are plain text on the wire, and only there.
mod secret {
    use super::{Deserialize, Deserializer, Secret, Serializer};

    pub fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::from)
    }
}
