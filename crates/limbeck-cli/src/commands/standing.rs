//! Where a database stands, judged by what is in it: the check of `stamp`, and `locate`.

use std::collections::BTreeSet;
use std::slice;

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired};
use limbeck_plan::outline;
use limbeck_revision::RevisionId;
use limbeck_revision::graph::{Direction, Step};
use limbeck_runner::{History, Runner, VERSION_TABLE, check_replay};
use limbeck_schema::{Desired, Name, Op, Scope};
use serde::Serialize;
use sqlx::PgConnection;

use super::Outcome;
use super::compare::tone;
use crate::args::Stamp;
use crate::context::Context;
use crate::error::CliError;

/// Version tables that are no part of what revisions make, whichever of them this project uses.
const VERSION_TABLES: [&str; 2] = [VERSION_TABLE, "alembic_version"];

/// A place in the history, and how the database differs from it.
#[derive(Debug, Serialize)]
struct Place {
    /// The version rows there; none at the base.
    rows: Vec<RevisionId>,
    differences: Vec<Op>,
}

impl Place {
    /// How many differences are printed: the parts of what is created or dropped are not told by themselves.
    fn n_differences(&self) -> usize {
        outline(&self.differences).len()
    }

    fn name(&self) -> String {
        named(&self.rows)
    }
}

impl Context<'_> {
    /// Whether the database has what the revisions make that a stamp would name. If not, the differences are printed.
    ///
    /// # Errors
    /// If the revisions cannot be replayed, or the two cannot be compared.
    pub(super) async fn stands_where_stamped(&mut self, options: &Stamp) -> Result<bool, CliError> {
        let history = self.history()?;
        let rows = if options.purge {
            Vec::new()
        } else {
            self.runner(self.runner_options()).await?.rows().await?
        };
        let targets: Vec<_> = options.targets.iter().map(String::as_str).collect();
        let steps = history.graph.stamp(&targets, &rows)?;
        let mut state: BTreeSet<_> = rows.into_iter().collect();
        for it in &steps {
            apply(&mut state, it);
        }
        let rows: Vec<_> = state.into_iter().collect();
        let differences = tokio::select! {
            biased;
            done = self.differences_from(&history, &rows) => done?,
            () = crate::signals::interrupted() => return Err(CliError::Interrupted),
        };
        let place = Place { rows, differences };
        if place.differences.is_empty() {
            return Ok(true);
        }
        self.print_differences(&place)?;
        let (name, n) = (place.name(), place.n_differences());
        let differences = if n == 1 { "difference" } else { "differences" };
        self.output.error(&format!(
            "the database is not at {name}: {n} {differences}, and nothing is stamped; `limbeck locate` looks for where it \
             is, and --unchecked stamps without looking"
        ));
        Ok(false)
    }

    /// Finds the place in the history whose objects the database has.
    pub(super) async fn locate(&mut self) -> Result<Outcome, CliError> {
        let history = self.history()?;
        let mut walks = vec![history.graph.upgrade("heads", &[])?];
        let heads = history.graph.real_heads();
        if heads.len() > 1 {
            for it in heads {
                walks.push(history.graph.upgrade(it.id.as_str(), &[])?);
            }
        }
        let mut best: Vec<Place> = Vec::new();
        for steps in walks {
            self.walk(&history, &steps, &mut best).await?;
            // Only where the modules' order does not lead there, single branches may.
            if best.iter().any(|it| it.differences.is_empty()) {
                break;
            }
        }
        if self.output.json {
            self.output.json(&best)?;
        }
        let exact = best.iter().all(|it| it.differences.is_empty());
        if !exact {
            return self.say_nearest(best.last());
        }
        for it in &best {
            if !self.output.json {
                self.output.line(&it.name());
            }
        }
        let text = match best.as_slice() {
            [only] => format!(
                "the database has the objects of {0}; `limbeck stamp {0}` writes that down",
                only.name().replace(", ", " ")
            ),
            several => format!(
                "{} places of the history have these objects; stamp the last one whose changes of data the database has",
                several.len()
            ),
        };
        self.output.say(&text);
        Ok(Outcome::Agree)
    }

    fn say_nearest(&mut self, nearest: Option<&Place>) -> Result<Outcome, CliError> {
        if let Some(nearest) = nearest {
            let (name, n) = (nearest.name(), nearest.n_differences());
            if !self.output.json {
                self.output.line(&format!("nearest: {name}"));
                self.print_differences(nearest)?;
            }
            let operations = if n == 1 { "operation" } else { "operations" };
            self.output.say(&format!(
                "no place of the history has the objects of this database; {name} is the nearest, {n} {operations} away"
            ));
        }
        Ok(Outcome::Differ)
    }

    /// Replays revisions one after the other, and keeps the places that are nearest to the database.
    async fn walk(
        &mut self,
        history: &History,
        steps: &[Step],
        best: &mut Vec<Place>,
    ) -> Result<(), CliError> {
        let like = self.proof_settings(None)?;
        let scratch = self.scratch(like.as_ref()).await?;
        let mut built = scratch.connect().await?;
        let mut conn = self.connect().await?;
        let replaying = scratch.connect().await?;
        let mut runner = Runner::in_scratch(&scratch, replaying, self.runner_options()).await?;
        let mut rows = BTreeSet::new();
        let mut todo = steps.iter();
        loop {
            let place = Place {
                rows: rows.iter().cloned().collect(),
                differences: self.differences_between(&mut conn, &mut built).await?,
            };
            keep(best, place);
            let Some(step) = todo.next() else {
                return Ok(());
            };
            let id = step.revision.as_str();
            let up = [Direction::Upgrade];
            let replayed = match check_replay(&mut built, history, slice::from_ref(step), &up).await
            {
                Ok(()) => runner.upgrade(history, id, &mut |_| ()).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = replayed {
                let error = CliError::from(error.in_scratch(&scratch)).line();
                self.output.warn(&format!(
                    "what comes after it is not looked at, for the history cannot be replayed beyond here: {error}"
                ));
                return Ok(());
            }
            apply(&mut rows, step);
        }
    }

    /// What would lead the database to the state of version rows.
    async fn differences_from(
        &mut self,
        history: &History,
        rows: &[RevisionId],
    ) -> Result<Vec<Op>, CliError> {
        let like = self.proof_settings(None)?;
        let scratch = self.scratch(like.as_ref()).await?;
        let mut conn = scratch.connect().await?;
        for row in rows {
            let steps = history.graph.upgrade(row.as_str(), &[])?;
            let checked = check_replay(&mut conn, history, &steps, &[Direction::Upgrade]).await;
            checked.map_err(|source| CliError::Replay {
                place: named(rows),
                source: Box::new(source),
            })?;
        }
        let mut runner = Runner::in_scratch(&scratch, conn, self.runner_options()).await?;
        for row in rows {
            let replayed = runner.upgrade(history, row.as_str(), &mut |_| ()).await;
            replayed.map_err(|source| CliError::Replay {
                place: named(rows),
                source: Box::new(source.in_scratch(&scratch)),
            })?;
        }
        let mut built = runner.into_connection();
        let mut conn = self.connect().await?;
        let mut current = Unmanaged::read(&mut conn).await?;
        let mut desired = scratch.unmanaged(&mut built).await?;
        let mut ignore = self.ignore();
        ignore.note_owners(&mut conn).await?;
        ignore.retain(&mut current);
        ignore.retain(&mut desired);
        let left_out = Unmanaged::differences(&current, &desired);
        for line in left_out {
            self.output
                .warn(&format!("not managed, so not compared: {line}"));
        }
        self.differences_between(&mut conn, &mut built).await
    }

    /// What would lead the database `conn` to the state of the database `built`.
    async fn differences_between(
        &self,
        conn: &mut PgConnection,
        built: &mut PgConnection,
    ) -> Result<Vec<Op>, CliError> {
        let read = self.read_revisions_only(built).await?;
        let desired = Desired {
            schema: Catalog::read(built, &read).await?.schema,
            scope: Scope::everything(),
            ..Desired::default()
        };
        let options = CompareOptions {
            read: self.read_revisions_only(conn).await?,
            ignore: self.ignore(),
            ..CompareOptions::default()
        };
        let it = compare_desired(conn, desired, &options).await?;
        Ok(it.ops)
    }

    async fn read_revisions_only(&self, conn: &mut PgConnection) -> Result<ReadOptions, CliError> {
        let mut read = self.read_options(conn).await?;
        read.own_tables
            .extend(VERSION_TABLES.iter().map(|it| Name::plain(*it)));
        Ok(read)
    }

    fn print_differences(&mut self, place: &Place) -> Result<(), CliError> {
        if self.output.json {
            return self.output.json(place);
        }
        for op in outline(&place.differences) {
            self.output.toned(tone(op), &op.to_string());
        }
        Ok(())
    }
}

/// Keeps the nearest places, in the order of the history.
fn keep(best: &mut Vec<Place>, place: Place) {
    // A table with all its columns is farther away than one column.
    let nearest = best.first().map(|it| it.differences.len());
    let n = place.differences.len();
    if nearest.is_some_and(|it| n < it) {
        best.clear();
    }
    let is_new = best.iter().all(|it| it.rows != place.rows);
    if nearest.is_none_or(|it| n <= it) && is_new {
        best.push(place);
    }
}

/// Changes version rows as a step does.
fn apply(rows: &mut BTreeSet<RevisionId>, step: &Step) {
    for it in &step.delete {
        rows.remove(it);
    }
    rows.extend(step.insert.iter().cloned());
    for (from, to) in &step.update {
        rows.remove(from);
        rows.insert(to.clone());
    }
}

fn named(rows: &[RevisionId]) -> String {
    match rows {
        [] => "base".to_owned(),
        rows => rows
            .iter()
            .map(RevisionId::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}
