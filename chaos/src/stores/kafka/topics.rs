//! What Kafka's tools print, and what a copy with one broker needs.

use crate::drill::content::{Twins, hash};
use crate::drill::extras::Extra;
use crate::json_text;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Stands for a key or value that is null, so that it is not taken for the text `null`.
const NULL: &[u8] = b"\\N";
/// The consumer's option for it.
pub const NULL_LITERAL: &str = "null.literal=\\N";
/// Settings that speak of replicas: a copy with one broker cannot have them.
const OF_REPLICAS: [&str; 3] = ["min.insync.replicas", "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// A topic as `kafka-topics.sh --describe` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Settings of its own, `key=value`.
    pub settings: Vec<String>,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partition {
    /// Its number.
    pub number: u32,
    /// The broker that leads it; None: nobody does.
    pub leader: Option<u32>,
    /// Brokers that should have it.
    pub replicas: usize,
    /// Brokers that have all of it.
    pub in_sync: usize,
}

impl Topic {
    /// Its settings but for those that speak of replicas.
    pub fn settings_of_its_own(&self) -> String {
        let kept: Vec<&str> = self.settings.iter().map(String::as_str).filter(|s| !OF_REPLICAS.iter().any(|r| s.starts_with(r))).collect();
        kept.join(",")
    }
}

/// Reads `--describe`: a line for each topic, then an indented one for each partition; fields with tabs between them.
pub fn parse_describe(lines: &[String]) -> Result<Vec<Topic>, String> {
    let mut topics: Vec<Topic> = Vec::new();
    for line in lines.iter().filter(|l| !l.trim().is_empty()) {
        let fields: HashMap<&str, &str> = line.trim().split('\t').filter_map(|f| f.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect();
        let Some(name) = fields.get("Topic") else { return Err(format!("{line:?} names no topic")) };
        let brokers = |key: &str| fields.get(key).map_or(0, |list| list.split(',').filter(|b| !b.trim().is_empty()).count());
        if fields.contains_key("PartitionCount") {
            let settings = fields.get("Configs").map_or(Vec::new(), |c| c.split(',').filter(|s| s.contains('=')).map(str::to_owned).collect());
            topics.push(Topic { name: (*name).to_owned(), settings, partitions: Vec::new() });
        } else if let (Some(number), Some(topic)) = (fields.get("Partition").and_then(|n| n.parse().ok()), topics.iter_mut().find(|t| t.name == *name)) {
            let leader = fields.get("Leader").and_then(|l| l.parse().ok());
            topic.partitions.push(Partition { number, leader, replicas: brokers("Replicas"), in_sync: brokers("Isr") });
        } else {
            return Err(format!("{line:?} describes neither a topic nor a partition"));
        }
    }
    for topic in &mut topics {
        topic.settings.sort();
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

/// The records of a partition, from the first to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The first offset that is there.
    pub first: u64,
    /// The offset that the next record gets.
    pub end: u64,
}

impl Span {
    /// Offsets in it.
    pub fn count(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }
}

/// Reads two answers of `kafka-get-offsets.sh`, earliest and latest: `topic:partition:offset`.
pub fn parse_offsets(earliest: &[String], latest: &[String]) -> Result<Vec<Span>, String> {
    let parse = |line: &String| -> Result<((String, u32), u64), String> {
        let mut fields = line.rsplitn(3, ':');
        let (offset, partition, topic) = (fields.next(), fields.next(), fields.next());
        let read = || Some(((topic?.to_owned(), partition?.parse().ok()?), offset?.parse().ok()?));
        read().ok_or_else(|| format!("{line:?} is no offset of a partition"))
    };
    let firsts: HashMap<(String, u32), u64> = earliest.iter().map(parse).collect::<Result<_, _>>()?;
    let mut spans = Vec::new();
    for line in latest {
        let ((topic, partition), end) = parse(line)?;
        // A topic that was made between the two answers begins at 0.
        let first = firsts.get(&(topic.clone(), partition)).copied().unwrap_or_default();
        spans.push(Span { topic, partition, first, end });
    }
    spans.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(spans)
}

/// A record as the console consumer prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its partition and offset.
    pub at: (u32, u64),
    /// Its headers.
    pub headers: &'a [u8],
    /// Its key; None: null.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
}

/// Puts records together from lines: `Partition:0<tab>Offset:5<tab>headers<tab>key<tab>value`. A value may hold line breaks:
/// what does not begin a record goes on with the last one.
#[derive(Default)]
pub struct RecordReader {
    open: Vec<u8>,
}

/// The partition and offset that a line begins with.
fn place_of(line: &[u8]) -> Option<(u32, u64)> {
    let mut fields = line.splitn(3, |b| *b == b'\t').map(|field| std::str::from_utf8(field).ok());
    let partition = fields.next()??.strip_prefix("Partition:")?.parse().ok()?;
    let offset = fields.next()??.strip_prefix("Offset:")?.parse().ok()?;
    fields.next().map(|_| (partition, offset))
}

impl RecordReader {
    /// Takes one line.
    pub fn take(&mut self, line: &[u8], each: &mut (dyn FnMut(Record<'_>) + Send)) {
        if place_of(line).is_some() {
            self.end(each);
            self.open = line.to_vec();
        } else if !self.open.is_empty() {
            self.open.push(b'\n');
            self.open.extend_from_slice(line);
        }
    }

    /// Hands over the last record.
    pub fn end(&mut self, each: &mut (dyn FnMut(Record<'_>) + Send)) {
        let line = std::mem::take(&mut self.open);
        let mut fields = line.splitn(5, |b| *b == b'\t');
        let (at, headers, key, value) = (place_of(&line), fields.nth(2), fields.next(), fields.next());
        if let (Some(at), Some(headers), Some(key), Some(value)) = (at, headers, key, value) {
            each(Record { at, headers, key: (key != NULL).then_some(key), value });
        }
    }
}

/// What identifies the records of a topic: the key and which record of that key it is. A record without a key is
/// identified by its value, whatever partition it is in.
#[derive(Default)]
pub struct Ids(Twins);

impl Ids {
    /// The id of the next record.
    pub fn next(&mut self, record: &Record<'_>) -> String {
        self.0.id(&match record.key {
            // Equal keys go to one partition, so the order within it is the order of the key.
            Some(key) => hash(&[b"key", key]),
            None => hash(&[b"value", record.value]),
        })
    }
}

/// The key of a ledger's record: `$key` is the record's own key; any other name is a field of its JSON, or of the JSON in
/// its field `payload`.
pub fn key_of(record: &Record<'_>, key_field: &str) -> Option<String> {
    if key_field == "$key" {
        return record.key.map(|key| String::from_utf8_lossy(key).into_owned());
    }
    let value: Value = serde_json::from_slice(record.value).ok()?;
    json_text::at(&value, key_field).or_else(|| json_text::at(&value, &format!("payload.{key_field}")))
}

/// The pattern that matches these topics and no other.
pub fn exactly(topics: &[Topic]) -> String {
    topics.iter().map(|t| t.name.replace('.', "\\.")).collect::<Vec<_>>().join("|")
}

/// How many replicas topics get that are made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// One, and no settings that speak of replicas.
    One,
    /// As many as the topic had, with its settings; a topic that was not there gets as many as the others have.
    AsTheyWere,
}

/// The arguments that make each of the source's topics. `there` are the topics that stood before.
pub fn to_create(source: &[Extra], there: &[Topic], replicas: Replicas) -> Vec<Vec<String>> {
    let items = |kind: &str| source.iter().find(|e| e.kind == kind).map(|e| &e.items);
    let (Some(partitions), settings) = (items("partitions"), items("settings")) else { return Vec::new() };
    let factor_of = |topic: &Topic| topic.partitions.iter().map(|p| p.replicas).max().unwrap_or_default();
    let create = |(name, count): (&String, &String)| {
        let before = there.iter().find(|t| t.name == *name);
        let (factor, of_replicas) = match replicas {
            Replicas::One => (1, Vec::new()),
            Replicas::AsTheyWere => {
                let factor = before.map(factor_of).or_else(|| there.iter().map(factor_of).max()).unwrap_or(1).max(1);
                let settings = before.iter().flat_map(|t| &t.settings).map(String::as_str);
                (factor, settings.filter(|s| OF_REPLICAS.iter().any(|r| s.starts_with(r))).collect())
            }
        };
        let factor = factor.to_string();
        let mut words: Vec<String> = ["--create", "--topic", name, "--partitions", count, "--replication-factor", &factor].map(str::to_owned).to_vec();
        if replicas == Replicas::AsTheyWere {
            // A producer that goes on may have made the topic first.
            words.push("--if-not-exists".to_owned());
        }
        let own = settings.and_then(|s| s.get(name)).map_or("", String::as_str);
        for setting in own.split(',').filter(|s| !s.is_empty()).chain(of_replicas) {
            words.extend(["--config".to_owned(), setting.to_owned()]);
        }
        words
    };
    partitions.iter().map(create).collect()
}

/// What a cluster of one broker must have otherwise.
const FOR_ONE_BROKER: [&str; 5] = [
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "default.replication.factor",
    "min.insync.replicas",
];

/// One replica, and settings that one broker can keep: by the command where it calls `kafka-server-start`, else by the
/// environment, as images that make their properties from it want it.
pub fn for_one_broker(stateful_set: &mut Value) {
    stateful_set["spec"]["replicas"] = json!(1);
    let containers = stateful_set.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if !override_in_command(container) {
            override_in_environment(container);
        }
    }
}

fn override_in_command(container: &mut Value) -> bool {
    for list in ["command", "args"] {
        let Some(words) = container.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let Some(at) = words.iter().rposition(|w| w.as_str().is_some_and(|w| w.contains("kafka-server-start"))) else { continue };
        let overrides = || FOR_ONE_BROKER.iter().flat_map(|key| ["--override".to_owned(), format!("{key}=1")]);
        let alone = words[at].as_str().is_some_and(|w| !w.trim().contains(char::is_whitespace));
        if alone {
            // The program is a word of its own: so are its arguments, in this list or in the next one.
            let last = if list == "command" && container.get("args").is_some() { "args" } else { list };
            if let Some(words) = container.get_mut(last).and_then(Value::as_array_mut) {
                words.extend(overrides().map(Value::String));
            }
        } else if let Some(script) = words[at].as_str() {
            let all: Vec<String> = overrides().collect();
            words[at] = json!(format!("{} {}", script.trim_end(), all.join(" ")));
        }
        return true;
    }
    false
}

fn override_in_environment(container: &mut Value) {
    let names: Vec<String> = FOR_ONE_BROKER.iter().map(|key| format!("KAFKA_{}", key.to_uppercase().replace('.', "_"))).collect();
    let mut env: Vec<Value> = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    env.retain(|e| e.get("name").and_then(Value::as_str).is_none_or(|name| !names.iter().any(|n| n == name)));
    env.extend(names.iter().map(|name| json!({"name": name, "value": "1"})));
    container["env"] = Value::Array(env);
}
