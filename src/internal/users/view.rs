//! From stored users and what is around them to what clients see. Pure.

use crate::api::reply::user::{ForwardingReply, UserFullReply, UserReply, UserServerReply};
use crate::domain::user::{AuthType, Factors, PinMode, auth_modes, dns_name};
use crate::store::organizations::OrgSummary;
use crate::store::servers::ServerDoc;
use crate::store::users::{PortForwarding, Presences, UserSummary, UserType};
use crate::store::vpn::ClientDoc;

/// What users of an organization are shown with.
pub struct Surroundings<'a> {
    pub org: &'a OrgSummary,
    /// Servers of the organization, by name.
    pub servers: &'a [ServerDoc],
    pub presences: &'a Presences,
    pub pin_mode: PinMode,
}

pub fn short(user: UserSummary, organization: &str) -> UserReply {
    let forwarding = |f: PortForwarding| {
        let PortForwarding { protocol, port, dport } = f;
        ForwardingReply { protocol, port, dport }
    };
    UserReply {
        id: user.id.to_string(),
        organization: user.org_id.to_string(),
        organization_name: organization.to_owned(),
        last_active: user.last_active_s(),
        pin: user.pin.is_some(),
        user_type: user.user_type.as_str(),
        name: user.name,
        email: user.email,
        groups: user.groups,
        auth_type: user.auth_type,
        yubico_id: user.yubico_id,
        otp_secret: user.otp_secret,
        disabled: user.disabled,
        bypass_secondary: user.bypass_secondary,
        client_to_client: user.client_to_client,
        mac_addresses: user.mac_addresses,
        dns_servers: user.dns_servers,
        dns_suffix: user.dns_suffix,
        port_forwarding: user.port_forwarding.into_iter().map(forwarding).collect(),
        devices: [],
    }
}

impl Surroundings<'_> {
    pub fn full(&self, mut user: UserSummary) -> UserFullReply {
        let clients = self.presences.clients.get(&user.id).map_or(&[][..], Vec::as_slice);
        let usable: Vec<&ServerDoc> =
            self.servers.iter().filter(|server| may_use(&user, server)).collect();
        let entries = usable.iter().flat_map(|server| self.entries(&user, server, clients));
        let servers: Vec<UserServerReply> = entries.collect();
        let factors = Factors {
            auth_type: AuthType::parse(&user.auth_type).unwrap_or(AuthType::LOCAL),
            bypass_secondary: user.bypass_secondary,
            has_pin: user.pin.is_some(),
            pin_mode: self.pin_mode,
            otp: usable.iter().any(|server| server.options.otp_auth),
            sso: false,
            bypass_sso: false,
        };
        let mapped = self.servers.iter().any(|server| server.options.dns_mapping);
        UserFullReply {
            gravatar: false,
            audit: false,
            status: !clients.is_empty(),
            sso: None,
            auth_modes: auth_modes(&factors),
            dns_mapping: mapped.then(|| dns_name(&user.name, &self.org.name)),
            network_links: std::mem::take(&mut user.network_links),
            servers,
            user: short(user, &self.org.name),
        }
    }

    /// One for each connection to the server, or one that says that there is none.
    fn entries(
        &self,
        user: &UserSummary,
        server: &ServerDoc,
        clients: &[ClientDoc],
    ) -> Vec<UserServerReply> {
        let here = clients.iter().filter(|client| client.server_id == server.id);
        let connected: Vec<UserServerReply> = here.map(|c| connection(server, c)).collect();
        if !connected.is_empty() {
            return connected;
        }
        let kept = self.presences.addresses.get(&(server.id, user.id));
        vec![UserServerReply {
            id: server.id.to_string(),
            name: server.options.name.clone(),
            status: false,
            server_id: server.id.to_string(),
            device_name: None,
            platform: None,
            real_address: None,
            virt_address: kept.map(ToString::to_string),
            virt_address6: None,
            connected_since: None,
        }]
    }
}

fn connection(server: &ServerDoc, client: &ClientDoc) -> UserServerReply {
    UserServerReply {
        id: client.id.to_string(),
        name: server.options.name.clone(),
        status: true,
        server_id: server.id.to_string(),
        device_name: client.device_name.clone(),
        platform: client.platform.clone(),
        real_address: Some(client.real_address.clone()),
        virt_address: Some(client.virt_address.clone()),
        virt_address6: client.virt_address6.clone(),
        connected_since: Some(client.connected_since),
    }
}

/// People whose groups the server admits; the holders of servers' certificates use none.
pub fn may_use(user: &UserSummary, server: &ServerDoc) -> bool {
    let groups = &server.options.groups;
    user.user_type == UserType::Client
        && server.organizations.contains(&user.org_id)
        && (groups.is_empty() || groups.iter().any(|group| user.groups.contains(group)))
}
