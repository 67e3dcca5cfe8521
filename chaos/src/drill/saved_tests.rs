use super::super::extras::Rule;
use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn backup() -> Backup {
    let mut before = Content::default();
    before.add("orders", "a".into(), [7; 32]);
    before.expiring.insert("orders".into(), [("a".to_owned(), 5)].into());
    let mut after = before.clone();
    after.add("orders", "b".into(), [8; 32]);
    let sequence = |at: &str| vec![Extra { kind: "sequences".into(), expected: "not behind".into(), rule: Rule::Between, items: [("s".to_owned(), at.to_owned())].into() }];
    let near = Extra { kind: "ttls".into(), expected: "near".into(), rule: Rule::Near { tolerance: 2000 }, items: BTreeMap::new() };
    Backup {
        about: About { platform: "shop".into(), namespace: "shop".into(), store: "db".into(), engine: "postgresql".into(), taken_ms: 9, command: vec!["pg_dump".into()] },
        archive: Archive { files: [("globals.sql".to_owned(), b"CREATE ROLE a;".to_vec()), ("shop/orders.bson".to_owned(), vec![0, 1, 2])].into() },
        before,
        after,
        extras: [[sequence("1"), vec![near.clone()]].concat(), [sequence("2"), vec![near]].concat()],
    }
}

#[test]
fn what_is_saved_is_loaded_and_only_its_owner_can_read_it() {
    let dir = tempfile::tempdir().expect("dir");
    let folder = save(&backup(), dir.path()).expect("saved");
    assert_eq!(folder, dir.path().join("db"));
    assert_eq!(load(dir.path(), "db").expect("loaded"), backup());
    assert_eq!(stores_in(dir.path()).expect("listed"), ["db"]);
    let mode = |path: &str| std::fs::metadata(folder.join(path)).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode("files/globals.sql"), mode("files/shop"), mode("content.json")), (0o600, 0o700, 0o600));
}

#[test]
fn a_backup_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("dir");
    save(&backup(), dir.path()).expect("saved");
    let refused = save(&backup(), dir.path()).expect_err("refused").to_string();
    assert!(refused.contains("is not overwritten"), "{refused}");
}

#[test]
fn what_is_not_as_it_was_written_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let folder = save(&backup(), dir.path()).expect("saved");
    let refused = || load(dir.path(), "db").expect_err("refused").to_string();
    std::fs::write(folder.join("files/shop/orders.bson"), [0, 1, 3]).expect("changed");
    assert!(refused().contains("files/shop/orders.bson is not what was written"), "{}", refused());
    std::fs::remove_file(folder.join("files/shop/orders.bson")).expect("removed");
    assert!(refused().contains("files/shop/orders.bson"), "{}", refused());
    std::fs::write(folder.join("files/shop/orders.bson"), [0, 1, 2]).expect("back");
    assert_eq!(load(dir.path(), "db").expect("whole again"), backup());
    // The hashes that a restore is compared with are vouched for too.
    std::fs::write(folder.join("content.json"), "{}").expect("changed");
    assert!(refused().contains("content.json is not what was written"), "{}", refused());
    let index = std::fs::read_to_string(folder.join("backup.json")).expect("read").replace("\"format\": 1", "\"format\": 2");
    std::fs::write(folder.join("backup.json"), index).expect("changed");
    assert!(refused().contains("format 2"), "{}", refused());
    assert!(load(dir.path(), "other").is_err());
}

#[test]
fn a_path_cannot_lead_out_of_the_backup() {
    let dir = tempfile::tempdir().expect("dir");
    for path in ["../x", "/etc/x", "a/../../x", ""] {
        let mut bad = backup();
        bad.archive.files.insert(path.into(), vec![1]);
        let refused = save(&bad, dir.path()).expect_err("refused").to_string();
        assert!(refused.contains("leads out of the backup"), "{path}: {refused}");
    }
    assert!(stores_in(dir.path()).expect("listed").is_empty(), "nothing stands under a final name");
}
