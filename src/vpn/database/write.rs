//! Writing down what happened, in few round trips. Everything can be done twice, but for lines of
//! output, which come last.

use super::{Database, Output};
use crate::base::ids::{InstanceId, OrgId, ServerId};
use crate::domain::event::Event;
use crate::limits::{OUTPUT_LINES_MAX, OUTPUT_TRIM_LINES};
use crate::store::StoreError;
use crate::store::instances::Failed;
use crate::store::vpn::ClientDoc;
use crate::vpn::digest::{Digest, Step, Totals, digest};
use crate::vpn::records::{Note, Session};
use std::collections::{BTreeSet, HashSet};

fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl Database {
    pub(super) fn record(&self, output: &mut Output, notes: &[Note]) -> Result<(), StoreError> {
        let digest = digest(notes, &self.host_name);
        let servers: Vec<ServerId> = digest.servers().into_iter().collect();
        let held = match servers.is_empty() {
            true => Vec::new(),
            false => self.store.servers_held(&servers)?,
        };
        let instances: HashSet<InstanceId> =
            held.iter().flat_map(|h| h.instances.iter().map(|i| i.instance_id)).collect();
        self.record_clients(&digest, &instances)?;
        for (server, instance, step) in &digest.steps {
            if self.record_step(*server, *instance, step)? {
                self.tell(*server);
            }
        }
        let stirred = held.iter().filter(|held| digest.stirred.contains(&held.id));
        let orgs = stirred.flat_map(|held| held.organizations.iter().copied());
        self.emit_stir(orgs.collect(), &digest);
        // One that was deleted says nothing any more.
        for id in held.iter().map(|held| held.id) {
            if let Some(lines) = digest.output.get(&id) {
                self.record_output(output, id, lines)?;
            }
        }
        Ok(())
    }

    /// Whoever was replaced meanwhile has no clients to show any more (I5).
    fn record_clients(
        &self,
        digest: &Digest,
        held: &HashSet<InstanceId>,
    ) -> Result<(), StoreError> {
        let connected = digest.connected.iter().filter(|(s, _)| held.contains(&s.instance));
        let clients: Vec<ClientDoc> =
            connected.map(|(session, totals)| self.client(session, *totals)).collect();
        self.store.clients_connected(&clients)?;
        let counts: Vec<_> =
            digest.bytes.iter().map(|(id, t)| (*id, stored(t.received), stored(t.sent))).collect();
        self.store.clients_counted(&counts)?;
        self.store.clients_gone(&digest.gone)?;
        let users: Vec<_> = digest.came.iter().map(|session| session.user).collect();
        self.store.users_active(&users)
    }

    fn client(&self, session: &Session, totals: Totals) -> ClientDoc {
        ClientDoc {
            id: session.id,
            server_id: session.server,
            instance_id: session.instance,
            host_id: self.host,
            org_id: session.org,
            user_id: session.user,
            user_name: session.user_name.clone(),
            cid: stored(session.cid),
            platform: some(&session.platform),
            device_name: some(&session.device_name),
            mac_addr: some(&session.mac_address),
            real_address: session.real_address.clone(),
            virt_address: session.address.to_string(),
            virt_address6: None,
            connected_since: session.since_s,
            bytes_received: stored(totals.received),
            bytes_sent: stored(totals.sent),
            cut: false,
            user_cut: session.cut,
        }
    }

    /// Whether the document changed.
    fn record_step(
        &self,
        server: ServerId,
        instance: InstanceId,
        step: &Step,
    ) -> Result<bool, StoreError> {
        match step {
            Step::Started => self.store.instance_started(server, instance),
            Step::Failed { cause } => {
                self.store.server_failed(server, self.host, Failed::Instance(instance), cause)
            }
            Step::Ended => self.store.instance_release(server, instance),
        }
    }

    /// Batches are a second apart, so that these are merged (contract 2.7).
    fn emit_stir(&self, orgs: BTreeSet<OrgId>, digest: &Digest) {
        if digest.stirred.is_empty() {
            return;
        }
        orgs.into_iter().for_each(|org| self.bus.emit(Event::Users(org)));
        self.bus.emit(Event::Hosts(Some(self.host)));
        self.bus.emit(Event::Servers);
    }

    fn record_output(
        &self,
        output: &mut Output,
        server: ServerId,
        lines: &[String],
    ) -> Result<(), StoreError> {
        let newest = lines.len().saturating_sub(OUTPUT_LINES_MAX);
        let lines = lines.get(newest..).unwrap_or_default();
        output.number = output.number.wrapping_add(1);
        self.store.output_append(server, output.number, lines)?;
        self.bus.emit(Event::ServerOutput(server));
        // An earlier life may have left it just below the bound.
        let since = output.lines.entry(server).or_insert(OUTPUT_TRIM_LINES);
        *since += lines.len();
        if *since >= OUTPUT_TRIM_LINES {
            *since = 0;
            // Not worth bringing the lines again; the next time shortens it all the same.
            if let Err(e) = self.store.output_trim(server) {
                log::debug!("{e}");
            }
        }
        Ok(())
    }
}
