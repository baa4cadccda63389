//! "Did you mean": the known key nearest to an unknown one.

/// The known key that differs from `key` by the fewest edits, if those are few.
#[must_use]
pub fn suggestion<'k>(key: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Keys are long and made of words; a quarter of the letters may be wrong.
    let limit = (key.len() / 4).max(1);
    known
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}
