//! `check` and `diff`: the database next to the models.

use limbeck_catalog::Unresolved;
use limbeck_plan::{Migration, Plan, migration, outline};
use limbeck_schema::{Key, Op};
use limbeck_sql::Comment;
use serde::Serialize;

use super::Outcome;
use crate::args::Diff;
use crate::context::{Context, Purpose};
use crate::error::{CliError, one_line};
use crate::output::Tone;
use crate::read_back::{Expected, check_script, planned};

impl Context<'_> {
    pub(super) async fn check(&mut self) -> Result<Outcome, CliError> {
        let compared = self.compare(None, None, Purpose::Report).await?;
        let (ops, unresolved) = compared.into_ops();
        if self.output.json {
            let entries: Vec<Entry<'_>> = ops
                .iter()
                .map(Entry::Op)
                .chain(unresolved.iter().map(Entry::of))
                .collect();
            self.output.json(&entries)?;
        } else {
            for op in outline(&ops) {
                self.output.toned(tone(op), &op.to_string());
            }
            for it in &unresolved {
                self.output.toned(Tone::Drop, &unresolved_line(it));
            }
        }
        self.say_count(outline(&ops).len(), &unresolved);
        CliError::unresolved(&unresolved)?;
        Ok(if ops.is_empty() {
            Outcome::Agree
        } else {
            Outcome::Differ
        })
    }

    pub(super) async fn diff(&mut self, options: &Diff) -> Result<Outcome, CliError> {
        let mut comparison = self
            .compare(
                options.from.as_deref(),
                options.to.as_deref(),
                Purpose::Plan,
            )
            .await?;
        let mut planned = migration(
            &comparison.catalog.schema,
            &comparison.desired,
            comparison.catalog.version,
        )?;
        if options.from.is_none() {
            self.state_attached(&mut comparison, &mut planned).await?;
        }
        let Migration {
            ops,
            upgrade,
            downgrade,
        } = planned;
        let plan = if options.reverse { downgrade } else { upgrade };
        if self.output.json {
            self.output.json(&plan)?;
        } else {
            self.output.sql(&script(&plan)?);
            for it in &comparison.unresolved {
                let line = Comment::new(&unresolved_line(it)).to_string();
                self.output.toned(Tone::Remark, line.trim_end());
            }
        }
        self.say_count(outline(&ops).len(), &comparison.unresolved);
        CliError::unresolved(&comparison.unresolved)?;
        Ok(if ops.is_empty() {
            Outcome::Agree
        } else {
            Outcome::Differ
        })
    }

    fn say_count(&mut self, n_ops: usize, unresolved: &[Unresolved]) {
        let text = match n_ops {
            0 if !unresolved.is_empty() => return,
            0 => "No new upgrade operations detected.".to_owned(),
            n => format!("New upgrade operations detected: {n}"),
        };
        self.output.say(&text);
    }
}

/// What cannot be judged or planned, as a line of the list.
pub(super) fn unresolved_line(it: &Unresolved) -> String {
    format!("unresolved: {}", one_line(&it.to_string()))
}

/// An entry of the list in JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Op(&'a Op),
    Unresolved {
        op: &'static str,
        keys: &'a [Key],
        summary: String,
    },
}

impl<'a> Entry<'a> {
    fn of(it: &'a Unresolved) -> Self {
        Self::Unresolved {
            op: "unresolved",
            keys: &it.keys,
            summary: one_line(&it.to_string()),
        }
    }
}

/// What an operation's colour says.
pub(super) fn tone(op: &Op) -> Tone {
    match op {
        Op::Create(_) => Tone::Create,
        Op::Drop(_) | Op::Replace { .. } => Tone::Drop,
        Op::Alter { .. } | Op::Rename { .. } => Tone::Alter,
    }
}

/// The SQL of a plan, as psql runs it: a transaction around each segment that wants one, where there are several.
///
/// # Errors
/// [`CliError::NotReadBack`] if psql would read something else.
fn script(plan: &Plan) -> Result<String, CliError> {
    let mut out = String::new();
    let mut expected = Vec::new();
    for segment in &plan.segments {
        if !out.is_empty() {
            out.push('\n');
        }
        let body = segment.render();
        let own = planned(
            &Plan {
                segments: vec![segment.clone()],
            },
            str::to_owned,
        );
        match (segment.transaction, plan.segments.len()) {
            (true, 1) | (false, _) => {
                out.push_str(&body);
                expected.extend(own);
            }
            (true, _) => {
                out.push_str(&format!("BEGIN;\n\n{body}\nCOMMIT;\n"));
                expected.push(Expected::new("BEGIN"));
                expected.extend(own);
                expected.push(Expected::new("COMMIT"));
            }
        }
    }
    check_script("the script", &out, &expected)?;
    Ok(out)
}
