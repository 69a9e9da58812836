//! `verify`: the history tried in a scratch database, each revision up, down and up again.

use std::collections::BTreeSet;

use limbeck_revision::RevisionId;
use limbeck_revision::graph::{Direction, Selection};
use limbeck_runner::{History, Proof, Runner, Scratch, check_replay, verify};
use serde_json::{Value, json};
use sqlx::Connection;

use super::Outcome;
use crate::args::Verify;
use crate::context::Context;
use crate::error::CliError;

/// The scratch database that holds the history so far, with the runner that brings it on.
struct Replay {
    scratch: Scratch,
    runner: Option<Runner>,
}

impl Context<'_> {
    /// Runs the history up from nothing. Each revision that is to be proven runs in a copy of the state before it, with
    /// rows in every table: up, down and up again, and the states of before and after have to come back.
    pub(super) async fn verify(&mut self, options: &Verify) -> Result<Outcome, CliError> {
        let history = self.history()?;
        let wanted = self.wanted(&history, options).await?;
        let mut steps = history.graph.upgrade("heads", &[])?;
        let last = steps.iter().rposition(|it| wanted.contains(&it.revision));
        steps.truncate(last.map_or(0, |it| it + 1));
        let mut results = Vec::new();
        let mut n_failed = 0;
        if !steps.is_empty() {
            let like = self.proof_settings(None)?;
            let scratch = self.scratch(like.as_ref()).await?;
            let mut conn = scratch.connect().await?;
            let directions = [Direction::Upgrade, Direction::Downgrade];
            check_replay(&mut conn, &history, &steps, &directions).await?;
            let _ = conn.close().await;
            let mut replay = Replay {
                scratch,
                runner: None,
            };
            for step in &steps {
                let id = &step.revision;
                if wanted.contains(id) {
                    let proof = self.verify_one(&mut replay, &history, id).await?;
                    n_failed += usize::from(!matches!(proof, Proof::Held { .. }));
                    results.push(self.report(id, &proof));
                }
                let replayed = self.replay(&mut replay, &history, id).await;
                if n_failed > 0 && replayed.is_err() {
                    // It was said of this revision or of one before it that it does not hold.
                    break;
                }
                replayed?;
            }
        }
        let n_revisions = wanted.len();
        if self.output.json {
            self.output
                .json(&json!({ "proven": n_failed == 0, "revisions": results }))?;
        }
        if n_failed > 0 {
            return Err(CliError::NotProven {
                n_failed,
                n_revisions,
            });
        }
        Ok(Outcome::Agree)
    }

    /// The revisions to prove: all, one, or those of a range.
    async fn wanted(
        &mut self,
        history: &History,
        options: &Verify,
    ) -> Result<BTreeSet<RevisionId>, CliError> {
        let graph = &history.graph;
        let text = options.range.as_deref().filter(|_| !options.all);
        let nodes = match text {
            Some(text) if !text.contains(':') => graph.get_all(&Selection::from(text))?,
            range => {
                // The database is asked only where it matters.
                let asks = range.is_some_and(|it| it.split(':').any(|it| it.trim() == "current"));
                let rows = if asks {
                    self.runner(self.runner_options()).await?.rows().await?
                } else {
                    Vec::new()
                };
                graph.history(range, &rows)?
            }
        };
        Ok(nodes.into_iter().map(|it| it.id.clone()).collect())
    }

    async fn verify_one(
        &mut self,
        replay: &mut Replay,
        history: &History,
        id: &RevisionId,
    ) -> Result<Proof, CliError> {
        // A database is copied only while nobody is connected to it.
        if let Some(runner) = replay.runner.take() {
            let _ = runner.into_connection().close().await;
        }
        let copy = replay.scratch.copy().await?;
        let mut conn = copy.connect().await?;
        let read = self.read_options(&mut conn).await?;
        let _ = conn.close().await;
        let revision = history.read(id)?;
        Ok(verify(&copy, &revision, &read).await?)
    }

    /// Brings the scratch database on by a revision.
    async fn replay(
        &mut self,
        replay: &mut Replay,
        history: &History,
        id: &RevisionId,
    ) -> Result<(), CliError> {
        let runner = match &mut replay.runner {
            Some(it) => it,
            empty => {
                let conn = replay.scratch.connect().await?;
                let options = self.config.runner_options();
                empty.insert(Runner::in_scratch(&replay.scratch, conn, options).await?)
            }
        };
        let output = &mut self.output;
        let say = &mut |event: limbeck_runner::Event<'_>| output.explain_event(&event);
        let done = runner.upgrade(history, id.as_str(), say).await;
        done.map_err(|error| error.in_scratch(&replay.scratch))?;
        Ok(())
    }

    /// Says how a proof ended; gives the same as JSON.
    fn report(&mut self, id: &RevisionId, proof: &Proof) -> Value {
        let (line, value) = match proof {
            Proof::Held {
                n_tables, notes, ..
            } => {
                let rows = match n_tables {
                    0 => String::new(),
                    1 => "; rows kept in 1 table".to_owned(),
                    n => format!("; rows kept in {n} tables"),
                };
                (
                    format!("upgraded, downgraded, equal, upgraded, equal{rows}"),
                    json!({ "revision": id, "outcome": "held", "tables": n_tables, "notes": notes }),
                )
            }
            Proof::Refuted { step, lines } => (
                format!("refuted, {step}: {}", lines.join("; ")),
                json!({ "revision": id, "outcome": "refuted", "step": step, "lines": lines }),
            ),
            Proof::NotRun { reason } => (
                format!("not tried: {reason}"),
                json!({ "revision": id, "outcome": "not run", "reason": reason }),
            ),
            other => (other.to_string(), json!({ "revision": id })),
        };
        if !self.output.json {
            self.output.line(&format!("{id}: {line}"));
            for note in proof.notes() {
                self.output.line(&format!("    {note}"));
            }
        }
        value
    }
}
