//! The SQL of a run as a script, for people who run it themselves.

use std::fmt::Write as _;

use limbeck_revision::graph::Step;
use limbeck_revision::{RevisionId, SegmentMode};

use crate::error::RunnerError;
use crate::history::History;
use crate::options::RunnerOptions;
use crate::progress::Event;
use crate::tables::Tables;
use crate::work::{segments, work};

/// The script of `steps`, which start from the version rows `rows`; from none, it creates the version table. Each
/// segment is a transaction of its own, and the version rows move with the last one, as in a run. It writes no log.
///
/// # Errors
/// If a file cannot be read, or begins or ends a transaction itself.
pub fn script(
    history: &History,
    steps: &[Step],
    rows: &[RevisionId],
    options: &RunnerOptions,
) -> Result<String, RunnerError> {
    let tables = Tables::new(options, None);
    let mut out = String::new();
    for (at, step) in steps.iter().enumerate() {
        let it = work(history, step)?;
        it.check_control()?;
        let revision = history.read(&step.revision)?;
        let Step {
            revision: id,
            direction,
            from,
            to,
            ..
        } = step;
        let running = Event::Running {
            direction: *direction,
            revision: id,
            from,
            to,
            doc: &it.doc,
        };
        add(&mut out, &format!("-- {}", running.line()));
        let create = (at == 0 && rows.is_empty()).then(|| format!("{};", tables.create_version()));
        let changes: Vec<_> = tables
            .changes(step)
            .into_iter()
            .map(|it| format!("{};", it.sql))
            .collect();
        let segments = segments(&revision, *direction);
        let mut first = create;
        for (n, segment) in segments.iter().enumerate() {
            match segment.mode {
                SegmentMode::Transaction => {
                    add(&mut out, "BEGIN;");
                    add(&mut out, first.take().as_deref().unwrap_or_default());
                    add(&mut out, &terminated(&segment.text));
                    // The last segment's transaction is left open for the version rows.
                    if n + 1 < segments.len() {
                        add(&mut out, "COMMIT;");
                    }
                }
                SegmentMode::NoTransaction => {
                    add(&mut out, first.take().as_deref().unwrap_or_default());
                    add(&mut out, &terminated(&segment.text));
                }
            }
        }
        if segments
            .last()
            .is_none_or(|it| it.mode == SegmentMode::NoTransaction)
        {
            add(&mut out, "BEGIN;");
            add(&mut out, first.take().as_deref().unwrap_or_default());
        }
        for change in changes {
            add(&mut out, &change);
        }
        add(&mut out, "COMMIT;");
    }
    Ok(out)
}

/// The script that creates the version table.
#[must_use]
pub fn version_table_script(options: &RunnerOptions) -> String {
    format!("{};\n", Tables::new(options, None).create_version())
}

fn add(out: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    let gap = if out.is_empty() { "" } else { "\n" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{gap}{text}");
}

/// The text with its last statement ended: a file may leave out the last semicolon, a script may not.
fn terminated(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(';') {
        text.to_owned()
    } else {
        format!("{text}\n;")
    }
}
