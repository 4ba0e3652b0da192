//! Which rows of addresses are wrong, and what connected clients lack. Pure.

use crate::domain::address::AddressPool;
use crate::store::tasks::{AddressRow, ConnectedClient, ServerNet};
use std::net::Ipv4Addr;

/// The addresses that a server may give; `None` for a damaged one, of which nothing is known.
pub fn pool(net: &ServerNet) -> Option<AddressPool> {
    let bound = |text: &Option<String>| text.as_deref().map(str::parse::<Ipv4Addr>).transpose();
    match (bound(&net.network_start).ok()?, bound(&net.network_end).ok()?) {
        (Some(start), Some(end)) => AddressPool::bridged(start, end),
        _ => AddressPool::routed(net.network.parse().ok()?),
    }
}

/// The client's address as rows have it, if it is one of the server's.
pub fn inside(client: &ConnectedClient, pool: AddressPool) -> Option<i64> {
    let address: Ipv4Addr = client.virt_address.parse().ok()?;
    pool.contains(address).then(|| i64::from(address.to_bits()))
}

/// Rows in order of their addresses: those that go, and those that stay. Of several with one
/// address the first one with a user stays.
pub fn outside_or_doubled(
    rows: &[AddressRow],
    pool: Option<AddressPool>,
) -> (Vec<&AddressRow>, Vec<&AddressRow>) {
    let fits = |row: &AddressRow| {
        let address = u32::try_from(row.address).ok().map(Ipv4Addr::from_bits);
        pool.is_none_or(|pool| address.is_some_and(|address| pool.contains(address)))
    };
    let (mut gone, mut stay) = (Vec::new(), Vec::new());
    for same in rows.chunk_by(|a, b| a.address == b.address) {
        let kept = same.iter().position(|row| row.user_id.is_some()).unwrap_or(0);
        for (at, row) in same.iter().enumerate() {
            if at == kept && fits(row) { stay.push(row) } else { gone.push(row) }
        }
    }
    (gone, stay)
}

/// Rows in order of their users: those beside the lowest address of each.
pub fn doubled_users(rows: &[AddressRow]) -> Vec<&AddressRow> {
    let mut doubled = Vec::new();
    for same in rows.chunk_by(|a, b| a.user_id == b.user_id) {
        let lowest = same.iter().map(|row| row.address).min();
        doubled.extend(same.iter().filter(|row| Some(row.address) != lowest));
    }
    doubled
}

/// What a connected client lacks.
#[derive(Debug)]
pub enum Need<'a> {
    Nothing,
    Row,
    /// This row, which is free.
    Take(&'a AddressRow),
    /// Its address is somebody else's, or another one is its own: it must come again.
    Cut,
}

/// `own`: the address that is kept for its user. `row`: of the address it has.
pub fn need(address: i64, own: Option<i64>, row: Option<&AddressRow>) -> Need<'_> {
    match (own, row) {
        (Some(own), _) if own == address => Need::Nothing,
        (None, None) => Need::Row,
        (None, Some(row)) if row.user_id.is_none() => Need::Take(row),
        _ => Need::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::UserId;

    fn user(number: u8) -> Option<UserId> {
        Some(UserId::from_bytes([number; 12]))
    }

    fn numbers(rows: &[&AddressRow], all: &[AddressRow]) -> Vec<usize> {
        let at = |row: &&AddressRow| all.iter().position(|other| std::ptr::eq(other, *row));
        rows.iter().filter_map(at).collect()
    }

    #[test]
    fn rows_outside_and_doubled_ones_go() {
        let net: crate::domain::network::Network4 = "10.8.0.0/29".parse().expect("a network");
        let at = |n: u32| i64::from(net.base().to_bits() + n);
        let rows = [
            AddressRow::of(1, at(1), user(1)), // the gateway's
            AddressRow::of(2, at(2), None),
            AddressRow::of(3, at(2), user(2)),
            AddressRow::of(4, at(2), user(3)),
            AddressRow::of(5, at(6), user(4)),
            AddressRow::of(6, at(7), user(5)), // broadcast
            AddressRow::of(7, -1, None),
        ];
        let (gone, stay) = outside_or_doubled(&rows, AddressPool::routed(net));
        assert_eq!(numbers(&gone, &rows), [0, 1, 3, 5, 6]);
        assert_eq!(numbers(&stay, &rows), [2, 4]);
        let (gone, _) = outside_or_doubled(&rows, None);
        assert_eq!(numbers(&gone, &rows), [1, 3], "nothing is known of the network");
    }

    #[test]
    fn a_user_keeps_the_lowest_address() {
        let row = AddressRow::of;
        let rows = [row(1, 5, user(1)), row(2, 9, user(2)), row(3, 4, user(2)), row(4, 8, user(2))];
        assert_eq!(numbers(&doubled_users(&rows), &rows), [1, 3]);
    }

    #[test]
    fn a_client_has_a_row_for_its_address_or_comes_again() {
        let (free, others) = (AddressRow::of(1, 5, None), AddressRow::of(1, 5, user(2)));
        assert!(matches!(need(5, Some(5), Some(&others)), Need::Nothing));
        assert!(matches!(need(5, None, None), Need::Row));
        assert!(matches!(need(5, None, Some(&free)), Need::Take(_)));
        for (own, row) in [(None, Some(&others)), (Some(6), None), (Some(6), Some(&free))] {
            assert!(matches!(need(5, own, row), Need::Cut), "{own:?} {row:?}");
        }
    }
}
