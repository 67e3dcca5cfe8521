//! What Kubernetes' own kinds hold, release by release: `schemas/kubernetes.deflate`, made from Kubernetes' OpenAPI by
//! `cargo run -p gauntlet-policies --example kubernetes_schema`.
//!
//! The text in it: one line of title; lines of kinds, `apiVersion kind type [releases]`; then for each type a line
//! `=type` and its fields, `name word [releases]`; tabs stand between. Releases are ranges of minor versions, such as
//! `20-24,26-36`; all of them when nothing stands there. See [`Type`] for the words. It is unpacked when the first rule asks for it, and a
//! type is read when the first object of it comes.

use super::types::{Definition, Type};
use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

static PACKED: &[u8] = include_bytes!("../../schemas/kubernetes.deflate");
/// More than the table will ever be.
const MAX_TEXT: usize = 16 << 20;

/// The table.
pub(crate) struct Table {
    /// By version and kind.
    kinds: HashMap<&'static str, HashMap<&'static str, Vec<Served>>>,
    /// The groups that Kubernetes has, or had since the oldest release.
    groups: BTreeSet<&'static str>,
    /// The lines of each type.
    types: HashMap<&'static str, &'static str>,
}

/// The type of a kind in some releases.
struct Served {
    of: &'static str,
    releases: &'static str,
}

/// A field as some releases have it.
pub(crate) struct Variant {
    pub word: &'static str,
    pub releases: &'static str,
}

impl Table {
    /// The table, unpacked once.
    pub fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        static TEXT: OnceLock<String> = OnceLock::new();
        TABLE.get_or_init(|| {
            Table::read(TEXT.get_or_init(|| {
                let bytes = miniz_oxide::inflate::decompress_to_vec_with_limit(PACKED, MAX_TEXT).unwrap_or_default();
                // A test reads the table: one that cannot be read never ships.
                String::from_utf8(bytes).unwrap_or_default()
            }))
        })
    }

    fn read(text: &'static str) -> Self {
        let mut table = Self { kinds: HashMap::new(), groups: BTreeSet::new(), types: HashMap::new() };
        let mut blocks = text.split("\n=");
        for line in blocks.next().unwrap_or_default().lines().skip(1) {
            let mut words = line.split('\t');
            let (Some(version), Some(kind), Some(of)) = (words.next(), words.next(), words.next()) else { continue };
            table.groups.insert(group_of(version));
            let served = Served { of, releases: words.next().unwrap_or_default() };
            table.kinds.entry(version).or_default().entry(kind).or_default().push(served);
        }
        table.types = blocks.map(|block| block.split_once('\n').unwrap_or((block, ""))).collect();
        table
    }

    /// The type of a kind in a release; none: the release does not have it.
    pub fn type_of(&'static self, version: &str, kind: &str, release: u32) -> Option<&'static str> {
        self.served(version, kind).iter().find(|it| holds(it.releases, release)).map(|it| it.of)
    }

    /// In which releases a kind is, such as `since 1.21`; none: in none of them.
    pub fn history(&'static self, version: &str, kind: &str) -> Option<String> {
        let ranges: Vec<_> = self.served(version, kind).iter().flat_map(|it| ranges(it.releases)).collect();
        (!ranges.is_empty()).then(|| told(ranges))
    }

    /// The versions that a release has a kind in, newest names last.
    pub fn versions_of(&self, kind: &str, release: u32) -> Vec<&'static str> {
        let has = |kinds: &HashMap<_, Vec<Served>>| kinds.get(kind).is_some_and(|it| it.iter().any(|it| holds(it.releases, release)));
        let mut versions: Vec<_> = self.kinds.iter().filter(|(_, kinds)| has(kinds)).map(|(version, _)| *version).collect();
        versions.sort_unstable();
        versions
    }

    /// The kinds that a release has in a version.
    pub fn kinds_of(&self, version: &str, release: u32) -> impl Iterator<Item = &'static str> {
        let has = move |served: &Vec<Served>| served.iter().any(|it| holds(it.releases, release));
        self.kinds.get(version).into_iter().flatten().filter(move |(_, served)| has(served)).map(|(kind, _)| *kind)
    }

    /// True: the group is one of Kubernetes' own.
    pub fn has_group(&self, group: &str) -> bool {
        self.groups.contains(group) || group == "extensions"
    }

    /// A type as a release has it.
    pub fn definition(&'static self, name: &str, release: u32) -> Definition {
        Definition::new(self.fields(name).filter(|(_, it)| holds(it.releases, release)).map(|(field, it)| (field, it.word)))
    }

    /// The variants of a field in other releases than one.
    pub fn variants(&'static self, of: &str, field: &str) -> Vec<Variant> {
        self.fields(of).filter(|(name, _)| *name == field).map(|(_, variant)| variant).collect()
    }

    /// In which releases a type has a field; none: in none.
    pub fn field_history(&'static self, of: &str, field: &str) -> Option<String> {
        let ranges: Vec<_> = self.variants(of, field).iter().flat_map(|it| ranges(it.releases)).collect();
        (!ranges.is_empty()).then(|| told(ranges))
    }

    /// In which releases a field takes a value; none: in none.
    pub fn value_history(&'static self, of: &str, field: &str, value: &str) -> Option<String> {
        let takes = |word: &'static str| Type::read(word.trim_start_matches('!')).values().contains(&value);
        let ranges: Vec<_> = self.variants(of, field).iter().filter(|it| takes(it.word)).flat_map(|it| ranges(it.releases)).collect();
        (!ranges.is_empty()).then(|| told(ranges))
    }

    fn served(&'static self, version: &str, kind: &str) -> &'static [Served] {
        self.kinds.get(version).and_then(|kinds| kinds.get(kind)).map(Vec::as_slice).unwrap_or_default()
    }

    fn fields(&'static self, of: &str) -> impl Iterator<Item = (&'static str, Variant)> {
        self.types.get(of).copied().unwrap_or_default().lines().filter_map(|line| {
            let (name, rest) = line.split_once('\t')?;
            let (word, releases) = rest.split_once('\t').unwrap_or((rest, ""));
            Some((name, Variant { word, releases }))
        })
    }
}

/// The group of an `apiVersion`; empty for the core group.
pub(crate) fn group_of(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

fn ranges(text: &str) -> Vec<RangeInclusive<u32>> {
    let (first, last) = (crate::Kubernetes::OLDEST.minor(), crate::Kubernetes::NEWEST.minor());
    if text.is_empty() {
        return vec![first..=last];
    }
    let range = |it: &str| it.split_once('-').and_then(|(start, end)| Some(start.parse().ok()?..=end.parse().ok()?));
    text.split(',').filter_map(range).collect()
}

fn holds(releases: &str, release: u32) -> bool {
    releases.is_empty() || ranges(releases).iter().any(|range| range.contains(&release))
}

/// Ranges as a person says them.
fn told(mut ranges: Vec<RangeInclusive<u32>>) -> String {
    ranges.sort_by_key(|range| *range.start());
    let mut joined: Vec<RangeInclusive<u32>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if *range.start() <= last.end() + 1 => *last = *last.start()..=*range.end().max(last.end()),
            _ => joined.push(range),
        }
    }
    let (first, last) = (crate::Kubernetes::OLDEST.minor(), crate::Kubernetes::NEWEST.minor());
    let tell = |range: &RangeInclusive<u32>| match (*range.start() == first, *range.end() == last) {
        (true, true) => format!("in every release from 1.{first} to 1.{last}"),
        (true, false) => format!("until 1.{}", range.end()),
        (false, true) => format!("since 1.{}", range.start()),
        (false, false) if range.start() == range.end() => format!("only in 1.{}", range.start()),
        (false, false) => format!("from 1.{} to 1.{}", range.start(), range.end()),
    };
    joined.iter().map(tell).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kubernetes;

    #[test]
    fn the_table_holds_every_release() {
        let table = Table::get();
        for release in Kubernetes::all() {
            let deployment = table.type_of("apps/v1", "Deployment", release.minor()).expect("every release has Deployments");
            let definition = table.definition(deployment, release.minor());
            assert!(definition.field("spec").is_some(), "{release}");
        }
        assert!(table.types.len() > 500, "{}", table.types.len());
    }

    #[test]
    fn every_type_that_is_named_is_there_in_that_release() {
        let table = Table::get();
        for release in Kubernetes::all() {
            for name in table.types.keys() {
                for (field, word) in table.fields(name).filter(|(_, it)| holds(it.releases, release.minor())) {
                    let Some((_, of)) = word.word.split_once('@') else { continue };
                    assert!(table.fields(of).any(|(_, it)| holds(it.releases, release.minor())), "{release}: {name}.{field} names {of}");
                }
            }
        }
    }

    #[test]
    fn what_is_known_of_removed_versions_agrees_with_the_table() {
        let table = Table::get();
        for entry in crate::rules::schema::api_versions::RETIRED {
            let kinds = table.kinds.get(entry.version).into_iter().flatten();
            for (kind, served) in kinds.filter(|(kind, _)| entry.kinds.is_empty() || entry.kinds.contains(kind)) {
                let last = served.iter().flat_map(|it| ranges(it.releases)).map(|range| *range.end()).max();
                let removed = entry.removed.unwrap_or(Kubernetes::NEWEST.minor() + 1);
                assert_eq!(last.map(|last| last + 1), Some(removed), "{} {kind}", entry.version);
            }
        }
    }

    #[test]
    fn releases_are_told_as_a_person_says_them() {
        let say = |text| told(ranges(text));
        assert_eq!(say(""), "in every release from 1.20 to 1.36");
        assert_eq!(say("20-24"), "until 1.24");
        assert_eq!(say("25-36"), "since 1.25");
        assert_eq!(say("22-22,24-26"), "only in 1.22 and from 1.24 to 1.26");
        assert_eq!(say("22-24,25-36"), "since 1.22");
    }
}
