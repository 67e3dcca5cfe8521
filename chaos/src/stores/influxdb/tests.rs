//! With what influx 1.6 printed.

use super::*;
use crate::pod_exec::fake::Recorded;

const POINTS: &str = "name,tags,time,note,v,value
match_events,\"team=a,zone=x\",1700000000000000000,\"he said \"\"x\"\",
then left\",,1.5
match_events,\"team=a,zone=x\",1700000000000000001,,,2
name,tags,time,note,v,value
match_events,\"team=b,zone=\",5,,1,
";

fn store() -> InfluxStore {
    let shell = Recorded::default()
        .on(&["SHOW RETENTION POLICIES"], "name,duration,shardGroupDuration,replicaN,default\nautogen,0s,168h0m0s,1,true\n")
        .on(&["SHOW MEASUREMENTS"], "name,name\nmeasurements,match_events\n")
        .on(&["SELECT * FROM \"autogen\".\"match_events\" GROUP BY *"], POINTS)
        .on(&["SELECT * FROM \"ids\""], "name,time,id,team\nids,1,r-1-000001,a\nids,2,other,a\n");
    let login = Some(Login { user: "admin".into(), password: "hush".into() });
    InfluxStore { shell: Box::new(shell), login, port: 8086, database: "football".into() }
}

#[tokio::test]
async fn points_are_read_over_series_quotes_and_line_breaks() {
    let content = store().content().await.expect("content");
    assert_eq!(content.collections["autogen.match_events"].len(), 3);
}

#[tokio::test]
async fn keys_are_the_values_of_a_column() {
    let keys = store().keys("ids", "id", "r-1").await.expect("keys");
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["r-1-000001"]);
    assert_eq!(store().keys("ids", "nothing", "r-1").await.expect("keys"), BTreeSet::new());
}

#[tokio::test]
async fn policies_are_compared_with_their_durations() {
    let policies = store().extras().await.expect("extras").remove(0);
    assert_eq!(policies.items["autogen"], "default true, duration 0s, replicaN 1, shardGroupDuration 168h0m0s");
}

#[test]
fn a_column_of_another_series_does_not_change_a_point() {
    let texts = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let narrow = point(&texts(&["name", "tags", "time", "v"]), &texts(&["m", "t=a", "1", "2"]));
    let wide = point(&texts(&["name", "tags", "time", "u", "v"]), &texts(&["m", "t=a", "1", "", "2"]));
    let other = point(&texts(&["name", "tags", "time", "v"]), &texts(&["m", "t=a", "1", "3"]));
    assert_eq!(narrow, wide);
    assert_eq!((narrow.0 == other.0, narrow.1 == other.1), (true, false));
}

#[test]
fn what_is_no_csv_is_an_error() {
    let mut rows = Rows::default();
    assert!(rows.take(b"name,time,v").expect("header").is_none());
    assert!(rows.take(b"m,1").is_err());
}
