//! The data store engines. One file, one engine, one row; the file's doc comment is its manual page.

pub mod influxdb;
pub mod kafka;
pub mod mongodb;
pub mod postgresql;
pub mod redis;

use crate::error::ChaosError;
use crate::store::Engine;
use gauntlet_fixtures::platform::Store;

/// One row.
pub struct Entry {
    /// The engine as platform.yaml names it, and the file here.
    pub name: &'static str,
    source: &'static str,
    /// The engine.
    pub engine: &'static dyn Engine,
}

/// All engines.
pub const ENGINES: &[Entry] = &[
    Entry { name: "influxdb", source: include_str!("influxdb.rs"), engine: &influxdb::Influxdb },
    Entry { name: "kafka", source: include_str!("kafka.rs"), engine: &kafka::Kafka },
    Entry { name: "mongodb", source: include_str!("mongodb.rs"), engine: &mongodb::Mongodb },
    Entry { name: "postgresql", source: include_str!("postgresql.rs"), engine: &postgresql::Postgresql },
    Entry { name: "redis", source: include_str!("redis.rs"), engine: &redis::Redis },
];

impl Entry {
    /// The manual page: the doc comment of the engine's file.
    pub fn manual(&self) -> String {
        crate::registry::manual(self.source)
    }
}

/// The engine of a store.
///
/// # Errors
/// When platform.yaml names one that does not exist; says which do.
pub fn engine_of(store: &Store) -> Result<&'static dyn Engine, ChaosError> {
    let found = ENGINES.iter().find(|e| e.name == store.engine);
    found.map(|e| e.engine).ok_or_else(|| {
        let known: Vec<_> = ENGINES.iter().map(|e| e.name).collect();
        ChaosError::Platform(format!("store {}: unknown engine {:?}; the engines are {}", store.name, store.engine, known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_an_engine_and_documented() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stores");
        let files: BTreeSet<String> = std::fs::read_dir(dir)
            .expect("stores/")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".rs").filter(|n| *n != "mod").map(str::to_owned))
            .collect();
        let rows: BTreeSet<String> = ENGINES.iter().map(|e| e.name.to_owned()).collect();
        assert_eq!(files, rows, "each file in stores/ needs one row in stores/mod.rs");
        assert_eq!(rows.len(), ENGINES.len(), "a file has two rows");
        for entry in ENGINES {
            let manual = entry.manual();
            for part in ["# What it does", "# Why it matters", "# Recovery", "# Options"] {
                assert!(manual.contains(part), "stores/{}.rs lacks the section {part:?} in its doc comment", entry.name);
            }
        }
    }
}
