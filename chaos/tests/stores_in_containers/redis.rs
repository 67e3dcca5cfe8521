//! Redis: content over encodings, TTLs, and an RDB file that is restored or refused.

use crate::docker_shell::{DockerShell, start};
use gauntlet_chaos::drill::content::compare;
use gauntlet_chaos::drill::extras::differences;
use gauntlet_chaos::store::{DataStore, Login};
use gauntlet_chaos::stores::redis::RedisStore;
use testcontainers::core::WaitFor;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

async fn server() -> (ContainerAsync<GenericImage>, Box<DockerShell>) {
    let ready = WaitFor::message_on_stdout("Ready to accept connections");
    let container = start("gauntlet/redis", "7.0", ready, |request| request.with_cmd(["redis-server", "--requirepass", "hush", "--dir", "/tmp"])).await;
    let shell = DockerShell::of(&container);
    (container, shell)
}

fn store(container: &ContainerAsync<GenericImage>, password: &str) -> RedisStore {
    let login = Some(Login { user: String::new(), password: password.into() });
    RedisStore { shell: DockerShell::of(container), login, port: 6379 }
}

const CLI: &str = "export REDISCLI_AUTH=hush;";

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn values_are_equal_whatever_their_encoding_and_ttls_are_kept() {
    let (container, shell) = server().await;
    let setup = "redis-cli SET price:1 10 PX 600000; redis-cli SET plain x; redis-cli -n 1 SET 'odd key' v; redis-cli RPUSH l x y; \
        redis-cli ZADD z 1 a 2 b; redis-cli XADD live '*' f v; i=0; while [ $i -lt 600 ]; do echo SADD big m$i; echo HSET map f$i $i; echo SET orders:r-$i 1; i=$((i + 1)); done | redis-cli > /dev/null";
    shell.script(&format!("{CLI} {setup}")).await;
    let source = store(&container, "hush");
    let (before, ttls) = (source.content().await.expect("content"), source.extras().await.expect("extras"));
    assert_eq!(before.collections.iter().map(|(db, keys)| (db.as_str(), keys.len())).collect::<Vec<_>>(), [("db0", 607), ("db1", 1)]);
    assert_eq!(before.expiring["db0"].len(), 1);
    assert_eq!(source.keys("orders", "", "r-59").await.expect("keys").len(), 11);
    source.probe("gauntlet-probe").await.expect("probe");
    shell.script(&format!("{CLI} redis-cli --rdb /tmp/backup.rdb > /dev/null")).await;

    source.empty(&[]).await.expect("emptied");
    assert!(source.content().await.expect("content").collections.is_empty());
    let load = |file: &str| format!("{CLI} redis-server --port 6390 --dir /tmp --dbfilename {file} --save '' > /tmp/second.log & \
        until redis-cli -p 6390 ping 2> /dev/null | grep -q PONG; do kill -0 $! || exit 1; sleep 0.1; done; \
        redis-cli replicaof 127.0.0.1 6390; until redis-cli info replication | grep -q master_link_status:up; do sleep 0.1; done; \
        redis-cli replicaof no one; redis-cli -p 6390 shutdown nosave");
    shell.script(&load("backup.rdb")).await;
    assert!(compare(&before, &before, &source.content().await.expect("content")).none());
    assert_eq!(differences(&ttls[0], &ttls[0], &source.extras().await.expect("extras")[0]), [] as [String; 0]);

    shell.script(&format!("{CLI} redis-cli PERSIST price:1; redis-cli SADD big another")).await;
    let lost = differences(&ttls[0], &ttls[0], &source.extras().await.expect("extras")[0]);
    assert_eq!(lost.len(), 1, "a key that lost its TTL is noticed: {lost:?}");
    assert_eq!(compare(&before, &before, &source.content().await.expect("content")).altered.get("db0"), Some(&1));

    shell.script("size=$(wc -c < /tmp/backup.rdb); cp /tmp/backup.rdb /tmp/bad.rdb; printf 'XYZ' | dd of=/tmp/bad.rdb bs=1 seek=$((size / 2)) conv=notrunc 2> /dev/null").await;
    assert!(!shell.succeeds(&load("bad.rdb")).await, "a damaged file is refused by its checksum");
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_wrong_password_is_no_empty_store() {
    let (container, _) = server().await;
    assert!(store(&container, "wrong").content().await.is_err());
    assert!(store(&container, "wrong").keys("orders", "", "r").await.is_err());
    assert!(store(&container, "wrong").probe("p").await.is_err());
}
