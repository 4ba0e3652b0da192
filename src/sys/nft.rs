//! nftables by the `nft` program: whole rulesets atomically, single elements, removal.

use crate::sys::run::{RunError, run, run_with_input};

/// Loads a ruleset text in one transaction: all of it or nothing.
pub fn apply(ruleset: &str) -> Result<(), RunError> {
    run_with_input("nft", &["-f", "-"], ruleset).map(drop)
}

/// Removes a table of family inet; it need not exist.
pub fn delete_table(table: &str) -> Result<(), RunError> {
    apply(&format!("table inet {table}\ndelete table inet {table}\n"))
}

/// Names of the inet tables that start with `prefix`.
pub fn tables(prefix: &str) -> Result<Vec<String>, RunError> {
    let listed = run("nft", &["list", "tables", "inet"])?;
    let names = listed.lines().filter_map(|line| line.strip_prefix("table inet "));
    Ok(names.map(str::trim).filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
}
