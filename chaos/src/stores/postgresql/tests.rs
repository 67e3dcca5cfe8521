//! With what psql 15 printed.

use super::*;
use crate::pod_exec::fake::Recorded;

fn state(in_recovery: bool, streaming: usize) -> Result<State, String> {
    Ok(State { in_recovery, read_only: in_recovery, streaming })
}

fn pods(states: Vec<Result<State, String>>) -> Vec<(String, Result<State, String>)> {
    states.into_iter().enumerate().map(|(n, s)| (format!("pg-{n}"), s)).collect()
}

#[test]
fn one_writable_primary_and_streaming_replicas_are_whole() {
    let whole = |states| judge_whole(&pods(states));
    assert_eq!(whole(vec![state(false, 2), state(true, 0), state(true, 0)]).as_deref(), Ok("pg-0 is the only one that takes writes, and 2 replicas stream"));
    assert!(whole(vec![state(false, 0)]).is_ok(), "alone");
    assert_eq!(whole(vec![state(false, 1), state(true, 0), state(true, 0)]), Err("1 of 2 replicas stream from pg-0".into()));
    assert!(whole(vec![state(false, 1), state(false, 0)]).expect_err("two").contains("pg-0, pg-1 all take writes"));
    assert!(whole(vec![state(true, 0), state(false, 1)]).expect_err("moved").contains("pg-0 follows another server"));
    assert_eq!(whole(vec![Err("no answer".into()), state(true, 0)]), Err("pg-0: no answer".into()));
    let read_only = Ok(State { in_recovery: false, read_only: true, streaming: 0 });
    assert_eq!(whole(vec![read_only]), Err("pg-0 takes no writes".into()));
    assert!(whole(vec![]).is_err());
}

#[test]
fn states_are_read_or_refused() {
    assert_eq!(parse_state("f|off|2"), Some(State { in_recovery: false, read_only: false, streaming: 2 }));
    assert_eq!(parse_state("t|on|0"), Some(State { in_recovery: true, read_only: true, streaming: 0 }));
    assert_eq!((parse_state(""), parse_state("x|off|1"), parse_state("f|off|")), (None, None, None));
}

fn store(shell: Recorded) -> PostgresStore {
    let login = Some(Login { user: "crypto_user".into(), password: "hush".into() });
    PostgresStore { shell: Box::new(shell), login, port: 5432, database: "crypto_db".into(), all_roles: false }
}

const TABLES: &str = "\"Odd Schema\".\"t'x\"\tb,a\npublic.log\t\npublic.orders\tid\n";
const HASHES: &str = "> \"Odd Schema\".\"t'x\"
46f4187705d9a46a500a78c1d1f0bd57a3fd6d8b3c7040343aac62ccffb4717d\t418abde75db9a5538d0798bf957a63d2b7976de9a4136992176b6de58d562e79
> public.log
\t08324a2440621ed96b6d2ed08270d7cc8598e433929aecb2847eb912c02ff02b
\t08324a2440621ed96b6d2ed08270d7cc8598e433929aecb2847eb912c02ff02b
\tc5625b2733b0b972f06aadb35f6216eff3feba5913567010a17d9d298d582755
> public.orders
";

#[tokio::test]
async fn tables_are_read_as_hashes_and_equal_rows_are_counted() {
    let content = store(Recorded::default().on(&["pg_index"], TABLES).on(&["sha256"], HASHES)).content().await.expect("content");
    let counts: Vec<_> = content.collections.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
    assert_eq!(counts, [("\"Odd Schema\".\"t'x\"", 1), ("public.log", 3), ("public.orders", 0)]);
}

#[tokio::test]
async fn the_password_is_in_no_argument_and_a_failure_is_an_error() {
    let shell = Recorded::default().on(&["starts_with"], "run-drill-000001\nstranger\n").on_exit(&["gauntlet_probe"], 3, "ERROR:  cannot execute");
    let store = store(shell);
    let keys = store.keys("orders", "id", "run-").await.expect("keys");
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["run-drill-000001"]);
    let error = store.probe("p").await.expect_err("refused").to_string();
    assert!(error.contains("psql") && error.contains("cannot execute") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn what_is_no_hash_is_an_error_and_not_an_empty_table() {
    let store = store(Recorded::default().on(&["pg_index"], TABLES).on(&["sha256"], "> public.log\nERROR\n"));
    assert!(store.content().await.is_err());
}

#[test]
fn extras_are_read_by_kind() {
    let printed = "sequences\tpublic.s\t1\nindexes\tpublic.orders_pkey\tCREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)\n\
        constraints\tpublic.orders.orders_pkey\tPRIMARY KEY (id)\nroles\tapp\tcanlogin inherit limit -1\nroles\tapp password\t0a1b2c3d\n";
    let lines: Vec<String> = printed.lines().map(str::to_owned).collect();
    let extras = parse_extras(&lines);
    let counts: Vec<_> = extras.iter().map(|e| (e.kind.as_ref(), e.items.len())).collect();
    assert_eq!(counts, [("sequences", 1), ("indexes", 1), ("constraints", 1), ("roles", 2)]);
    assert_eq!(extras[3].items["app"], "canlogin inherit limit -1");
}
