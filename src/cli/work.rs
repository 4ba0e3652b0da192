//! `warren work`: the child that makes something expensive. Hidden: only a daemon starts it.

use super::{Failure, exit};
use crate::queue::child::{self, WorkError};
use std::ffi::OsString;

pub fn work(args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    child::serve(args).map_err(|error| {
        let code = match error {
            WorkError::Usage => exit::USAGE,
            WorkError::Io(_) => exit::SYSTEM,
            WorkError::Pki(_) => exit::SOFTWARE,
        };
        Failure::of(code, &error)
    })
}
