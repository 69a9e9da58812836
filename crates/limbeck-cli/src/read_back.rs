//! Reading back: SQL that was put together is read as whoever runs it will read it, and has to hold the statements that it
//! was made of, and no others.
//!
//! Names, comments and messages of a database are in the text. Each is quoted where it stands; this is the second lock,
//! for the day on which one of them is not.

use std::path::Path;

use limbeck_plan::Plan;
use limbeck_revision::{Revision, Segment, split};

use crate::error::{CliError, one_line};

/// A statement that a text should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// What it is about, for the message.
    pub object: String,
    /// The statement.
    pub sql: String,
}

impl Expected {
    /// A statement that belongs to no object.
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        let sql = sql.into();
        Self {
            object: format!("the statement `{}`", one_line(&sql)),
            sql,
        }
    }
}

/// The statements of a plan, each as `write` puts it into a file.
pub(crate) fn planned(plan: &Plan, write: impl Fn(&str) -> String) -> Vec<Expected> {
    let steps = plan.segments.iter().flat_map(|it| &it.steps);
    let each = steps.flat_map(|step| {
        step.statements.iter().map(|it| Expected {
            object: step.key.to_string(),
            sql: write(&it.sql),
        })
    });
    each.collect()
}

/// Reads a script back.
///
/// # Errors
/// [`CliError::NotReadBack`] with the object at which what is read differs from what was written.
pub(crate) fn check_script(what: &str, text: &str, expected: &[Expected]) -> Result<(), CliError> {
    let found = split(text).map_err(|error| unreadable(what, expected, &error.to_string()))?;
    let found: Vec<String> = found.into_iter().map(|it| it.sql).collect();
    compare(what, &found, expected)
}

/// Reads a new revision back from its text; gives what was read, which is what may be run.
///
/// # Errors
/// [`CliError::NotReadBack`] as for [`check_script`], with the statements of both directions.
pub(crate) fn check_revision(
    file: &Revision,
    path: &Path,
    upgrade: &[Expected],
    downgrade: &[Expected],
) -> Result<Revision, CliError> {
    let fail = |expected: &[Expected], problem: &str| unreadable("the revision", expected, problem);
    let read =
        Revision::parse(&file.render(), path).map_err(|error| fail(upgrade, &error.to_string()))?;
    let directions = [
        (&file.upgrade, &read.upgrade, upgrade),
        (&file.downgrade, &read.downgrade, downgrade),
    ];
    for (written, read, expected) in directions {
        let found = statements(read).map_err(|problem| fail(expected, &problem))?;
        compare("the revision", &found, expected)?;
        let modes = |all: &[Segment]| all.iter().map(|it| it.mode).collect::<Vec<_>>();
        if modes(written) != modes(read) {
            return Err(fail(expected, "it is cut into other segments"));
        }
    }
    Ok(read)
}

fn statements(segments: &[Segment]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for it in segments {
        let found = it.statements().map_err(|error| error.to_string())?;
        all.extend(found.into_iter().map(|it| it.sql));
    }
    Ok(all)
}

fn compare(what: &str, found: &[String], expected: &[Expected]) -> Result<(), CliError> {
    let differs = |at: &usize| found.get(*at) != expected.get(*at).map(|it| &it.sql);
    let Some(at) = (0..found.len().max(expected.len())).find(differs) else {
        return Ok(());
    };
    let instead = found.get(at).map_or_else(
        || "it ends before".to_owned(),
        |it| format!("it has `{}`", one_line(it)),
    );
    Err(CliError::NotReadBack {
        what: what.to_owned(),
        object: expected
            .get(at)
            .or(expected.last())
            .map_or_else(String::new, |it| it.object.clone()),
        problem: instead,
    })
}

fn unreadable(what: &str, expected: &[Expected], problem: &str) -> CliError {
    CliError::NotReadBack {
        what: what.to_owned(),
        object: expected
            .first()
            .map_or_else(String::new, |it| it.object.clone()),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use limbeck_revision::{Header, RevisionId, SegmentMode};

    use super::*;

    const EXPECTED: &[&str] = &["SELECT 1", "DROP TABLE b"];

    fn expected() -> Vec<Expected> {
        let each = EXPECTED.iter().zip(["table a", "table b"]);
        let each = each.map(|(sql, object)| Expected {
            object: object.to_owned(),
            sql: (*sql).to_owned(),
        });
        each.collect()
    }

    /// Reads a script back; empty if it holds what was expected.
    #[track_caller]
    fn check(text: &str, problem: &str) {
        let found = check_script("the script", text, &expected());
        assert_eq!(
            found.err().map_or_else(String::new, |it| it.line()),
            problem
        );
    }

    #[test]
    fn a_script_holds_what_it_was_made_of_and_nothing_else() {
        check("-- a\nSELECT 1;\n\nDROP TABLE b;\n", "");
        let remedy = "; nothing was run. Rename the object, or report this as a bug";
        check(
            "-- a\rALTER ROLE x;\nSELECT 1;\nDROP TABLE b;",
            &format!(
                "the script would not be read as it was written, at table a: it has `ALTER ROLE x`{remedy}"
            ),
        );
        check(
            "SELECT 1;",
            &format!(
                "the script would not be read as it was written, at table b: it ends before{remedy}"
            ),
        );
        check(
            "SELECT 1; DROP TABLE b; DROP TABLE c",
            &format!(
                "the script would not be read as it was written, at table b: it has `DROP TABLE c`{remedy}"
            ),
        );
    }

    #[test]
    fn a_revision_is_what_is_read_of_it() {
        let mut file = Revision::new(Header::new(RevisionId::new("a1").unwrap(), "x"));
        let segment = |text: &str| Segment::new(SegmentMode::Transaction, text);
        file.upgrade = vec![segment("-- t\nSELECT 1;\nDROP TABLE b;")];
        let path = Path::new("the new file");
        assert_eq!(check_revision(&file, path, &expected(), &[]).unwrap(), file);
        file.upgrade = vec![segment(
            "SELECT 1;\n-- segment: no transaction\nDROP TABLE b;",
        )];
        let error = check_revision(&file, path, &expected(), &[]).unwrap_err();
        assert!(
            error.line().contains("it is cut into other segments"),
            "{error}"
        );
    }
}
