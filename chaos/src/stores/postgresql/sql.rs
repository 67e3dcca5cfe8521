//! The SQL of the PostgreSQL engine. Scripts for `psql -A -t`, read from its standard input.

/// Recovery, read-only, and how many replicas stream.
pub const STATE: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), \
    (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming');";

/// Schemas of the system and of TimescaleDB's chunks, which show through their hypertables.
const OURS: &str = "n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_timescaledb_)'";

/// Tables with the columns of their primary keys: `schema.table<tab>a,b`. Names are quoted. A partition shows through its
/// parent; a table of an extension comes with the extension.
pub const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) || E'\\t' || coalesce((SELECT string_agg(quote_ident(a.attname), ',' ORDER BY k.at) \
    FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisprimary), '') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't' \
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_timescaledb_)' \
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
    ORDER BY 1;";

/// An identifier in quotes.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes. `standard_conforming_strings` is PostgreSQL's default: a backslash is a backslash.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `table` or `schema.table`.
fn table_name(table: &str) -> String {
    table.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// The hashes of all rows of tables that [`TABLES`] gave, from one snapshot. Output does not depend on the session: the
/// same row gives the same text on both servers.
pub fn hashes(tables: &[(&str, &str)]) -> String {
    let mut script = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex';\n\
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
        .to_owned();
    for (table, key) in tables {
        let hash = |what: &str| format!("encode(sha256(convert_to({what}, 'UTF8')), 'hex')");
        let key = if key.is_empty() { "''".to_owned() } else { hash(&format!("ROW({key})::text")) };
        // psql takes a quoted argument as it stands; a quote in it is doubled.
        script.push_str(&format!("\\echo '> {}'\n", table.replace('\'', "''")));
        script.push_str(&format!("COPY (SELECT {key}, {} FROM {table} gauntlet_row) TO STDOUT;\n", hash("gauntlet_row::text")));
    }
    script + "COMMIT;"
}

/// The keys of a ledger. `column.a.b` looks into a JSON column.
pub fn keys(table: &str, key_field: &str, prefix: &str) -> String {
    let mut parts = key_field.split('.');
    let column = identifier(parts.next().unwrap_or_default());
    let path: Vec<&str> = parts.collect();
    let key = if path.is_empty() {
        format!("{column}::text")
    } else {
        format!("{column}::jsonb #>> {}", literal(&format!("{{{}}}", path.join(","))))
    };
    format!("SELECT {key} FROM {} WHERE starts_with({key}, {});", table_name(table), literal(prefix))
}

/// Writes a row in a table of its own, reads it, and drops the table.
pub fn probe(name: &str) -> String {
    let name = literal(name);
    format!(
        "SET client_min_messages = warning;\nDROP TABLE IF EXISTS gauntlet_probe;\nCREATE TABLE gauntlet_probe (name text PRIMARY KEY);\n\
        INSERT INTO gauntlet_probe VALUES ({name});\nSELECT name FROM gauntlet_probe WHERE name = {name};\nDROP TABLE gauntlet_probe;"
    )
}

/// Drops the database and makes it again, and drops the roles. A role that something else needs stays.
pub fn empty(database: &str) -> String {
    let database = identifier(database);
    format!(
        "SET client_min_messages = warning;\nDROP DATABASE IF EXISTS {database} WITH (FORCE);\nCREATE DATABASE {database};\n\\set ON_ERROR_STOP off\n\
        SELECT format('DROP ROLE IF EXISTS %I', rolname) FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> current_user AND oid <> 10 \\gexec"
    )
}

/// Sequences, indexes, constraints and roles: `kind<tab>name<tab>definition`. Passwords as a short hash, and only when the
/// user may see them.
pub fn extras(all_roles: bool) -> String {
    let used = "r.oid IN (SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let which = format!("r.rolname !~ '^pg_' AND r.rolname <> current_user AND {}", if all_roles { "true" } else { used });
    let flags: Vec<String> = ["super", "createrole", "createdb", "canlogin", "replication", "bypassrls", "inherit"]
        .iter()
        .map(|flag| format!("CASE WHEN r.rol{flag} THEN '{flag}' END"))
        .collect();
    let indexes = OURS.replace("n.nspname", "schemaname");
    [
        "SELECT 'sequences' || E'\\t' || format('%I.%I', schemaname, sequencename) || E'\\t' || coalesce(last_value, 0) FROM pg_sequences \
            WHERE schemaname !~ '^_timescaledb_';"
            .to_owned(),
        format!("SELECT 'indexes' || E'\\t' || format('%I.%I', schemaname, indexname) || E'\\t' || indexdef FROM pg_indexes WHERE {indexes};"),
        format!(
            "SELECT 'constraints' || E'\\t' || format('%I.%I.%I', n.nspname, t.relname, c.conname) || E'\\t' || pg_get_constraintdef(c.oid) \
            FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE {OURS};"
        ),
        format!(
            "SELECT 'roles' || E'\\t' || r.rolname || E'\\t' || concat_ws(' ', {}, 'limit ' || r.rolconnlimit, 'member of ' || \
            (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY 1) FROM pg_auth_members m WHERE m.member = r.oid)) FROM pg_roles r WHERE {which};",
            flags.join(", ")
        ),
        "SELECT rolsuper AS may_see FROM pg_roles WHERE rolname = current_user \\gset\n\\if :may_see".to_owned(),
        format!(
            "SELECT 'roles' || E'\\t' || r.rolname || ' password' || E'\\t' || coalesce(left(md5(r.rolpassword), 8), 'none') FROM pg_authid r WHERE {which};"
        ),
        "\\endif".to_owned(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_break_out() {
        assert_eq!(
            keys("odd.ta\"ble", "body.id", "run's-"),
            "SELECT \"body\"::jsonb #>> '{id}' FROM \"odd\".\"ta\"\"ble\" WHERE starts_with(\"body\"::jsonb #>> '{id}', 'run''s-');"
        );
        assert_eq!(keys("orders", "id", "r"), "SELECT \"id\"::text FROM \"orders\" WHERE starts_with(\"id\"::text, 'r');");
        assert!(hashes(&[("\"Odd\".\"t'x\"", "")]).contains("\\echo '> \"Odd\".\"t''x\"'\n"));
        assert!(empty("a\"b").contains("DROP DATABASE IF EXISTS \"a\"\"b\" WITH (FORCE);"));
    }

    #[test]
    fn a_table_without_a_key_gives_no_key() {
        assert!(hashes(&[("public.log", "")]).contains("COPY (SELECT '', encode("));
        assert!(hashes(&[("public.t", "b,a")]).contains("ROW(b,a)::text"));
    }
}
