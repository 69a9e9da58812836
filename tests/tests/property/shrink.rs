//! A failing case made small: what can be left out, left alone or said more plainly while the case still fails.

use std::collections::BTreeSet;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::edit::case;
use crate::model::{Body, Case, Id, Item, State, Value};
use crate::random::Dice;
use crate::valid::settle;

/// Random cases for a server of this major version.
#[derive(Debug)]
pub(crate) struct Cases {
    pub(crate) major: u32,
}

impl Strategy for Cases {
    type Tree = Shrinking;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut dice = Dice {
            rng: runner.rng(),
            major: self.major,
            next: 1,
        };
        let case = case(&mut dice);
        Ok(Shrinking::new(case, self.major))
    }
}

/// One way to make a case smaller.
#[derive(Clone, Copy, Debug)]
enum Reduction {
    /// The item stays as it is in the old state.
    Unchanged(Id),
    /// The item is in neither state.
    Gone(Id),
    /// The item has a plain name and no comment.
    PlainName(Id),
    /// The item has no attribute that it can be without; the nth of them.
    Plain(Id, u8),
}

/// A case on its way to a small one.
#[derive(Debug)]
pub(crate) struct Shrinking {
    /// The smallest case known to fail.
    best: Case,
    /// The case to try.
    current: Case,
    todo: Vec<Reduction>,
    at: usize,
    progress: bool,
    major: u32,
}

impl Shrinking {
    fn new(case: Case, major: u32) -> Self {
        let todo = reductions(&case);
        Self {
            best: case.clone(),
            current: case,
            todo,
            at: 0,
            progress: false,
            major,
        }
    }

    /// Moves on to the next reduction that changes anything.
    fn next(&mut self) -> bool {
        loop {
            let Some(it) = self.todo.get(self.at).copied() else {
                if !std::mem::take(&mut self.progress) {
                    self.current = self.best.clone();
                    return false;
                }
                self.todo = reductions(&self.best);
                self.at = 0;
                continue;
            };
            self.at += 1;
            let mut case = self.best.clone();
            reduce(&mut case, it);
            settle(&mut case.old, self.major);
            settle(&mut case.new, self.major);
            if case != self.best && case.old != case.new {
                self.current = case;
                return true;
            }
        }
    }
}

impl ValueTree for Shrinking {
    type Value = Case;

    fn current(&self) -> Case {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.best != self.current {
            self.best = self.current.clone();
            self.progress = true;
        }
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.next()
    }
}

fn reductions(case: &Case) -> Vec<Reduction> {
    let ids: BTreeSet<Id> = case
        .old
        .items
        .keys()
        .chain(case.new.items.keys())
        .copied()
        .collect();
    let is_part = |id: &Id| {
        case.old
            .get(*id)
            .or(case.new.get(*id))
            .is_some_and(|it| it.body.is_part())
    };
    let (parts, wholes): (Vec<Id>, Vec<Id>) = ids.into_iter().partition(is_part);
    // Tables come last in a state and hold the most.
    let order: Vec<Id> = wholes
        .into_iter()
        .rev()
        .chain(parts.into_iter().rev())
        .filter(|it| *it != 0)
        .collect();
    let mut acc = Vec::new();
    acc.extend(order.iter().map(|it| Reduction::Gone(*it)));
    acc.extend(order.iter().map(|it| Reduction::Unchanged(*it)));
    acc.extend(
        order
            .iter()
            .flat_map(|it| (0..6).map(|n| Reduction::Plain(*it, n))),
    );
    acc.extend(order.iter().map(|it| Reduction::PlainName(*it)));
    acc
}

fn reduce(case: &mut Case, how: Reduction) {
    match how {
        Reduction::Gone(id) => {
            case.old.items.remove(&id);
            case.new.items.remove(&id);
        }
        Reduction::Unchanged(id) => {
            match case.old.get(id).cloned() {
                Some(it) => drop(case.new.items.insert(id, it)),
                None => drop(case.new.items.remove(&id)),
            };
        }
        Reduction::PlainName(id) => both(case, id, |it| {
            it.comment = None;
            it.name = format!("{}{id}", word(&it.body));
        }),
        Reduction::Plain(id, n) => both(case, id, |it| plain(&mut it.body, n)),
    }
}

fn both(case: &mut Case, id: Id, change: impl Fn(&mut Item)) {
    let in_one = |state: &mut State| state.items.get_mut(&id).into_iter().for_each(&change);
    in_one(&mut case.old);
    in_one(&mut case.new);
}

fn word(body: &Body) -> &'static str {
    match body {
        Body::Schema => "schema",
        Body::Collation { .. } => "collation",
        Body::Enum { .. } => "enum",
        Body::Domain { .. } => "domain",
        Body::Composite { .. } => "composite",
        Body::Range { .. } => "range",
        Body::Sequence { .. } => "sequence",
        Body::Table { .. } => "t",
        Body::Column(_) => "c",
        Body::Primary(_) => "pk",
        Body::Unique(_) => "uq",
        Body::Check { .. } => "ck",
        Body::Exclusion { .. } => "ex",
        Body::ForeignKey(_) => "fk",
        Body::Index(_) => "ix",
    }
}

/// Leaves out the nth thing that an item can be without.
fn plain(body: &mut Body, n: u8) {
    match (body, n) {
        (Body::Domain { checks, .. }, 0) => checks.clear(),
        (
            Body::Domain {
                default, not_null, ..
            },
            1,
        ) => (*default, *not_null) = (false, false),
        (Body::Composite { attributes }, 0) => attributes.truncate(1),
        (Body::Composite { attributes }, 1) if attributes.len() > 1 => drop(attributes.remove(0)),
        (Body::Range { multirange, .. }, 0) => *multirange = None,
        (Body::Sequence { options, .. }, 0) => *options = crate::model::Numbers::default(),
        (Body::Sequence { owner, .. }, 1) => *owner = None,
        (
            Body::Table {
                unlogged,
                fillfactor,
                gap,
            },
            0,
        ) => (*unlogged, *fillfactor, *gap) = (false, None, false),
        (Body::Column(it), 0) => (it.storage, it.compression, it.statistics) = (None, None, None),
        (Body::Column(it), 1) => it.collation = None,
        (Body::Column(it), 2) => it.not_null = false,
        (Body::Column(it), 3) => it.value = Value::None,
        (Body::Column(it), 4) => it.ty.array = false,
        (Body::Column(it), 5) => it.ty = crate::model::Ty::INT,
        (Body::Primary(it) | Body::Unique(it), 0) => it.include.clear(),
        (Body::Primary(it) | Body::Unique(it), 1) => {
            (it.deferral, it.fillfactor, it.nulls_not_distinct) = (0, None, false)
        }
        (Body::Primary(it) | Body::Unique(it), 2) => it.columns.truncate(1),
        (
            Body::Check {
                not_valid,
                no_inherit,
                ..
            },
            0,
        ) => (*not_valid, *no_inherit) = (false, false),
        (Body::Check { expr, .. }, 1) => expr.columns.truncate(1),
        (
            Body::Exclusion {
                predicate,
                deferral,
                ..
            },
            0,
        ) => (*predicate, *deferral) = (None, 0),
        (Body::Exclusion { columns, .. }, 1) => columns.truncate(1),
        (Body::ForeignKey(it), 0) => (it.on_delete, it.on_update, it.full) = (0, 0, false),
        (Body::ForeignKey(it), 1) => (it.deferral, it.not_valid) = (0, false),
        (Body::Index(it), 0) => it.predicate = None,
        (Body::Index(it), 1) => it.include.clear(),
        (Body::Index(it), 2) => (it.fillfactor, it.nulls_not_distinct) = (None, false),
        (Body::Index(it), 3) => it.elements.truncate(1),
        (Body::Index(it), 4) => it.unique = false,
        (Body::Index(it), 5) => {
            for it in &mut it.elements {
                (it.collation, it.pattern, it.descending, it.nulls_other) =
                    (None, false, false, false);
            }
        }
        _ => {}
    }
}
