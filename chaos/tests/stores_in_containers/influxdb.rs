//! InfluxDB 1.6: points, retention policies, and its portable backup.

use crate::docker_shell::{DockerShell, start};
use gauntlet_chaos::drill::content::compare;
use gauntlet_chaos::drill::extras::differences;
use gauntlet_chaos::store::{DataStore, Login};
use gauntlet_chaos::stores::influxdb::InfluxStore;
use testcontainers::core::WaitFor;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

async fn server() -> (ContainerAsync<GenericImage>, Box<DockerShell>) {
    let ready = WaitFor::message_on_stderr("Listening for signals");
    let container = start("gauntlet/influxdb", "1.6", ready, |request| {
        request
            .with_env_var("INFLUXDB_DB", "football")
            .with_env_var("INFLUXDB_ADMIN_USER", "admin")
            .with_env_var("INFLUXDB_ADMIN_PASSWORD", "hush")
            .with_env_var("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    })
    .await;
    let shell = DockerShell::of(&container);
    (container, shell)
}

fn store(container: &ContainerAsync<GenericImage>, password: &str) -> InfluxStore {
    let login = Some(Login { user: "admin".into(), password: password.into() });
    InfluxStore { shell: DockerShell::of(container), login, port: 8086, database: "football".into() }
}

const LOGIN: &str = "export INFLUX_USERNAME=admin INFLUX_PASSWORD=hush;";

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_portable_backup_brings_points_and_policies_back() {
    let (container, shell) = server().await;
    let points = "INSERT match_events,team=a,zone=x value=1.5,note=\"he said \\\"x\\\", y\" 1700000000000000000\n\
        INSERT match_events,team=b value=2 1700000000000000001\nINSERT ids,team=a id=\"r-1\" 5\nINSERT INTO short match_events,team=a value=3 1700000000000000000";
    shell.script(&format!("{LOGIN} until influx -execute 'SHOW DATABASES' | grep -q football; do sleep 0.2; done; \
        influx -execute 'CREATE RETENTION POLICY short ON football DURATION 0s REPLICATION 1' && influx -database football -execute '{points}'")).await;
    let source = store(&container, "hush");
    let (before, policies) = (source.content().await.expect("content"), source.extras().await.expect("extras"));
    let counts: Vec<_> = before.collections.iter().map(|(m, points)| (m.as_str(), points.len())).collect();
    assert_eq!(counts, [("autogen.ids", 1), ("autogen.match_events", 2), ("short.match_events", 1)]);
    assert_eq!(source.keys("ids", "id", "r-").await.expect("keys").len(), 1);
    source.probe("gauntlet-probe").await.expect("probe");

    shell.script("mkdir -p /tmp/b && influxd backup -portable -db football -host 127.0.0.1:8088 /tmp/b").await;
    source.empty(&[]).await.expect("emptied");
    shell.script("influxd restore -portable -db football -host 127.0.0.1:8088 /tmp/b").await;
    assert!(compare(&before, &before, &source.content().await.expect("content")).none());
    assert_eq!(differences(&policies[0], &policies[0], &source.extras().await.expect("extras")[0]), [] as [String; 0]);

    shell.script(&format!("{LOGIN} influx -database football -execute 'DROP RETENTION POLICY short ON football' && influx -database football -execute 'INSERT match_events,team=b value=9 1700000000000000001'")).await;
    let found = compare(&before, &before, &source.content().await.expect("content"));
    assert_eq!((found.missing_collections, found.altered.get("autogen.match_events")), (vec!["short.match_events".to_owned()], Some(&1)));
    assert_eq!(differences(&policies[0], &policies[0], &source.extras().await.expect("extras")[0]), ["short is missing"]);
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_wrong_password_is_refused() {
    let (container, shell) = server().await;
    shell.script(&format!("{LOGIN} until influx -execute 'SHOW DATABASES' | grep -q football; do sleep 0.2; done")).await;
    assert!(store(&container, "wrong").content().await.is_err());
}
