//! What a running server says, and who is connected to it (contract 2.5; the clients are ours).

use crate::api::reply::server::{ClientReply, OutputReply};
use crate::base::ids::{ClientId, ServerId};
use crate::domain::event::Event;
use crate::internal::answer::{self, Handled, NOT_FOUND};
use crate::internal::app::Asked;
use crate::internal::servers::find;
use crate::store::bus::Message;

pub fn get_output(asked: &Asked<'_>, server: ServerId) -> Handled {
    find(asked.app, server)?;
    let (output, times) = asked.app.ground.store.output(server)?.into_iter().unzip();
    answer::json(&OutputReply { id: server.to_string(), output, times })
}

pub fn clear_output(asked: &Asked<'_>, server: ServerId) -> Handled {
    find(asked.app, server)?;
    asked.app.ground.store.output_clear(server)?;
    asked.app.ground.bus.emit(Event::ServerOutput(server));
    answer::done()
}

pub fn list_clients(asked: &Asked<'_>, server: ServerId) -> Handled {
    let store = &asked.app.ground.store;
    let found = find(asked.app, server)?;
    let (orgs, living) = (store.orgs_of(&found.organizations)?, store.living()?);
    let running: Vec<_> = living.instances(&found.instances).map(|i| i.instance_id).collect();
    let clients = store.clients(server)?.into_iter();
    let connected = clients.filter(|client| running.contains(&client.instance_id));
    let shown = connected.map(|client| ClientReply {
        id: client.id.to_string(),
        user_id: client.user_id.to_string(),
        user_name: client.user_name,
        organization_id: client.org_id.to_string(),
        organization_name: orgs.iter().find(|o| o.id == client.org_id).map(|o| o.name.clone()),
        host_id: client.host_id.to_string(),
        host_name: living.host(client.host_id).map(|host| host.name.clone()),
        platform: client.platform,
        device_name: client.device_name,
        real_address: client.real_address,
        virt_address: client.virt_address,
        virt_address6: client.virt_address6,
        connected_since: client.connected_since,
        bytes_received: client.bytes_received,
        bytes_sent: client.bytes_sent,
    });
    answer::json(&shown.collect::<Vec<_>>())
}

/// The document decides; the message makes it quick (I3).
pub fn kick_client(asked: &Asked<'_>, server: ServerId, client: ClientId) -> Handled {
    if !asked.app.ground.store.client_cut(server, client)? {
        return Err(NOT_FOUND);
    }
    asked.app.ground.bus.publish(Message::CutClient { client });
    answer::done()
}
