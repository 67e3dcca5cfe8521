use super::*;
use crate::deploy::fake_api::{start, status};
use gauntlet_chaos::drill::archive::Archive;
use gauntlet_chaos::drill::backup::About;
use gauntlet_chaos::drill::content::Content;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

fn platform(engine: &str) -> Platform {
    serde_json::from_value(json!({"name": "shop", "namespace": "shop", "manifests": {"production": "p", "kind": "k"}, "stores": [
        {"name": "db", "engine": engine, "statefulSet": "db", "port": 1, "rpoSeconds": 1, "rtoSeconds": 1, "backup": ["b", "{{dir}}"], "restore": ["r", "{{dir}}"]}]}))
    .expect("platform")
}

fn saved_backup(platform: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("dir");
    let about = About { platform: platform.into(), namespace: "shop".into(), store: "db".into(), engine: "redis".into(), taken_ms: 1, command: vec![] };
    let archive = Archive { files: [("dump.rdb".to_owned(), vec![1, 2])].into() };
    saved::save(&Backup { about, archive, before: Content::default(), after: Content::default(), extras: [vec![], vec![]] }, dir.path()).expect("saved");
    dir
}

fn refusal(platform: &Platform, names: &[&str], from: &Path) -> String {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    format!("{:#}", choose(platform, &names, from).err().expect("refused"))
}

#[test]
fn the_backups_of_a_folder_are_found_and_wrong_ones_refused() {
    let (dir, ours) = (saved_backup("shop"), platform("redis"));
    assert_eq!(choose(&ours, &[], dir.path()).expect("chosen")[0].store.name, "db");
    assert!(refusal(&ours, &["cache"], dir.path()).contains("holds no backup of \"cache\"; it has: db"));
    assert!(refusal(&platform("mongodb"), &["db"], dir.path()).contains("was written by redis, and db is mongodb now"));
    let other = saved_backup("bank");
    assert!(refusal(&ours, &[], other.path()).contains("is a backup of the platform bank, not of shop"));
    let empty = tempfile::tempdir().expect("dir");
    assert!(refusal(&ours, &[], empty.path()).contains("holds no backup"));
    std::fs::write(dir.path().join("db/files/dump.rdb"), [1, 3]).expect("damaged");
    assert!(refusal(&ours, &[], dir.path()).contains("files/dump.rdb is not what was written"));
}

#[test]
fn live_data_are_overwritten_only_when_that_was_said() {
    let (dir, ours) = (saved_backup("shop"), platform("redis"));
    let chosen = choose(&ours, &[], dir.path()).expect("chosen").remove(0);
    let why = refused(&chosen, 61, false).expect("refused");
    assert!(why.starts_with("db holds 61 keys") && why.contains("--overwrite-live-data") && why.contains("--into"), "{why}");
    assert_eq!((refused(&chosen, 61, true), refused(&chosen, 0, false)), (None, None));
}

#[tokio::test]
async fn a_namespace_that_exists_is_not_restored_into() {
    let (server, client) = start().await;
    let there = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "there"}});
    Mock::given(method("GET")).and(path("/api/v1/namespaces/there")).respond_with(ResponseTemplate::new(200).set_body_json(there)).mount(&server).await;
    Mock::given(method("GET")).and(path("/api/v1/namespaces/new")).respond_with(status(404, "NotFound", "not found")).mount(&server).await;
    let recorder = Recorder::in_memory(Clock::start());
    let home = Home { client: &client, platform: "shop", namespace: "shop", recorder: &recorder };
    assert!(free(home, "new").await.is_ok());
    assert!(free(home, "shop").await.expect_err("own").to_string().contains("the platform's own namespace"));
    assert!(fresh_namespace(home, "there").await.expect_err("there").to_string().contains("it exists, and nothing in it is overwritten"));
    assert!(server.received_requests().await.expect("log").iter().all(|r| r.method.as_str() == "GET"), "nothing was made");
}
