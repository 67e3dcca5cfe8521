//! All releases as one table: every line says in which releases it holds.

use crate::RELEASES;
use crate::swagger::Release;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The releases that something is in: one bit each, the oldest the lowest.
type Releases = u32;

/// What was read so far.
#[derive(Default)]
pub struct Merged {
    /// Version and kind, with a tab between them, and their type.
    kinds: BTreeMap<(String, String), Releases>,
    /// Type, field, what it holds.
    types: BTreeMap<String, BTreeMap<String, BTreeMap<String, Releases>>>,
}

impl Merged {
    /// Takes one release in.
    pub fn add(&mut self, minor: u32, release: Release) {
        let bit = 1 << (minor - RELEASES[0].0);
        for kind in release.kinds {
            *self.kinds.entry(kind).or_default() |= bit;
        }
        for (name, fields) in release.types {
            let known = self.types.entry(name).or_default();
            for (field, word) in fields {
                *known.entry(field).or_default().entry(word).or_default() |= bit;
            }
        }
    }

    /// The table.
    pub fn text(mut self) -> String {
        for variants in self.types.values_mut().flat_map(BTreeMap::values_mut) {
            take_back(variants);
            inherit_values(variants);
        }
        let (first, last) = (RELEASES[0].0, RELEASES[RELEASES.len() - 1].0);
        let mut text = format!("gauntlet kubernetes schema, 1.{first} to 1.{last}\n");
        for ((kind, name), releases) in &self.kinds {
            let _ = writeln!(text, "{kind}\t{name}{}", ranges(*releases));
        }
        for name in self.reachable() {
            let _ = writeln!(text, "={name}");
            for (field, variants) in &self.types[&name] {
                for (word, releases) in variants {
                    let _ = writeln!(text, "{field}\t{word}{}", ranges(*releases));
                }
            }
        }
        text
    }

    /// The types that some kind is made of.
    fn reachable(&self) -> BTreeSet<String> {
        let mut open: Vec<String> = self.kinds.keys().map(|(_, name)| name.clone()).collect();
        open.push("meta.v1.ObjectMeta".to_owned());
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(fields) = self.types.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
            let words = fields.values().flat_map(BTreeMap::keys);
            open.extend(words.filter_map(|word| word.split_once('@')).map(|(_, name)| name.to_owned()));
        }
        seen
    }
}

/// A field that a later release no longer calls required never was: only the OpenAPI was wrong, as it was for the
/// `serviceName` of StatefulSets.
fn take_back(variants: &mut BTreeMap<String, Releases>) {
    let newest = variants.iter().max_by_key(|(_, releases)| 31 - releases.leading_zeros());
    if newest.is_none_or(|(word, _)| word.starts_with('!')) {
        return;
    }
    for (word, releases) in std::mem::take(variants) {
        *variants.entry(word.trim_start_matches('!').to_owned()).or_default() |= releases;
    }
}

/// Releases whose sources do not name the values take those of the next release that does: values are added to a
/// field, never taken away, so nothing that was right becomes wrong.
fn inherit_values(variants: &mut BTreeMap<String, Releases>) {
    let plain: Vec<String> = variants.keys().filter(|word| word.ends_with('s')).cloned().collect();
    for word in plain {
        let Some(releases) = variants.get(&word).copied() else { continue };
        let newer = variants.iter().filter(|(other, later)| {
            let same = other.trim_start_matches('!').starts_with(&format!("{}{{", word.trim_start_matches('!')));
            same && later.trailing_zeros() > 31 - releases.leading_zeros()
        });
        let Some((values, _)) = newer.min_by_key(|(_, later)| later.trailing_zeros()) else { continue };
        let values = values.split_once('{').map_or("", |(_, values)| values);
        let named = format!("{word}{{{values}");
        variants.remove(&word);
        *variants.entry(named).or_default() |= releases;
    }
}

/// A tab and `22-25,27-27`; nothing for all releases.
fn ranges(releases: Releases) -> String {
    let count = RELEASES.len() as u32;
    if releases == (1 << count) - 1 {
        return String::new();
    }
    let holds = |at: u32| at < count && releases & (1 << at) != 0;
    let starts = (0..count).filter(|at| holds(*at) && (*at == 0 || !holds(at - 1)));
    let ranges = starts.map(|start| {
        let end = (start..count).take_while(|at| holds(*at)).last().unwrap_or(start);
        format!("{}-{}", start + RELEASES[0].0, end + RELEASES[0].0)
    });
    format!("\t{}", ranges.collect::<Vec<_>>().join(","))
}
