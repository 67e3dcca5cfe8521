//! Every database is backed up: by schedule, looked at, and kept.
//!
//! ## What it does
//! Reports StatefulSets of databases (known by their image) with a volume claim for which the manifests hold no
//! scheduled backup. A backup is a CronJob of the namespace that is not suspended, speaks of a backup, a dump or a
//! snapshot, and names the StatefulSet, one of its Services or one of its claims: in its commands, variables, volumes
//! or mounted scripts. Such a CronJob must also look at what it made (verify, check, restore, test) and say how long
//! backups are kept (keep, retention, prune, expire). Velero, k8up and VolSync back up a namespace as a whole. Caches
//! and logs are left out.
//!
//! ## Why it matters
//! A backup that nobody made is missed on the day of the loss; one that nobody read is empty more often than anyone
//! thinks; one that is never removed fills its volume, and then there are no new ones.
//!
//! ## How to mend it
//! Add a CronJob that dumps, tests the dump, and removes the oldest after that.
//!
//! ## Example
//! ```yaml
//! kind: StatefulSet # image: postgres:16, with a claim: reported without a CronJob for it
//! ```

use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use crate::workload::Workload;
use gauntlet_fixtures::manifest::{Field, Node, Object, Value};
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO007", name: "backup-coverage", parameters: &[], source: include_str!("backup_coverage.rs"), check };

/// Parts of images of databases.
const DATABASES: [&str; 15] = [
    "postgres", "postgis", "timescale", "mysql", "mariadb", "percona", "mongo", "cassandra", "scylla", "influxdb", "clickhouse", "couchdb", "neo4j",
    "cockroach", "arangodb",
];
const BACKUP: [&str; 7] = ["backup", "dump", "snapshot", "pgbackrest", "wal-g", "restic", "barman"];
const VERIFIED: [&str; 8] = ["verif", "check", "restore", "test ", "validat", "dryrun", "dry-run", "sha256"];
const RETAINED: [&str; 9] = ["keep", "retain", "retention", "prune", "expire", "-mtime", "rotat", "lifecycle", "older"];

/// Kinds that back up what is in a namespace: group and kind.
const WHOLE: [(&str, &str); 3] = [("k8up.io", "Schedule"), ("volsync.backube", "ReplicationSource"), ("gkebackup.cnrm.cloud.google.com", "GKEBackupBackupPlan")];

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    let mut jobs: HashMap<&str, Vec<String>> = HashMap::new();
    for job in index.workloads().iter().filter(|workload| workload.object.kind == "CronJob") {
        let text = text_of(index, job);
        let suspended = Field::root(&job.object.root).bool_at("spec.suspend") == Some(true);
        if !suspended && has(&text, &BACKUP) {
            jobs.entry(job.namespace).or_default().push(text);
        }
    }
    for store in index.workloads().iter().filter(|workload| workload.object.kind == "StatefulSet") {
        let root = Field::root(&store.object.root);
        let image = store.containers().first().and_then(|container| container.field.str_at("image")).unwrap_or_default();
        let name = image.rsplit('/').next().unwrap_or_default();
        let database = DATABASES.iter().any(|known| name.contains(known)) && !name.contains("exporter");
        if !database || root.items_at("spec.volumeClaimTemplates").is_empty() || is_whole(index, store.namespace) {
            continue;
        }
        let services = index.services(store).iter().map(|service| service.name.as_str());
        let names: Vec<&str> = services.chain([store.object.name.as_str()]).collect();
        let own: Vec<&String> = jobs.get(store.namespace).into_iter().flatten().filter(|text| names.iter().any(|name| names_word(text, name))).collect();
        if own.is_empty() {
            context.whole(store.object, "no CronJob of its namespace backs it up");
        } else if !own.iter().any(|text| has(text, &VERIFIED)) {
            context.whole(store.object, "its backup is not looked at: the CronJob neither checks nor restores what it made");
        } else if !own.iter().any(|text| has(text, &RETAINED)) {
            context.whole(store.object, "nothing says how long its backups are kept");
        }
    }
}

/// True: an operator backs up the whole namespace.
fn is_whole(index: &Index<'_>, namespace: &str) -> bool {
    let velero = index.of_kind("Schedule").iter().filter(|schedule| schedule.group() == "velero.io").any(|schedule| {
        let included = Field::root(&schedule.root).items_at("spec.template.includedNamespaces");
        included.is_empty() || included.iter().any(|name| matches!(name.str(), Some("*")) || name.str() == Some(namespace))
    });
    let of = |(group, kind): &(&str, &str)| index.of_kind(kind).iter().any(|object: &&Object| object.group() == *group && namespace_of(object) == namespace);
    velero || WHOLE.iter().any(of)
}

/// Every word of a CronJob's pods, and of the scripts that they mount.
fn text_of(index: &Index<'_>, job: &Workload<'_>) -> String {
    let mut text = job.object.name.to_ascii_lowercase();
    collect(job.pod.node, &mut text);
    let maps = job.pod.items_at("volumes").into_iter().filter_map(|volume| index.find("ConfigMap", job.namespace, volume.str_at("configMap.name")?));
    for data in maps.filter_map(|map| map.root.get("data")) {
        collect(data, &mut text);
    }
    text
}

fn collect(node: &Node, text: &mut String) {
    match &node.value {
        Value::String(value) => {
            text.push('\n');
            text.push_str(&value.to_ascii_lowercase());
        }
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, text)),
        Value::Mapping(entries) => entries.iter().for_each(|entry| collect(&entry.value, text)),
        _ => {}
    }
}

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// True: a name stands in a text and is not a part of a longer word. `data-db-0` names `db`.
fn names_word(text: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    text.match_indices(&name).any(|(at, _)| edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next()))
}
