//! What somebody may have meant.

/// The nearest of several names, when it is near: a few letters apart, or only in upper and lower case.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_ascii_lowercase();
    let within = (name.chars().count() / 4 + 1).min(3);
    let distance = |known: &&str| strsim::damerau_levenshtein(&lower, &known.to_ascii_lowercase());
    // Names of very different length are never near; the alphabet decides between equals.
    let near = known.filter(|it| it.len().abs_diff(name.len()) <= within && it.len() > within);
    near.map(|it| (distance(&it), it)).filter(|(distance, _)| *distance <= within).min().map(|(_, it)| it)
}

/// `; did you mean replicas?`, or nothing.
pub(super) fn hint<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    nearest(name, known).map(|it| format!("; did you mean {it}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_not() {
        let known = || ["replicas", "image", "imagePullPolicy", "env"].into_iter();
        assert_eq!(nearest("replcas", known()), Some("replicas"));
        assert_eq!(nearest("Replicas", known()), Some("replicas"));
        assert_eq!(nearest("imagepullpolicy", known()), Some("imagePullPolicy"));
        assert_eq!(nearest("volumes", known()), None);
        assert_eq!(nearest("x", known()), None);
    }
}
