//! The server's X25519 key that clients encrypt connection requests to (contract 3.2, 3.6).

use super::{PkiError, doing};
use crate::base::secret::Secret;
use openssl::base64::{decode_block, encode_block};
use openssl::pkey::{Id, PKey, Private};
use std::fmt;

/// An X25519 pair; both halves are 32 bytes in standard base64.
pub struct BoxKey(PKey<Private>);

impl BoxKey {
    pub fn generate() -> Result<BoxKey, PkiError> {
        PKey::generate_x25519().map(BoxKey).map_err(doing("make a box key"))
    }

    /// From the stored private half.
    pub fn restore(private: &Secret<String>) -> Result<BoxKey, PkiError> {
        let bytes = Secret::new(decode_block(private.expose()).map_err(doing("read a box key"))?);
        PKey::private_key_from_raw_bytes(bytes.expose(), Id::X25519)
            .map(BoxKey)
            .map_err(doing("read a box key"))
    }

    pub fn private(&self) -> Result<Secret<String>, PkiError> {
        let bytes = Secret::new(self.0.raw_private_key().map_err(doing("write a box key"))?);
        Ok(Secret::new(encode_block(bytes.expose())))
    }

    /// `server_box_public_key` of a profile.
    pub fn public(&self) -> Result<String, PkiError> {
        let bytes = self.0.raw_public_key().map_err(doing("write a box key"))?;
        Ok(encode_block(&bytes))
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(…)")
    }
}
