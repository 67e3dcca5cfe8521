//! PostgreSQL: content, extras, ledgers, and a restore that forgets something.

use crate::docker_shell::{DockerShell, start};
use gauntlet_chaos::drill::content::compare;
use gauntlet_chaos::drill::extras::differences;
use gauntlet_chaos::store::{DataStore, Login};
use gauntlet_chaos::stores::postgresql::PostgresStore;
use testcontainers::core::WaitFor;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

const SETUP: &str = r#"
CREATE ROLE app LOGIN PASSWORD 'x'; CREATE ROLE readers; CREATE ROLE idle;
CREATE TABLE orders (id text PRIMARY KEY, body jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE orders OWNER TO app; GRANT SELECT ON orders TO readers;
CREATE INDEX orders_by_created ON orders (created_at);
CREATE TABLE log (at timestamptz, what text);
INSERT INTO log VALUES ('2026-01-01', 'a'), ('2026-01-01', 'a'), (NULL, E'tab\there\nnewline \\ "x"');
CREATE TABLE ticks (t timestamptz, v float8) PARTITION BY RANGE (t);
CREATE TABLE ticks_1 PARTITION OF ticks FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO ticks VALUES ('2026-02-01', 0.1);
CREATE SEQUENCE s; SELECT nextval('s');
CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."t'x" (a int, b int, PRIMARY KEY (b, a)); INSERT INTO "Odd Schema"."t'x" VALUES (1, 2);
INSERT INTO orders (id, body) SELECT 'r-' || n, jsonb_build_object('id', 'r-' || n, 'n', n) FROM generate_series(1, 500) n;
"#;

async fn server() -> (ContainerAsync<GenericImage>, Box<DockerShell>) {
    let ready = WaitFor::message_on_stderr("database system is ready to accept connections");
    let container = start("gauntlet/postgres", "15", ready, |request| {
        request.with_env_var("POSTGRES_USER", "drill").with_env_var("POSTGRES_PASSWORD", "hush").with_env_var("POSTGRES_DB", "shop")
    })
    .await;
    let shell = DockerShell::of(&container);
    // The server that runs the initialization says so, too; the one that stays takes connections by TCP.
    shell.script("until pg_isready -h 127.0.0.1 -U drill -d shop; do sleep 0.2; done").await;
    (container, shell)
}

fn store(shell: Box<DockerShell>, password: &str, all_roles: bool) -> PostgresStore {
    let login = Some(Login { user: "drill".into(), password: password.into() });
    PostgresStore { shell, login, port: 5432, database: "shop".into(), all_roles }
}

async fn psql(shell: &DockerShell, sql: &str) {
    shell.script(&format!("PGPASSWORD=hush psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -U drill -d shop <<'SQL'\n{sql}\nSQL")).await;
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_whole_restore_is_equal_and_each_flaw_is_found() {
    let (container, shell) = server().await;
    psql(&shell, SETUP).await;
    let source = store(DockerShell::of(&container), "hush", true);
    let (before, extras) = (source.content().await.expect("content"), source.extras().await.expect("extras"));
    let counts: Vec<_> = before.collections.iter().map(|(t, rows)| (t.as_str(), rows.len())).collect();
    assert_eq!(counts, [("\"Odd Schema\".\"t'x\"", 1), ("public.log", 3), ("public.orders", 500), ("public.ticks", 1)]);
    assert_eq!(extras.iter().map(|e| e.items.len()).collect::<Vec<_>>(), [1, 3, 2, 6], "{extras:?}");
    let used = store(DockerShell::of(&container), "hush", false).extras().await.expect("extras").remove(3);
    assert!(used.items.contains_key("app") && used.items.contains_key("readers") && !used.items.contains_key("idle"), "{used:?}");
    assert_eq!(source.keys("orders", "id", "r-49").await.expect("keys").len(), 11);
    assert_eq!(source.keys("orders", "body.id", "r-49").await.expect("keys").len(), 11);
    source.probe("gauntlet's probe").await.expect("probe");
    assert_eq!(source.content().await.expect("content"), before, "a probe leaves nothing");

    let pg = "export PGPASSWORD=hush PGHOST=127.0.0.1 PGUSER=drill;";
    shell.script(&format!("{pg} pg_dumpall --roles-only -f /tmp/roles.sql && pg_dump -Fc -f /tmp/shop.dump shop")).await;
    source.empty(&[]).await.expect("emptied");
    assert!(source.content().await.expect("content").collections.is_empty());
    assert!(source.extras().await.expect("extras").iter().all(|e| e.items.is_empty()), "roles are gone too");
    assert!(!shell.succeeds(&format!("{pg} pg_restore --exit-on-error -d shop /tmp/shop.dump")).await, "a restore without its roles fails");
    source.empty(&[]).await.expect("emptied");
    shell.script(&format!("{pg} psql -X -q -d postgres -f /tmp/roles.sql; pg_restore --exit-on-error -d shop /tmp/shop.dump")).await;
    let (restored, returned) = (source.content().await.expect("content"), source.extras().await.expect("extras"));
    assert!(compare(&before, &before, &restored).none());
    for (was, is) in extras.iter().zip(&returned) {
        assert_eq!(differences(was, was, is), [] as [String; 0]);
    }
    psql(&shell, "DROP INDEX orders_by_created; UPDATE log SET what = 'b' WHERE at IS NULL; DELETE FROM orders WHERE id = 'r-7';").await;
    let found = compare(&before, &before, &source.content().await.expect("content"));
    assert_eq!((found.missing.get("public.orders"), found.unexpected.get("public.log")), (Some(&1), Some(&1)));
    let indexes = source.extras().await.expect("extras");
    assert_eq!(differences(&extras[1], &extras[1], &indexes[1]), ["public.orders_by_created is missing"]);
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_wrong_password_is_refused() {
    let (container, shell) = server().await;
    // Inside the container the image trusts everybody; from outside it asks.
    shell.script("sed -i 's/trust$/scram-sha-256/' \"${PGDATA:-/var/lib/postgresql/data/pgdata}/pg_hba.conf\" && pg_ctl reload -D \"${PGDATA:-/var/lib/postgresql/data/pgdata}\"").await;
    assert!(store(DockerShell::of(&container), "hush", false).content().await.is_ok());
    let refused = store(DockerShell::of(&container), "wrong", false).content().await.expect_err("refused").to_string();
    assert!(refused.contains("password authentication failed") && !refused.contains("wrong\n"), "{refused}");
}
