//! # What it does
//! Reads InfluxDB 1.x through `influx` in the store's container, on 127.0.0.1, as CSV. Content is every point of every
//! measurement in every retention policy of the database; a point is identified by its measurement, tags and time, as
//! InfluxDB identifies it. Beside points it compares the retention policies. A ledger's keys are the values of a field or
//! tag.
//!
//! # Why it matters
//! A restore into a database that exists is refused; one under another retention policy is not found by the platform's
//! queries; points of one second with equal tags overwrite each other. Whole means: it answers, takes a point, and reads it
//! back.
//!
//! # Recovery
//! The source is only read, but for a probe in a database of its own that is dropped. In the restored copy the platform's
//! database is dropped: InfluxDB restores only what is not there.
//!
//! # Options
//! - `reason`: why there is no backup, for a store without commands.

mod csv;

use crate::drill::archive::{Archive, first_half, flip_in_the_middle};
use crate::drill::content::{Content, hash, id_of};
use crate::drill::extras::{Extra, Rule};
use crate::error::ChaosError;
use crate::pod_exec::{Command, Shell};
use crate::store::{Damage, DataStore, Engine, Login, MustShow, Place, Words};
use csv::Rows;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

/// The engine.
pub struct Influxdb;

/// Small questions.
const SOON: Duration = Duration::from_secs(20);
/// Reading a whole database.
const READ_WITHIN: Duration = Duration::from_secs(300);
/// Where a probe is written.
const PROBE: &str = "gauntlet_probe";

impl Engine for Influxdb {
    fn words(&self) -> Words {
        Words { collection: "measurement", record: "point" }
    }

    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>> {
        Box::pin(async move { Ok(Box::new(open(place).await?) as Box<dyn DataStore>) })
    }

    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let asked = async { open(place).await?.probe("gauntlet-whole").await };
            asked.await.map_err(|e| format!("failed to {e}"))?;
            Ok("it answers, and a point was written and read back".to_owned())
        })
    }

    fn flip(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(is_shard, flip_in_the_middle)
    }

    fn truncate(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(is_shard, first_half)
    }

    fn must_show(&self, _: Damage) -> MustShow {
        // Shards are gzip with a checksum, but influxd imports a shard while it unpacks it.
        MustShow::RefusedOrNoticed
    }
}

/// A shard of a portable backup; its manifest and meta data are other files.
fn is_shard(path: &str) -> bool {
    path.ends_with(".tar.gz") || path.ends_with(".tar")
}

async fn open(place: &Place<'_>) -> Result<InfluxStore, ChaosError> {
    let (store, login) = (place.store, place.login().await?);
    let shell = Box::new(place.container(&place.pod(), store.port).await?);
    Ok(InfluxStore { shell, login, port: store.port, database: store.database.clone() })
}

/// An InfluxDB server, reached by `influx` in its container.
pub struct InfluxStore {
    /// Where influx runs.
    pub shell: Box<dyn Shell>,
    /// User and password.
    pub login: Option<Login>,
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// The platform's database.
    pub database: String,
}

/// A name in InfluxQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

impl InfluxStore {
    fn influx(&self, database: &str, statement: &str) -> Command {
        let port = self.port.to_string();
        let mut words = vec!["influx", "-host", "127.0.0.1", "-port", &port, "-format", "csv", "-precision", "ns"];
        if !database.is_empty() {
            words.extend(["-database", database]);
        }
        if let Some(login) = &self.login {
            words.extend(["-username", &login.user]);
        }
        words.extend(["-execute", statement]);
        Command::new(&words).with_secret("INFLUX_PASSWORD", self.login.as_ref().map(|l| l.password.as_str()))
    }

    /// The rows of a statement's answer.
    async fn ask(&self, database: &str, statement: &str, timeout: Duration) -> Result<Vec<BTreeMap<String, String>>, ChaosError> {
        let mut all = Vec::new();
        self.stream(database, statement, timeout, &mut |header, row| all.push(header.iter().cloned().zip(row.iter().cloned()).collect())).await?;
        Ok(all)
    }

    async fn stream(&self, database: &str, statement: &str, timeout: Duration, each: &mut (dyn FnMut(&[String], &[String]) + Send)) -> Result<(), ChaosError> {
        let (mut rows, mut broken) = (Rows::default(), None);
        let mut line = |line: &[u8]| match rows.take(line) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some((header, row))) => {
                each(header, &row);
                ControlFlow::Continue(())
            }
            Err(cause) => {
                broken = Some(cause);
                ControlFlow::Break(())
            }
        };
        self.shell.must_stream(&self.influx(database, statement), timeout, &mut line).await?;
        broken.map_or(Ok(()), |cause| Err(self.wrong(cause)))
    }

    fn wrong(&self, cause: impl Into<String>) -> ChaosError {
        ChaosError::Store { store: self.shell.place().to_owned(), cause: cause.into() }
    }

    async fn names(&self, statement: &str, column: &str) -> Result<Vec<String>, ChaosError> {
        let rows = self.ask(&self.database, statement, SOON).await?;
        Ok(rows.into_iter().filter_map(|mut row| row.remove(column)).collect())
    }

    async fn measurements(&self) -> Result<Vec<String>, ChaosError> {
        // Both columns are called `name`; the second one is the measurement's.
        self.names("SHOW MEASUREMENTS", "name").await
    }

    async fn read_all(&self) -> Result<Content, ChaosError> {
        let policies = self.names(&format!("SHOW RETENTION POLICIES ON {}", identifier(&self.database)), "name").await?;
        let measurements = self.measurements().await?;
        let mut content = Content::default();
        for policy in &policies {
            for measurement in &measurements {
                let statement = format!("SELECT * FROM {}.{} GROUP BY *", identifier(policy), identifier(measurement));
                let collection = format!("{policy}.{measurement}");
                let mut add = |header: &[String], row: &[String]| {
                    let (id, value) = point(header, row);
                    content.add(&collection, id, value);
                };
                self.stream(&self.database, &statement, READ_WITHIN, &mut add).await?;
            }
        }
        Ok(content)
    }

    async fn read_keys(&self, measurement: &str, key_field: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let mut keys = BTreeSet::new();
        let mut add = |header: &[String], row: &[String]| {
            let column = header.iter().position(|name| name == key_field);
            keys.extend(column.and_then(|at| row.get(at)).filter(|key| key.starts_with(prefix)).cloned());
        };
        let statement = format!("SELECT * FROM {}", identifier(measurement));
        self.stream(&self.database, &statement, READ_WITHIN, &mut add).await?;
        Ok(keys)
    }

    async fn write_and_read(&self, name: &str) -> Result<(), ChaosError> {
        self.ask("", &format!("CREATE DATABASE {PROBE}"), SOON).await?;
        let value = name.replace(['\\', '"', '\n'], "");
        self.ask(PROBE, &format!("INSERT probe value=\"{value}\""), SOON).await?;
        let found = self.ask(PROBE, "SELECT * FROM probe", SOON).await?;
        self.ask("", &format!("DROP DATABASE {PROBE}"), SOON).await?;
        if found.iter().any(|row| row.get("value") == Some(&value)) { Ok(()) } else { Err(self.wrong("a written point could not be read")) }
    }

    async fn policies(&self) -> Result<Vec<Extra>, ChaosError> {
        let rows = self.ask(&self.database, &format!("SHOW RETENTION POLICIES ON {}", identifier(&self.database)), SOON).await?;
        let items = rows.into_iter().filter_map(|mut row| {
            let name = row.remove("name")?;
            Some((name, row.into_iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")))
        });
        let expected = "the database has the source's retention policies";
        Ok(vec![Extra { kind: "retention_policies".into(), expected: expected.into(), rule: Rule::Equal, items: items.collect() }])
    }
}

/// A point's id (measurement, tags, time) and its hash, without fields that it has not: which columns are printed depends
/// on the other points.
fn point(header: &[String], row: &[String]) -> (String, crate::drill::content::Hash) {
    let mut fields: Vec<(&str, &str)> = header.iter().map(String::as_str).zip(row.iter().map(String::as_str)).filter(|(_, v)| !v.is_empty()).collect();
    fields.sort_unstable();
    let key: Vec<&[u8]> = fields.iter().filter(|(n, _)| ["name", "tags", "time"].contains(n)).flat_map(|(n, v)| [n.as_bytes(), v.as_bytes()]).collect();
    let all: Vec<&[u8]> = fields.iter().flat_map(|(n, v)| [n.as_bytes(), v.as_bytes()]).collect();
    (id_of(&hash(&key)), hash(&all))
}

impl DataStore for InfluxStore {
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
        Box::pin(async move { self.ask("", &format!("DROP DATABASE {}", identifier(&self.database)), SOON).await.map(drop) })
    }

    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>> {
        Box::pin(self.policies())
    }
}

#[cfg(test)]
mod tests;
