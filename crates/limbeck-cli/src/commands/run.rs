//! `upgrade`, `downgrade`, `stamp` and `ensure-version`: what changes the database.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use limbeck_connect::Settings;
use limbeck_revision::RevisionId;
use limbeck_revision::graph::{Direction, GraphError, RevisionGraph, Selection, Step};
use limbeck_runner::{
    Canceller, Event, History, Planned, Reached, Runner, RunnerError, RunnerOptions, script,
    version_table_script,
};

use super::Outcome;
use crate::args::{Downgrade, EnsureVersion, How, Stamp, Upgrade};
use crate::config::{Review, timeout_option};
use crate::context::Context;
use crate::error::CliError;
use crate::live::{Live, WORTH_A_WORD};
use crate::output::Tone;
use crate::signals::{Request, Signals, end_soon, interrupted};

/// Which way to run, and how far.
#[derive(Clone, Copy, Debug)]
enum Way<'t> {
    Up(&'t str),
    Down(&'t str),
    Stamp(&'t [&'t str], Purge),
}

/// Whether a stamp empties the version table first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purge {
    Yes,
    No,
}

impl Context<'_> {
    pub(super) async fn upgrade(&mut self, options: &Upgrade) -> Result<Outcome, CliError> {
        let Upgrade {
            target,
            sql,
            dry_run,
            how,
        } = options;
        if *dry_run {
            return self.dry_run(Direction::Upgrade, target, how).await;
        }
        if *sql {
            let history = self.history()?;
            let (rows, target) = match target.split_once(':') {
                Some((from, to)) => (rows_at(&history, from)?, to),
                None => (Vec::new(), target.as_str()),
            };
            self.say_replaced(&history.graph, &[target]);
            let steps = history.graph.upgrade(target, &rows)?;
            return self.print_script(&history, &steps, &rows, Some(how));
        }
        refuse_range(target)?;
        self.go(Way::Up(target), Some(how)).await
    }

    pub(super) async fn downgrade(&mut self, options: &Downgrade) -> Result<Outcome, CliError> {
        let Downgrade {
            target,
            sql,
            dry_run,
            how,
        } = options;
        if *dry_run {
            return self.dry_run(Direction::Downgrade, target, how).await;
        }
        if *sql {
            let (from, to) = target.split_once(':').ok_or(CliError::ScriptRange)?;
            let history = self.history()?;
            let rows = rows_at(&history, from)?;
            self.say_replaced(&history.graph, &[to]);
            let steps = history.graph.downgrade(to, &rows)?;
            return self.print_script(&history, &steps, &rows, Some(how));
        }
        refuse_range(target)?;
        self.go(Way::Down(target), Some(how)).await
    }

    async fn dry_run(
        &mut self,
        direction: Direction,
        target: &str,
        how: &How,
    ) -> Result<Outcome, CliError> {
        refuse_range(target)?;
        let history = self.history()?;
        self.say_replaced(&history.graph, &[target]);
        let mut runner = self.runner(self.run_options(Some(how))).await?;
        let plan = runner.dry_run(&history, direction, target).await?;
        if self.output.json {
            let plan: Vec<_> = plan.iter().map(planned_json).collect();
            self.output.json(&plan)?;
            return Ok(Outcome::Agree);
        }
        for it in &plan {
            self.output.line(&format!(
                "{} ({})",
                it.line.replacen("Running ", "Would run ", 1),
                it.outline()
            ));
            if let Some(it) = it.goes_on() {
                self.output.line(&format!("    {it}"));
            }
            for hazard in &it.hazards {
                self.output
                    .toned(Tone::Drop, &format!("    hazard {hazard}"));
            }
        }
        let text = match plan.len() {
            0 => "nothing to do".to_owned(),
            1 => "1 revision would be run".to_owned(),
            n => format!("{n} revisions would be run"),
        };
        self.output.say(&text);
        Ok(Outcome::Agree)
    }

    pub(super) async fn stamp(&mut self, options: &Stamp) -> Result<Outcome, CliError> {
        if options.sql {
            return self.stamp_script(&options.targets);
        }
        let targets: Vec<_> = options.targets.iter().map(String::as_str).collect();
        if !options.unchecked {
            let stands = tokio::select! {
                biased;
                () = interrupted() => return Err(CliError::Interrupted),
                stands = self.stands_where_stamped(options) => stands?,
            };
            if !stands {
                return Ok(Outcome::Differ);
            }
        }
        let purge = if options.purge { Purge::Yes } else { Purge::No };
        self.go(Way::Stamp(&targets, purge), None).await
    }

    /// Prints what a stamp does to the version table, from the base or from the one start that the targets name.
    fn stamp_script(&mut self, targets: &[String]) -> Result<Outcome, CliError> {
        let (mut start, mut ends) = (None, Vec::new());
        for target in targets {
            let Some((from, to)) = target.split_once(':') else {
                ends.push(target.as_str());
                continue;
            };
            if start.is_some_and(|it| it != from) {
                return Err(CliError::StampStarts);
            }
            start = Some(from);
            ends.push(to);
        }
        let history = self.history()?;
        let rows = start.map_or(Ok(Vec::new()), |it| rows_at(&history, it))?;
        self.say_replaced(&history.graph, &ends);
        let steps = history.graph.stamp(&ends, &rows)?;
        self.print_script(&history, &steps, &rows, None)
    }

    pub(super) async fn ensure_version(
        &mut self,
        options: &EnsureVersion,
    ) -> Result<Outcome, CliError> {
        if options.sql {
            let text = version_table_script(&self.runner_options());
            self.output.sql(&text);
            return Ok(Outcome::Agree);
        }
        self.runner(self.runner_options())
            .await?
            .ensure_version()
            .await?;
        Ok(Outcome::Agree)
    }

    fn print_script(
        &mut self,
        history: &History,
        steps: &[Step],
        rows: &[RevisionId],
        how: Option<&How>,
    ) -> Result<Outcome, CliError> {
        let text = script(history, steps, rows, &self.run_options(how))?;
        self.output.sql(&text);
        if steps.is_empty() {
            self.output.say("nothing to do");
        }
        Ok(Outcome::Agree)
    }

    /// What the runner is told of a run on the database; scratch databases need no such care.
    fn run_options(&self, how: Option<&How>) -> RunnerOptions {
        let options = self.runner_options();
        let transaction = how.and_then(|it| it.transaction);
        let lock_timeout = how.and_then(|it| it.lock_timeout);
        RunnerOptions {
            refuse_hazards: self.config.review == Review::Hazards
                && how.is_some_and(|it| !it.accept_hazards),
            transaction: transaction.unwrap_or(self.config.transaction).into(),
            lock_timeout: lock_timeout.map_or(options.lock_timeout, timeout_option),
            lock_wait: how.and_then(|it| it.lock_wait).or(options.lock_wait),
            resume: how.and_then(|it| it.resume).map(Into::into),
            ..options
        }
    }

    /// Says where a target leads that names a part of a squashed revision.
    fn say_replaced(&mut self, graph: &RevisionGraph, targets: &[&str]) {
        for (id, by) in targets.iter().filter_map(|it| graph.replaced(it)) {
            self.output.say(&format!(
                "{id} is a part of {} since a squash, so {} is taken for it",
                by.id, by.id
            ));
        }
    }

    /// A runner on a connection that keeps what it is told.
    async fn runner_unpooled(&mut self, options: RunnerOptions) -> Result<Runner, CliError> {
        tokio::select! {
            biased;
            () = interrupted() => Err(CliError::Interrupted),
            runner = async {
                let mut runner = self.runner(options).await?;
                // A role may be allowed one connection; then each transaction finds out by itself.
                if let Ok(mut other) = self.connect().await {
                    runner.check_pooling(&mut other).await?;
                    limbeck_connect::close(other).await;
                }
                Ok(runner)
            } => runner,
        }
    }

    async fn go(&mut self, way: Way<'_>, how: Option<&How>) -> Result<Outcome, CliError> {
        let history = self.history()?;
        match way {
            Way::Up(target) | Way::Down(target) => self.say_replaced(&history.graph, &[target]),
            Way::Stamp(targets, _) => self.say_replaced(&history.graph, targets),
        }
        let mut runner = self.runner_unpooled(self.run_options(how)).await?;
        let canceller = runner.canceller();
        let settings = self.settings()?.clone();
        let mut revisions = Vec::new();
        let output = &mut self.output;
        let live = output.live.clone();
        let mut progress = |event: Event<'_>| {
            match &event {
                Event::Running { revision, .. } => revisions.push(revision.to_string()),
                Event::Statement { .. } => return output.live.begin(event.line()),
                Event::Done { took, .. } if *took < WORTH_A_WORD && !output.live.is_shown() => {
                    return output.explain(&event.line());
                }
                Event::Waiting { .. } | Event::Retry { .. } => {
                    output.say(&event.line());
                    return output.live.begin(event.line());
                }
                _ => {}
            }
            output.say(&event.line());
        };
        let done = match way {
            Way::Up(target) => {
                cancellable(
                    runner.upgrade(&history, target, &mut progress),
                    &canceller,
                    &settings,
                    &live,
                )
                .await
            }
            Way::Down(target) => {
                cancellable(
                    runner.downgrade(&history, target, &mut progress),
                    &canceller,
                    &settings,
                    &live,
                )
                .await
            }
            Way::Stamp(targets, purge) => {
                let run = runner.stamp(&history, targets, purge == Purge::Yes, &mut progress);
                cancellable(run, &canceller, &settings, &live).await
            }
        };
        let n_done = done?;
        let rows = runner.rows().await?;
        if self.output.json {
            let word = match way {
                Way::Up(_) => "upgrade",
                Way::Down(_) => "downgrade",
                Way::Stamp(..) => "stamp",
            };
            self.output.json(
                &serde_json::json!({ "direction": word, "revisions": revisions, "current": rows }),
            )?;
        }
        let rows = rows
            .iter()
            .map(RevisionId::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let at = if rows.is_empty() { "base" } else { &rows };
        if n_done == 0 {
            self.output
                .say(&format!("nothing to do: the database is at {at}"));
        } else {
            self.output.explain(&format!("the database is at {at}"));
        }
        Ok(Outcome::Agree)
    }
}

fn planned_json(it: &Planned) -> serde_json::Value {
    let segments: Vec<_> = it
        .segments
        .iter()
        .map(|it| serde_json::json!({ "transaction": it.transaction, "statements": it.statements }))
        .collect();
    serde_json::json!({
        "direction": it.direction,
        "revision": it.revision,
        "path": it.path,
        "segments": segments,
        "hazards": it.hazards,
        "goes_on": it.half_done.as_ref().map(|it| serde_json::json!({
            "segment": it.segment,
            "statement": it.statement,
            "under_way": matches!(it.reached, Reached::UnderWay { .. }),
        })),
    })
}

/// The version rows of a database that is at a target.
fn rows_at(history: &History, target: &str) -> Result<Vec<RevisionId>, CliError> {
    let of_branch = target.rsplit_once('@').map_or(target, |(_, it)| it);
    if ["", "current"].contains(&of_branch) || of_branch.starts_with(['+', '-']) {
        return Err(CliError::ScriptStart {
            from: target.to_owned(),
        });
    }
    if let Some((row, by)) = history.graph.replaced(target) {
        return Err(GraphError::replaced_row(row, by).into());
    }
    let nodes = history.graph.get_all(&Selection::from(target))?;
    Ok(nodes.into_iter().map(|it| it.id.clone()).collect())
}

fn refuse_range(target: &str) -> Result<(), CliError> {
    match target.contains(':') {
        true => Err(CliError::Range {
            target: target.to_owned(),
        }),
        false => Ok(()),
    }
}

/// How long the server may take to cancel a statement, and a run that is to end soon to roll back.
const CANCEL_WAIT: Duration = Duration::from_secs(1);
const ROLLBACK_WAIT: Duration = Duration::from_secs(2);

/// Waits for a run. Ctrl-C, or a polite request to end, has the server cancel the statement under way, so that the run
/// rolls back and says where the database is. A server that cannot be asked, a second Ctrl-C, and after a polite request
/// a rollback that takes too long, leave the run where it is: the server rolls back when it finds the connection closed.
async fn cancellable(
    run: impl Future<Output = Result<usize, RunnerError>>,
    canceller: &Canceller,
    settings: &Settings,
    live: &Live,
) -> Result<usize, RunnerError> {
    let mut run = pin!(async {
        let done = tokio::select! {
            biased;
            done = run => done,
            () = live.draw() => Ok(0),
        };
        live.clear();
        done
    });
    // Made first, so that the signals have their handlers before the run begins.
    let mut signals = Signals::new();
    let request = tokio::select! {
        biased;
        request = signals.next() => request,
        done = &mut run => return done,
    };
    if request == Request::Terminate {
        end_soon();
    }
    let answered = async {
        let asked = tokio::time::timeout(CANCEL_WAIT, canceller.cancel(settings)).await;
        if !matches!(asked, Ok(Ok(()))) {
            return;
        }
        match request {
            Request::Interrupt => std::future::pending().await,
            Request::Terminate => tokio::time::sleep(ROLLBACK_WAIT - CANCEL_WAIT).await,
        }
    };
    tokio::select! {
        biased;
        done = &mut run => done,
        _ = signals.next() => {
            end_soon();
            Err(canceller.left())
        }
        () = answered => {
            end_soon();
            Err(canceller.left())
        }
    }
}
