//! With what redis-cli 7.0 printed.

use super::health::{Facts, Server, judge, parse_info};
use super::*;
use crate::pod_exec::fake::Recorded;

const SCANNED: &str = "db0 h:1 hash 3bb86227e70cd924b0e9f7588b1f114d452512b3 -1
db0 price:1 string dd4356bbb3e8df6a09d627feb63d23d3f37f2054 1795264862129
db1 odd%20key%0anl string 1a24f302fca7ae6be701df79b6a8d6a5ceb9bf69 -1
end
";

fn store(shell: Recorded) -> RedisStore {
    RedisStore { shell: Box::new(shell), login: Some(Login { user: String::new(), password: "hush".into() }), port: 6379 }
}

#[tokio::test]
async fn keys_are_read_with_their_expiry() {
    let store = store(Recorded::default().on(&["INFO keyspace", "XRANGE"], SCANNED));
    let content = store.content().await.expect("content");
    assert_eq!(content.collections.iter().map(|(db, keys)| (db.as_str(), keys.len())).collect::<Vec<_>>(), [("db0", 2), ("db1", 1)]);
    assert_eq!(content.expiring["db0"].values().collect::<Vec<_>>(), [&1_795_264_862_129]);
    let ttls = store.extras().await.expect("extras").remove(0);
    assert_eq!((ttls.items["db0 price:1"].as_str(), ttls.items["db0 h:1"].as_str()), ("1795264862129", "never"));
}

#[tokio::test]
async fn a_scan_that_was_cut_is_no_content() {
    let cut = store(Recorded::default().on(&["keyspace"], "db0 h:1 hash 3bb8 -1\n"));
    assert!(cut.content().await.expect_err("cut").to_string().contains("not read to their end"));
    let refused = store(Recorded::default().on(&["keyspace"], "NOAUTH Authentication required.\n"));
    assert!(refused.content().await.is_err());
}

#[tokio::test]
async fn a_ledgers_keys_are_those_of_its_collection() {
    let shell = Recorded::default().on(&["--scan", "orders:r-1*"], "orders:r-1-000001\norders:r-1-000002\n");
    let keys = store(shell).keys("orders", "", "r-1").await.expect("keys");
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["r-1-000001", "r-1-000002"]);
    assert_eq!(escaped("a[b]*"), "a\\[b\\]\\*");
}

#[tokio::test]
async fn a_probe_that_reads_something_else_fails() {
    let shell = |got: &str| Recorded::default().on(&["SET"], "OK\n").on(&["GET"], got).on(&["DEL"], "1\n");
    assert!(store(shell("p\n")).probe("p").await.is_ok());
    assert!(store(shell("\n")).probe("p").await.is_err());
}

fn server(role: &str, link_up: bool, replicas: usize, run_id: &str) -> Server {
    Server { role: role.into(), link_up, replicas, run_id: run_id.into() }
}

fn good() -> Facts {
    let ok = |pod: &str, s| (pod.to_owned(), Ok(s));
    Facts {
        servers: vec![ok("r-0", server("master", false, 2, "a")), ok("r-1", server("slave", true, 0, "b")), ok("r-2", server("slave", true, 0, "c"))],
        sentinels: ["s-0", "s-1", "s-2"].map(|s| (s.to_owned(), Ok("10.0.0.1:6379".to_owned()))).to_vec(),
        named: Some(Ok(server("master", false, 2, "a"))),
    }
}

#[test]
fn one_master_that_all_name_and_all_follow_is_whole() {
    assert_eq!(judge(&good()).as_deref(), Ok("r-0 is the master, 3 sentinels name it, and 2 replicas follow"));
    let alone = Facts { servers: vec![("r-0".into(), Ok(server("master", false, 0, "a")))], ..Default::default() };
    assert_eq!(judge(&alone).as_deref(), Ok("r-0 is the master, and 0 replicas follow"));
}

#[test]
fn each_flaw_is_named() {
    let but = |change: fn(&mut Facts)| {
        let mut facts = good();
        change(&mut facts);
        judge(&facts).expect_err("not whole")
    };
    assert!(but(|f| f.servers[1].1 = Ok(server("master", false, 0, "b"))).contains("r-0, r-1 are all masters"));
    assert!(but(|f| f.servers[0].1 = Ok(server("slave", false, 0, "a"))).contains("no server is a master"));
    assert!(but(|f| f.servers[2].1 = Ok(server("slave", false, 0, "c"))).contains("r-2 has no link"));
    assert!(but(|f| f.servers[2].1 = Err("gone".into())).contains("r-2: gone"));
    assert!(but(|f| f.servers[0].1 = Ok(server("master", false, 1, "a"))).contains("1 of 2 replicas are connected"));
    assert!(but(|f| f.sentinels[1].1 = Ok("10.0.0.9:6379".into())).contains("different masters"));
    assert!(but(|f| f.sentinels[1].1 = Err("no answer".into())).contains("s-1: no answer"));
    assert!(but(|f| f.named = Some(Ok(server("slave", true, 0, "b")))).contains("which is a slave"));
    assert!(but(|f| f.named = Some(Ok(server("master", false, 0, "z")))).contains("none of the store's pods"));
}

#[test]
fn info_is_read_or_refused() {
    let lines: Vec<String> = "# Server\r\nrun_id:6c8f\r\n# Replication\r\nrole:slave\r\nmaster_link_status:up\r\nconnected_slaves:0\r\n".lines().map(str::to_owned).collect();
    assert_eq!(parse_info(&lines), Ok(server("slave", true, 0, "6c8f")));
    assert!(parse_info(&["NOAUTH".to_owned()]).is_err());
}
