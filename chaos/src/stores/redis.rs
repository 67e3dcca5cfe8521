//! # What it does
//! Reads through `redis-cli` in the store's container. Content is every key of every database: a Lua script on the server
//! (SCAN, so that it never blocks for long) gives the sum of each value, with unordered values sorted, and when the key
//! expires. Keys that expire on their own are expected only as long as they live. Beside values it compares the expiry of
//! every key. A ledger's keys are `<collection>:<key>`.
//!
//! # Why it matters
//! A snapshot restored without its TTLs keeps what should have gone; one from a replica that fell behind is older than it
//! looks. An RDB file ends with a checksum, so a damaged one must be refused, not merely noticed. Whole means: one
//! master, all sentinels name it, and every replica's link is up.
//!
//! # Recovery
//! The source is only read, but for probes that are removed. The restored copy is one pod; it is emptied by FLUSHALL.
//!
//! # Options
//! - `sentinel`: the workload of the sentinels, `Kind/name`.
//! - `sentinelPort`: their port; 26379 when absent.
//! - `master`: the name that the sentinels give the master; `mymaster` when absent.
//! - `replicas`: a further workload whose pods are replicas, `Kind/name`.
//! - `role`: `cache` when nobody is told that a write to it is kept; then it needs no ledger.
//! - `reason`: why there is no backup, for a cache without commands.

mod health;

use crate::drill::archive::{Archive, first_half, flip_in_the_middle};
use crate::drill::content::{Content, hash, id_of};
use crate::drill::extras::{Extra, Rule};
use crate::error::ChaosError;
use crate::pod_exec::{Command, Shell};
use crate::store::{Damage, DataStore, Engine, Login, MustShow, Place, Words};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

/// The engine.
pub struct Redis;

/// Small questions.
const SOON: Duration = Duration::from_secs(20);
/// Reading everything.
const READ_WITHIN: Duration = Duration::from_secs(300);
/// Clocks of two servers, and the time of a restore that counts TTLs instead of moments.
const EXPIRY_TOLERANCE_MS: u64 = 2000;

const SCAN: &str = include_str!("redis/scan.lua");
/// Steps through every database until the cursor is 0 again. Arguments: the port, the script.
const SCAN_ALL: &str = r#"
keyspace=$(redis-cli -e -h 127.0.0.1 -p "$1" INFO keyspace) || { echo "$keyspace" >&2; exit 1; }
for db in $(printf '%s\n' "$keyspace" | sed -n 's/^db\([0-9]*\):.*/\1/p'); do
  cursor=0
  while :; do
    out=$(redis-cli -e -h 127.0.0.1 -p "$1" -n "$db" --raw EVAL "$2" 0 "$cursor" "$db") || { echo "$out" >&2; exit 1; }
    cursor=$(printf '%s\n' "$out" | head -n 1)
    case $cursor in *[!0-9]* | '') echo "$out" >&2; exit 1 ;; esac
    printf '%s\n' "$out" | tail -n +2
    [ "$cursor" = 0 ] && break
  done
done
echo end
"#;

impl Engine for Redis {
    fn words(&self) -> Words {
        Words { collection: "database", record: "key" }
    }

    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>> {
        Box::pin(async move { Ok(Box::new(open(place, &place.pod()).await?) as Box<dyn DataStore>) })
    }

    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move { health::judge(&health::ask(place).await?) })
    }

    /// One pod restores; its replicas would only copy it.
    fn adapt(&self, stateful_set: &mut Value) {
        stateful_set["spec"]["replicas"] = json!(1);
    }

    fn flip(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|path| path.ends_with(".rdb"), flip_in_the_middle).or_else(|| archive.changed(|_| true, flip_in_the_middle))
    }

    fn truncate(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|path| path.ends_with(".rdb"), first_half).or_else(|| archive.changed(|_| true, first_half))
    }

    fn must_show(&self, _: Damage) -> MustShow {
        MustShow::Refused
    }
}

async fn open(place: &Place<'_>, pod: &str) -> Result<RedisStore, ChaosError> {
    let port = place.store.port;
    Ok(RedisStore { shell: Box::new(place.container(pod, port).await?), login: place.login().await?, port })
}

/// A Redis server, reached by `redis-cli` in its container.
pub struct RedisStore {
    /// Where redis-cli runs.
    pub shell: Box<dyn Shell>,
    /// The password, and the user when there is one.
    pub login: Option<Login>,
    /// The server's port on 127.0.0.1.
    pub port: u16,
}

impl RedisStore {
    fn with_login(&self, command: Command) -> Command {
        command.with_secret("REDISCLI_AUTH", self.login.as_ref().map(|l| l.password.as_str()))
    }

    /// A command of Redis; any error reply is an exit code.
    fn command(&self, arguments: &[&str]) -> Command {
        let port = self.port.to_string();
        let mut words = vec!["redis-cli", "-e", "-h", "127.0.0.1", "-p", &port];
        if let Some(login) = self.login.as_ref().filter(|l| !l.user.is_empty()) {
            words.extend(["--user", &login.user]);
        }
        words.push("--raw");
        words.extend(arguments);
        self.with_login(Command::new(&words))
    }

    async fn ask(&self, arguments: &[&str]) -> Result<Vec<String>, ChaosError> {
        let lines = self.shell.lines(&self.command(arguments), SOON).await?;
        Ok(lines.into_iter().map(|line| line.trim_end_matches('\r').to_owned()).collect())
    }

    fn wrong(&self, cause: impl Into<String>) -> ChaosError {
        ChaosError::Store { store: self.shell.place().to_owned(), cause: cause.into() }
    }

    async fn scan(&self) -> Result<Scanned, ChaosError> {
        let port = self.port.to_string();
        let command = self.with_login(Command::new(&["sh", "-c", SCAN_ALL, "sh", &port, SCAN]));
        let (mut scanned, mut broken) = (Scanned::default(), None);
        let mut each = |line: &[u8]| match scanned.take(line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => {
                broken = Some(cause);
                ControlFlow::Break(())
            }
        };
        self.shell.must_stream(&command, READ_WITHIN, &mut each).await?;
        match broken {
            Some(cause) => Err(self.wrong(cause)),
            // sh gives the exit code of its last command only.
            None if !scanned.ended => Err(self.wrong("the keys were not read to their end")),
            None => Ok(scanned),
        }
    }

    async fn read_keys(&self, collection: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let wanted = format!("{collection}:{prefix}");
        let port = self.port.to_string();
        let list = self.with_login(Command::new(&["redis-cli", "-e", "-h", "127.0.0.1", "-p", &port, "--scan", "--pattern", &format!("{}*", escaped(&wanted))]));
        let lines = self.shell.lines(&list, READ_WITHIN).await?;
        let keys = lines.iter().filter(|key| key.starts_with(&wanted)).filter_map(|key| key.strip_prefix(collection)?.strip_prefix(':'));
        Ok(keys.map(str::to_owned).collect())
    }

    async fn write_and_read(&self, name: &str) -> Result<(), ChaosError> {
        // It goes by itself, should nobody be left to take it away.
        self.ask(&["SET", name, name, "EX", "60"]).await?;
        let found = self.ask(&["GET", name]).await?;
        self.ask(&["DEL", name]).await?;
        if found.first().is_some_and(|value| value == name) { Ok(()) } else { Err(self.wrong("a written key could not be read")) }
    }

    async fn expiries(&self) -> Result<Vec<Extra>, ChaosError> {
        let scanned = self.scan().await?;
        Ok(vec![Extra { kind: "ttls".into(), expected: EXPIRES.into(), rule: Rule::Near { tolerance: EXPIRY_TOLERANCE_MS }, items: scanned.expires }])
    }
}

/// With [`EXPIRY_TOLERANCE_MS`] in seconds.
const EXPIRES: &str = "every key expires when the source's does, give or take 2 s";

/// What SCAN's pattern takes literally.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if "*?[]\\^".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

/// Everything that a scan gave.
#[derive(Default)]
struct Scanned {
    content: Content,
    /// `database key` to when it expires in ms of Unix time, or `never`.
    expires: BTreeMap<String, String>,
    ended: bool,
}

impl Scanned {
    /// Takes one line of [`SCAN_ALL`].
    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|e| e.to_string())?.trim_end_matches('\r');
        if text == "end" {
            self.ended = true;
            return Ok(());
        }
        let fields: Vec<&str> = text.split(' ').collect();
        let [database, key, kind, sum, expires] = fields[..] else { return Err(format!("{text:?} describes no key")) };
        let expires: i64 = expires.parse().map_err(|_| format!("{text:?} has no expiry"))?;
        let id = id_of(&hash(&[key.as_bytes()]));
        self.content.add(database, id.clone(), hash(&[kind.as_bytes(), sum.as_bytes()]));
        let name = format!("{database} {key}");
        match u64::try_from(expires) {
            Ok(at) => {
                self.content.expiring.entry(database.to_owned()).or_default().insert(id, at);
                self.expires.insert(name, at.to_string());
            }
            Err(_) => drop(self.expires.insert(name, "never".to_owned())),
        }
        Ok(())
    }
}

impl DataStore for RedisStore {
    fn content(&self) -> BoxFuture<'_, Result<Content, ChaosError>> {
        Box::pin(async move { Ok(self.scan().await?.content) })
    }

    fn keys<'a>(&'a self, collection: &'a str, _: &'a str, prefix: &'a str) -> BoxFuture<'a, Result<BTreeSet<String>, ChaosError>> {
        Box::pin(self.read_keys(collection, prefix))
    }

    fn probe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(self.write_and_read(name))
    }

    fn empty<'a>(&'a self, _: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move { self.ask(&["FLUSHALL"]).await.map(drop) })
    }

    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>> {
        Box::pin(self.expiries())
    }
}

#[cfg(test)]
mod tests;
