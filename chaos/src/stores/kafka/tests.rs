//! With what the tools of Kafka 3.9.1 printed.

use super::topics::{Partition, Record, Replicas, Topic, for_one_broker, key_of, parse_describe, parse_offsets, to_create};
use super::*;
use crate::pod_exec::fake::Recorded;
use serde_json::json;

const DESCRIBED: &str = "Topic: prices\tTopicId: n5lJZGHKTom5U2_G5fCVzg\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: retention.ms=600000,cleanup.policy=delete,min.insync.replicas=2
\tTopic: prices\tPartition: 0\tLeader: 0\tReplicas: 0,1,2\tIsr: 0,1,2\tElr: N/A\tLastKnownElr: N/A
\tTopic: prices\tPartition: 1\tLeader: none\tReplicas: 1,2,0\tIsr: 2\tElr: N/A\tLastKnownElr: N/A
";
const P0: &str = "Partition:0\tOffset:4\tNO_HEADERS\tk2\tplain\nPartition:0\tOffset:5\tNO_HEADERS\t\\N\tno key,\nbut a line break\n";
const P1: &str = "Partition:1\tOffset:0\tNO_HEADERS\tk1\t{\"id\":\"r-1\"}\nPartition:1\tOffset:1\tNO_HEADERS\tk1\tsecond\n";

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn store(p1: &str) -> KafkaStore {
    store_with(p1, "")
}

/// `rest` is what partition 1 holds from offset 1 on when it is read alone.
fn store_with(p1: &str, rest: &str) -> KafkaStore {
    let shell = Recorded::default()
        .on(&["kafka-get-offsets.sh", "earliest"], "prices:0:4\nprices:1:0\n")
        .on(&["kafka-get-offsets.sh", "latest"], "prices:0:6\nprices:1:2\n")
        .on(&["kafka-console-consumer.sh", "--from-beginning", "--max-messages 4"], &format!("{P0}{p1}"))
        .on(&["kafka-console-consumer.sh", "--partition 1", "--offset 1", "--max-messages 1"], rest)
        .on(&["--describe"], DESCRIBED);
    KafkaStore { shell: Box::new(shell), bootstrap: "localhost:9092".into(), command_config: None }
}

#[tokio::test]
async fn records_are_read_to_the_end_that_was() {
    let content = store(P1).content().await.expect("content");
    assert_eq!(content.collections["prices"].len(), 4);
    let keys = store(P1).keys("prices", "id", "r-").await.expect("keys");
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["r-1"]);
}

const FIRST: &str = "Partition:1\tOffset:0\tNO_HEADERS\tk1\t{\"id\":\"r-1\"}\n";

#[tokio::test]
async fn what_others_kept_the_consumer_from_is_read_alone() {
    // Partition 0 has grown since: two of the four messages are not those that are wanted.
    let grown = format!("Partition:0\tOffset:6\tNO_HEADERS\tk2\tnew\n{FIRST}");
    let content = store_with(&grown, "Partition:1\tOffset:1\tNO_HEADERS\tk1\tsecond\n").content().await.expect("content");
    assert_eq!(content, store(P1).content().await.expect("content"));
}

#[tokio::test]
async fn a_consumer_that_gave_up_is_an_error_and_not_a_shorter_topic() {
    let short = store(FIRST).content().await.expect_err("short").to_string();
    assert!(short.contains("prices-1 was read to offset 1 of 2"), "{short}");
}

#[tokio::test]
async fn order_within_a_key_counts() {
    let swapped = "Partition:1\tOffset:0\tNO_HEADERS\tk1\tsecond\nPartition:1\tOffset:1\tNO_HEADERS\tk1\t{\"id\":\"r-1\"}\n";
    let original = store(P1).content().await.expect("content");
    let other = store(swapped).content().await.expect("swapped");
    assert_eq!(original.collections["prices"].keys().collect::<Vec<_>>(), other.collections["prices"].keys().collect::<Vec<_>>());
    assert_ne!(original, other);
}

#[tokio::test]
async fn partitions_and_settings_are_compared_without_what_speaks_of_replicas() {
    let extras = store(P1).extras().await.expect("extras");
    assert_eq!((extras[0].items["prices"].as_str(), extras[1].items["prices"].as_str()), ("2", "cleanup.policy=delete,retention.ms=600000"));
    let create = to_create(&extras, &[], Replicas::One).remove(0).join(" ");
    assert_eq!(create, "--create --topic prices --partitions 2 --replication-factor 1 --config cleanup.policy=delete --config retention.ms=600000");
    let there = parse_describe(&lines(DESCRIBED)).expect("topics");
    let again = to_create(&extras, &there, Replicas::AsTheyWere).remove(0).join(" ");
    assert_eq!(
        again,
        "--create --topic prices --partitions 2 --replication-factor 3 --if-not-exists --config cleanup.policy=delete --config retention.ms=600000 --config min.insync.replicas=2"
    );
}

#[test]
fn descriptions_and_offsets_are_read_or_refused() {
    let topics = parse_describe(&lines(DESCRIBED)).expect("topics");
    assert_eq!(topics[0].partitions[1], Partition { number: 1, leader: None, replicas: 3, in_sync: 1 });
    assert!(parse_describe(&lines("Error while executing topic command")).is_err());
    assert_eq!(parse_describe(&[]), Ok(vec![]));
    assert!(parse_offsets(&[], &lines("prices:0:")).is_err());
    assert_eq!(parse_offsets(&[], &lines("new:0:3")).expect("span")[0].count(), 3);
}

#[test]
fn a_ledgers_key_may_stand_in_the_payload() {
    let record = |value: &'static str| Record { at: (0, 0), headers: b"", key: Some(b"k"), value: value.as_bytes() };
    assert_eq!(key_of(&record(r#"{"id":"a"}"#), "id").as_deref(), Some("a"));
    assert_eq!(key_of(&record(r#"{"seq":1,"payload":"{\"id\":\"b\"}"}"#), "id").as_deref(), Some("b"));
    assert_eq!(key_of(&record("no json"), "id"), None);
    assert_eq!(key_of(&record("x"), "$key").as_deref(), Some("k"));
}

fn topic(in_sync: usize, leader: Option<u32>) -> Vec<Topic> {
    vec![Topic { name: "prices".into(), settings: vec![], partitions: vec![Partition { number: 0, leader, replicas: 3, in_sync }] }]
}

#[test]
fn whole_is_in_sync_led_and_with_zookeeper() {
    let zoo = |modes: &[Result<&str, &str>]| -> Vec<(String, Result<String, String>)> {
        modes.iter().enumerate().map(|(n, m)| (format!("zk-{n}"), m.map(str::to_owned).map_err(str::to_owned))).collect()
    };
    let judge = |topics: &[Topic], z: Option<&[Result<&str, &str>]>| health::judge(topics, z.map(zoo).as_deref());
    let good = topic(3, Some(1));
    assert_eq!(judge(&good, Some(&[Ok("standalone")])).as_deref(), Ok("all 1 partitions of 1 topics have their replicas in sync, 1 ZooKeeper servers answer"));
    assert!(judge(&good, Some(&[Ok("leader"), Ok("follower"), Ok("follower")])).is_ok());
    assert!(judge(&good, None).is_ok(), "without ZooKeeper");
    assert_eq!(judge(&topic(2, Some(1)), None), Err("prices-0 has 2 of 3 replicas in sync".into()));
    assert_eq!(judge(&topic(3, None), None), Err("prices-0 has no leader".into()));
    assert!(judge(&good, Some(&[Err("no answer")])).expect_err("down").contains("zk-0: no answer"));
    assert!(judge(&good, Some(&[Ok("follower"), Ok("follower")])).expect_err("no leader").contains("not exactly one leader"));
    assert_eq!(judge(&[], None), Err("it has no topics".into()));
    assert_eq!(health::mode_of(&lines("Client port found: 2181.\nMode: follower")).as_deref(), Ok("follower"));
    assert!(health::mode_of(&lines("Error contacting service.")).is_err());
}

#[test]
fn one_broker_gets_settings_that_it_can_keep() {
    let adapted = |container: serde_json::Value| {
        let mut set = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}}});
        for_one_broker(&mut set);
        assert_eq!(set["spec"]["replicas"], 1);
        set["spec"]["template"]["spec"]["containers"][0].clone()
    };
    let script = adapted(json!({"command": ["bash", "-c"], "args": ["exec kafka-server-start.sh /config/x --override broker.id=1\n"]}));
    let text = script["args"][0].as_str().expect("text");
    assert!(text.starts_with("exec kafka-server-start.sh /config/x --override broker.id=1 --override offsets.topic.replication.factor=1"), "{text}");
    let words = adapted(json!({"command": ["kafka-server-start.sh", "/x"]}));
    assert_eq!((words["command"][2].as_str(), words["command"][3].as_str()), (Some("--override"), Some("offsets.topic.replication.factor=1")));
    let environment = adapted(json!({"env": [{"name": "KAFKA_MIN_INSYNC_REPLICAS", "value": "2"}, {"name": "A", "value": "b"}]}));
    let env = environment["env"].as_array().expect("env");
    assert_eq!((env.len(), env.iter().filter(|e| e["name"] == "KAFKA_MIN_INSYNC_REPLICAS").count()), (6, 1));
}

#[test]
fn a_text_backup_is_changed_in_a_record() {
    let damaged = flip_inside_a_line(b"k1\tone\nk2\ttwo\nk3\tthree\n").expect("flipped");
    assert_eq!(damaged, b"k1\tone\nk2\ttwp\nk3\tthree\n");
    assert_eq!(flip_inside_a_line(b"\x1f\x8b\x00"), None);
}
