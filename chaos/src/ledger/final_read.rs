//! The final read of a ledger: from the store itself, past the service whose word is being tested.

use crate::error::ChaosError;
use crate::store::Place;
use crate::stores::engine_of;
use gauntlet_fixtures::platform::{LedgerEndpoint, Platform, Store};
use kube::Client;
use std::collections::BTreeSet;

/// A store of a platform, by its name.
///
/// # Errors
/// When platform.yaml has none of that name.
pub fn store_of<'a>(platform: &'a Platform, name: &str) -> Result<&'a Store, ChaosError> {
    let named = platform.stores.iter().find(|s| s.name == name);
    named.ok_or_else(|| ChaosError::Platform(format!("{name:?} is none of the stores")))
}

/// The keys with this prefix that the store holds now.
///
/// # Errors
/// When the store cannot be reached or does not answer: then nothing is known of the writes.
pub async fn final_read(client: &Client, platform: &Platform, ledger: &LedgerEndpoint, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
    let store = store_of(platform, &ledger.store)?;
    let place = Place { client, namespace: &platform.namespace, store };
    let opened = engine_of(store)?.open(&place).await?;
    opened.keys(&ledger.collection, &ledger.key_field, prefix).await
}
