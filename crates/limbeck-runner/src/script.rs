//! The SQL of a run as a script, for people who run it themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use limbeck_revision::graph::{Direction, RevisionGraph, Step};
use limbeck_revision::{RevisionId, SegmentMode};
use limbeck_schema::Literal;
use limbeck_sql::Comment;

use crate::error::{RunnerError, word};
use crate::history::History;
use crate::options::{RunnerOptions, Transactions};
use crate::tables::Tables;
use crate::work::{segments, work};

/// Has psql stop at the first error. A line of its own, which other programs are not given.
const STOP: &str = "\\set ON_ERROR_STOP on";

/// Notes the settings that the script is started with.
const NOTE: &str = "DO $limbeck$
BEGIN
    PERFORM pg_catalog.set_config('limbeck.user', pg_catalog.current_setting('session_authorization'), false),
        pg_catalog.set_config('limbeck.role', pg_catalog.current_setting('role'), false),
        pg_catalog.set_config('limbeck.search_path', pg_catalog.current_setting('search_path'), false);
END
$limbeck$;";

/// Brings those settings back, as a run does after each segment.
const RESET: &str = "DO $limbeck$
DECLARE
    this_user pg_catalog.text := pg_catalog.current_setting('limbeck.user');
    this_role pg_catalog.text := pg_catalog.current_setting('limbeck.role');
    this_path pg_catalog.text := pg_catalog.current_setting('limbeck.search_path');
BEGIN
    RESET ALL;
    PERFORM pg_catalog.set_config('session_authorization', this_user, false),
        pg_catalog.set_config('role', this_role, false),
        pg_catalog.set_config('search_path', this_path, false),
        pg_catalog.set_config('limbeck.user', this_user, false),
        pg_catalog.set_config('limbeck.role', this_role, false),
        pg_catalog.set_config('limbeck.search_path', this_path, false);
END
$limbeck$;";

/// The script of `steps`, for psql; from no rows, it creates the version table. It commits what a run with these options
/// commits together, and the version rows move with the revision's last segment. It stops at the first error, and before
/// a revision that the version rows do not lead to; the settings of a revision end with its segments. It writes no log.
///
/// # Errors
/// If a file cannot be read, begins or ends a transaction itself, or has a segment outside of transactions where the
/// options ask for one transaction.
pub fn script(
    history: &History,
    steps: &[Step],
    rows: &[RevisionId],
    options: &RunnerOptions,
) -> Result<String, RunnerError> {
    let tables = Tables::new(options, None);
    let mut writer = Writer {
        create: rows
            .is_empty()
            .then(|| format!("{};", tables.create_version())),
        ..Writer::default()
    };
    let by_segment = options.transaction == Transactions::Segment;
    if !steps.is_empty() {
        writer.add(STOP);
        writer.add(NOTE);
    }
    for step in steps {
        let it = work(history, step)?;
        it.check_control()?;
        let revision = history.read(&step.revision)?;
        writer.add(Comment::new(&it.running().line()).to_string().trim_end());
        writer.guard = Some(guard(&history.graph, step, rows, &tables));
        for segment in segments(&revision, step.direction) {
            match segment.mode {
                SegmentMode::Transaction => {
                    // The transaction of a revision's last segment stays open for its version rows.
                    if by_segment {
                        writer.commit();
                    }
                    writer.begin();
                }
                SegmentMode::NoTransaction if by_segment => writer.leave(),
                SegmentMode::NoTransaction => return Err(it.cannot_join()),
            }
            let text = segment.terminated();
            writer.add(&text);
            if !text.is_empty() {
                for line in left_in_session(&segment.text) {
                    writer.add(line);
                }
                writer.add(RESET);
            }
        }
        writer.begin();
        for change in tables.changes(step) {
            writer.add(&format!("{};", change.sql));
        }
        if options.transaction != Transactions::Run {
            writer.commit();
        }
    }
    writer.commit();
    Ok(writer.out)
}

/// The statements that end what a segment leaves in the session beside settings.
fn left_in_session(text: &str) -> Vec<&'static str> {
    let Ok(statements) = limbeck_sql::split(text) else {
        return Vec::new();
    };
    let heads: Vec<_> = statements
        .iter()
        .filter_map(|it| limbeck_sql::Head::of(&it.sql))
        .collect();
    let has = |verb: &str| heads.iter().any(|it| it.verb == verb);
    let temporary = heads
        .iter()
        .any(|it| it.has(limbeck_sql::Modifier::Temporary));
    let all = [
        (has("PREPARE"), "DEALLOCATE ALL;"),
        (has("LISTEN"), "UNLISTEN *;"),
        (has("DECLARE"), "CLOSE ALL;"),
        (temporary, "DISCARD TEMP;"),
    ];
    all.into_iter()
        .filter_map(|(is_left, sql)| is_left.then_some(sql))
        .collect()
}

/// The statement that stops the script before a step that the version rows do not lead to: because the script was made
/// for another database, or was run before.
fn guard(graph: &RevisionGraph, step: &Step, rows: &[RevisionId], tables: &Tables) -> String {
    let list = |ids: &[&RevisionId]| {
        let ids = ids.iter().map(|it| Literal(it.as_str()).to_string());
        format!(
            "ARRAY[{}]::pg_catalog.text[]",
            ids.collect::<Vec<_>>().join(", ")
        )
    };
    let updated = step.update.iter().map(|(old, _)| old);
    let needed: Vec<&RevisionId> = step.delete.iter().chain(updated).collect();
    let is_linear = graph.heads().len() < 2 && graph.bases().len() < 2;
    let counted = |condition: &str| {
        let condition = match condition {
            "" => String::new(),
            it => format!(" WHERE {it}"),
        };
        format!(
            "(SELECT pg_catalog.count(*) FROM {}{condition})",
            tables.version
        )
    };
    let is_one_of = |ids: &[&RevisionId]| {
        format!(
            "version_num::pg_catalog.text OPERATOR(pg_catalog.=) ANY ({})",
            list(ids)
        )
    };
    let mut wrong = Vec::new();
    if !needed.is_empty() {
        wrong.push(format!(
            "{} OPERATOR(pg_catalog.<>) {}",
            counted(&is_one_of(&needed)),
            needed.len()
        ));
    }
    if step.direction == Direction::Upgrade && !step.insert.is_empty() {
        let later = descendants(graph, &step.revision);
        let there = match is_linear && rows.is_empty() && needed.is_empty() {
            true => counted(""),
            false => counted(&is_one_of(&later)),
        };
        wrong.push(format!("{there} OPERATOR(pg_catalog.<>) 0"));
    }
    if wrong.is_empty() {
        return String::new();
    }
    let at = match needed.as_slice() {
        [] => "before it".to_owned(),
        ids => {
            let ids: Vec<_> = ids.iter().map(|it| it.as_str()).collect();
            format!("at {}", ids.join(", "))
        }
    };
    let message = format!(
        "this script goes on with the {} of revision {}, and the database is not {at}; nothing more is run: see limbeck \
         current",
        word(step.direction),
        step.revision
    );
    format!(
        "DO $limbeck$\nBEGIN\n    IF {} THEN\n        RAISE EXCEPTION USING MESSAGE = {};\n    END IF;\nEND\n$limbeck$;",
        wrong.join("\n        OR "),
        Literal(&message)
    )
}

/// A revision and all that follow it.
fn descendants<'g>(graph: &'g RevisionGraph, first: &'g RevisionId) -> Vec<&'g RevisionId> {
    let mut followers: BTreeMap<&RevisionId, Vec<&RevisionId>> = BTreeMap::new();
    for node in graph.nodes() {
        for down in &node.down {
            followers.entry(down).or_default().push(&node.id);
        }
    }
    let (mut found, mut todo) = (BTreeSet::from([first]), vec![first]);
    while let Some(id) = todo.pop() {
        for next in followers.get(id).into_iter().flatten() {
            if found.insert(next) {
                todo.push(next);
            }
        }
    }
    found.into_iter().collect()
}

/// A script under construction.
#[derive(Default)]
struct Writer {
    out: String,
    /// Whether a transaction is open.
    open: bool,
    /// What creates the version table, until it is written.
    create: Option<String>,
    /// The check of the version rows for the revision, until it is written.
    guard: Option<String>,
}

impl Writer {
    /// Opens a transaction unless one is open.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.open, true) {
            self.add("BEGIN;");
        }
        self.add_first();
    }

    fn commit(&mut self) {
        if std::mem::take(&mut self.open) {
            self.add("COMMIT;");
        }
    }

    /// Leaves transactions for what runs outside of them.
    fn leave(&mut self) {
        self.commit();
        self.add_first();
    }

    fn add_first(&mut self) {
        for it in [self.create.take(), self.guard.take()] {
            self.add(&it.unwrap_or_default());
        }
    }

    fn add(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let gap = if self.out.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{gap}{text}");
    }
}

/// The script that creates the version table.
#[must_use]
pub fn version_table_script(options: &RunnerOptions) -> String {
    format!("{};\n", Tables::new(options, None).create_version())
}
