//! What a run can be told: names of its own tables, and how long it waits for locks.

use std::time::Duration;

use limbeck_schema::Name;

/// The name of Limbeck's own version table.
pub const VERSION_TABLE: &str = "limbeck_version";

/// The name of the log table.
pub const LOG_TABLE: &str = "limbeck_log";

/// How a [`Runner`](crate::Runner) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerOptions {
    /// The version table; without a schema it stands in `current_schema()`. An existing `alembic_version`
    /// (`version_num varchar(32)`) is used as it is.
    pub version_table: Name,
    /// The log table; without a schema it stands beside the version table.
    pub log_table: Name,
    /// `lock_timeout` for every statement of a revision; `None` leaves the server's setting alone.
    pub lock_timeout: Option<Duration>,
    /// How often a transaction is tried when a lock is not to be had in time; at least once. Outside of transactions
    /// statements are tried as often, but for those that may have committed a part and leave no trace in the catalog, as
    /// `CALL` and `DO` with a `COMMIT` in them.
    pub lock_tries: u32,
    /// The pause after the first try, doubled after each further one and cut to half at random, so that runs that
    /// wait for each other do not meet again. Never longer than [`LONGEST_PAUSE`].
    pub first_pause: Duration,
    /// How long a run waits for another one to give the lock back; `None` waits as long as it takes, zero not at all.
    pub lock_wait: Option<Duration>,
    /// What became of a statement outside a transaction during which an earlier run was broken off, where only people can
    /// tell.
    pub resume: Option<Answer>,
    /// What is committed together.
    pub transaction: Transactions,
    /// Whether a revision whose SQL says `-- hazard` is refused in the direction in which it says so.
    pub refuse_hazards: bool,
}

/// What became of a statement that was under way when a run was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done: the run goes on after it.
    Done,
    /// It was not done, or it may be repeated: the run goes on with it.
    Again,
    /// It is to be left out: the run goes on after it.
    Skip,
}

/// What a run commits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transactions {
    /// Each segment by itself, which is each revision where it has one segment.
    #[default]
    Segment,
    /// Each revision with all its segments, so that a revision is all or nothing. Revisions with a segment outside of
    /// transactions are refused.
    Revision,
    /// The whole run, as Alembic has it without `transaction_per_migration`: all revisions or none. Revisions with a
    /// segment outside of transactions are refused.
    Run,
}

/// The longest pause between two tries, before chance shortens it.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Default for RunnerOptions {
    /// Five tries of five seconds each, half a second after the first one: what Invenio does, with a longer timeout,
    /// since a revision rarely runs against as much traffic.
    fn default() -> Self {
        Self {
            version_table: Name::plain(VERSION_TABLE),
            log_table: Name::plain(LOG_TABLE),
            lock_timeout: Some(Duration::from_secs(5)),
            lock_tries: 5,
            first_pause: Duration::from_millis(500),
            lock_wait: None,
            resume: None,
            transaction: Transactions::Segment,
            refuse_hazards: false,
        }
    }
}

impl RunnerOptions {
    /// The tables that are Limbeck's own and no part of any schema to compare.
    #[must_use]
    pub fn own_tables(&self) -> Vec<Name> {
        vec![self.version_table.clone(), self.log_table()]
    }

    /// The log table with the schema it falls back to.
    pub(crate) fn log_table(&self) -> Name {
        let schema = self
            .log_table
            .schema
            .clone()
            .or_else(|| self.version_table.schema.clone());
        Name::qualified(schema, self.log_table.name.clone())
    }

    /// The pause after try number `n_tries`: min(30 s, 0.5 s · 2^n) · (0.5 … 1.0), `chance` being in 0 … 1.
    pub(crate) fn pause(&self, n_tries: u32, chance: f64) -> Duration {
        let doubled = self
            .first_pause
            .saturating_mul(2_u32.saturating_pow(n_tries.saturating_sub(1)));
        doubled
            .min(LONGEST_PAUSE)
            .mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_the_longest() {
        let options = RunnerOptions::default();
        let pauses: Vec<_> = [1, 2, 3, 20, 99]
            .iter()
            .map(|n| options.pause(*n, 1.0).as_millis())
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 30_000, 30_000]);
        assert_eq!(options.pause(1, 0.0).as_millis(), 250);
    }

    #[test]
    fn the_log_stands_beside_the_version_table() {
        let options = RunnerOptions {
            version_table: Name::qualified(Some("admin".into()), "alembic_version"),
            ..RunnerOptions::default()
        };
        let names: Vec<_> = options
            .own_tables()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["admin.alembic_version", "admin.limbeck_log"]);
    }
}
