//! The steps of a script: each operation becomes one or more, and parts are folded into those of their parents.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::{
    Context, Facts, Key, KindTag, Object, Op, Replacement, Schema, Script, Stage,
};

use crate::propagate::Complete;

/// What a step does with its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Release,
    Drop,
    Rename,
    Aside,
    Create,
    Alter,
    DropAside,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub work: Work,
    pub stage: Stage,
    pub key: Key,
    pub op: &'a Op,
    /// Objects that are written inside this step's `CREATE` statement.
    pub inline: Vec<&'a Object>,
}

/// All steps, and for each key the step after which its old state is gone and the one after which its new state is
/// there.
#[derive(Debug, Default)]
pub(crate) struct Steps<'a> {
    pub steps: Vec<Step<'a>>,
    /// The step that removes the current object (drop, or the last of a replacement aside).
    pub gone: BTreeMap<Key, usize>,
    /// The step that changes the current object, before which its dependents that are rebuilt must be gone.
    pub touched: BTreeMap<Key, usize>,
    /// The step that brings the desired object.
    pub ready: BTreeMap<Key, usize>,
    /// The step that lets go early.
    pub released: BTreeMap<Key, usize>,
}

/// How much is folded: with `References`, foreign keys stand by themselves; with `Nothing`, every part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folding {
    All,
    ButReferences,
    Nothing,
}

impl Folding {
    fn allows(self, stage: Stage) -> bool {
        match self {
            Self::All => true,
            Self::ButReferences => !matches!(stage, Stage::References | Stage::DropReferences),
            Self::Nothing => matches!(stage, Stage::Columns | Stage::DropColumns),
        }
    }
}

impl<'a> Steps<'a> {
    /// `alone` says for which keys foreign keys and constraints are not folded.
    pub(crate) fn new(
        complete: &'a Complete,
        current: &Schema,
        desired: &Schema,
        version: u32,
        folding: impl Fn(&Key) -> Folding,
    ) -> Self {
        let mut acc = Self::default();
        for op in &complete.renames {
            let key = op.key();
            let at = acc.push(Work::Rename, Stage::Rename, key, op);
            if let Some(was) = op.current() {
                acc.gone.insert(was.key(), at);
            }
        }
        for (key, op) in &complete.ops {
            match op {
                Op::Rename { .. } => {}
                Op::Create(_) => acc.create(key, op),
                Op::Drop(_) if complete.exchanged.contains_key(key) => {
                    acc.aside(key, op);
                    acc.drop_aside(key, op);
                }
                Op::Drop(_) => acc.drop(key, op),
                Op::Alter {
                    current: was,
                    desired: is,
                } => {
                    let none = BTreeSet::new();
                    let inline = Vec::new();
                    let ctx = Context {
                        version,
                        current,
                        desired,
                        created: &none,
                        inline,
                        swapped: false,
                        asides: &none,
                        facts: &Facts::default(),
                    };
                    let mut script = Script::default();
                    Object::release(was, is, &ctx, &mut script);
                    if !script.statements.is_empty() {
                        let at = acc.push(Work::Release, Stage::DropParts, key.clone(), op);
                        acc.released.insert(key.clone(), at);
                    }
                    let at = acc.push(Work::Alter, key.kind.alter_stage(), key.clone(), op);
                    acc.touched.insert(key.clone(), at);
                    acc.ready.insert(key.clone(), at);
                }
                Op::Replace { .. } if key.kind.replacement() == Replacement::Aside => {
                    acc.aside(key, op);
                    acc.create(key, op);
                    acc.drop_aside(key, op);
                }
                Op::Replace { .. } => {
                    acc.drop(key, op);
                    acc.create(key, op);
                }
            }
        }
        acc.fold(complete, current, folding)
    }

    fn push(&mut self, work: Work, stage: Stage, key: Key, op: &'a Op) -> usize {
        self.steps.push(Step {
            work,
            stage,
            key,
            op,
            inline: Vec::new(),
        });
        self.steps.len() - 1
    }

    fn create(&mut self, key: &Key, op: &'a Op) {
        let at = self.push(Work::Create, key.kind.create_stage(), key.clone(), op);
        self.ready.insert(key.clone(), at);
    }

    fn aside(&mut self, key: &Key, op: &'a Op) {
        let at = self.push(Work::Aside, Stage::CreateTypes, key.clone(), op);
        self.touched.insert(key.clone(), at);
    }

    fn drop_aside(&mut self, key: &Key, op: &'a Op) {
        let at = self.push(Work::DropAside, key.kind.drop_stage(), key.clone(), op);
        self.gone.insert(key.clone(), at);
    }

    fn drop(&mut self, key: &Key, op: &'a Op) {
        let at = self.push(Work::Drop, key.kind.drop_stage(), key.clone(), op);
        self.gone.insert(key.clone(), at);
    }

    /// Folds creations into the creation of their parent and drops into the drop of what they go with.
    fn fold(
        mut self,
        complete: &'a Complete,
        current: &Schema,
        folding: impl Fn(&Key) -> Folding,
    ) -> Self {
        let mut folded = vec![None; self.steps.len()];
        let mut merged = BTreeSet::new();
        for (at, step) in self.steps.iter().enumerate() {
            let object = match step.work {
                Work::Create => step.op.desired(),
                Work::Drop => step.op.current(),
                _ => None,
            };
            let Some(object) = object else { continue };
            let parent = object.parent();
            let allowed = parent
                .as_ref()
                .is_none_or(|it| folding(it).allows(step.stage));
            // What is about an object goes with it in any case.
            let goes_along = step.work == Work::Drop && step.key.about.is_some();
            if !allowed && !goes_along {
                continue;
            }
            folded[at] = match step.work {
                Work::Create if object.inline().is_some() => parent
                    .filter(|it| {
                        matches!(
                            complete.ops.get(it),
                            Some(Op::Create(_) | Op::Replace { .. })
                        )
                    })
                    .and_then(|it| self.ready.get(&it).copied())
                    .filter(|at| object.merged().is_none_or(|it| merged.insert((*at, it)))),
                Work::Drop => object
                    .goes_with(current)
                    .and_then(|it| self.gone.get(&it).copied()),
                _ => None,
            };
        }
        // A comment goes with its column, and the column with its table.
        let root = |mut at: usize| {
            while let Some(next) = folded[at] {
                at = next;
            }
            at
        };
        let parts: Vec<(usize, &'a Object)> = self
            .steps
            .iter()
            .enumerate()
            .filter(|(at, it)| folded[*at].is_some() && it.work == Work::Create)
            .filter_map(|(at, it)| it.op.desired().map(|object| (root(at), object)))
            .collect();
        for (at, object) in parts {
            self.steps[at].inline.push(object);
        }
        // What goes with an old self that stands aside has left its place with it.
        let asides: BTreeMap<usize, usize> = self
            .gone
            .iter()
            .filter_map(|(key, at)| self.touched.get(key).map(|aside| (*at, *aside)))
            .collect();
        for (key, at) in &self.gone {
            if folded[*at].is_some()
                && let Some(aside) = asides.get(&root(*at))
            {
                self.touched.insert(key.clone(), *aside);
            }
        }
        for map in [
            &mut self.gone,
            &mut self.ready,
            &mut self.touched,
            &mut self.released,
        ] {
            map.values_mut().for_each(|it| *it = root(*it));
        }
        self.compact(&folded)
    }

    /// Leaves the folded steps out.
    fn compact(mut self, folded: &[Option<usize>]) -> Self {
        let mut place = Vec::with_capacity(folded.len());
        let mut kept = 0;
        for it in folded {
            place.push(kept);
            kept += usize::from(it.is_none());
        }
        for map in [
            &mut self.gone,
            &mut self.ready,
            &mut self.touched,
            &mut self.released,
        ] {
            map.values_mut().for_each(|it| *it = place[*it]);
        }
        let mut at = 0;
        self.steps.retain(|_| {
            at += 1;
            folded[at - 1].is_none()
        });
        for step in &mut self.steps {
            step.inline
                .sort_by_cached_key(|it| (it.kind(), it.position(), it.key()));
        }
        self
    }
}

/// Whether columns can be of this kind.
pub(crate) fn is_type(key: &Key) -> bool {
    KindTag::TYPES.contains(&key.kind)
}
