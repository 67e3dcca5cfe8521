//! Stores whose members vote.

/// Parts of images of stores that need a majority of their members.
pub const ENGINES: [&str; 20] = [
    "etcd",
    "zookeeper",
    "kafka",
    "redpanda",
    "consul",
    "vault",
    "openbao",
    "mongo",
    "cockroach",
    "rabbitmq",
    "elasticsearch",
    "opensearch",
    "nats",
    "patroni",
    "spilo",
    "galera",
    "clickhouse-keeper",
    "foundationdb",
    "rqlite",
    "tikv",
];

/// Parts of images that bear such a name and are no member.
pub const OTHERS: [&str; 7] = ["exporter", "proxy", "operator", "backup", "express", "agent", "ui"];

/// True: an image of a store that needs a majority.
pub fn is_quorum_engine(image: &str) -> bool {
    // The last part of the name, without its tag and its digest: `registry:5000/team/etcd:3.5` is `etcd`.
    let name = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let has = |part: &str| name.split(['-', '_', '.']).any(|word| word == part);
    ENGINES.iter().any(|engine| name.contains(engine)) && !OTHERS.iter().any(|other| has(other))
}
