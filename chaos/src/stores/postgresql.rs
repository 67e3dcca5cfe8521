//! # What it does
//! Reads through `psql` in the store's container, on 127.0.0.1, as the user that platform.yaml names. Content is one
//! snapshot (REPEATABLE READ) of every table and materialized view outside of the system's schemas and of extensions:
//! the server hashes each row, so only hashes travel. A table without a primary key is a multiset. Beside rows it compares
//! sequences, indexes, constraints and roles: all roles when the backup command calls `pg_dumpall`, else those that own
//! something in the database or have a right there.
//!
//! # Why it matters
//! `pg_dump | gzip` ends with 0 when pg_dump fails; a dump without roles restores without owners; `psql` reads a dump that
//! was cut off, and exits 0. Whole means: pod 0 takes writes, it is the only one that does, and every other pod streams.
//!
//! # Recovery
//! The source is only read. The restored copy is one pod: its database is dropped and made again, and its roles are
//! dropped, so that what stands there afterwards came from the backup.
//!
//! # Options
//! - `standbys`: a further StatefulSet (`Kind/name`) whose pods must stream from the primary.

mod dump;
mod sql;

use crate::drill::archive::Archive;
use crate::drill::content::{Content, Twins, hash_of_hex};
use crate::drill::extras::{Extra, Rule};
use crate::error::ChaosError;
use crate::pod_exec::{Command, Shell};
use crate::store::{Damage, DataStore, Engine, Login, MustShow, Place, Words};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

/// The engine.
pub struct Postgresql;

/// Small questions.
const SOON: Duration = Duration::from_secs(20);
/// Reading a whole database.
const READ_WITHIN: Duration = Duration::from_secs(300);

impl Engine for Postgresql {
    fn words(&self) -> Words {
        Words { collection: "table", record: "row" }
    }

    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>> {
        Box::pin(async move { Ok(Box::new(open(place, &place.pod()).await?) as Box<dyn DataStore>) })
    }

    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let told = |e: ChaosError| format!("failed to {e}");
            let set = place.workload(&place.store.stateful_set).await.map_err(told)?;
            let mut names: Vec<String> = (0..set.desired).map(|n| format!("{}-{n}", place.store.stateful_set)).collect();
            if let Some(standbys) = place.option("standbys") {
                let further = place.workload(standbys).await.map_err(told)?;
                names.extend((0..further.desired).map(|n| format!("{}-{n}", standbys.rsplit('/').next().unwrap_or(standbys))));
            }
            let asked = names.into_iter().map(|pod| async move {
                let state = async { open(place, &pod).await?.state().await }.await;
                (pod, state.map_err(told))
            });
            judge_whole(&futures::future::join_all(asked).await)
        })
    }

    /// One pod restores; its replicas would only copy it.
    fn adapt(&self, stateful_set: &mut Value) {
        stateful_set["spec"]["replicas"] = json!(1);
    }

    fn flip(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|_| true, dump::flip_inside_a_row)
    }

    fn truncate(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|_| true, crate::drill::archive::first_half)
    }

    fn must_show(&self, _: Damage) -> MustShow {
        // A plain dump carries no checksum, and a pipe may hide that gunzip found one wrong.
        MustShow::RefusedOrNoticed
    }
}

async fn open(place: &Place<'_>, pod: &str) -> Result<PostgresStore, ChaosError> {
    let login = place.login().await?;
    let shell = Box::new(place.container(pod, place.store.port).await?);
    let all_roles = place.store.backup.iter().any(|word| word.contains("pg_dumpall"));
    Ok(PostgresStore { shell, login, port: place.store.port, database: place.store.database.clone(), all_roles })
}

/// What one server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// It takes no writes because it follows another.
    pub in_recovery: bool,
    /// It takes no writes, for whatever reason.
    pub read_only: bool,
    /// Replicas that stream from it.
    pub streaming: usize,
}

/// One writable primary, pod 0, and every other pod streams.
fn judge_whole(pods: &[(String, Result<State, String>)]) -> Result<String, String> {
    let mut wrong: Vec<String> = pods.iter().filter_map(|(pod, state)| Some(format!("{pod}: {}", state.as_ref().err()?))).collect();
    let known: Vec<(&str, &State)> = pods.iter().filter_map(|(pod, state)| Some((pod.as_str(), state.as_ref().ok()?))).collect();
    let primaries: Vec<&str> = known.iter().filter(|(_, s)| !s.in_recovery).map(|(pod, _)| *pod).collect();
    if primaries.len() > 1 {
        wrong.push(format!("{} all take writes", primaries.join(", ")));
    }
    match (pods.first(), known.first()) {
        (Some((first, Ok(state))), _) if state.in_recovery => wrong.push(format!("{first} follows another server")),
        (Some((first, Ok(state))), _) if state.read_only => wrong.push(format!("{first} takes no writes")),
        (Some((first, Ok(state))), _) if state.streaming + 1 < pods.len() => {
            wrong.push(format!("{} of {} replicas stream from {first}", state.streaming, pods.len() - 1));
        }
        (None, _) => wrong.push("it has no pods".to_owned()),
        _ => {}
    }
    if wrong.is_empty() { Ok(format!("{} is the only one that takes writes, and {} replicas stream", pods[0].0, pods.len() - 1)) } else { Err(wrong.join("; ")) }
}

/// A PostgreSQL server, reached by `psql` in its container.
pub struct PostgresStore {
    /// Where psql runs.
    pub shell: Box<dyn Shell>,
    /// User and password.
    pub login: Option<Login>,
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// The platform's database.
    pub database: String,
    /// Compare all roles, not only those that the database uses.
    pub all_roles: bool,
}

impl PostgresStore {
    fn psql(&self, database: &str, sql: &str) -> Command {
        let port = self.port.to_string();
        let mut words = vec!["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-d", database];
        if let Some(login) = &self.login {
            words.extend(["-U", &login.user]);
        }
        words.extend(["-f", "-"]);
        // Quits by itself, so that nothing depends on how standard input is closed.
        let script = format!("{sql}\n\\q\n");
        Command::new(&words).with_stdin(&script).with_secret("PGPASSWORD", self.login.as_ref().map(|l| l.password.as_str()))
    }

    async fn state(&self) -> Result<State, ChaosError> {
        let lines = self.shell.lines(&self.psql(&self.database, sql::STATE), SOON).await?;
        let answer = lines.first().map_or("", String::as_str);
        parse_state(answer).ok_or_else(|| self.wrong(format!("{answer:?} is no state of a server")))
    }

    fn wrong(&self, cause: String) -> ChaosError {
        ChaosError::Store { store: self.shell.place().to_owned(), cause }
    }

    async fn read_all(&self) -> Result<Content, ChaosError> {
        let tables = self.shell.lines(&self.psql(&self.database, sql::TABLES), SOON).await?;
        let tables: Vec<(&str, &str)> = tables.iter().filter_map(|line| line.split_once('\t')).collect();
        let mut reader = RowReader::default();
        let mut broken = None;
        let script = sql::hashes(&tables);
        let mut each = |line: &[u8]| match reader.take(line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => {
                broken = Some(cause);
                ControlFlow::Break(())
            }
        };
        self.shell.must_stream(&self.psql(&self.database, &script), READ_WITHIN, &mut each).await?;
        broken.map_or(Ok(reader.content), |cause| Err(self.wrong(cause)))
    }

    async fn read_keys(&self, table: &str, key_field: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let script = sql::keys(table, key_field, prefix);
        let lines = self.shell.lines(&self.psql(&self.database, &script), READ_WITHIN).await?;
        Ok(lines.into_iter().filter(|key| key.starts_with(prefix)).collect())
    }

    async fn write_and_read(&self, name: &str) -> Result<(), ChaosError> {
        let lines = self.shell.lines(&self.psql(&self.database, &sql::probe(name)), SOON).await?;
        if lines.iter().any(|line| line == name) { Ok(()) } else { Err(self.wrong("a written row could not be read".into())) }
    }

    async fn drop_all(&self) -> Result<(), ChaosError> {
        // A database cannot be dropped from inside of it.
        let other = if self.database == "postgres" { "template1" } else { "postgres" };
        self.shell.lines(&self.psql(other, &sql::empty(&self.database)), READ_WITHIN).await?;
        Ok(())
    }

    async fn read_extras(&self) -> Result<Vec<Extra>, ChaosError> {
        let lines = self.shell.lines(&self.psql(&self.database, &sql::extras(self.all_roles)), SOON).await?;
        Ok(parse_extras(&lines))
    }
}

impl DataStore for PostgresStore {
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
        Box::pin(self.drop_all())
    }

    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>> {
        Box::pin(self.read_extras())
    }
}

/// `f|off|2`: in recovery, read only, streaming replicas.
fn parse_state(line: &str) -> Option<State> {
    let mut fields = line.split('|');
    let (recovery, read_only, streaming) = (fields.next()?, fields.next()?, fields.next()?);
    let known = |text: &str, yes: &str, no: &str| if text == yes { Some(true) } else if text == no { Some(false) } else { None };
    Some(State { in_recovery: known(recovery, "t", "f")?, read_only: known(read_only, "on", "off")?, streaming: streaming.parse().ok()? })
}

/// Reads what [`sql::hashes`] prints: `> table`, then `hash of the key<tab>hash of the row` for each row.
#[derive(Default)]
struct RowReader {
    content: Content,
    table: String,
    twins: Twins,
}

impl RowReader {
    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|e| e.to_string())?;
        if let Some(table) = text.strip_prefix("> ") {
            self.table = table.to_owned();
            self.twins = Twins::default();
            self.content.collections.entry(self.table.clone()).or_default();
            return Ok(());
        }
        let row = text.split_once('\t').and_then(|(key, row)| Some((key, hash_of_hex(row)?)));
        let (key, hash) = row.ok_or_else(|| format!("{text:?} is no hash of a row"))?;
        let id = if key.is_empty() { self.twins.id(&hash) } else { key.get(..32).unwrap_or(key).to_owned() };
        self.content.add(&self.table, id, hash);
        Ok(())
    }
}

/// Reads what [`sql::extras`] prints: `kind<tab>name<tab>definition`.
fn parse_extras(lines: &[String]) -> Vec<Extra> {
    let kinds = [
        ("sequences", "sequences are not behind the source's", Rule::Between),
        ("indexes", "the restored tables have the source's indexes", Rule::Equal),
        ("constraints", "the restored tables have the source's constraints", Rule::Equal),
        ("roles", "the source's roles return, with their attributes and memberships", Rule::Equal),
    ];
    let items = |kind: &str| {
        let of_kind = lines.iter().filter_map(|line| line.strip_prefix(kind)?.strip_prefix('\t')?.split_once('\t'));
        of_kind.map(|(name, definition)| (name.to_owned(), definition.to_owned())).collect()
    };
    kinds.into_iter().map(|(kind, expected, rule)| Extra { kind: kind.into(), expected: expected.into(), rule, items: items(kind) }).collect()
}

#[cfg(test)]
mod tests;
