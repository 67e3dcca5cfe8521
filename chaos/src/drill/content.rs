//! What a store holds, as counts and hashes that do not depend on order; and how a restore compares.

use crate::snapshot::hex;
use mongodb::bson::{RawDocument, RawDocumentBuf};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// SHA-256 of a document's BSON bytes: types, values and the order of fields all count, as they do in MongoDB.
pub type Hash = [u8; 32];

/// Documents by the hash of their `_id`.
pub type Documents = BTreeMap<String, Hash>;

/// Every collection of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// Collection to documents.
    pub collections: BTreeMap<String, Documents>,
}

/// Count and order-independent hash of a set of documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    /// How many.
    pub count: u64,
    /// Sum of the hashes modulo 2^256. (A sum, not an exclusive or: two equal documents must not cancel out.)
    pub hash: Hash,
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} documents, hash {}", self.count, &hex(&self.hash)[..16])
    }
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
}

/// Hash of a document.
pub fn hash(document: &RawDocument) -> Hash {
    Sha256::digest(document.as_bytes()).into()
}

/// Documents of a collection as hashes. The key is the hash of `_id`, type included (the text "1" is not the number 1).
pub fn documents<'a>(all: impl IntoIterator<Item = &'a RawDocumentBuf>) -> Documents {
    let mut documents = Documents::new();
    for document in all {
        let mut id = Sha256::new();
        if let Ok(Some(value)) = document.get("_id") {
            let mut alone = RawDocumentBuf::new();
            alone.append(mongodb::bson::raw::cstr!("_id"), value);
            id.update(alone.as_bytes());
        }
        documents.insert(hex(&id.finalize()[..16]), hash(document));
    }
    documents
}

/// How a restored database differs from what the source held before and after the backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// Collections that the source had and the restored database has not.
    pub missing_collections: Vec<String>,
    /// Documents that stood unchanged through the backup and are not there, by collection.
    pub missing: BTreeMap<String, usize>,
    /// Documents that are there with another content than the source ever had.
    pub altered: BTreeMap<String, usize>,
    /// Documents that the source had neither before nor after.
    pub unexpected: BTreeMap<String, usize>,
    /// What stood unchanged through the backup.
    pub expected: Digest,
    /// The same documents as restored.
    pub restored: Digest,
}

impl Differences {
    /// Same count, same hash, nothing altered, nothing strange.
    pub fn none(&self) -> bool {
        self.expected == self.restored
            && self.missing_collections.is_empty()
            && [&self.missing, &self.altered, &self.unexpected].iter().all(|m| m.is_empty())
    }

    /// For a person.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.missing_collections.is_empty() {
            parts.push(format!("collections missing: {}", self.missing_collections.join(", ")));
        }
        for (what, counts) in [("missing", &self.missing), ("altered", &self.altered), ("unexpected", &self.unexpected)] {
            parts.extend(counts.iter().map(|(collection, n)| format!("{n} documents of {collection} {what}")));
        }
        parts.join("; ")
    }
}

fn count(map: &mut BTreeMap<String, usize>, collection: &str) {
    *map.entry(collection.to_owned()).or_default() += 1;
}

/// Compares. A document that was written, changed or deleted while the backup ran may be restored in either state; one
/// that stood still must be there as it was.
pub fn compare(before: &Content, after: &Content, restored: &Content) -> Differences {
    let mut found = Differences::default();
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    let none = Documents::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{Document, doc};
    use proptest::prelude::*;

    fn content(collections: &[(&str, &[Document])]) -> Content {
        let of = |all: &[Document]| {
            let raw: Vec<_> = all.iter().map(|d| RawDocumentBuf::try_from(d).expect("raw")).collect();
            documents(&raw)
        };
        Content { collections: collections.iter().map(|(n, all)| ((*n).to_owned(), of(all))).collect() }
    }

    fn old() -> Document {
        doc! { "_id": "a", "n": 1 }
    }

    #[test]
    fn equal_is_equal_and_writes_during_the_backup_may_or_may_not_be_there() {
        let before = content(&[("orders", &[old()])]);
        let after = content(&[("orders", &[old(), doc! { "_id": "b" }])]);
        assert!(compare(&before, &after, &before).none());
        assert!(compare(&before, &after, &after).none());
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let before = content(&[("orders", &[old()]), ("users", &[doc! { "_id": 1 }])]);
        let lost = compare(&before, &before, &content(&[("orders", &[]), ("users", &[doc! { "_id": 1 }])]));
        assert_eq!((lost.missing.get("orders"), lost.none()), (Some(&1), false));
        let altered = compare(&before, &before, &content(&[("orders", &[doc! { "_id": "a", "n": 2 }]), ("users", &[doc! { "_id": 1 }])]));
        assert_eq!((altered.altered.get("orders"), altered.none()), (Some(&1), false));
        let strange = compare(&before, &before, &content(&[("orders", &[old(), doc! { "_id": "x" }]), ("users", &[doc! { "_id": 1 }])]));
        assert_eq!((strange.unexpected.get("orders"), strange.none()), (Some(&1), false));
        let forgotten = compare(&before, &before, &content(&[("orders", &[old()])]));
        assert_eq!(forgotten.missing_collections, ["users"]);
        assert_eq!(forgotten.describe(), "collections missing: users; 1 documents of users missing");
    }

    #[test]
    fn an_empty_collection_that_is_missing_is_found() {
        let before = content(&[("orders", &[old()]), ("audit", &[])]);
        assert_eq!(compare(&before, &before, &content(&[("orders", &[old()])])).missing_collections, ["audit"]);
    }

    #[test]
    fn types_count() {
        let of = |d: Document| documents(&[RawDocumentBuf::try_from(&d).expect("raw")]);
        assert_ne!(of(doc! { "_id": 1i32 }), of(doc! { "_id": 1i64 }));
        assert_ne!(of(doc! { "_id": "1" }), of(doc! { "_id": 1 }));
        assert_ne!(of(doc! { "_id": 1, "v": 1.0 }), of(doc! { "_id": 1, "v": 1 }));
    }

    #[test]
    fn two_equal_documents_do_not_cancel_out() {
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
