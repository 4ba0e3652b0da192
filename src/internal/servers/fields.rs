//! A request's record as the fields that rules read.

use crate::api::ServerBody;
use crate::domain::server::{ServerFields, Switches};

pub fn of(body: ServerBody) -> ServerFields {
    ServerFields {
        switches: switches(&body),
        name: body.name,
        network: body.network,
        network_wg: body.network_wg,
        network_mode: body.network_mode,
        network_start: body.network_start,
        network_end: body.network_end,
        port: body.port,
        port_wg: body.port_wg,
        protocol: body.protocol,
        bind_address: body.bind_address,
        dh_param_bits: body.dh_param_bits,
        cipher: body.cipher,
        hash: body.hash,
        groups: body.groups,
        dns_servers: body.dns_servers,
        search_domain: body.search_domain,
        ping_interval: body.ping_interval,
        ping_timeout: body.ping_timeout,
        ping_interval_wg: body.ping_interval_wg,
        ping_timeout_wg: body.ping_timeout_wg,
        link_ping_interval: body.link_ping_interval,
        link_ping_timeout: body.link_ping_timeout,
        inactive_timeout: body.inactive_timeout,
        session_timeout: body.session_timeout,
        allowed_devices: body.allowed_devices,
        max_clients: body.max_clients,
        max_devices: body.max_devices,
        replica_count: body.replica_count,
        mss_fix: body.mss_fix,
        tun_mtu: body.tun_mtu,
        fragment: body.fragment,
        pre_connect_msg: body.pre_connect_msg,
    }
}

fn switches(body: &ServerBody) -> Switches {
    Switches {
        wg: body.wg,
        ipv6: body.ipv6,
        ipv6_firewall: body.ipv6_firewall,
        restrict_routes: body.restrict_routes,
        multi_device: body.multi_device,
        inter_client: body.inter_client,
        otp_auth: body.otp_auth,
        sso_auth: body.sso_auth,
        lzo_compression: body.lzo_compression,
        block_outside_dns: body.block_outside_dns,
        jumbo_frames: body.jumbo_frames,
        dns_mapping: body.dns_mapping,
        route_dns: body.route_dns,
        debug: body.debug,
        vxlan: body.vxlan,
        hide_ovpn: body.hide_ovpn,
        ovpn_dco: body.ovpn_dco,
        dynamic_firewall: body.dynamic_firewall,
        bypass_sso_auth: body.bypass_sso_auth,
        geo_sort: body.geo_sort,
        force_connect: body.force_connect,
        device_auth: body.device_auth,
        multihome: body.multihome,
    }
}
