//! Several revisions' SQL as that of one: the upgrades one after the other, the downgrades the other way round.

use limbeck_revision::graph::Node;
use limbeck_revision::{Revision, Segment, SegmentMode, Statement};
use limbeck_sql::{Comment, Head, Modifier, excerpt};

use crate::read_back::Expected;

/// How much of a statement a reason shows.
const SHOWN_CHARS: usize = 40;

/// The upgrade and the downgrade of revisions that follow each other, oldest first. A line says where each one's SQL
/// begins. Their segments stay apart, but for transactions that hold nothing but plain definitions: these are as well
/// committed together.
pub(super) fn join(revisions: &[Revision]) -> (Vec<Segment>, Vec<Segment>) {
    let mut upgrade = Joined::default();
    for it in revisions {
        upgrade.add(it, &it.upgrade);
    }
    let mut downgrade = Joined::default();
    for it in revisions.iter().rev() {
        downgrade.add(it, &it.downgrade);
    }
    (upgrade.segments, downgrade.segments)
}

/// The statements that the segments of [`join`] hold, of the upgrade and of the downgrade.
pub(super) fn expected(revisions: &[Revision]) -> [Vec<Expected>; 2] {
    fn each<'r>(all: impl Iterator<Item = (&'r Revision, &'r [Segment])>) -> Vec<Expected> {
        let of_one = |(revision, segments): (&Revision, &[Segment])| {
            let object = format!("revision {}", revision.header.revision);
            let own = segments.iter().flat_map(statements).map(|it| it.sql);
            let resets = resets(segments).into_iter();
            let resets = resets.map(|it| it.trim_end_matches(';').to_owned());
            own.chain(resets)
                .map(|sql| Expected {
                    object: object.clone(),
                    sql,
                })
                .collect::<Vec<_>>()
        };
        all.flat_map(of_one).collect()
    }
    [
        each(revisions.iter().map(|it| (it, it.upgrade.as_slice()))),
        each(
            revisions
                .iter()
                .rev()
                .map(|it| (it, it.downgrade.as_slice())),
        ),
    ]
}

/// What of the revisions is more than definitions, so that no plan could stand for it; none if nothing is.
pub(super) fn beyond_plans(revisions: &[Revision]) -> Option<String> {
    for it in revisions {
        let id = &it.header.revision;
        let segments = it.upgrade.iter().chain(&it.downgrade);
        if segments
            .clone()
            .any(|it| it.mode == SegmentMode::NoTransaction)
        {
            return Some(format!(
                "revision {id} has a segment outside of transactions, which no plan stands for"
            ));
        }
        let mut statements = segments.flat_map(statements);
        if let Some(found) = statements.find(|it| !it.head().is_some_and(|it| is_definition(&it))) {
            return Some(format!(
                "revision {id} has `{}`, which no plan stands for",
                excerpt(&found.sql, SHOWN_CHARS)
            ));
        }
    }
    None
}

/// Segments under construction.
#[derive(Default)]
struct Joined {
    segments: Vec<Segment>,
    /// Whether the last one holds nothing but plain definitions.
    plain: bool,
}

impl Joined {
    fn add(&mut self, revision: &Revision, segments: &[Segment]) {
        let id = &revision.header.revision;
        let title = Node::from(&revision.header).title();
        let comma = if title.is_empty() { "" } else { ", " };
        // The empty line keeps it apart from what is said of the first statement.
        let begin = format!("from revision {id}{comma}{title}");
        let begin = format!("{}\n", Comment::new(&begin));
        for (n, segment) in segments.iter().enumerate() {
            let plain = is_plain(segment);
            let mut text = if n == 0 { begin.clone() } else { String::new() };
            text.push_str(&segment.terminated());
            match self.segments.last_mut() {
                Some(last) if n == 0 && self.plain && plain => {
                    *last = Segment::new(last.mode, &format!("{}\n\n{text}", last.text));
                }
                _ => self.segments.push(Segment::new(segment.mode, &text)),
            }
            self.plain = plain;
        }
        let resets = resets(segments);
        if let (false, Some(last)) = (resets.is_empty(), self.segments.last_mut()) {
            let text = format!(
                "{}\n\n{}{}",
                last.text,
                Comment::new(&format!("the settings of revision {id} end here")),
                resets.join("\n")
            );
            *last = Segment::new(last.mode, &text);
            self.plain = false;
        }
    }
}

/// A revision's settings end with it, so they have to end where its SQL does.
fn resets(segments: &[Segment]) -> Vec<&'static str> {
    let mut acc = Vec::new();
    let mut add = |sql| {
        if !acc.contains(&sql) {
            acc.push(sql);
        }
    };
    for it in segments.iter().flat_map(statements) {
        let Some(head) = it.head() else { continue };
        match (head.setting().as_deref(), head.has(Modifier::Local)) {
            (Some(_), true) => {}
            (Some("role"), false) => add("RESET ROLE;"),
            (Some("session_authorization"), false) => add("RESET SESSION AUTHORIZATION;"),
            (Some(_), false) => add("RESET ALL;"),
            (None, _) if head.is("SET", "SESSION CHARACTERISTICS") => add("RESET ALL;"),
            _ if head
                .tokens()
                .iter()
                .any(|it| it.ident().as_deref() == Some("set_config")) =>
            {
                add("RESET ALL;");
            }
            _ => {}
        }
    }
    acc
}

/// Whether a segment is a transaction of plain definitions: nothing in it leaves events or settings behind for the
/// rest of the transaction, or has to be committed before it is used.
fn is_plain(segment: &Segment) -> bool {
    let plain = |it: &Statement| {
        it.head().is_some_and(|head| {
            let adds_value = head.is("ALTER", "TYPE") && head.rest().is_at("ADD VALUE");
            is_definition(&head) && !adds_value && !head.has(Modifier::Temporary)
        })
    };
    segment.mode == SegmentMode::Transaction && statements(segment).iter().all(plain)
}

fn is_definition(head: &Head<'_>) -> bool {
    matches!(head.verb.as_str(), "CREATE" | "ALTER" | "DROP" | "COMMENT")
}

/// The statements; a file that was read has been split before.
fn statements(segment: &Segment) -> Vec<Statement> {
    segment.statements().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Revisions `a`, `b` and so on, of an upgrade and a downgrade each.
    fn revisions(bodies: &[(&str, &str)]) -> Vec<Revision> {
        let each = bodies.iter().zip('a'..).map(|((up, down), id)| {
            let text =
                format!("-- Do {id}\n-- revision: {id}\n-- upgrade\n{up}\n-- downgrade\n{down}\n");
            Revision::parse(&text, Path::new("x.sql")).unwrap()
        });
        each.collect()
    }

    /// Joins revisions; `expect` are the upgrade's segments and the downgrade's, `!` before those outside of
    /// transactions, without empty lines.
    #[track_caller]
    fn check(bodies: &[(&str, &str)], upgrade: &[&str], downgrade: &[&str]) {
        let (up, down) = join(&revisions(bodies));
        for (found, expect) in [(up, upgrade), (down, downgrade)] {
            let found: Vec<_> = found
                .iter()
                .map(|it| {
                    let outside = if it.mode == SegmentMode::NoTransaction {
                        "!"
                    } else {
                        ""
                    };
                    format!("{outside}{}", it.text.replace("\n\n", "\n"))
                })
                .collect();
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn definitions_become_one_transaction() {
        check(
            &[
                ("CREATE TABLE x ();", "DROP TABLE x"),
                ("", "DROP TABLE nothing;"),
                (
                    "-- more\nALTER TABLE x ADD a int",
                    "ALTER TABLE x DROP a -- it;",
                ),
            ],
            &[
                "-- from revision a, Do a\nCREATE TABLE x ();\n-- from revision c, Do c\n-- more\nALTER TABLE x ADD a int\n;",
            ],
            &[
                "-- from revision c, Do c\nALTER TABLE x DROP a -- it;\n;\n-- from revision b, Do b\nDROP TABLE nothing;\n-- from revision a, Do a\nDROP TABLE x\n;",
            ],
        );
    }

    #[test]
    fn what_is_more_than_a_definition_keeps_its_segment() {
        check(
            &[
                ("CREATE TABLE x ();", ""),
                ("INSERT INTO x DEFAULT VALUES;", ""),
                ("ALTER TABLE x ADD a int;", ""),
                ("ALTER TYPE e ADD VALUE 'v';", ""),
                ("CREATE TABLE y (e e DEFAULT 'v');", ""),
                ("CREATE TEMP TABLE z ();", ""),
                (
                    "-- segment: no transaction\nCREATE INDEX CONCURRENTLY i ON x (a);",
                    "",
                ),
            ],
            &[
                "-- from revision a, Do a\nCREATE TABLE x ();",
                "-- from revision b, Do b\nINSERT INTO x DEFAULT VALUES;",
                "-- from revision c, Do c\nALTER TABLE x ADD a int;",
                "-- from revision d, Do d\nALTER TYPE e ADD VALUE 'v';",
                "-- from revision e, Do e\nCREATE TABLE y (e e DEFAULT 'v');",
                "-- from revision f, Do f\nCREATE TEMP TABLE z ();",
                "!-- from revision g, Do g\nCREATE INDEX CONCURRENTLY i ON x (a);",
            ],
            &[],
        );
    }

    #[test]
    fn settings_end_with_their_revision() {
        check(
            &[
                (
                    "SET search_path = s;\nSET LOCAL work_mem = '1MB';\nCREATE TABLE x ();",
                    "",
                ),
                ("SET ROLE r;\nSELECT set_config('a.b', '', false);", ""),
            ],
            &[
                "-- from revision a, Do a\nSET search_path = s;\nSET LOCAL work_mem = '1MB';\nCREATE TABLE x ();\n-- the settings of revision a end here\nRESET ALL;",
                "-- from revision b, Do b\nSET ROLE r;\nSELECT set_config('a.b', '', false);\n-- the settings of revision b end here\nRESET ROLE;\nRESET ALL;",
            ],
            &[],
        );
    }

    /// Asks what no plan stands for; empty for nothing.
    #[track_caller]
    fn check_beyond(up: &str, down: &str, expect: &str) {
        let found = beyond_plans(&revisions(&[("CREATE TABLE x ();", ""), (up, down)]));
        assert_eq!(found.unwrap_or_default(), expect);
    }

    #[test]
    fn plans_stand_for_definitions_alone() {
        check_beyond("ALTER TABLE x ADD a int;", "DROP TABLE x;", "");
        check_beyond("/* a */ COMMENT ON TABLE x IS 'y';", "", "");
        check_beyond(
            "-- segment: no transaction\nCREATE INDEX CONCURRENTLY i ON x (a);",
            "",
            "revision b has a segment outside of transactions, which no plan stands for",
        );
        let why = "revision b has `UPDATE x SET a = 1`, which no plan stands for";
        check_beyond(
            "update x set a = 1;",
            "",
            &why.replace("UPDATE", "update").replace("SET", "set"),
        );
        check_beyond("", "UPDATE x\n  SET a = 1;", why);
        for sql in [
            "DO $$BEGIN END$$",
            "TRUNCATE x",
            "SELECT 1",
            "GRANT SELECT ON x TO public",
            "WITH y AS (SELECT 1) SELECT 1",
        ] {
            let cut = sql.len().min(SHOWN_CHARS);
            let why = format!("revision b has `{}`, which no plan stands for", &sql[..cut]);
            check_beyond(sql, "", &why);
        }
    }
}
