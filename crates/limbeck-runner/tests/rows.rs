//! Rows in the proof: what tables get, and what is found with them.

mod states;

use limbeck_runner::Proof;
use states::check;

/// Proves that a table is added and dropped beside `old`, all of whose tables get rows.
async fn fills(old: &str, n_tables: usize) {
    let proof = check(
        old,
        &format!("{old} CREATE TABLE added (a int);"),
        "CREATE TABLE added (a int);",
        "DROP TABLE added;",
    )
    .await;
    let Proof::Held {
        n_tables: found,
        notes,
        ..
    } = &proof
    else {
        panic!("{old}: {proof}")
    };
    assert_eq!((*found, notes.as_slice()), (n_tables, &[][..]), "{old}");
}

#[tokio::test]
async fn tables_of_every_type_get_rows() {
    fills(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, m mood[]); CREATE TYPE span AS RANGE (SUBTYPE = \
         float8); CREATE DOMAIN code AS text NOT NULL CHECK (VALUE ~ '^[A-Z]{3}-[0-9]{2}$'); CREATE DOMAIN small AS numeric(4,1) \
         CHECK (VALUE > 3) CHECK (VALUE < 5); CREATE DOMAIN smaller AS small CHECK (VALUE <> 4); CREATE TABLE t (a bool NOT \
         NULL, b int2 NOT NULL, c int4 NOT NULL, d int8 NOT NULL, e numeric NOT NULL, f numeric(3,3) NOT NULL, g float4 NOT \
         NULL, h float8 NOT NULL, i money NOT NULL, j text NOT NULL, k varchar(1) NOT NULL, l char(5) NOT NULL, m name NOT NULL, \
         n \"char\" NOT NULL, o bytea NOT NULL, p uuid NOT NULL, q date NOT NULL, r timestamp(3) NOT NULL, s timestamptz NOT \
         NULL, t time NOT NULL, u timetz NOT NULL, v interval day NOT NULL, w bit(3) NOT NULL, x varbit NOT NULL, y json NOT \
         NULL, z jsonb NOT NULL, aa inet NOT NULL, ab cidr NOT NULL, ac macaddr NOT NULL, ad macaddr8 NOT NULL, ae point NOT \
         NULL, af line NOT NULL, ag lseg NOT NULL, ah box NOT NULL, ai path NOT NULL, aj polygon NOT NULL, ak circle NOT NULL, \
         al tsvector NOT NULL, am tsquery NOT NULL, an oid NOT NULL, ao regclass NOT NULL, ap pg_lsn NOT NULL, aq int4range NOT \
         NULL, ar tstzrange NOT NULL, at span NOT NULL, au mood NOT NULL, av pair NOT NULL, aw code, ax smaller NOT NULL, ay \
         int[] NOT NULL, az text[][] NOT NULL, ba varchar(3)[] NOT NULL, bb jsonpath NOT NULL, bc pair[] NOT NULL, bd bit NOT \
         NULL, be tid NOT NULL, bf pg_snapshot NOT NULL, bg numrange[] NOT NULL, bh xid NOT NULL);",
        1,
    )
    .await;
}

#[tokio::test]
async fn conditions_are_satisfied() {
    fills(
        "CREATE TABLE price (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric(8,2) CHECK (amount > 10 AND amount \
         < 11), low int, high int, CHECK (low < high), CHECK (low BETWEEN 5 AND 6)); \
         CREATE TABLE words (code varchar(8) PRIMARY KEY CHECK (code ~ '^[a-z]+_[0-9]$'), kind text NOT NULL CHECK (kind IN ('new', \
         'used')), mail text NOT NULL CHECK (mail LIKE '%@%.%'), name text NOT NULL CHECK (length(name) = 7), lower text NOT NULL \
         UNIQUE CHECK (lower = lower(lower)), iso char(2) NOT NULL CHECK (iso = upper(iso)), tags text[] NOT NULL CHECK \
         (cardinality(tags) = 2)); \
         CREATE TABLE either (a int, b int, c int, CHECK (num_nonnulls(a, b, c) = 1)); \
         CREATE TABLE one (id bool PRIMARY KEY DEFAULT true CHECK (id), note text); \
         CREATE TABLE days (start_on date NOT NULL, end_on date NOT NULL, CHECK (start_on < end_on), done_at timestamptz, CHECK \
         (done_at < '1999-01-01 00:00:00+00'::timestamptz)); \
         CREATE TABLE doc (body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object' AND body ? 'v')); \
         CREATE TABLE rooms (room int, during tsrange, EXCLUDE USING gist (during WITH &&)); \
         CREATE TABLE half (a int CHECK (a % 2 = 0), b text, total int GENERATED ALWAYS AS (a * 2) STORED, CHECK ((a IS NULL) = (b \
         IS NULL)));",
        8,
    )
    .await;
}

#[tokio::test]
async fn references_are_followed() {
    fills(
        "CREATE TABLE z (id int PRIMARY KEY, up int REFERENCES z, twin int NOT NULL REFERENCES z); \
         CREATE TABLE a (z_id int NOT NULL REFERENCES z ON DELETE CASCADE, n int NOT NULL, PRIMARY KEY (z_id, n)); \
         CREATE TABLE b (z_id int NOT NULL, n int NOT NULL, other int NOT NULL REFERENCES z, FOREIGN KEY (z_id, n) REFERENCES a, \
         FOREIGN KEY (z_id) REFERENCES z, UNIQUE (z_id, other)); \
         CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL); \
         CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen); \
         ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg; \
         CREATE TABLE boss (id int PRIMARY KEY, dept int); \
         CREATE TABLE dept (id int PRIMARY KEY, boss int NOT NULL REFERENCES boss); \
         ALTER TABLE boss ADD FOREIGN KEY (dept) REFERENCES dept; \
         CREATE TABLE poly (a int REFERENCES z, b int REFERENCES egg, CHECK (num_nonnulls(a, b) = 1)); \
         CREATE TABLE full_match (x int, y int, FOREIGN KEY (x, y) REFERENCES a (z_id, n) MATCH FULL);",
        9,
    )
    .await;
}

/// What the proof of an upgrade and a downgrade says, among other things.
async fn says(old: &str, new: &str, upgrade: &str, downgrade: &str, expected: &[&str]) {
    let proof = check(old, new, upgrade, downgrade).await.to_string();
    for it in expected {
        assert!(proof.contains(it), "{it:?} is not in {proof}");
    }
}

#[tokio::test]
async fn what_only_works_on_empty_tables_is_refuted_unless_it_is_stated() {
    let cases = [
        (
            "CREATE TABLE t (a int);",
            "CREATE TABLE t (a int, b int NOT NULL);",
            "ALTER TABLE t ADD COLUMN b int NOT NULL;",
            "ALTER TABLE t DROP COLUMN b;",
            "column \"b\" of relation \"t\" contains null values",
        ),
        (
            "CREATE TABLE t (a int);",
            "CREATE TABLE t (a int NOT NULL);",
            "ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;",
            "column \"a\" of relation \"t\" contains null values",
        ),
        (
            "CREATE TABLE t (a int);",
            "CREATE TABLE t (a int UNIQUE);",
            "ALTER TABLE t ADD UNIQUE (a);",
            "ALTER TABLE t DROP CONSTRAINT t_a_key;",
            "could not create unique index \"t_a_key\"",
        ),
        (
            "CREATE TABLE t (a text);",
            "CREATE TABLE t (a int);",
            "ALTER TABLE t ALTER a TYPE int USING a::int;",
            "ALTER TABLE t ALTER a TYPE text;",
            "invalid input syntax for type integer",
        ),
        (
            "CREATE TABLE t (a int);",
            "CREATE TABLE t (a int CHECK (a < 0));",
            "ALTER TABLE t ADD CHECK (a < 0);",
            "ALTER TABLE t DROP CONSTRAINT t_a_check;",
            "is violated by some row",
        ),
    ];
    for (old, new, upgrade, downgrade, answer) in cases {
        let refuted = "proof: refuted, the upgrade fails on tables that have rows: ";
        says(old, new, upgrade, downgrade, &[refuted, answer]).await;
        let stated = format!("-- do it\n-- hazard may-fail: fill it\n{upgrade}");
        let held = "equal  (PostgreSQL ";
        let note = "rows: fails on tables that have rows: do it: ";
        says(old, new, &stated, downgrade, &[held, note, answer]).await;
    }
}

#[tokio::test]
async fn lost_rows_and_values_are_refuted_unless_they_are_meant() {
    let old = "CREATE TABLE t (a int, b text);";
    let down = "SELECT 1;";
    let rows = "proof: refuted, the upgrade loses what tables hold: t keeps 0 of 3 rows";
    says(old, old, "DELETE FROM t;", down, &[rows]).await;
    let again = "CREATE TABLE u (a int, b text); DROP TABLE t; ALTER TABLE u RENAME TO t;";
    says(old, old, again, down, &[rows]).await;
    let meant = "-- hazard deletes-data: old rows go\nDELETE FROM t;";
    says(
        old,
        old,
        meant,
        down,
        &["rows: kept in 1 table; t keeps 0 of 3 rows"],
    )
    .await;
    let anew = "ALTER TABLE t DROP b; ALTER TABLE t ADD b text;";
    let values = "proof: refuted, the upgrade loses what tables hold: t.b loses values";
    says(old, old, anew, down, &[values]).await;
    let update = "UPDATE t SET b = upper(b);";
    says(old, old, update, down, &["; t.b changes values"]).await;
    let back = "proof: refuted, the downgrade loses what tables hold: t keeps 0 of 3 rows";
    says(old, old, down, "TRUNCATE t;", &[back]).await;
    let serial = "CREATE SEQUENCE s;";
    let reset = "DROP SEQUENCE s; CREATE SEQUENCE s;";
    says(serial, serial, reset, down, &["sequence s begins anew"]).await;
}

#[tokio::test]
async fn a_table_that_takes_no_row_is_named() {
    let old = "CREATE TABLE never (a int NOT NULL CHECK (a < 1 AND a > 2)); CREATE TABLE child (a int NOT NULL, never text NOT NULL \
               CHECK (never <> never));";
    let new = format!("{old} CREATE TABLE t (a int);");
    let (up, down) = ("CREATE TABLE t (a int);", "DROP TABLE t;");
    let expected = [
        "never was tried empty (new row for relation \"never\" violates check",
        "child was tried empty (",
    ];
    says(old, &new, up, down, &expected).await;
}
