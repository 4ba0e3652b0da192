//! The only source of randomness: the system's for the daemon, a seeded one for simulations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Handle on a source of random bytes; clones share it.
#[derive(Clone, Debug)]
pub struct Random(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Seeded(Arc<AtomicU64>),
}

impl Random {
    pub fn system() -> Random {
        Random(Source::System)
    }

    /// Repeatable and *not* secret: simulations only.
    pub fn seeded(seed: u64) -> Random {
        Random(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    pub fn fill(&self, out: &mut [u8]) {
        match &self.0 {
            Source::System => {
                // INVARIANT: libcrypto's generator is seeded by the kernel; without it no key,
                // token or nonce could be made, so there is nothing sensible to go on with.
                openssl::rand::rand_bytes(out).expect("the system's random generator failed");
            }
            Source::Seeded(state) => {
                for chunk in out.chunks_mut(8) {
                    let word = split_mix(state).to_le_bytes();
                    chunk.copy_from_slice(&word[..chunk.len()]);
                }
            }
        }
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    pub fn u64(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// Evenly distributed in `0..n` (0 for `n` = 0), without the bias of a plain remainder.
    pub fn below(&self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let x = self.u64();
            if x < limit {
                return x % n;
            }
        }
    }

    /// Secrets and tokens of the contract: `[A-Za-z0-9]`.
    pub fn alphanumeric(&self, len: usize) -> String {
        self.letters(ALPHANUMERIC, len)
    }

    /// OTP secrets of the contract: base32 characters.
    pub fn base32(&self, len: usize) -> String {
        self.letters(BASE32, len)
    }

    fn letters(&self, alphabet: &[u8], len: usize) -> String {
        let pick = |_| {
            let at = usize::try_from(self.below(alphabet.len() as u64)).unwrap_or(0);
            char::from(alphabet[at])
        };
        (0..len).map(pick).collect()
    }
}

fn split_mix(state: &AtomicU64) -> u64 {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        let (a, b) = (Random::seeded(7), Random::seeded(7));
        assert_eq!(a.bytes::<20>(), b.bytes::<20>());
        assert_ne!(Random::system().bytes::<16>(), Random::system().bytes::<16>());
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let random = Random::seeded(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[random.below(5) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(0), 0);
    }
}
