//! Diffie-Hellman parameters: a safe prime of a size of the contract, with generator 2. They are no
//! secret.

use super::{PkiError, doing};
use openssl::dh::Dh;
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DhSize {
    Bits1024,
    Bits1536,
    Bits2048,
    Bits3072,
    Bits4096,
}

impl DhSize {
    pub const ALL: [DhSize; 5] =
        [DhSize::Bits1024, DhSize::Bits1536, DhSize::Bits2048, DhSize::Bits3072, DhSize::Bits4096];

    pub const fn bits(self) -> u32 {
        match self {
            DhSize::Bits1024 => 1024,
            DhSize::Bits1536 => 1536,
            DhSize::Bits2048 => 2048,
            DhSize::Bits3072 => 3072,
            DhSize::Bits4096 => 4096,
        }
    }

    pub fn of_bits(bits: i64) -> Option<DhSize> {
        DhSize::ALL.into_iter().find(|size| i64::from(size.bits()) == bits)
    }

    /// Its pool's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            DhSize::Bits1024 => "dh1024",
            DhSize::Bits1536 => "dh1536",
            DhSize::Bits2048 => "dh2048",
            DhSize::Bits3072 => "dh3072",
            DhSize::Bits4096 => "dh4096",
        }
    }

    /// Whether OpenVPN takes them: of smaller ones the library's security level lets no server
    /// start.
    pub const fn is_usable(self) -> bool {
        self.bits() >= 2048
    }
}

impl fmt::Display for DhSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DhSize {
    type Err = PkiError;
    fn from_str(text: &str) -> Result<DhSize, PkiError> {
        DhSize::ALL.into_iter().find(|s| s.as_str() == text).ok_or(PkiError::KeyKindUnknown)
    }
}

/// New parameters in PEM: from a second to hours, by chance and size.
pub fn generate(size: DhSize) -> Result<String, PkiError> {
    let made = Dh::generate_params(size.bits(), 2).and_then(|dh| dh.params_to_pem());
    let pem = made.map_err(doing("make DH parameters"))?;
    Ok(String::from_utf8_lossy(&pem).into_owned())
}

/// Whether this is PEM text of parameters of this size.
pub fn is_of(pem: &str, size: DhSize) -> bool {
    let params = Dh::params_from_pem(pem.as_bytes());
    params.is_ok_and(|dh| i64::from(dh.prime_p().num_bits()) == i64::from(size.bits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::{BigNum, BigNumContext};

    #[test]
    fn names_and_sizes_are_read_back() {
        for size in DhSize::ALL {
            assert_eq!(size.as_str().parse::<DhSize>().ok(), Some(size));
            assert_eq!(DhSize::of_bits(size.bits().into()), Some(size));
            assert_eq!(size.as_str(), format!("dh{}", size.bits()));
        }
        assert_eq!(DhSize::of_bits(512), None);
    }

    #[test]
    fn parameters_are_a_safe_prime_of_their_size() {
        let pem = generate(DhSize::Bits1024).expect("parameters");
        assert!(is_of(&pem, DhSize::Bits1024) && !is_of(&pem, DhSize::Bits1536));
        assert!(!is_of("no PEM", DhSize::Bits1024));
        let dh = Dh::params_from_pem(pem.as_bytes()).expect("parameters");
        let mut context = BigNumContext::new().expect("a context");
        let mut half = BigNum::new().expect("a number");
        half.rshift1(dh.prime_p()).expect("its half");
        assert!(dh.prime_p().is_prime(20, &mut context).expect("an answer"));
        assert!(half.is_prime(20, &mut context).expect("an answer"));
        assert_eq!(dh.generator(), &*BigNum::from_u32(2).expect("two"));
    }
}
