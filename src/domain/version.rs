//! The numeric version of `GET /state` (contract 2.1).

/// Each dotted number padded to four digits, all put together, 4000 added to the last part of a
/// release. Clients compare it as a number, so a version always has four parts here.
pub fn numeric(version: &str) -> u64 {
    let (numbers, release) = match version.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (version, true),
    };
    let mut parts = [0_u64; 4];
    for (part, text) in parts.iter_mut().zip(numbers.split('.')) {
        *part = text.parse().unwrap_or(0).min(5999);
    }
    let number = parts.into_iter().fold(0, |sum, part| sum * 10_000 + part);
    if release { number + 4000 } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_numbers_that_compare() {
        for (version, number) in [
            ("1.32.0.1", 1_0032_0000_4001),
            ("1.32.0", 1_0032_0000_4000),
            ("0.1.0", 1_0000_4000),
            ("0.1.0-rc1", 1_0000_0000),
            ("2.0.0.12", 2_0000_0000_4012),
        ] {
            assert_eq!(numeric(version), number, "{version}");
        }
        assert!(numeric("0.1.0-rc1") < numeric("0.1.0") && numeric("0.1.0") < numeric("0.2.0"));
    }
}
