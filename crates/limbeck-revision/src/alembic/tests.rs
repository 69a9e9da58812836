//! Headers and scripts as Alembic and people write them.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::format::{Segment, SegmentMode};
use crate::graph::Direction;
use crate::header::Dependency;
use crate::ids::RevisionId;

fn parse(text: &str) -> Result<AlembicFile, String> {
    AlembicFile::parse(text, Path::new("v/a.py"), &BTreeMap::new()).map_err(|it| it.to_string())
}

/// A file's header as Limbeck writes it.
fn check(text: &str, expected: &str) {
    let rendered = parse(text).unwrap().header.render();
    assert_eq!(rendered.trim_end(), expected.trim(), "{text}");
}

fn check_fault(text: &str, expected: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn headers_of_alembics_templates_are_read() {
    check(
        "\"\"\"Add email\n\nMore of it.\n\nRevision ID: 9e31\nRevises: f0e7\nCreate Date: 2024-03-01 12:30:00.123456\n\n\"\"\"\n\
         from typing import Sequence, Union\n\nfrom alembic import op\n\n\
         revision: str = '9e31'\ndown_revision: Union[str, Sequence[str], None] = 'f0e7'\n\
         branch_labels: Union[str, Sequence[str], None] = None\ndepends_on = None\n\ndef upgrade() -> None:\n    pass\n",
        "-- Add email\n--\n-- More of it.\n--\n-- revision:      9e31\n-- revises:       f0e7\n\
         -- created:       2024-03-01 12:30:00.123456",
    );
    let file =
        parse("\"\"\"a\nCreate Date: 2024-03-01 12:30:00.123456\n\"\"\"\nrevision = 'a'").unwrap();
    assert_eq!(
        file.created.unwrap().to_string(),
        "2024-03-01T12:30:00.123456Z"
    );
}

#[test]
fn literals_come_in_every_form() {
    check(
        "# comment \"\"\"\nrevision = (\n  'ab'  # first\n  \"cd\"\n)\ndown_revision = ('x', \"y\",)\nbranch_labels = ['l', r'm']\n\
         depends_on = \"n\", 'o'\nif True:\n    depends_on = later()\n",
        "-- revision:      abcd\n-- revises:       x, y\n-- branch labels: l, m\n-- depends on:    n, o",
    );
    check(
        "revision = u'a'\ndown_revision = ''\nbranch_labels = ()\ndepends_on = \"\"\nrevision_note == 'b'\n",
        "-- revision:      a\n-- revises:       <base>",
    );
    check(
        "revision = 'a'; \nrevision = \\\n  'b'\ndepends_on = {'x'}\n",
        "-- revision:      b\n-- revises:       <base>\n-- depends on:    x",
    );
}

#[test]
fn what_python_would_compute_is_refused() {
    check_fault(
        "revision = 'a'\ndepends_on = resolved\n",
        "v/a.py:2: depends_on is computed when Python loads the file",
    );
    check_fault(
        "revision = 'a'\n\ndepends_on = resolved\n",
        "--depends-on \"a=REV, REV if present\"",
    );
    check_fault("revision = f'{x}'", "v/a.py:1: revision is computed");
    check_fault(
        "revision = 'a'\ndown_revision = ['b'] + more",
        "v/a.py:2: down_revision is computed",
    );
    check_fault("def upgrade(): pass", "is not a revision of Alembic's");
    check_fault("revision = 'a\n", "v/a.py:1: the string that starts here");
    check_fault(
        "\nrevision = ('a'\n",
        "v/a.py:2: the bracket that opens here",
    );
    check_fault("revision = 'a b'", "v/a.py:1: revision id \"a b\"");
    let given = vec![Dependency {
        target: "x".to_owned(),
        if_present: true,
    }];
    let overrides = BTreeMap::from([("a".to_owned(), given.clone())]);
    let file = AlembicFile::parse(
        "revision = 'a'
depends_on = resolved",
        Path::new("a.py"),
        &overrides,
    );
    assert_eq!(file.unwrap().header.depends_on, given);
}

#[test]
fn bodies_that_do_nothing_or_look_are_told_apart() {
    let file = parse(
        "revision = 'a'\ndef upgrade():\n    '''Nothing'''\n    # really\n    pass\n\ndef downgrade() -> None:\n    op.drop_table('x')\n    bind = op.get_bind()\n\nx = inspect\n",
    )
    .unwrap();
    assert_eq!(
        (file.upgrade.empty, file.downgrade.empty, file.upgrade.looks),
        (true, false, None)
    );
    assert_eq!(file.downgrade.looks, Some(("get_bind".to_owned(), 9)));
    let file = parse("revision = 'a'\ndef upgrade(a: int = {}): pass\n").unwrap();
    assert!(file.upgrade.empty && file.downgrade.empty);
}

#[test]
fn scripts_are_cut_into_revisions() {
    let mut sql = AlembicSql::default();
    let script = "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL\n);\n\n\
        -- Running upgrade  -> a1\n\nCREATE TABLE t (x int);\n\nSELECT '\n-- Running upgrade x -> y\n';\n\n\
        INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;\n\n\
        -- Running upgrade a1, a0 -> a2\n\nCOMMIT;\n\nCREATE INDEX CONCURRENTLY i ON t (x);\n\nBEGIN;\n\n\
        UPDATE t SET x = 1;\n\nUPDATE alembic_version SET version_num='a2' WHERE alembic_version.version_num = 'a1';\n\nCOMMIT;\n\n\
        -- Running upgrade a2 -> a3\n\nDELETE FROM \"admin\".\"alembic_version\" WHERE true;\n";
    sql.add(script, "up.sql", Completeness::Whole, &["alembic_version"])
        .unwrap();
    let get = |id: &str| sql.get(Direction::Upgrade, &RevisionId::new(id).unwrap());
    let segment = |mode, text: &str| Segment::new(mode, text);
    assert_eq!(
        get("a1").unwrap(),
        [segment(
            SegmentMode::Transaction,
            "CREATE TABLE t (x int);\n\nSELECT '\n-- Running upgrade x -> y\n';"
        )]
    );
    assert_eq!(
        get("a2").unwrap(),
        [
            segment(
                SegmentMode::NoTransaction,
                "CREATE INDEX CONCURRENTLY i ON t (x);"
            ),
            segment(SegmentMode::Transaction, "UPDATE t SET x = 1;")
        ]
    );
    assert_eq!((get("a3"), get("y")), (Some(&[][..]), None));
    assert_eq!(sql.n_outside, 0);
}

#[test]
fn a_broken_script_loses_its_last_revision_only() {
    let mut sql = AlembicSql::default();
    let script = "SET search_path = x;\n-- Running downgrade b -> a\nDROP TABLE b;\n-- Running downgrade a -> \nDROP TABLE 'a";
    sql.add(script, "down.sql", Completeness::Broken, &[])
        .unwrap();
    let has = |id: &str| {
        sql.get(Direction::Downgrade, &RevisionId::new(id).unwrap())
            .is_some()
    };
    assert_eq!((has("b"), has("a"), sql.n_outside), (true, false, 1));
    let error = sql
        .add(script, "down.sql", Completeness::Whole, &[])
        .unwrap_err();
    assert!(
        error.to_string().starts_with("down.sql:5: the string"),
        "{error}"
    );
    let other = "-- Running downgrade b -> a\nDROP TABLE c;\n";
    let error = sql
        .add(other, "two.sql", Completeness::Whole, &[])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("two.sql:1: revision b has other SQL"),
        "{error}"
    );
}
