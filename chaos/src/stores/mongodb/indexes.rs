//! Indexes of MongoDB collections: as the dump's `*.metadata.json` files hold them, as a server lists them, and how they
//! are made again. (FerretDB refuses mongorestore's way, because of `ns`.)

use crate::drill::archive::Archive;
use crate::error::ChaosError;
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use std::collections::BTreeMap;

/// What servers add to an index by themselves.
const SERVERS_OWN: [&str; 3] = ["v", "ns", "background"];
/// The index that every collection has.
const OWN_INDEX: &str = "_id_";

/// Indexes by collection and name, without what servers add and without `_id_`.
pub type Indexes = BTreeMap<String, BTreeMap<String, Document>>;

fn bare(index: &Document) -> Document {
    let kept = index.iter().filter(|(key, _)| !SERVERS_OWN.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), plain_number(value))).collect()
}

/// `1`, `1.0` and the 64-bit `1` are the same direction or size of an index; servers and dumps write it differently.
fn plain_number(value: &Bson) -> Bson {
    match value {
        Bson::Int32(n) => Bson::Int64(i64::from(*n)),
        Bson::Double(n) if n.fract() == 0.0 && n.abs() < 9e15 => Bson::Int64(*n as i64),
        Bson::Document(inner) => Bson::Document(inner.iter().map(|(k, v)| (k.clone(), plain_number(v))).collect()),
        other => other.clone(),
    }
}

fn add(indexes: &mut Indexes, collection: &str, index: &Document) {
    let of_collection = indexes.entry(collection.to_owned()).or_default();
    if let Ok(name) = index.get_str("name").map(str::to_owned)
        && name != OWN_INDEX
    {
        of_collection.insert(name, bare(index));
    }
}

/// The collection of a dump's metadata file: mongodump writes special characters as `%XX`.
fn collection_of(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?.strip_suffix(".metadata.json")?;
    let mut name = Vec::new();
    let mut bytes = file.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            name.push(byte);
            continue;
        }
        let pair = [bytes.next()?, bytes.next()?];
        name.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
    }
    String::from_utf8(name).ok()
}

/// The indexes that a dump describes; every collection of the dump is a key, with or without indexes.
///
/// # Errors
/// When a metadata file cannot be read.
pub fn of_dump(archive: &Archive) -> Result<Indexes, ChaosError> {
    let mut indexes = Indexes::new();
    for (path, content) in &archive.files {
        let Some(collection) = collection_of(path) else { continue };
        let wrong = |e: &dyn std::fmt::Display| ChaosError::Platform(format!("backup file {path}: {e}"));
        let json: serde_json::Value = serde_json::from_slice(content).map_err(|e| wrong(&e))?;
        indexes.entry(collection.clone()).or_default();
        for index in json.get("indexes").and_then(serde_json::Value::as_array).into_iter().flatten() {
            match Bson::try_from(index.clone()).map_err(|e| wrong(&e))? {
                Bson::Document(index) => add(&mut indexes, &collection, &index),
                other => return Err(wrong(&format!("an index is no document: {other}"))),
            }
        }
    }
    Ok(indexes)
}

/// The indexes that a server lists for some collections.
///
/// # Errors
/// The server's.
pub async fn of_server(database: &Database, collections: impl Iterator<Item = &String>) -> mongodb::error::Result<Indexes> {
    let mut indexes = Indexes::new();
    for collection in collections {
        indexes.entry(collection.clone()).or_default();
        let cursor = database.run_cursor_command(doc! { "listIndexes": collection }).await?;
        let listed: Vec<Document> = cursor.try_collect().await?;
        for index in &listed {
            add(&mut indexes, collection, index);
        }
    }
    Ok(indexes)
}

/// Makes indexes that are described.
///
/// # Errors
/// The server's, for the first collection that it refuses.
pub async fn make(database: &Database, indexes: &Indexes) -> mongodb::error::Result<()> {
    for (collection, described) in indexes.iter().filter(|(_, d)| !d.is_empty()) {
        let specifications: Vec<_> = described.values().cloned().collect();
        database.run_command(doc! { "createIndexes": collection, "indexes": specifications }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(json: &str) -> Archive {
        Archive { files: [("db/orders%20x.metadata.json".to_owned(), json.as_bytes().to_vec())].into() }
    }

    const METADATA: &str = r#"{"options":{},"indexes":[
        {"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_","ns":"db.orders x"},
        {"v":{"$numberInt":"2"},"key":{"b":{"$numberInt":"1"},"a":{"$numberInt":"-1"}},"name":"b_a","ns":"db.orders x","unique":true}],
        "collectionName":"orders x","type":"collection"}"#;

    #[test]
    fn the_dumps_metadata_is_read_with_the_order_of_keys() {
        let indexes = of_dump(&dump(METADATA)).expect("read");
        let expected = doc! { "key": { "b": 1i64, "a": -1i64 }, "name": "b_a", "unique": true };
        assert_eq!(indexes["orders x"], BTreeMap::from([("b_a".to_owned(), expected)]));
        assert!(of_dump(&dump("{")).is_err());
        assert_eq!(of_dump(&dump("{}")).expect("read")["orders x"], BTreeMap::new(), "a collection without indexes is known");
    }

    #[test]
    fn numbers_are_compared_by_value_and_indexes_by_all_else() {
        let of = |index: Document| {
            let mut indexes = Indexes::new();
            add(&mut indexes, "orders", &index);
            indexes
        };
        let (dumped, listed) = (doc! { "v": 2, "key": { "a": 1.0 }, "name": "a_1", "ns": "x" }, doc! { "key": { "a": 1i32 }, "name": "a_1" });
        assert_eq!(of(dumped.clone()), of(listed));
        assert_ne!(of(dumped), of(doc! { "key": { "a": 1 }, "name": "a_1", "unique": true }));
    }
}
