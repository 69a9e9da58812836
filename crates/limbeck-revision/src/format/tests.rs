//! Revision files that are read, written, and refused.

use std::path::Path;

use super::*;
use crate::header::{Checksums, Dependency};
use crate::ids::RevisionId;

/// The layout as people get it.
const FULL: &str = "\
-- Add email to account.
--
-- So that people can be reached.
--
-- revision:      9e3145d88e64
-- revises:       f0e7f3b80a21, 1777278349
-- branch labels: accounts
-- depends on:    dbdbc1b19cf2, records if present
-- replaces:      57a3e8961623, 0c1d2e3f4a5b
-- checksum:      90ab12cd34ef5678, was 12cd34ef567890ab, 0000000000000000
-- created:       2026-11-21 18:09:04 UTC
--
-- review: hazards 1 (1 blocks writes)   proof: upgraded, empty diff, downgraded, equal  (PostgreSQL 15.18)

-- upgrade
-- ------------------------------------------------------------------
-- segment: transaction
-- add column account.email text not null
ALTER TABLE account ADD COLUMN email text NOT NULL;

CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$
-- downgrade
-- segment: whatever
$$;

-- segment: no transaction
-- add index ix_account_email on account (email)
CREATE INDEX CONCURRENTLY ix_account_email ON account (email);

-- downgrade
-- ------------------------------------------------------------------
ALTER TABLE account
    DROP COLUMN email;
";

const EMPTY: &str = "\
-- revision:      1
-- revises:       <base>

-- upgrade
-- ------------------------------------------------------------------
-- Write the SQL of the upgrade here.

-- downgrade
-- ------------------------------------------------------------------
-- Write the SQL of the downgrade here.
";

fn parse(text: &str) -> Result<Revision, RevisionError> {
    Revision::parse(text, Path::new("revisions/1_x.sql"))
}

fn id(text: &str) -> RevisionId {
    RevisionId::new(text).unwrap()
}

/// Reads `text`, writes it, compares; returns what was read.
#[track_caller]
fn check_same(text: &str) -> Revision {
    let revision = parse(text).unwrap();
    assert_eq!(revision.render(), text);
    revision
}

/// Writes `revision`, reads it, compares.
#[track_caller]
fn check_round_trip(revision: &Revision) {
    let text = revision.render();
    assert_eq!(parse(&text).unwrap(), *revision, "by way of\n{text}");
}

#[track_caller]
fn check_error(text: &str, expect: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), expect, "of\n{text}");
}

fn statements(segments: &[Segment]) -> Vec<(usize, String)> {
    let all = segments.iter().flat_map(|it| it.statements().unwrap());
    all.map(|it| {
        (
            it.line,
            it.sql.lines().next().unwrap_or_default().to_owned(),
        )
    })
    .collect()
}

#[test]
fn a_full_file_is_read_and_written_as_it_is() {
    let revision = check_same(FULL);
    check_round_trip(&revision);
    let Header {
        revision: own,
        message,
        revises,
        branch_labels,
        depends_on,
        replaces,
        checksum,
        created,
        review,
    } = &revision.header;
    assert_eq!(own, &id("9e3145d88e64"));
    assert_eq!(
        message,
        "Add email to account.\n\nSo that people can be reached."
    );
    assert_eq!(revises, &[id("f0e7f3b80a21"), id("1777278349")]);
    assert_eq!(branch_labels, &["accounts"]);
    assert_eq!(
        depends_on,
        &[
            Dependency {
                target: "dbdbc1b19cf2".to_owned(),
                if_present: false
            },
            Dependency {
                target: "records".to_owned(),
                if_present: true
            },
        ],
    );
    assert_eq!(replaces, &[id("57a3e8961623"), id("0c1d2e3f4a5b")]);
    let was = [
        "12cd34ef567890abcdef",
        "0000000000000000",
        "12cd34ef567890ab",
    ];
    assert_eq!(checksum, &Some(Checksums::new("90ab12cd34ef5678ff", was)));
    assert_eq!(created.as_deref(), Some("2026-11-21 18:09:04 UTC"));
    assert!(
        review
            .as_deref()
            .unwrap()
            .ends_with("equal  (PostgreSQL 15.18)")
    );
}

#[test]
fn segments_know_their_mode_and_statements_their_line() {
    let revision = check_same(FULL);
    let modes: Vec<_> = revision.upgrade.iter().map(|it| it.mode).collect();
    assert_eq!(
        modes,
        [SegmentMode::Transaction, SegmentMode::NoTransaction]
    );
    let found = statements(&revision.upgrade);
    let lines: Vec<_> = found.iter().map(|it| it.0).collect();
    let expect: Vec<_> = ["ALTER TABLE account ADD", "CREATE FUNCTION", "CREATE INDEX"]
        .map(|start| 1 + FULL.lines().position(|it| it.starts_with(start)).unwrap())
        .into();
    assert_eq!(lines, expect);
    let last = FULL.lines().count() - 1;
    assert_eq!(
        statements(&revision.downgrade),
        [(last, "ALTER TABLE account".to_owned())]
    );
}

#[test]
fn an_empty_revision_says_where_to_write() {
    let revision = check_same(EMPTY);
    assert_eq!(revision, Revision::new(Header::new(id("1"), "")));
    let filled = EMPTY.replace("-- Write the SQL of the upgrade here.", "SELECT 1;");
    assert_eq!(
        statements(&check_same(&filled).upgrade),
        [(6, "SELECT 1".to_owned())]
    );
    let below = EMPTY.replace("the upgrade here.", "the upgrade here.\nSELECT 1;");
    assert_eq!(
        statements(&check_same(&below).upgrade),
        [(7, "SELECT 1".to_owned())]
    );
}

#[test]
fn files_from_other_hands_are_read() {
    let plain = "-- revision: 1\n-- upgrade\nSELECT 1\n-- downgrade";
    let expect = Revision {
        header: Header::new(id("1"), ""),
        upgrade: vec![Segment::new(SegmentMode::Transaction, "SELECT 1")],
        downgrade: Vec::new(),
    };
    let variants = [
        plain.to_owned(),
        format!("\u{feff}{}", plain.replace('\n', "\r\n")),
        plain.replace('\n', "\r\n\r\n"),
        plain.replace("-- ", "--"),
        plain.replace("SELECT", "-- -----\n\n\nSELECT"),
        plain.replace("SELECT", "-- segment: transaction\nSELECT"),
        format!("\n\n{plain}\n"),
        format!("{plain}\n-- ------"),
    ];
    for text in variants {
        let found = parse(&text).unwrap();
        assert_eq!(found, expect, "of {text:?}");
        assert_eq!(found.checksum(), expect.checksum(), "of {text:?}");
    }
}

#[test]
fn lines_are_counted_in_the_file_however_it_begins() {
    let text = "\u{feff}\r\n-- revision: 1\r\n\r\n-- upgrade\r\n\r\n\r\n  SELECT\r\n'a\r\nb';\r\n-- downgrade\r\n";
    let revision = parse(text).unwrap();
    assert_eq!(revision.upgrade[0].line, 7);
    let found = revision.upgrade[0].statements().unwrap();
    assert_eq!(
        found,
        [Statement {
            sql: "SELECT\n'a\nb'".to_owned(),
            line: 7
        }]
    );
}

#[test]
fn any_message_is_read_back() {
    let messages = [
        "",
        "one",
        "revision: 2",
        "\\revises: 3\n\nupgrade\n  downgrade\n\\\\upgrade",
        "upgrade",
        "list:\n  - indented; 'quoted\n-- dashed",
        "größer ✓",
    ];
    for message in messages {
        check_round_trip(&Revision::new(Header::new(id("1"), message)));
    }
    let carriage = Revision::new(Header::new(id("1"), " a\rDROP TABLE b;\r\nc \n"));
    assert_eq!(
        parse(&carriage.render()).unwrap().header.message,
        "a\nDROP TABLE b;\nc"
    );
}

#[test]
fn any_segments_are_read_back() {
    let transaction = |text| Segment::new(SegmentMode::Transaction, text);
    let alone = |text| Segment::new(SegmentMode::NoTransaction, text);
    let cases = [
        vec![],
        vec![transaction("SELECT 1;")],
        vec![alone("VACUUM;")],
        vec![transaction("SELECT 1;"), transaction("SELECT 2;")],
        vec![
            transaction("  SELECT 1;\n\n\n  SELECT 2;"),
            alone("VACUUM"),
            transaction("-- nothing"),
        ],
        vec![alone(""), transaction("")],
    ];
    for upgrade in &cases {
        for downgrade in &cases {
            let header = Header::new(id("1"), "x");
            check_round_trip(&Revision {
                header,
                upgrade: upgrade.clone(),
                downgrade: downgrade.clone(),
            });
        }
    }
}

#[test]
fn the_checksum_is_of_what_runs() {
    let sum = |text: &str| parse(text).unwrap().checksum();
    let full = sum(FULL);
    assert_eq!(full.len(), 64);
    let same = [
        FULL.replace("Add email", "Bring email"),
        FULL.replace("f0e7f3b80a21, ", ""),
        FULL.replace('\n', "\r\n"),
        FULL.replace(";\n", ";  \n"),
        FULL.replace("-- segment: no", "\n\n-- segment: no"),
    ];
    for text in same {
        assert_eq!(sum(&text), full, "of\n{text}");
    }
    let other = [
        FULL.replace("text NOT NULL", "text"),
        FULL.replace("no transaction", "transaction"),
        FULL.replace("    DROP COLUMN email", "    DROP COLUMN mail"),
    ];
    for text in other {
        assert_ne!(sum(&text), full, "of\n{text}");
    }
    let swapped = |(upgrade, downgrade): (&str, &str)| {
        sum(&format!(
            "-- revision: 1\n-- upgrade\n{upgrade}\n-- downgrade\n{downgrade}\n"
        ))
    };
    assert_ne!(swapped(("SELECT 1", "")), swapped(("", "SELECT 1")));
}

#[test]
fn a_bad_header_is_an_error_with_its_line() {
    let file = "revisions/1_x.sql";
    let body = "\n-- upgrade\n-- downgrade\n";
    let cases = [
        (
            "",
            "1_x.sql is not a revision: no `-- revision: ID` in the comment at its top",
        ),
        (
            "-- a dump\n\nSET x = 1;\n-- revision: 1",
            " is not a revision: ",
        ),
        (
            "-- created: x\n-- by: me\n\nSET x = 1;",
            " is not a revision: ",
        ),
        ("-- x\n--\n-- revision:", ":3: `revision:` has no value; "),
        ("-- revision: a b", ":1: revision id \"a b\" contains ' '; "),
        ("-- revision: head", ":1: \"head\" names a place"),
        (
            "-- revision: 1\n-- revision: 2",
            ":2: `revision:` stands twice in the header; ",
        ),
        (
            "-- revision: 1\n-- revises: 2,,3",
            ":2: a revision id cannot be empty; ",
        ),
        (
            "-- revision: 1\n-- revises: <base>, 2",
            ":2: `revises:` names <base> and a revision; ",
        ),
        (
            "-- revision: 1\n-- revise: 2",
            ":2: \"revise: 2\" is no header field (revision, revises, branch labels, ",
        ),
        (
            "-- revision: 1\n-- checksum: 90ab12cd34ef5678",
            ":2: `checksum:` contains \"90ab12cd34ef5678\", which no squash wrote; ",
        ),
        (
            "-- revision: 1\n-- checksum: 90ab12cd34ef5678, was x",
            ":2: `checksum:` contains \"90ab12cd34ef5678, was x\", which no squash wrote; ",
        ),
        (
            "-- revision: 1\n-- replaces: a, ",
            ":2: a revision id cannot be empty; ",
        ),
        (
            "-- revision: 1\n-- branch labels: a b",
            ":2: `branch labels:` contains \"a b\", which is no name; ",
        ),
        (
            "-- revision: 1\n-- depends on: if present",
            ":2: `depends on:` contains \"if present\", which ",
        ),
        (
            "-- revision: 1\nSELECT 1;",
            ":2: SQL before the line `-- upgrade`; ",
        ),
    ];
    for (header, expect) in cases {
        let found = parse(&format!("{header}{body}")).unwrap_err().to_string();
        assert!(
            found.starts_with(file) && found.contains(expect),
            "{header:?}: {found}"
        );
    }
}

#[test]
fn a_bad_body_is_an_error_with_its_line() {
    let file = |text: &str| format!("-- revision: 1\n{text}");
    let at = |rest: &str| format!("revisions/1_x.sql:{rest}");
    check_error(
        "-- revision: 1\n",
        &at(
            "1: no line `-- upgrade` in the file; add it, with the SQL of the upgrade (or nothing) below it",
        ),
    );
    check_error(
        &file("-- upgrade\nSELECT 1;\n"),
        &at(
            "3: no line `-- downgrade` in the file; add it, with the SQL of the downgrade (or nothing) below it",
        ),
    );
    check_error(
        &file("-- downgrade\n-- upgrade\n"),
        &at(
            "2: no line `-- upgrade` in the file; add it, with the SQL of the upgrade (or nothing) below it",
        ),
    );
    for section in ["upgrade", "downgrade"] {
        check_error(
            &file(&format!("-- upgrade\n-- downgrade\n\n-- {section}\n")),
            &at(&format!(
                "5: a second or misplaced line `-- {section}`; a revision has one upgrade, then one downgrade"
            )),
        );
    }
    check_error(
        &file("-- upgrade\n-- segment: alone\n-- downgrade\n"),
        &at(
            "3: unknown segment \"alone\"; write `-- segment: transaction` or `-- segment: no transaction`",
        ),
    );
    check_error(
        &file("-- upgrade\nSELECT 1;\n\nSELECT 'a;\n-- downgrade\n"),
        &at("5: the string that starts here is not closed; add the closing '"),
    );
    check_error(
        &file("-- upgrade\nCREATE TABLE t (\n-- downgrade\n"),
        &at("3: the parenthesis that opens here is not closed; add the closing )"),
    );
    check_error(
        &file("-- upgrade\n-- -----\n-- segment: transaction\n\\i x.sql\n-- downgrade\n"),
        &at("5: \\i is a command to psql, not SQL; remove it"),
    );
    check_error(
        &file("-- upgrade\nCOPY t FROM stdin;\nit's\n\\.\n-- downgrade\n"),
        &at("3: COPY FROM stdin needs psql to send its data; write INSERT statements instead"),
    );
}

/// Whether a database that ran a file with the checksum `applied` has what a file says that a squash noted checksums in.
#[track_caller]
fn check_accepts(applied: &str, now: &str, expect: bool) {
    let mut header = Header::new(id("1"), "");
    header.checksum = Some(Checksums::new("90ab12cd34ef5678ff", ["12cd34ef567890ab"]));
    assert_eq!(header.accepts(applied, now), expect, "{applied} {now}");
}

#[test]
fn a_squashed_file_stands_for_those_from_before_until_it_is_edited() {
    check_accepts("90ab12cd34ef5678ff", "90ab12cd34ef5678ff", true);
    check_accepts("12cd34ef567890ab77", "90ab12cd34ef5678ff", true);
    check_accepts("12cd34ef567890ab77", "ffab12cd34ef5678ff", false);
    check_accepts("90ab12cd34ef5678ff", "ffab12cd34ef5678ff", false);
    check_accepts("77cd34ef567890ab77", "90ab12cd34ef5678ff", false);
    check_accepts("", "90ab12cd34ef5678ff", false);
}

#[test]
fn markers_and_hazards_are_comments_of_their_own_line_alone() {
    let text = "\
-- revision: 1
-- upgrade
-- hazard blocks-writes: outside
  -- hazard may-fail: indented
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f$
BEGIN
-- hazard deletes-data: in a body
-- segment: no transaction
-- downgrade
RETURN 'x';
END $f$;
CREATE FUNCTION g() RETURNS text LANGUAGE sql
BEGIN ATOMIC
-- segment: no transaction
-- hazard deletes-data: in a body without quotes
SELECT 'x
-- hazard deletes-data: in a string
-- downgrade
' \"-- upgrade
-- hazard deletes-data: in a name\";
END; -- hazard deletes-data: behind a statement
SELECT (
-- segment: no transaction
1);
/*
-- hazard deletes-data: in a comment
*/
-- downgrade
";
    let revision = parse(text).unwrap();
    let [segment] = revision.upgrade.as_slice() else {
        panic!("{:?}", revision.upgrade);
    };
    assert_eq!(
        segment.hazards(),
        ["blocks-writes: outside", "may-fail: indented"]
    );
    assert_eq!(statements(&revision.upgrade).len(), 3);
}

#[test]
fn a_carriage_return_ends_a_comment_as_it_does_for_the_server() {
    check_error(
        "-- revision: 1\n-- revises: <base>\rDROP TABLE a;\n-- upgrade\n-- downgrade\n",
        "revisions/1_x.sql:2: SQL before the line `-- upgrade`; move it below that line, or write the line above it",
    );
    let text =
        "-- revision: 1\n-- upgrade\n-- a\r-- segment: no transaction\nVACUUM;\n-- downgrade\n";
    let revision = parse(text).unwrap();
    assert_eq!(
        revision.upgrade.last().map(|it| it.mode),
        Some(SegmentMode::NoTransaction)
    );
}

#[test]
fn a_text_is_terminated_once() {
    let check = |text: &str, expect: &str| {
        let segment = Segment::new(SegmentMode::Transaction, text);
        assert_eq!(segment.terminated(), expect, "of {text:?}");
    };
    check("SELECT 1;", "SELECT 1;");
    check("SELECT 1", "SELECT 1\n;");
    check("SELECT 1 -- a;", "SELECT 1 -- a;\n;");
    check("SELECT 1; -- a", "SELECT 1; -- a");
    check("SELECT 1; /* a; */\n", "SELECT 1; /* a; */");
    check("-- nothing;", "-- nothing;");
    check("SELECT ';'", "SELECT ';'\n;");
}
