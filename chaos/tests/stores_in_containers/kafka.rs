//! Kafka: records, topics, and a restore by the console tools into a broker that is alone.

use crate::docker_shell::{DockerShell, start};
use gauntlet_chaos::drill::content::compare;
use gauntlet_chaos::drill::extras::differences;
use gauntlet_chaos::store::DataStore;
use gauntlet_chaos::stores::kafka::KafkaStore;
use testcontainers::core::WaitFor;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

/// ZooKeeper and one broker.
async fn cluster() -> [ContainerAsync<GenericImage>; 2] {
    let ready = WaitFor::message_on_stdout("binding to port");
    let zookeeper = start("gauntlet/kafka", "3.9.1", ready, |request| request.with_cmd(["zookeeper"])).await;
    let address = zookeeper.get_bridge_ip_address().await.expect("an address");
    let ready = WaitFor::message_on_stdout("started (kafka.server.KafkaServer)");
    let broker = start("gauntlet/kafka", "3.9.1", ready, |request| {
        request
            .with_env_var("KAFKA_ZOOKEEPER_CONNECT", format!("{address}:2181"))
            .with_env_var("KAFKA_LISTENERS", "PLAINTEXT://:9092")
            .with_env_var("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092")
            .with_env_var("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
            .with_cmd(["kafka"])
    })
    .await;
    [zookeeper, broker]
}

fn store(broker: &ContainerAsync<GenericImage>) -> KafkaStore {
    KafkaStore { shell: DockerShell::of(broker), bootstrap: "localhost:9092".into(), command_config: None }
}

const SERVER: &str = "--bootstrap-server localhost:9092";

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn records_come_back_by_key_and_a_lost_or_swapped_one_is_found() {
    let [_zookeeper, broker] = cluster().await;
    let (source, shell) = (store(&broker), DockerShell::of(&broker));
    let produce = |file: &str| format!("kafka-console-producer.sh {SERVER} --topic prices --property parse.key=true --property null.marker=NUL < {file}");
    let setup = format!(
        "kafka-topics.sh {SERVER} --create --topic prices --partitions 3 --replication-factor 1 --config retention.ms=600000000; \
        kafka-topics.sh {SERVER} --create --topic quiet.topic --partitions 1 --replication-factor 1; \
        for i in $(seq 200); do printf 'k%s\\t{{\"id\":\"r-%s\"}}\\n' $((i % 7)) $i; done > /tmp/records; printf 'NUL\\tno key\\n' >> /tmp/records; {}",
        produce("/tmp/records")
    );
    shell.script(&setup).await;
    let (before, extras) = (source.content().await.expect("content"), source.extras().await.expect("extras"));
    assert_eq!(before.collections.iter().map(|(t, r)| (t.as_str(), r.len())).collect::<Vec<_>>(), [("prices", 201), ("quiet.topic", 0)]);
    assert_eq!(source.keys("prices", "id", "r-1").await.expect("keys").len(), 111);
    source.probe("gauntlet-probe").await.expect("probe");

    source.empty(&extras).await.expect("emptied");
    let emptied = source.content().await.expect("content");
    assert_eq!(emptied.collections.values().map(std::collections::BTreeMap::len).sum::<usize>(), 0);
    shell.script(&produce("/tmp/records")).await;
    assert!(compare(&before, &before, &source.content().await.expect("content")).none());
    for (was, is) in extras.iter().zip(&source.extras().await.expect("extras")) {
        assert_eq!(differences(was, was, is), [] as [String; 0]);
    }

    source.empty(&extras).await.expect("emptied");
    shell.script(&format!("tac /tmp/records | tail -n +2 | head -n 199 > /tmp/other; {}", produce("/tmp/other"))).await;
    let found = compare(&before, &before, &source.content().await.expect("content"));
    assert!(found.missing["prices"] >= 2 && found.altered["prices"] > 100, "{found:?}");
}
