//! # What it does
//! Reads through Kafka's own tools in the container of broker 0. Content is every record of every topic that is not
//! Kafka's own, partition by partition, from the first offset to the one that was the end when the reading
//! began. A record is identified by its key and by which record of that key it is, so that a lost, doubled or reordered one
//! is noticed; offsets begin anew in a restore and are not compared. Beside records it compares the topics' partitions and settings. A ledger's keys are a
//! field of the records' JSON, also inside of an event's `payload`.
//!
//! # Why it matters
//! The console consumer ends with 0 when its time is up, and the console producer when a record was not taken: a backup
//! that nobody counted is shorter than it looks. Whole means: every partition has a leader, its in-sync replicas are as
//! many as its replicas, and ZooKeeper answers.
//!
//! # Recovery
//! The source is only read, but for a topic of the probe that is deleted. The restored copy is one broker beside a copy of
//! ZooKeeper: replication factors and minimal in-sync replicas of internal topics are 1 there. Its topics are deleted and
//! made again before a restore, with the source's partitions and settings and one replica, as a platform's own set-up makes
//! them; `min.insync.replicas` stays behind. A live cluster that is overwritten gets its topics anew as well, with the
//! replicas that they had: the producer appends to what is there.
//!
//! # Options
//! - `zookeeper`: its workload, `Kind/name`; `StatefulSet/zookeeper` when there is one, else none is asked.
//! - `zookeeperPort`: its port; 2181 when absent.
//! - `bootstrap`: where the tools find the brokers; `localhost` and the store's port when absent.
//! - `commandConfig`: a file of client properties in the container, for brokers that ask for a login.

mod health;
mod topics;

use crate::drill::archive::{Archive, first_half, flip_in_the_middle, other_character};
use crate::drill::content::{Content, hash};
use crate::drill::extras::{Extra, Rule};
use crate::error::ChaosError;
use crate::pod_exec::{Command, Shell};
use crate::store::{Damage, DataStore, Engine, MustShow, Place, Words};
use futures::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;
use topics::{RecordReader, Span};

/// The engine.
pub struct Kafka;

/// A tool is a Java program that starts beside a broker.
const TOOL_WITHIN: Duration = Duration::from_secs(90);
/// Reading a partition.
const READ_WITHIN: Duration = Duration::from_secs(300);
/// A consumer that gets nothing for so long is at the end, in ms: markers of transactions are offsets without a record.
const IDLE_MS: &str = "15000";

impl Engine for Kafka {
    fn words(&self) -> Words {
        Words { collection: "topic", record: "record" }
    }

    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>> {
        Box::pin(async move { Ok(Box::new(open(place).await?) as Box<dyn DataStore>) })
    }

    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(health::ask(place))
    }

    /// Each question starts a Java program on a node that is busy.
    fn pace(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn companions<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Vec<String>, ChaosError>> {
        Box::pin(async move { Ok(health::zookeeper(place).await?.into_iter().collect()) })
    }

    fn adapt(&self, stateful_set: &mut Value) {
        topics::for_one_broker(stateful_set);
    }

    fn flip(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|_| true, |content| flip_inside_a_line(content).or_else(|| flip_in_the_middle(content)))
    }

    fn truncate(&self, archive: &Archive) -> Option<Archive> {
        archive.changed(|_| true, first_half)
    }

    fn must_show(&self, _: Damage) -> MustShow {
        // What the console tools write carries no checksum.
        MustShow::RefusedOrNoticed
    }
}

/// Changes the last letter or digit of the middlemost line of a text. None when it is no text.
fn flip_inside_a_line(content: &[u8]) -> Option<Vec<u8>> {
    if content.contains(&0) || std::str::from_utf8(content).is_err() {
        return None;
    }
    let half = content.len() / 2;
    let end = content[half..].iter().position(|b| *b == b'\n').map_or(content.len(), |at| half + at);
    let at = content[..end].iter().rposition(|b| other_character(*b).is_some())?;
    let mut damaged = content.to_vec();
    damaged[at] = other_character(damaged[at])?;
    Some(damaged)
}

async fn open(place: &Place<'_>) -> Result<KafkaStore, ChaosError> {
    let port = place.store.port;
    Ok(KafkaStore {
        shell: Box::new(place.container(&place.pod(), port).await?),
        bootstrap: place.option("bootstrap").map_or_else(|| format!("localhost:{port}"), str::to_owned),
        command_config: place.option("commandConfig").map(str::to_owned),
    })
}

/// A Kafka cluster, reached by its tools in a broker's container.
pub struct KafkaStore {
    /// Where the tools run.
    pub shell: Box<dyn Shell>,
    /// `host:port` of brokers.
    pub bootstrap: String,
    /// A file of client properties.
    pub command_config: Option<String>,
}

impl KafkaStore {
    /// A tool with the brokers' address. The option for client properties has another name in each.
    fn tool(&self, name: &str, config: &str, arguments: &[&str]) -> Command {
        let mut words = vec![name, "--bootstrap-server", &self.bootstrap];
        if let Some(file) = &self.command_config {
            words.extend([config, file]);
        }
        words.extend(arguments);
        Command::new(&words)
    }

    fn topics_tool(&self, arguments: &[&str]) -> Command {
        self.tool("kafka-topics.sh", "--command-config", arguments)
    }

    fn wrong(&self, cause: impl Into<String>) -> ChaosError {
        ChaosError::Store { store: self.shell.place().to_owned(), cause: cause.into() }
    }

    async fn describe(&self) -> Result<Vec<topics::Topic>, ChaosError> {
        let lines = self.shell.lines(&self.topics_tool(&["--describe", "--exclude-internal"]), TOOL_WITHIN).await?;
        topics::parse_describe(&lines).map_err(|cause| self.wrong(cause))
    }

    /// First and last offset of every partition, now.
    async fn spans(&self, topic: Option<&str>) -> Result<Vec<Span>, ChaosError> {
        let mut ends = Vec::new();
        for time in ["earliest", "latest"] {
            let mut arguments = vec!["--time", time, "--exclude-internal-topics"];
            arguments.extend(topic.iter().flat_map(|t| ["--topic", *t]));
            ends.push(self.shell.lines(&self.tool("kafka-get-offsets.sh", "--command-config", &arguments), TOOL_WITHIN).await?);
        }
        topics::parse_offsets(&ends[0], &ends[1]).map_err(|cause| self.wrong(cause))
    }

    /// Hands over the records of these spans of one topic, partition by partition in order. The end is the one of a span: what is
    /// written meanwhile is not read. One program reads the whole topic: each starts a Java machine, and there may be many partitions.
    /// Those that it did not reach, because others have grown, are read one by one.
    async fn read(&self, topic: &str, spans: &[Span], each: &mut (dyn FnMut(topics::Record<'_>) + Send)) -> Result<(), ChaosError> {
        let mut left: Vec<Span> = spans.iter().filter(|s| s.topic == topic && s.count() > 0).cloned().collect();
        if left.len() > 1 {
            let count = left.iter().map(Span::count).sum::<u64>().to_string();
            self.consume(topic, &["--from-beginning", "--max-messages", &count], &mut left, each).await?;
            left.retain(|s| s.count() > 0);
        }
        for span in left {
            let (partition, offset, count) = (span.partition.to_string(), span.first.to_string(), span.count().to_string());
            let arguments = ["--partition", &partition, "--offset", &offset, "--max-messages", &count];
            let mut one = [span];
            self.consume(topic, &arguments, &mut one, each).await?;
            // The consumer ends with 0 also when its time is up: an end that was not reached is told by the offsets.
            let [Span { partition, first, end, .. }] = &one;
            if first < end {
                return Err(self.wrong(format!("{topic}-{partition} was read to offset {first} of {end}")));
            }
        }
        Ok(())
    }

    /// Runs one consumer. Takes what lies in `left`, and moves their first offsets on.
    async fn consume(&self, topic: &str, arguments: &[&str], left: &mut [Span], each: &mut (dyn FnMut(topics::Record<'_>) + Send)) -> Result<(), ChaosError> {
        let mut words = vec!["--topic", topic];
        words.extend(arguments);
        words.extend(["--timeout-ms", IDLE_MS]);
        for property in ["print.partition=true", "print.offset=true", "print.headers=true", "print.key=true", topics::NULL_LITERAL] {
            words.extend(["--property", property]);
        }
        let mut wanted = |record: topics::Record<'_>| {
            let (partition, offset) = record.at;
            let of_it = left.iter_mut().find(|s| s.partition == partition && (s.first..s.end).contains(&offset));
            if let Some(span) = of_it {
                span.first = offset + 1;
                each(record);
            }
        };
        let mut reader = RecordReader::default();
        let mut take = |line: &[u8]| {
            reader.take(line, &mut wanted);
            ControlFlow::Continue(())
        };
        let command = self.tool("kafka-console-consumer.sh", "--consumer.config", &words);
        self.shell.must_stream(&command, READ_WITHIN, &mut take).await?;
        reader.end(&mut wanted);
        Ok(())
    }

    async fn read_all(&self) -> Result<Content, ChaosError> {
        let mut content = Content::default();
        let spans = self.spans(None).await?;
        for topic in spans.iter().map(|s| s.topic.as_str()).collect::<BTreeSet<_>>() {
            content.collections.entry(topic.to_owned()).or_default();
            let mut ids = topics::Ids::default();
            let mut add = |record: topics::Record<'_>| {
                let value = hash(&[record.headers, record.value]);
                content.add(topic, ids.next(&record), value);
            };
            self.read(topic, &spans, &mut add).await?;
        }
        Ok(content)
    }

    async fn read_keys(&self, topic: &str, key_field: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let mut keys = BTreeSet::new();
        let mut add = |record: topics::Record<'_>| {
            keys.extend(topics::key_of(&record, key_field).filter(|key| key.starts_with(prefix)));
        };
        self.read(topic, &self.spans(Some(topic)).await?, &mut add).await?;
        Ok(keys)
    }

    async fn write_and_read(&self, name: &str) -> Result<(), ChaosError> {
        self.shell.lines(&self.topics_tool(&["--create", "--if-not-exists", "--topic", name, "--partitions", "1"]), TOOL_WITHIN).await?;
        let producer = self.tool("kafka-console-producer.sh", "--producer.config", &["--topic", name, "--request-required-acks", "all"]);
        self.shell.lines(&producer.with_stdin(&format!("{name}\n")), TOOL_WITHIN).await?;
        let one = ["--topic", name, "--partition", "0", "--offset", "earliest", "--max-messages", "1", "--timeout-ms", IDLE_MS];
        let found = self.shell.lines(&self.tool("kafka-console-consumer.sh", "--consumer.config", &one), TOOL_WITHIN).await?;
        self.shell.lines(&self.topics_tool(&["--delete", "--if-exists", "--topic", name]), TOOL_WITHIN).await?;
        if found.iter().any(|line| line == name) { Ok(()) } else { Err(self.wrong("a written record could not be read")) }
    }

    /// Deletes every topic and makes the source's anew, each as `replicas` says.
    async fn make_anew(&self, source: &[Extra], replicas: topics::Replicas) -> Result<(), ChaosError> {
        let there = self.describe().await?;
        if !there.is_empty() {
            self.shell.lines(&self.topics_tool(&["--delete", "--topic", &topics::exactly(&there)]), TOOL_WITHIN).await?;
        }
        // A topic is deleted in its own time, and its name is free only then. There is nothing to watch from here.
        let deadline = tokio::time::Instant::now() + TOOL_WITHIN;
        while !there.is_empty() && !self.describe().await?.is_empty() {
            if tokio::time::Instant::now() >= deadline {
                return Err(self.wrong("its topics are still being deleted"));
            }
        }
        for create in topics::to_create(source, &there, replicas) {
            let words: Vec<&str> = create.iter().map(String::as_str).collect();
            self.shell.lines(&self.topics_tool(&words), TOOL_WITHIN).await?;
        }
        Ok(())
    }

    async fn read_extras(&self) -> Result<Vec<Extra>, ChaosError> {
        let all = self.describe().await?;
        let partitions = all.iter().map(|t| (t.name.clone(), t.partitions.len().to_string())).collect();
        let settings = all.iter().map(|t| (t.name.clone(), t.settings_of_its_own())).collect();
        Ok(vec![
            Extra { kind: "partitions".into(), expected: "topics have the source's partitions".into(), rule: Rule::Equal, items: partitions },
            Extra { kind: "settings".into(), expected: "topics have the source's settings".into(), rule: Rule::Equal, items: settings },
        ])
    }
}

impl DataStore for KafkaStore {
    fn content(&self) -> BoxFuture<'_, Result<Content, ChaosError>> {
        Box::pin(self.read_all())
    }

    fn keys<'a>(&'a self, collection: &'a str, key_field: &'a str, prefix: &'a str) -> BoxFuture<'a, Result<BTreeSet<String>, ChaosError>> {
        Box::pin(self.read_keys(collection, key_field, prefix))
    }

    fn probe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(self.write_and_read(name))
    }

    fn empty<'a>(&'a self, source: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(self.make_anew(source, topics::Replicas::One))
    }

    /// The producer appends to what is there.
    fn make_room<'a>(&'a self, source: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(self.make_anew(source, topics::Replicas::AsTheyWere))
    }

    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>> {
        Box::pin(self.read_extras())
    }
}

#[cfg(test)]
mod tests;
