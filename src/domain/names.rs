//! Names for what nobody named: `<element>-<4 digits>` (contract 1.4).

use crate::base::random::Random;

const ELEMENTS: [&str; 40] = [
    "hydrogen",
    "helium",
    "lithium",
    "beryllium",
    "boron",
    "carbon",
    "nitrogen",
    "oxygen",
    "fluorine",
    "neon",
    "sodium",
    "magnesium",
    "aluminium",
    "silicon",
    "phosphorus",
    "sulfur",
    "chlorine",
    "argon",
    "potassium",
    "calcium",
    "scandium",
    "titanium",
    "vanadium",
    "chromium",
    "manganese",
    "iron",
    "cobalt",
    "nickel",
    "copper",
    "zinc",
    "gallium",
    "germanium",
    "krypton",
    "silver",
    "tin",
    "iodine",
    "xenon",
    "platinum",
    "gold",
    "radon",
];

/// A random name; not unique by itself.
pub fn random_name(random: &Random) -> String {
    let at = usize::try_from(random.below(ELEMENTS.len() as u64)).unwrap_or(0);
    let element = ELEMENTS.get(at).unwrap_or(&"carbon");
    format!("{element}-{:04}", random.below(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_name_is_an_element_and_four_digits() {
        let random = Random::seeded(3);
        for _ in 0..200 {
            let name = random_name(&random);
            let (element, digits) = name.split_once('-').expect("a dash");
            assert!(ELEMENTS.contains(&element), "{name}");
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{name}");
        }
        assert_ne!(random_name(&random), random_name(&random));
    }
}
