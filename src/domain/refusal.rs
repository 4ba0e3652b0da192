//! Why a rule refuses a request: the error identifiers of the contract (1.8) that rules produce.

use std::fmt;

macro_rules! refusals {
    ($($variant:ident = $id:literal, $message:literal;)*) => {
        /// A rule's answer to a request that it does not allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $($variant,)*
        }

        impl Refusal {
            pub const ALL: &[Refusal] = &[$(Refusal::$variant,)*];

            /// The identifier that clients look for.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Refusal::$variant => $id,)*
                }
            }

            /// What an administrator reads.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Refusal::$variant => $message,)*
                }
            }
        }
    };
}

refusals! {
    RequiresSuperUser = "requires_super_user", "Only a super user may do this.";
    NoSuperUsers = "no_super_users", "The last super user can not become an ordinary one.";
    NoAdminsEnabled = "no_admins_enabled", "The last super user can not be disabled.";
    AdminUsernameExists = "admin_username_exists", "Another administrator has this name.";
    AdminInvalidOtp = "admin_invalid_otp", "Choose one kind of one-time code.";
    YubikeyUnsupported = "yubikey_unsupported",
        "YubiKeys of administrators can not be checked here; use one-time codes.";
    PasswordTooShort = "password_too_short", "A password has at least 8 characters.";
    PasswordTooLong = "password_too_long", "A password has at most 128 characters.";
    PasswordUnchanged = "password_unchanged",
        "Choose another password than the one that was made for the first sign-in.";
    ThemeInvalid = "theme_invalid", "The theme is light or dark.";
    PinModeInvalid = "pin_mode_invalid", "PINs are optional, required or disabled.";
    MissingParams = "missing_params", "A required field is missing.";
    NetworkInvalid = "network_invalid",
        "The network must be an IPv4 network in CIDR form within the private ranges.";
    NetworkInUse = "network_in_use", "The network overlaps the network of another server.";
    NetworkWgInvalid = "network_wg_invalid",
        "The WireGuard network must be an IPv4 network in CIDR form within the private ranges.";
    NetworkWgInUse = "network_WG_in_use",
        "The WireGuard network overlaps another server network.";
    NetworkWgCidrInvalid = "network_wg_cidr_invalid",
        "The WireGuard network must have the same prefix length as the network.";
    BridgeNetworkInvalid = "_bridge_network_invalid",
        "The bridged range must lie within the network, its start before its end.";
    PortInvalid = "port_invalid", "A port must be between 1 and 65535.";
    PortProtocolInUse = "port_protocol_in_use",
        "Another server uses this port with this protocol.";
    PortWgProtocolInUse = "port_wg_protocol_in_use", "No WireGuard port is free.";
    DhParamBitsInvalid = "dh_param_bits_invalid",
        "DH parameters have 1024, 1536, 2048, 3072 or 4096 bits.";
    ProtocolInvalid = "protocol_invalid", "The protocol must be udp or tcp.";
    CipherInvalid = "cipher_invalid", "The cipher is unknown.";
    HashInvalid = "hash_invalid", "The hash is unknown.";
    DnsServerInvalid = "dns_server_invalid", "A DNS server must be given as an IP address.";
    BindAddressInvalid = "bind_address_invalid", "The server must listen on an IP address.";
    MaxClientsInvalid = "max_clients_invalid", "A server has at most 16777214 clients.";
    TunMtuInvalid = "tun_mtu_invalid", "An MTU must be between 100 and 65535.";
    FragmentInvalid = "fragment_invalid", "A fragment must have between 68 and 65535 bytes.";
    FragmentTcp = "fragment_tcp", "Only packets over UDP can be fragmented.";
    PingIntervalTooHigh = "ping_interval_too_high",
        "The ping timeout must exceed the ping interval by at least 5 seconds.";
    BypassSsoDeviceAuth = "bypass_sso_device_auth",
        "Single sign-on can be bypassed only together with device authentication.";
    BridgedIpv6Invalid = "bridged_ipv6_invalid", "A bridged server can not have IPv6.";
    BridgedServerLinksInvalid = "bridged_server_links_invalid",
        "A bridged server can not be linked to other servers.";
    BridgedNetLinksInvalid = "bridged_net_links_invalid",
        "A bridged server can not serve users with network links.";
    BridgedReplicaInvalid = "bridged_replica_invalid", "A bridged server can not be replicated.";
    ServerLinksNotOffline = "server_links_not_offline",
        "The linked servers must be stopped for this change.";
    ServerLinksAndReplica = "server_links_and_replica",
        "A linked server can not be replicated.";
    ServerDomainNoDns = "server_domain_no_dns", "A search domain needs a DNS server.";
    ClientDnsMappingNoDns = "client_dns_mapping_no_dns", "DNS mapping needs a DNS server.";
    ServerNotOffline = "server_not_offline", "The server must be stopped for this change.";
    ServerRouteOnline = "server_route_online",
        "The server must be stopped before its routes change.";
    ServerRouteInvalid = "server_route_invalid", "The route must be a network in CIDR form.";
    ServerRouteVirtualNat = "server_route_virtual_nat",
        "The server's own network can not have NAT.";
    ServerRouteServerLinkNat = "server_route_server_link_nat",
        "NAT of a linked server's route can not be changed here.";
    ServerRouteNetworkLinkGateway = "server_route_network_link_gateway",
        "A user's network link can not go through the network gateway.";
    ServerRouteNetGatewayNat = "server_route_net_gateway_nat",
        "A route through the network gateway can not have NAT.";
    ServerRouteNonNatNetmap = "server_route_non_nat_netmap", "A netmap needs NAT on the route.";
    ServerLinkCommonHost = "server_link_common_host", "Linked servers can not share a host.";
    ServerLinkCommonRoute = "server_link_common_route", "Linked servers can not share a route.";
    NetworkLinkInvalid = "network_link_invalid",
        "A network link must be a network in CIDR form.";
    NetworkLinkNotOffline = "network_link_not_offline",
        "The user's servers must be stopped before network links change.";
    PinNotDigits = "pin_not_digits", "A PIN consists of digits.";
    PinTooShort = "pin_too_short", "The PIN is too short.";
    PinDisabled = "pin_disabled", "PINs are switched off.";
    PinRadius = "pin_radius", "This user's password is kept by RADIUS.";
    PinBypassSecondary = "pin_bypass_secondary",
        "A user without second factor can not have a PIN.";
    YubikeyBypassSecondary = "yubikey_bypass_secondary",
        "A user without second factor can not have a YubiKey.";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl std::error::Error for Refusal {}
