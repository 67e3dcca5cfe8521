//! What a store holds, as counts and hashes that do not depend on order; and how a restore compares.

use crate::snapshot::hex;
use crate::store::Words;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// SHA-256 of a record, as its engine writes it out.
pub type Hash = [u8; 32];

/// Records by what identifies them: the hash of a key, or of the whole record where there is no key.
pub type Records = BTreeMap<String, Hash>;

/// Every collection of a store (table, topic, measurement).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// Collection to records.
    pub collections: BTreeMap<String, Records>,
    /// Records that the store itself will remove, by collection: when, in ms of Unix time.
    pub expiring: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Content {
    /// Adds a record. The collection comes to exist with it.
    pub fn add(&mut self, collection: &str, id: String, hash: Hash) {
        match self.collections.get_mut(collection) {
            Some(records) => drop(records.insert(id, hash)),
            None => drop(self.collections.insert(collection.to_owned(), [(id, hash)].into())),
        }
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.collections.values().map(Records::len).sum()
    }

    /// The ids that are gone, or may be, at a moment in Unix time.
    fn expired(&self, unix_ms: u64) -> impl Iterator<Item = (&str, &str)> {
        let all = self.expiring.iter().flat_map(|(collection, ids)| ids.iter().map(move |(id, at)| (collection.as_str(), id.as_str(), *at)));
        all.filter(move |(_, _, at)| *at <= unix_ms).map(|(collection, id, _)| (collection, id))
    }
}

/// Takes what has expired by `unix_ms` on either side out of all of them: whether it is still there means nothing.
pub fn without_expired(contents: [&Content; 3], unix_ms: u64) -> [Content; 3] {
    let expired: Vec<_> = contents.iter().flat_map(|c| c.expired(unix_ms)).collect();
    contents.map(|content| {
        let mut content = content.clone();
        for (collection, id) in &expired {
            content.collections.get_mut(*collection).map(|records| records.remove(*id));
        }
        content
    })
}

/// The hash of parts. Their lengths count, so that a text cannot move from one part to the next unnoticed.
pub fn hash(parts: &[&[u8]]) -> Hash {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    sum.finalize().into()
}

/// A hash from its 64 hexadecimal digits. None when it is none.
pub fn hash_of_hex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

/// A hash as an id: half of it is enough to tell records apart.
pub fn id_of(hash: &Hash) -> String {
    hex(&hash[..16])
}

/// Tells apart records that are equal in every respect: the first, the second, and so on.
#[derive(Debug, Clone, Default)]
pub struct Twins(HashMap<Hash, u32>);

impl Twins {
    /// The id of one more record with this hash.
    pub fn id(&mut self, hash: &Hash) -> String {
        let seen = self.0.entry(*hash).or_default();
        *seen += 1;
        format!("{}#{seen}", id_of(hash))
    }
}

/// Count and order-independent hash of a set of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    /// How many.
    pub count: u64,
    /// Sum of the hashes modulo 2^256. (A sum, not an exclusive or: two equal records must not cancel out.)
    pub hash: Hash,
}

impl Digest {
    /// The digest of hashes, in any order.
    pub fn of<'a>(hashes: impl IntoIterator<Item = &'a Hash>) -> Self {
        hashes.into_iter().fold(Digest::default(), |mut sum, hash| {
            let mut carry = 0u16;
            for (s, h) in sum.hash.iter_mut().zip(hash).rev() {
                let total = u16::from(*s) + u16::from(*h) + carry;
                *s = total.to_le_bytes()[0];
                carry = total >> 8;
            }
            sum.count += 1;
            sum
        })
    }

    /// For a person, in the engine's words.
    pub fn describe(&self, words: Words) -> String {
        format!("{} {}s, hash {}", self.count, words.record, &hex(&self.hash)[..16])
    }
}

/// How a restored store differs from what the source held before and after the backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// Collections that the source had and the restored store has not.
    pub missing_collections: Vec<String>,
    /// Records that stood unchanged through the backup and are not there, by collection.
    pub missing: BTreeMap<String, usize>,
    /// Records that are there with another content than the source ever had.
    pub altered: BTreeMap<String, usize>,
    /// Records that the source had neither before nor after.
    pub unexpected: BTreeMap<String, usize>,
    /// What stood unchanged through the backup.
    pub expected: Digest,
    /// The same records as restored.
    pub restored: Digest,
}

impl Differences {
    /// Same count, same hash, nothing altered, nothing strange.
    pub fn none(&self) -> bool {
        self.expected == self.restored
            && self.missing_collections.is_empty()
            && [&self.missing, &self.altered, &self.unexpected].iter().all(|m| m.is_empty())
    }

    /// For a person, in the engine's words.
    pub fn describe(&self, words: Words) -> String {
        let mut parts = Vec::new();
        if !self.missing_collections.is_empty() {
            parts.push(format!("{}s missing: {}", words.collection, self.missing_collections.join(", ")));
        }
        for (what, counts) in [("missing", &self.missing), ("altered", &self.altered), ("unexpected", &self.unexpected)] {
            parts.extend(counts.iter().map(|(collection, n)| format!("{n} {}s of {collection} {what}", words.record)));
        }
        parts.join("; ")
    }
}

fn count(map: &mut BTreeMap<String, usize>, collection: &str) {
    *map.entry(collection.to_owned()).or_default() += 1;
}

/// Compares. A record that was written, changed or deleted while the backup ran may be restored in either state; one
/// that stood still must be there as it was.
pub fn compare(before: &Content, after: &Content, restored: &Content) -> Differences {
    let mut found = Differences::default();
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    let none = Records::new();
    // Only collections that stood through the backup must be in it.
    for (name, was) in &before.collections {
        let Some(is) = after.collections.get(name) else { continue };
        let back = restored.collections.get(name);
        if back.is_none() {
            found.missing_collections.push(name.clone());
        }
        let back = back.unwrap_or(&none);
        for (id, hash) in was.iter().filter(|(id, hash)| is.get(*id) == Some(*hash)) {
            expected.push(hash);
            match back.get(id) {
                None => count(&mut found.missing, name),
                Some(now) => actual.push(now),
            }
        }
    }
    for (name, back) in &restored.collections {
        let was = before.collections.get(name).unwrap_or(&none);
        let is = after.collections.get(name).unwrap_or(&none);
        for (id, hash) in back {
            let known = [was.get(id), is.get(id)];
            if known == [None, None] {
                count(&mut found.unexpected, name);
            } else if !known.contains(&Some(hash)) && (known[0] == known[1]) {
                count(&mut found.altered, name);
            }
        }
    }
    found.expected = Digest::of(expected);
    found.restored = Digest::of(actual);
    found
}

/// A restored content as the backup would have it, where it differs only by what clients wrote since: records that the backup
/// does not know are left out, known ones with another content count as they were. What is missing stays missing.
pub fn as_backed_up(before: &Content, after: &Content, restored: &Content) -> Content {
    let known = |name: &str, id: &str| [before, after].into_iter().find_map(|c| c.collections.get(name)?.get(id).copied());
    let of_collection = |(name, records): (&String, &Records)| {
        let kept = records.keys().filter_map(|id| Some((id.clone(), known(name, id)?)));
        (name.clone(), kept.collect())
    };
    Content { collections: restored.collections.iter().map(of_collection).collect(), expiring: restored.expiring.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: Words = Words { collection: "table", record: "row" };

    fn content(collections: &[(&str, &[(&str, u8)])]) -> Content {
        let mut content = Content::default();
        for (name, records) in collections {
            content.collections.entry((*name).to_owned()).or_default();
            for (id, value) in *records {
                content.add(name, (*id).to_owned(), [*value; 32]);
            }
        }
        content
    }

    #[test]
    fn equal_is_equal_and_writes_during_the_backup_may_or_may_not_be_there() {
        let before = content(&[("orders", &[("a", 1)])]);
        let after = content(&[("orders", &[("a", 1), ("b", 2)])]);
        assert!(compare(&before, &after, &before).none());
        assert!(compare(&before, &after, &after).none());
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let before = content(&[("orders", &[("a", 1)]), ("users", &[("u", 1)])]);
        let restored = |orders: &[(&str, u8)]| compare(&before, &before, &content(&[("orders", orders), ("users", &[("u", 1)])]));
        let lost = restored(&[]);
        assert_eq!((lost.missing.get("orders"), lost.none()), (Some(&1), false));
        let altered = restored(&[("a", 2)]);
        assert_eq!((altered.altered.get("orders"), altered.none()), (Some(&1), false));
        let strange = restored(&[("a", 1), ("x", 9)]);
        assert_eq!((strange.unexpected.get("orders"), strange.none()), (Some(&1), false));
        let forgotten = compare(&before, &before, &content(&[("orders", &[("a", 1)])]));
        assert_eq!(forgotten.missing_collections, ["users"]);
        assert_eq!(forgotten.describe(WORDS), "tables missing: users; 1 rows of users missing");
    }

    #[test]
    fn an_empty_collection_that_is_missing_is_found() {
        let before = content(&[("orders", &[("a", 1)]), ("audit", &[])]);
        assert_eq!(compare(&before, &before, &content(&[("orders", &[("a", 1)])])).missing_collections, ["audit"]);
    }

    #[test]
    fn what_expires_meanwhile_is_neither_missed_nor_strange() {
        let mut before = content(&[("db0", &[("a", 1), ("b", 2)])]);
        before.expiring.insert("db0".into(), [("a".to_owned(), 5_000)].into());
        let gone = content(&[("db0", &[("b", 2)])]);
        let judge = |now| {
            let [was, is, back] = without_expired([&before, &before, &gone], now);
            compare(&was, &is, &back).none()
        };
        assert!(judge(5_000), "it expired");
        assert!(!judge(4_999), "it had not expired yet");
        let [was, is, back] = without_expired([&before, &gone, &before], 6_000);
        assert!(compare(&was, &is, &back).none(), "still there though expired");
    }

    #[test]
    fn what_clients_wrote_since_is_no_difference_and_what_is_missing_is() {
        let was = content(&[("orders", &[("a", 1), ("b", 2)])]);
        let judge = |now: &[(&str, u8)]| compare(&was, &was, &as_backed_up(&was, &was, &content(&[("orders", now)]))).describe(WORDS);
        assert_eq!(judge(&[("a", 1), ("b", 9), ("c", 3)]), "");
        assert_eq!(judge(&[("b", 9), ("c", 3)]), "1 rows of orders missing");
    }

    #[test]
    fn parts_do_not_run_into_each_other_and_twins_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(hash(&[b"ab"]), hash(&[b"ab"]));
        let mut twins = Twins::default();
        let (first, second) = (twins.id(&[1; 32]), twins.id(&[1; 32]));
        assert_ne!(first, second);
        assert_ne!(twins.id(&[2; 32]), first);
    }

    #[test]
    fn two_equal_records_do_not_cancel_out() {
        let h = [200u8; 32];
        assert_ne!(Digest::of([&h, &h]).hash, Digest::default().hash);
        assert_ne!(Digest::of([&h, &h]).hash, Digest::of([]).hash);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_content_does(mut hashes in prop::collection::vec(any::<[u8; 32]>(), 1..30), at in any::<prop::sample::Index>(), seed in any::<u64>()) {
            let digest = Digest::of(&hashes);
            let mut shuffled = hashes.clone();
            use rand::{SeedableRng, seq::SliceRandom};
            shuffled.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(&Digest::of(&shuffled), &digest);
            let i = at.index(hashes.len());
            hashes[i][31] ^= 1;
            prop_assert_ne!(&Digest::of(&hashes), &digest);
        }
    }
}
