//! Which of a platform's profiles a run takes.

use std::collections::BTreeMap;

/// The profiles that a run can ask for, from the shortest to the longest.
pub const PROFILES: [&str; 3] = ["quick", "standard", "certify"];

/// A profile that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen<'a, T> {
    /// Its name in platform.yaml.
    pub name: &'a str,
    /// The profile.
    pub profile: &'a T,
    /// The profile that was asked for, when it is another one.
    pub instead_of: Option<&'a str>,
}

/// There is neither the profile nor a shorter one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("platform.yaml has no {what} profile {wanted:?} and no shorter one; it has {known}")]
pub struct NoProfile {
    /// `load` or `soak`.
    pub what: String,
    /// The profile that was asked for.
    pub wanted: String,
    /// Those that exist, for people.
    pub known: String,
}

impl<T> Chosen<'_, T> {
    /// For people, when it is not the profile that was asked for.
    pub fn note(&self) -> Option<String> {
        self.instead_of.map(|wanted| format!("profile {} in place of {wanted}, which platform.yaml does not have", self.name))
    }
}

/// The profile of a name. Where platform.yaml does not have it, the next shorter one of [`PROFILES`] stands in, and
/// [`Chosen::note`] says so: never a longer one than asked for.
///
/// # Errors
/// [`NoProfile`] with those that exist.
pub fn choose<'a, T>(what: &str, profiles: &'a BTreeMap<String, T>, wanted: &'a str) -> Result<Chosen<'a, T>, NoProfile> {
    let shorter = PROFILES.iter().position(|p| *p == wanted).unwrap_or(0);
    let mut names = std::iter::once(wanted).chain(PROFILES[..shorter].iter().rev().copied());
    let found = names.find_map(|name| profiles.get_key_value(name));
    let (name, profile) = found.ok_or_else(|| {
        let known = if profiles.is_empty() { "none".to_owned() } else { profiles.keys().cloned().collect::<Vec<_>>().join(", ") };
        NoProfile { what: what.to_owned(), wanted: wanted.to_owned(), known }
    })?;
    Ok(Chosen { name, profile, instead_of: (name != wanted).then_some(wanted) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::exact(&["quick", "standard", "certify"], "certify", Some(("certify", None)))]
    #[case::next_shorter(&["quick", "standard"], "certify", Some(("standard", Some("certify"))))]
    #[case::shortest(&["quick"], "certify", Some(("quick", Some("certify"))))]
    #[case::never_longer(&["standard", "certify"], "quick", None)]
    #[case::own_name(&["night"], "night", Some(("night", None)))]
    #[case::unknown_name(&["quick"], "night", None)]
    fn the_next_shorter_profile_stands_in(#[case] has: &[&str], #[case] wanted: &str, #[case] expected: Option<(&str, Option<&str>)>) {
        let profiles: BTreeMap<String, u32> = has.iter().map(|name| ((*name).to_owned(), 1)).collect();
        let got = choose("load", &profiles, wanted);
        assert_eq!(got.as_ref().ok().map(|c| (c.name, c.instead_of)), expected);
    }

    #[test]
    fn what_exists_is_told() {
        let profiles = BTreeMap::from([("standard".to_owned(), ()), ("certify".to_owned(), ())]);
        let error = choose("soak", &profiles, "quick").expect_err("none").to_string();
        assert_eq!(error, "platform.yaml has no soak profile \"quick\" and no shorter one; it has certify, standard");
        let note = choose("soak", &BTreeMap::from([("quick".to_owned(), ())]), "standard").expect("quick").note();
        assert_eq!(note.as_deref(), Some("profile quick in place of standard, which platform.yaml does not have"));
    }
}
