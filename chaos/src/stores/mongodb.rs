//! # What it does
//! Reads through the driver, over a forwarded port: counts and hashes of every document, ledgers, indexes. Content is the
//! documents' BSON bytes, so types and the order of fields count, as they do in MongoDB. A dump is damaged inside a
//! document, in a text that is not its `_id`, and once more cut off in its last document.
//!
//! # Why it matters
//! Dumps miss collections, are empty, are older than they look. mongorestore takes a dump with damaged values for a good
//! one and exits 0: only a comparison of content notices. Whole means: it answers, takes a write, and reads it back.
//!
//! # Recovery
//! The source is only read, but for the ledger's own writes and a probe that is removed. After the restore command the
//! indexes that the dump's metadata describes are made, because not every server takes them from mongorestore. A live
//! database that is overwritten is dropped first: mongorestore inserts beside what is there.
//!
//! # Options
//! None.

pub mod bson_dump;
pub mod indexes;

use crate::drill::archive::Archive;
use crate::drill::content::{Content, Records, hash, id_of};
use crate::drill::extras::{Extra, Rule};
use crate::error::ChaosError;
use crate::port_forward::PortForward;
use crate::store::{Damage, DataStore, Engine, Login, MustShow, Place, Words};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use mongodb::Database;
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The engine.
pub struct Mongodb;

/// Where a probe is written.
const PROBE: &str = "gauntlet_probe";

impl Engine for Mongodb {
    fn words(&self) -> Words {
        Words { collection: "collection", record: "document" }
    }

    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>> {
        Box::pin(async move { Ok(Box::new(MongoStore::open(place).await?) as Box<dyn DataStore>) })
    }

    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let store = MongoStore::open(place).await.map_err(|e| format!("failed to {e}"))?;
            store.probe("gauntlet-whole").await.map_err(|e| format!("failed to {e}"))?;
            Ok("it answers, and a document was written and read back".to_owned())
        })
    }

    fn in_backup(&self, archive: &Archive) -> Result<Option<BTreeSet<String>>, ChaosError> {
        Ok(Some(indexes::of_dump(archive)?.into_keys().collect()))
    }

    fn flip(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|path| path.ends_with(".bson"), bson_dump::flip_inside_a_document)
    }

    fn truncate(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|path| path.ends_with(".bson"), bson_dump::truncate)
    }

    fn must_show(&self, damage: Damage) -> MustShow {
        // BSON carries no checksums: what is well-formed is taken.
        match damage {
            Damage::Flipped | Damage::Truncated | Damage::Emptied => MustShow::RefusedOrNoticed,
        }
    }
}

/// Documents of a collection as hashes. The id is the hash of `_id`, type included (the text "1" is not the number 1).
pub fn documents<'a>(all: impl IntoIterator<Item = &'a RawDocument>) -> Records {
    let mut records = Records::new();
    for document in all {
        let mut alone = RawDocumentBuf::new();
        if let Ok(Some(value)) = document.get("_id") {
            alone.append(mongodb::bson::raw::cstr!("_id"), value);
        }
        records.insert(id_of(&hash(&[alone.as_bytes()])), hash(&[document.as_bytes()]));
    }
    records
}

/// How a MongoDB-wire server may want its logins, in the order in which they are tried: the protocol's own first; PLAIN is
/// what FerretDB takes, which hands the login to its PostgreSQL.
fn credentials(login: &Login) -> Vec<Credential> {
    let credential = |mechanism: AuthMechanism, source: &str| {
        Credential::builder()
            .username(login.user.clone())
            .password(login.password.clone())
            .source(source.to_owned())
            .mechanism(mechanism)
            .build()
    };
    vec![
        credential(AuthMechanism::ScramSha256, "admin"),
        credential(AuthMechanism::ScramSha1, "admin"),
        credential(AuthMechanism::Plain, "$external"),
    ]
}

/// A MongoDB-wire store.
pub struct MongoStore {
    name: String,
    /// The platform's database in it.
    pub database: Database,
    _forward: Option<PortForward>,
}

impl MongoStore {
    /// A store on a database that is connected already.
    pub fn on(database: Database) -> Self {
        MongoStore { name: database.name().to_owned(), database, _forward: None }
    }

    async fn open(place: &Place<'_>) -> Result<Self, ChaosError> {
        let store = place.store;
        let login = place.login().await?;
        let forward = PortForward::open(place.client, place.namespace, &place.pod(), store.port).await;
        let forward = forward.map_err(|e| place.wrong(e.to_string()))?;
        let tried = login.as_ref().map_or_else(|| vec![None], |login| credentials(login).into_iter().map(Some).collect());
        let mut answers = Vec::new();
        for credential in tried {
            let mechanism = credential.as_ref().and_then(|c| c.mechanism.clone());
            match connect(forward.address, credential, &store.database).await {
                Ok(database) => return Ok(MongoStore { name: store.name.clone(), database, _forward: Some(forward) }),
                Err(error) => answers.push(format!("{mechanism:?}: {error}")),
            }
        }
        Err(place.wrong(answers.join("; ")))
    }

    fn wrong(&self) -> impl Fn(mongodb::error::Error) -> ChaosError + '_ {
        |error| ChaosError::Store { store: self.name.clone(), cause: error.to_string() }
    }

    /// Collections of the database, without the server's own.
    async fn collections(&self) -> Result<BTreeSet<String>, ChaosError> {
        let names = self.database.list_collection_names().await.map_err(self.wrong())?;
        Ok(names.into_iter().filter(|n| !n.starts_with("system.")).collect())
    }

    async fn read_all(&self) -> Result<Content, ChaosError> {
        let mut content = Content::default();
        for name in self.collections().await? {
            let mut records = Records::new();
            let mut cursor = self.database.collection::<RawDocumentBuf>(&name).find(doc! {}).await.map_err(self.wrong())?;
            while cursor.advance().await.map_err(self.wrong())? {
                records.extend(documents([cursor.current()]));
            }
            content.collections.insert(name, records);
        }
        Ok(content)
    }

    /// Filtered here: what a server makes of a regular expression is not what is being tested.
    async fn read_keys(&self, collection: &str, field: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let collection = self.database.collection::<Document>(collection);
        let mut cursor = collection.find(doc! {}).projection(doc! { field: 1 }).await.map_err(self.wrong())?;
        let mut keys = BTreeSet::new();
        while let Some(document) = cursor.try_next().await.map_err(self.wrong())? {
            keys.extend(value_at(&document, field).filter(|k| k.starts_with(prefix)).map(str::to_owned));
        }
        Ok(keys)
    }

    async fn write_and_read(&self, name: &str) -> Result<(), ChaosError> {
        let collection = self.database.collection::<Document>(PROBE);
        // A probe that was killed may have left its document.
        collection.delete_one(doc! { "_id": name }).await.map_err(self.wrong())?;
        collection.insert_one(doc! { "_id": name }).await.map_err(self.wrong())?;
        let found = collection.find_one(doc! { "_id": name }).await.map_err(self.wrong())?;
        collection.drop().await.map_err(self.wrong())?;
        match found.as_ref().and_then(|d| d.get("_id")) {
            Some(Bson::String(id)) if *id == name => Ok(()),
            _ => Err(ChaosError::Store { store: self.name.clone(), cause: "a written document could not be read".into() }),
        }
    }

    async fn list_indexes(&self) -> Result<Extra, ChaosError> {
        let collections = self.collections().await?;
        let listed = indexes::of_server(&self.database, collections.iter()).await.map_err(self.wrong())?;
        let named = |(collection, of_it): (String, BTreeMap<String, Document>)| {
            of_it.into_iter().map(move |(name, index)| (format!("{collection}.{name}"), index.to_string()))
        };
        let items = listed.into_iter().flat_map(named).collect();
        Ok(Extra { kind: "indexes".into(), expected: "the restored collections have the source's indexes".into(), rule: Rule::Equal, items })
    }
}

impl DataStore for MongoStore {
    fn content(&self) -> BoxFuture<'_, Result<Content, ChaosError>> {
        Box::pin(self.read_all())
    }

    fn keys<'a>(&'a self, collection: &'a str, key_field: &'a str, prefix: &'a str) -> BoxFuture<'a, Result<BTreeSet<String>, ChaosError>> {
        Box::pin(self.read_keys(collection, key_field, prefix))
    }

    fn probe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(self.write_and_read(name))
    }

    fn empty<'a>(&'a self, _: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move { self.database.drop().await.map_err(self.wrong()) })
    }

    /// mongorestore inserts beside what is there.
    fn make_room<'a>(&'a self, source: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        self.empty(source)
    }

    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>> {
        Box::pin(async move { Ok(vec![self.list_indexes().await?]) })
    }

    fn complete<'a>(&'a self, archive: &'a Archive) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move { indexes::make(&self.database, &indexes::of_dump(archive)?).await.map_err(self.wrong()) })
    }
}

/// The text at a field path with dots.
fn value_at<'a>(document: &'a Document, path: &str) -> Option<&'a str> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    match (document.get(first)?, rest) {
        (Bson::String(text), None) => Some(text),
        (Bson::Document(inner), Some(rest)) => value_at(inner, rest),
        _ => None,
    }
}

async fn connect(address: SocketAddr, credential: Option<Credential>, database: &str) -> Result<Database, mongodb::error::Error> {
    let mut options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host: address.ip().to_string(), port: Some(address.port()) }])
        .direct_connection(true)
        .connect_timeout(Duration::from_secs(5))
        .server_selection_timeout(Duration::from_secs(10))
        .build();
    options.credential = credential;
    let database = mongodb::Client::with_options(options)?.database(database);
    // A ping needs no login on some servers; a listing does.
    database.list_collection_names().await?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_below_dots_and_only_texts() {
        let document = doc! { "a": { "b": "k-1" }, "n": 3 };
        assert_eq!(value_at(&document, "a.b"), Some("k-1"));
        assert_eq!(value_at(&document, "a"), None);
        assert_eq!(value_at(&document, "n"), None);
        assert_eq!(value_at(&document, "x.y"), None);
    }

    #[test]
    fn types_count() {
        let of = |d: Document| {
            let raw = RawDocumentBuf::try_from(&d).expect("raw");
            documents([&*raw])
        };
        assert_ne!(of(doc! { "_id": 1i32 }), of(doc! { "_id": 1i64 }));
        assert_ne!(of(doc! { "_id": "1" }), of(doc! { "_id": 1 }));
        assert_ne!(of(doc! { "_id": 1, "v": 1.0 }), of(doc! { "_id": 1, "v": 1 }));
        assert_eq!(of(doc! { "_id": 1, "v": 1 }).keys().collect::<Vec<_>>(), of(doc! { "_id": 1, "v": 2 }).keys().collect::<Vec<_>>());
    }
}
