//! A plan: segments of steps of statements, and how it reads in a revision file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use limbeck_schema::variables::PLACE_MARKS;
use limbeck_schema::{Hazard, Key, Statement};
use limbeck_sql::Comment;
use serde::Serialize;

/// Statements in order, in the segments they run in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The segments.
    pub segments: Vec<PlanSegment>,
}

/// Steps that run in one transaction, or each by itself outside of any.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSegment {
    /// Whether they run in one transaction.
    pub transaction: bool,
    /// The steps.
    pub steps: Vec<PlanStep>,
}

/// What is done to one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanStep {
    /// The object.
    pub key: Key,
    /// What is done, a line each.
    pub ops: Vec<String>,
    /// How.
    pub statements: Vec<Statement>,
    /// Whether the current object goes here, for good or to come again.
    #[serde(skip)]
    pub goes: bool,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Every statement, in order.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.segments
            .iter()
            .flat_map(|it| &it.steps)
            .flat_map(|it| &it.statements)
    }

    /// The objects that go, for good or to come again.
    pub fn going(&self) -> impl Iterator<Item = &Key> {
        let steps = self.segments.iter().flat_map(|it| &it.steps);
        steps.filter(|it| it.goes).map(|it| &it.key)
    }

    /// States what hangs on objects that go, at the statement that takes it along.
    pub fn state_attached(&mut self, attached: &BTreeMap<Key, Vec<String>>) {
        let steps = self.segments.iter_mut().flat_map(|it| &mut it.steps);
        for step in steps.filter(|it| it.goes) {
            if let (Some(phrases), Some(first)) =
                (attached.get(&step.key), step.statements.first_mut())
            {
                let what = phrases.join("; ");
                first.warn(
                    Hazard::LosesAttachments,
                    format!("goes with {} and is not brought back: {what}", step.key),
                );
            }
        }
    }

    /// How many statements carry each hazard.
    pub fn hazards(&self) -> BTreeMap<Hazard, usize> {
        let mut acc = BTreeMap::new();
        for warning in self.statements().flat_map(|it| &it.warnings) {
            *acc.entry(warning.hazard).or_default() += 1;
        }
        acc
    }
}

impl PlanSegment {
    /// The text in a revision file: each step's line, its hazards, its statements.
    pub fn render(&self) -> String {
        let mut acc = String::new();
        for step in &self.steps {
            if !acc.is_empty() {
                acc.push('\n');
            }
            let warnings = step.statements.iter().flat_map(|it| &it.warnings);
            let hazards = warnings.map(|it| format!("hazard {}: {}", it.hazard, it.advice));
            for line in step.ops.iter().cloned().chain(hazards) {
                // Writing to a `String` cannot fail. Placeholders of variables become text of a file later.
                let _ = write!(acc, "{}", Comment::new(&line).keeping(&PLACE_MARKS));
            }
            for statement in &step.statements {
                let _ = writeln!(acc, "{};", statement.sql);
            }
        }
        acc
    }
}
