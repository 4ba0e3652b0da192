//! The shared key in front of TLS (`tls-auth`, `tls-crypt`): 2048 random bits in OpenVPN's form.

use crate::base::ids::to_hex;
use crate::base::random::Random;
use crate::base::secret::Secret;

/// Text of a new key; the same for both directives.
pub fn static_key(random: &Random) -> Secret<String> {
    let bits = random.bytes::<256>();
    let mut text = String::from("-----BEGIN OpenVPN Static key V1-----\n");
    for line in bits.chunks_exact(16) {
        text.push_str(&to_hex(line));
        text.push('\n');
    }
    text.push_str("-----END OpenVPN Static key V1-----\n");
    Secret::new(text)
}
