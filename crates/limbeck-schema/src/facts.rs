//! What only a server can tell of a change: how it coerces one type to another, which defaults are volatile, which
//! expressions it casts anew, and what of the live database holds on to what goes or changes.
//!
//! Nothing here asks anybody. A plan made without facts goes by what is known of the built-in types alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::expr::{Expr, Role};
use crate::ident::{Ident, List, Name};
use crate::key::Key;
use crate::sql_type::SqlType;

/// A type with the collation that a column of it has, where that is not the type's own.
pub type Typed = (SqlType, Option<Name>);

/// What `ALTER COLUMN … TYPE` needs to come from one type to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Using {
    /// Nothing: there is an assignment cast, or none is needed.
    Nothing,
    /// A cast that has to be written.
    Cast,
    /// A way through other types, since there is no cast.
    Detour,
}

/// How PostgreSQL brings a column from one type to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coercion {
    /// What the statement has to say for it.
    pub using: Using,
    /// Whether every row is written anew.
    pub rewrites: bool,
    /// Whether indexes on the column are built anew although the rows stay.
    pub reindexes: bool,
}

/// Something that others hold on to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// A table or sequence.
    Relation(Name),
    /// A column of a table.
    Column(Name, Ident),
    /// A constraint of a table.
    Constraint(Name, Ident),
    /// A type, a table's row type included.
    Type(Name),
    /// A collation.
    Collation(Name),
    /// A schema.
    Schema(Ident),
}

/// What holds on to something, so that the server refuses to drop or change that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// What it is and what it is called: `view public.v`.
    pub name: String,
    /// Whether it is a part of the very table that it holds on to, and goes with it: a trigger, a policy.
    pub is_part: bool,
}

/// What a server is to be asked about a set of operations.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Changes of type.
    pub coercions: BTreeSet<(Typed, Typed)>,
    /// Defaults of new columns, each with the column's type.
    pub defaults: BTreeSet<(SqlType, Expr)>,
    /// Types that may be domains.
    pub domains: BTreeSet<SqlType>,
    /// Expressions over columns that change their types, by table.
    pub recasts: Vec<Recast>,
    /// Whether something goes or changes, so that it matters what holds on to it.
    pub holders: bool,
}

/// The expressions of a table over columns that change their types.
#[derive(Clone, Debug)]
pub struct Recast {
    /// The columns that change, in the order in which they do.
    pub columns: Vec<Ident>,
    /// What is computed from them.
    pub expressions: Vec<Expressions>,
    /// The columns before, each with its type and collation.
    pub before: Vec<(Ident, SqlType, Option<Name>)>,
    /// The columns after.
    pub after: Vec<(Ident, SqlType, Option<Name>)>,
}

/// An expression of an object that stays.
#[derive(Clone, Debug)]
pub struct Expressions {
    /// The object.
    pub key: Key,
    /// Where the expression stands.
    pub role: Role,
    /// As it is.
    pub before: Expr,
    /// As it shall be.
    pub after: Expr,
}

/// What a server said of the changes between two states. Shared, since a desired state is copied with it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    coercions: BTreeMap<(Typed, Typed), Coercion>,
    volatile: BTreeMap<(SqlType, Expr), bool>,
    constrained: BTreeMap<SqlType, bool>,
    holders: BTreeMap<Held, Vec<Holder>>,
    recast: BTreeSet<Key>,
    recast_back: BTreeSet<Key>,
    knows_holders: bool,
}

impl Facts {
    /// Notes that all that holds on to something has been noted.
    pub fn all_holders(&mut self) {
        Arc::make_mut(&mut self.shared).knows_holders = true;
    }

    /// Whether nothing holds on to what nothing is noted for.
    pub fn knows_holders(&self) -> bool {
        self.shared.knows_holders
    }

    /// Notes how a type is brought to another.
    pub fn coerces(&mut self, from: Typed, to: Typed, how: Coercion) {
        Arc::make_mut(&mut self.shared)
            .coercions
            .insert((from, to), how);
    }

    /// Notes whether the default of a column of a type is volatile (`pg_proc.provolatile`).
    pub fn is_volatile(&mut self, ty: SqlType, default: Expr, volatile: bool) {
        let it = Arc::make_mut(&mut self.shared);
        it.volatile.insert((ty, default), volatile);
    }

    /// Notes whether a type that no state knows is a domain with constraints.
    pub fn is_constrained(&mut self, ty: SqlType, constrained: bool) {
        let it = Arc::make_mut(&mut self.shared);
        it.constrained.insert(ty, constrained);
    }

    /// Notes what holds on to something.
    pub fn holds(&mut self, held: Held, holder: Holder) {
        let all = Arc::make_mut(&mut self.shared)
            .holders
            .entry(held)
            .or_default();
        if !all.contains(&holder) {
            all.push(holder);
        }
    }

    /// Notes an object whose expressions come out otherwise than they should where their columns change their types, on
    /// the way to the desired state or, with `back`, on the way from it.
    pub fn recasts(&mut self, key: Key, back: bool) {
        let it = Arc::make_mut(&mut self.shared);
        if back {
            it.recast_back.insert(key);
        } else {
            it.recast.insert(key);
        }
    }

    /// The same for the way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut it = (*self.shared).clone();
        std::mem::swap(&mut it.recast, &mut it.recast_back);
        Self {
            shared: Arc::new(it),
        }
    }

    /// How a type is brought to another, if the server said so.
    pub fn coercion(&self, from: &Typed, to: &Typed) -> Option<Coercion> {
        let key = (from.clone(), to.clone());
        self.shared.coercions.get(&key).copied()
    }

    /// Whether the default of a column of a type is volatile, if the server said so.
    pub fn volatile(&self, ty: &SqlType, default: &Expr) -> Option<bool> {
        let key = (ty.clone(), default.clone());
        self.shared.volatile.get(&key).copied()
    }

    /// Whether a type is a domain with constraints, if the server said so.
    pub fn constrained(&self, ty: &SqlType) -> Option<bool> {
        self.shared.constrained.get(ty).copied()
    }

    /// Whether an object has to be built anew because its expressions would come out otherwise.
    pub fn is_recast(&self, key: &Key) -> bool {
        self.shared.recast.contains(key)
    }

    /// What holds on to something.
    pub fn holders(&self, held: &Held) -> &[Holder] {
        self.shared.holders.get(held).map_or(&[], Vec::as_slice)
    }

    /// What holds on to a table or any part of it, but for what goes with it.
    pub(crate) fn holders_of_table(&self, table: &Name) -> Vec<Holder> {
        let is_of = |it: &Held| match it {
            Held::Relation(name) | Held::Type(name) => name == table,
            Held::Column(name, _) | Held::Constraint(name, _) => name == table,
            Held::Collation(_) | Held::Schema(_) => false,
        };
        let found: BTreeSet<&Holder> = self
            .shared
            .holders
            .iter()
            .filter(|(held, _)| is_of(held))
            .flat_map(|(_, it)| it)
            .filter(|it| !it.is_part)
            .collect();
        found.into_iter().cloned().collect()
    }

    /// The same facts about things under the names that they are written with: `None` where a name stays.
    #[must_use]
    pub(crate) fn spelled(
        &self,
        held: impl Fn(&Held) -> Option<Held>,
        ty: impl Fn(&SqlType) -> Option<SqlType>,
        expr: impl Fn(&Expr) -> Option<Expr>,
        key: impl Fn(&Key) -> Option<Key>,
    ) -> Self {
        let of = |it: &SqlType| ty(it).unwrap_or_else(|| it.clone());
        let typed = |(it, collation): &Typed| (of(it), collation.clone());
        let keys = |all: &BTreeSet<Key>| {
            let spelled = all.iter().map(|it| key(it).unwrap_or_else(|| it.clone()));
            spelled.collect()
        };
        let Shared {
            coercions,
            volatile,
            constrained,
            holders,
            recast,
            recast_back,
            knows_holders,
        } = &*self.shared;
        let volatile = volatile.iter().map(|((ty, default), it)| {
            let default = expr(default).unwrap_or_else(|| default.clone());
            ((of(ty), default), *it)
        });
        let shared = Shared {
            coercions: coercions
                .iter()
                .map(|((from, to), how)| ((typed(from), typed(to)), *how))
                .collect(),
            volatile: volatile.collect(),
            constrained: constrained.iter().map(|(ty, it)| (of(ty), *it)).collect(),
            holders: holders
                .iter()
                .map(|(it, all)| (held(it).unwrap_or_else(|| it.clone()), all.clone()))
                .collect(),
            recast: keys(recast),
            recast_back: keys(recast_back),
            knows_holders: *knows_holders,
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

/// The names of holders, as a sentence has them.
pub(crate) fn names(holders: &[Holder]) -> String {
    let names: Vec<&str> = holders.iter().map(|it| it.name.as_str()).collect();
    List(&names).to_string()
}
