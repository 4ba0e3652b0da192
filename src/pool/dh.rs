//! DH parameters for servers. No server waits for any: it lacks them until some are there, and
//! takes them up with its next start. So what has to be made is seen in the documents of servers,
//! and needs no reservation.

use super::ticket;
use crate::ground::Ground;
use crate::limits;
use crate::pki::DhSize;
use crate::store::StoreError;
use crate::store::pool::{NewPooled, PoolKind};

/// Gives what is in store of these sizes to servers that lack it; answers how many got some.
pub fn hand_out(ground: &Ground, lacked: &[DhSize]) -> Result<usize, StoreError> {
    let mut given = 0;
    for size in lacked.iter().copied() {
        for server in ground.store.dh_lackers(size, limits::REPAIR_BATCH)? {
            let kind = PoolKind::Dh(size);
            let Some(params) = ground.store.pool_take(kind, ticket(&ground.random))? else {
                break;
            };
            if ground.store.dh_give(server, size, params.expose())? {
                ground.store.pool_note_taken(kind, 1)?;
                given += 1;
                continue;
            }
            // Another host was faster, or the server has changed.
            let (id, ticket) = (ground.store.new_id(), ticket(&ground.random));
            let back = NewPooled { id, kind, ticket, content: &params };
            ground.store.transaction("put back DH parameters", |tx| tx.pool_put(&back, None))?;
        }
    }
    Ok(given)
}
