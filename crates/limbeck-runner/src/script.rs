//! The SQL of a run as a script, for people who run it themselves.

use std::fmt::Write as _;

use limbeck_revision::graph::Step;
use limbeck_revision::{RevisionId, SegmentMode};
use limbeck_sql::Comment;

use crate::error::RunnerError;
use crate::history::History;
use crate::options::{RunnerOptions, Transactions};
use crate::tables::Tables;
use crate::work::{segments, work};

/// The script of `steps`, which start from the version rows `rows`; from none, it creates the version table. It commits
/// what a run with these options commits together, and the version rows move with the revision's last segment. It writes
/// no log.
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
    for step in steps {
        let it = work(history, step)?;
        it.check_control()?;
        let revision = history.read(&step.revision)?;
        writer.add(Comment::new(&it.running().line()).to_string().trim_end());
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
            writer.add(&segment.terminated());
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

/// A script under construction.
#[derive(Default)]
struct Writer {
    out: String,
    /// Whether a transaction is open.
    open: bool,
    /// What creates the version table, until it is written.
    create: Option<String>,
}

impl Writer {
    /// Opens a transaction unless one is open.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.open, true) {
            self.add("BEGIN;");
        }
        self.add_create();
    }

    fn commit(&mut self) {
        if std::mem::take(&mut self.open) {
            self.add("COMMIT;");
        }
    }

    /// Leaves transactions for what runs outside of them.
    fn leave(&mut self) {
        self.commit();
        self.add_create();
    }

    fn add_create(&mut self) {
        if let Some(it) = self.create.take() {
            self.add(&it);
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
