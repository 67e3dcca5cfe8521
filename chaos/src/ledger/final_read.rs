//! The final read of a ledger: from the store itself, past the service whose word is being tested.

use crate::error::ChaosError;
use crate::store::MongoStore;
use gauntlet_fixtures::platform::{LedgerEndpoint, Platform, Store};
use kube::Client;
use std::collections::BTreeSet;

/// The store that a ledger's final read goes to.
///
/// # Errors
/// When platform.yaml names none of that name, or its engine has no reader.
pub fn store_of<'a>(platform: &'a Platform, ledger: &LedgerEndpoint) -> Result<&'a Store, ChaosError> {
    let named = platform.stores.iter().find(|s| s.name == ledger.store);
    let store = named.ok_or_else(|| ChaosError::Platform(format!("ledger.store {:?} is none of the stores", ledger.store)))?;
    match store.engine.as_str() {
        "mongodb" => Ok(store),
        other => Err(ChaosError::Platform(format!("no final read is known for engine {other:?} of store {}", store.name))),
    }
}

/// The keys with this prefix that the store holds now.
///
/// # Errors
/// When the store cannot be reached or does not answer: then nothing is known of the writes.
pub async fn final_read(client: &Client, platform: &Platform, ledger: &LedgerEndpoint, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
    let store = store_of(platform, ledger)?;
    let connection = MongoStore::open(client, &platform.namespace, store).await?;
    connection.keys(&ledger.collection, &ledger.key_field, prefix).await
}
