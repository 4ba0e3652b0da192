//! Profiles for administrators to download (contract 2.9).

use crate::base::ids::{OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use crate::domain::archive::{self, File};
use crate::domain::profile::{ClientRules, Credentials, Profile, Remote, TlsMode, file_name};
use crate::domain::server::ServerSpec;
use crate::domain::text::{self, ascii_name};
use crate::domain::user::{AuthType, Factors, PinMode, password_mode};
use crate::http::{Body, Response};
use crate::internal::answer::{Failure, Handled, NOT_FOUND};
use crate::internal::app::{App, Asked};
use crate::internal::servers;
use crate::internal::users::may_use;
use crate::store::hosts::HostDoc;
use crate::store::organizations::OrgSummary;
use crate::store::servers::ServerDoc;
use crate::store::users::{UserDoc, UserType};

const HTTPS_PORT: i64 = 443;
/// File systems take 255 bytes; some are left to what browsers add.
const NAME_CHARS_MAX: usize = 200;

/// One file for each server that the user may use and that has hosts.
pub fn get_archive(asked: &Asked<'_>, org: OrgId, user: UserId) -> Handled {
    let app = asked.app;
    let owner = Owner::read(app, org, user)?;
    let servers = app.ground.store.servers_of_org(org)?;
    let usable = servers.iter().filter(|server| may_use(&owner.user, server));
    let made: Result<Vec<File>, Failure> =
        usable.filter_map(|server| owner.profile(app, server).transpose()).collect();
    let files = made?;
    if files.is_empty() {
        return Err(NO_SERVER);
    }
    let bytes = archive::tar(&files, app.ground.clock.cluster_s());
    let bytes = bytes.map_err(|e| Failure::Bug(format!("could not write an archive: {e}")))?;
    let name = format!("{}.tar", owner.user.name);
    Ok(download(bytes.expose().clone(), "application/octet-stream", &name))
}

/// One profile.
pub fn get_profile(asked: &Asked<'_>, org: OrgId, user: UserId, server: ServerId) -> Handled {
    let app = asked.app;
    let owner = Owner::read(app, org, user)?;
    let server = app.ground.store.server(server)?.ok_or(NOT_FOUND)?;
    if !may_use(&owner.user, &server) {
        return Err(NOT_FOUND);
    }
    let file = owner.profile(app, &server)?.ok_or(NO_HOST)?;
    let text = file.text.expose().clone().into_bytes();
    Ok(download(text, "application/ovpn", &file.name))
}

const NO_SERVER: Failure = Failure::Named {
    status: 404,
    id: "profile_no_server",
    message: "There is no server yet that this user may use and that has a host.",
};
const NO_HOST: Failure = Failure::Named {
    status: 404,
    id: "profile_no_host",
    message: "The server has no host yet, so there is no address to connect to.",
};

fn download(bytes: Vec<u8>, kind: &'static str, name: &str) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", header_name(name));
    Response::new(200, Body::Bytes(bytes))
        .with("Content-Type", kind)
        .with("Content-Disposition", disposition)
}

/// A file name that fits a header and a file system, with its ending, whatever the names in it.
fn header_name(name: &str) -> String {
    let name = ascii_name(name);
    match name.rsplit_once('.') {
        Some((stem, end)) => format!("{}.{end}", text::cut(stem, NAME_CHARS_MAX)),
        None => text::cut(&name, NAME_CHARS_MAX).to_owned(),
    }
}

/// Whose profiles these are.
struct Owner {
    user: UserDoc,
    org: OrgSummary,
    hosts: Vec<HostDoc>,
    pin_mode: PinMode,
}

impl Owner {
    fn read(app: &App, org: OrgId, user: UserId) -> Result<Owner, Failure> {
        let store = &app.ground.store;
        let org = store.org(org)?.ok_or(NOT_FOUND)?;
        let user = store.user_with_keys(org.id, user)?;
        let user = user.filter(|user| user.user_type == UserType::Client).ok_or(NOT_FOUND)?;
        let pin_mode = PinMode::of_setting(store.user_settings()?.pin_mode.as_deref());
        Ok(Owner { user, org, hosts: store.hosts(0, 0)?, pin_mode })
    }

    /// `None`: the server has no hosts.
    fn profile(&self, app: &App, server: &ServerDoc) -> Result<Option<File>, Failure> {
        let (remotes, sync_hosts) = self.addresses(server);
        if remotes.is_empty() {
            return Ok(None);
        }
        let spec = servers::spec(server)?;
        let (user, keys) = (&self.user, &self.user.keys);
        let signing_lines: Vec<String> =
            server.auth_public_key.lines().map(str::to_owned).collect();
        let tls_key = Secret::new(server.tls_auth_key.clone());
        let profile = Profile {
            user: (user.id, &user.name),
            organization: (self.org.id, &self.org.name),
            server_id: server.id,
            server: &spec,
            remotes: &remotes,
            sync_hosts: &sync_hosts,
            signing_lines: &signing_lines,
            box_public_key: &server.auth_box_public_key,
            authorities: &app.ground.store.org_certificates(&server.organizations)?,
            certificate: &keys.certificate,
            tls: Some((TlsMode::Auth, &tls_key)),
            password_mode: password_mode(&self.factors(&spec)),
            // No settings restrict clients or let them cache tokens yet.
            rules: ClientRules { reconnect: true, restrict_client: false, cache_token: false },
        };
        let credentials = Credentials {
            key: &Secret::new(keys.private_key.clone()),
            sync_token: &Secret::new(keys.sync_token.clone()),
            sync_secret: &Secret::new(keys.sync_secret.clone()),
        };
        let text = profile.full(&credentials, &app.ground.random);
        let name = file_name(&self.org.name, &user.name, &spec.name);
        Ok(Some(File { name, text }))
    }

    /// Of the server's hosts: for the tunnel, and of their consoles.
    fn addresses(&self, server: &ServerDoc) -> (Vec<Remote>, Vec<String>) {
        let attached = self.hosts.iter().filter(|host| server.hosts.contains(&host.id));
        let pair = |host: &HostDoc| {
            let domain = address(host)?;
            let address = without_port(&domain).to_owned();
            let sync = sync_host(&domain, host.web_port);
            Some((Remote { address, priority: host.priority }, sync))
        };
        attached.filter_map(pair).unzip()
    }

    fn factors(&self, server: &ServerSpec) -> Factors {
        Factors {
            auth_type: AuthType::parse(&self.user.auth_type).unwrap_or(AuthType::LOCAL),
            bypass_secondary: self.user.bypass_secondary,
            has_pin: self.user.pin.is_some(),
            pin_mode: self.pin_mode,
            otp: server.switches.otp_auth,
            sso: server.switches.sso_auth,
            bypass_sso: server.switches.bypass_sso_auth,
        }
    }
}

fn address(host: &HostDoc) -> Option<String> {
    text::domain(host.effective_address()?)
}

/// Host name or bare address: `remote` has a port of its own, and knows no brackets.
fn without_port(domain: &str) -> &str {
    match domain.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => domain.split(':').next().unwrap_or(domain),
    }
}

/// Where clients ask for changes of their profile: the host's console.
fn sync_host(domain: &str, web_port: Option<i64>) -> String {
    let has_port = domain.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    match web_port {
        Some(port) if port != HTTPS_PORT && !has_port => format!("https://{domain}:{port}"),
        _ => format!("https://{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_fit_a_header() {
        assert_eq!(header_name("acme_Zoë_office.ovpn"), "acme_Zoe_office.ovpn");
        let long = format!("acme_{}_office.ovpn", "é".repeat(40_000));
        let name = header_name(&long);
        assert!(name.len() < 255 && name.ends_with("ee.ovpn"), "{name}");
    }

    #[test]
    fn addresses_stand_in_profiles_in_their_two_forms() {
        for (domain, port, remote, sync) in [
            ("vpn.example", Some(443), "vpn.example", "https://vpn.example"),
            ("vpn.example", Some(8443), "vpn.example", "https://vpn.example:8443"),
            ("vpn.example:9443", Some(8443), "vpn.example", "https://vpn.example:9443"),
            ("192.0.2.1", None, "192.0.2.1", "https://192.0.2.1"),
            ("[fd00::1]", Some(8443), "fd00::1", "https://[fd00::1]:8443"),
            ("[fd00::1]:9443", Some(8443), "fd00::1", "https://[fd00::1]:9443"),
        ] {
            assert_eq!(without_port(domain), remote);
            assert_eq!(sync_host(domain, port), sync);
        }
    }
}
