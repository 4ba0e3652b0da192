//! Pure rules of the contract. Imports `base` alone.

pub mod network;
