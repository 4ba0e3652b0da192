//! What is said of a commit whose answer never came.

use super::rig::store;
use crate::needs;
use crate::support::mongo::ReplicaSet;
use warren::store::StoreError;

#[test]
fn the_fate_of_a_commit_without_an_answer_is_unknown() {
    needs!(Mongod);
    let mut set = ReplicaSet::local();
    let store = store(&set);
    let done: Result<(), StoreError> = store.transaction("test a commit", |tx| {
        tx.guard("fate")?;
        set.members[0].kill_9();
        Ok(())
    });
    // The database is away for longer than its driver waits: that alone would mean nothing is done.
    assert!(matches!(done, Err(StoreError::Unknown { .. })), "{done:?}");
    set.members[0].restart();
}
