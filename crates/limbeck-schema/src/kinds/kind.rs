//! What a kind is: the trait each of them implements, and the words it speaks in.

use std::collections::BTreeSet;

use crate::expr::{Expr, ExprSlot};
use crate::facts::{Facts, Holder};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::NameVisitor;
use crate::op::Verdict;
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::Script;

/// When a step runs among those that do not depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Values are added to enum types, in a segment of their own where something uses them.
    AddValues,
    /// Foreign keys go first, since they hold on to the keys of other tables.
    DropReferences,
    /// Constraints, indexes and comments go.
    DropParts,
    /// Things get their new names.
    Rename,
    /// Schemas come.
    CreateSchemas,
    /// Types and sequences come.
    CreateTypes,
    /// Tables come.
    CreateTables,
    /// Columns come and change.
    Columns,
    /// Constraints come.
    Constraints,
    /// Indexes come.
    Indexes,
    /// Foreign keys come.
    References,
    /// Sequences are given to their columns, comments are written.
    Annotations,
    /// Columns go.
    DropColumns,
    /// Tables go.
    DropTables,
    /// Types and sequences go.
    DropTypes,
    /// Schemas go.
    DropSchemas,
}

/// What happens to a dependency while a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// It is dropped and not created again.
    Dropped,
    /// It is dropped and created again.
    Replaced,
    /// A type is created anew beside its old self; columns are converted from one to the other.
    Swapped,
    /// A column changes its type in place.
    Retyped,
    /// A column is converted from the old self of a swapped type to the new one.
    Converted,
    /// A column changes what tables that inherit it take over: its default, NOT NULL, how its values are kept.
    Redefined,
}

/// What that asks of an object which itself stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Nothing: PostgreSQL carries it over.
    Keep,
    /// It is altered to itself: a column of a swapped type.
    Convert,
    /// It goes before and comes again after.
    Rebuild,
}

/// How a kind is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Dropped, then created.
    DropCreate,
    /// Renamed aside, created, its users converted, then dropped.
    Aside,
}

/// A place that only one object can hold: two relations of a schema cannot share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// What kind of place: `relation`, `type`, `constraint`, `column`, `type of a sequence`.
    pub space: &'static str,
    /// Where: schema and name, or the table.
    pub name: Name,
    /// The part's name for places inside a table.
    pub part: Option<Ident>,
}

/// The space of the row types that sequences had until PostgreSQL 13.
const SEQUENCE_TYPE: &str = "type of a sequence";

impl Slot {
    pub(crate) fn relation(name: Name) -> Self {
        Self {
            space: "relation",
            name: name.place(),
            part: None,
        }
    }

    pub(crate) fn ty(name: Name) -> Self {
        Self {
            space: "type",
            name: name.place(),
            part: None,
        }
    }

    /// The row type of a sequence; PostgreSQL 14 and newer give it none.
    pub(crate) fn sequence_type(name: Name) -> Self {
        Self {
            space: SEQUENCE_TYPE,
            ..Self::ty(name)
        }
    }

    /// The place on a server of this `server_version_num`, if it has it.
    pub fn on(self, version: u32) -> Option<Self> {
        match self.space {
            SEQUENCE_TYPE if version >= 140_000 => None,
            SEQUENCE_TYPE => Some(Self::ty(self.name)),
            _ => Some(self),
        }
    }

    pub(crate) fn constraint(table: &Name, part: &Ident) -> Self {
        Self {
            space: "constraint",
            name: table.clone(),
            part: Some(part.clone()),
        }
    }
}

/// What the writers of SQL may know about the script they write for.
#[derive(Debug)]
pub struct Context<'a> {
    /// `server_version_num` of the server that will run it, for example 150018.
    pub version: u32,
    /// The state before.
    pub current: &'a Schema,
    /// The state after.
    pub desired: &'a Schema,
    /// Keys that this script creates; what is new holds no rows and nobody waits for it.
    pub created: &'a BTreeSet<Key>,
    /// Parts that are written inside the `CREATE` statement of their parent, in order.
    pub inline: Vec<String>,
    /// Whether a type that the object uses is being swapped.
    pub swapped: bool,
    /// What is replaced by renaming its old self aside in this script.
    pub asides: &'a BTreeSet<Key>,
    /// What a server says of the changes.
    pub facts: &'a Facts,
}

impl Context<'_> {
    /// Whether the table holds rows that others read and write, as far as one can know.
    pub fn is_live(&self, table: &Key) -> bool {
        !self.created.contains(table)
    }
}

/// Something that only newer servers have, and the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// What it is: `a virtual generated column`.
    pub what: &'static str,
    /// The major version of PostgreSQL that brought it.
    pub major: u32,
}

/// What differs between two states of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub(crate) changes: Vec<String>,
    replace: Option<&'static str>,
    unsupported: Option<&'static str>,
}

impl Difference {
    /// Notes a field if it differs; says whether it does.
    pub fn field<T: PartialEq + Shown>(&mut self, name: &str, current: &T, desired: &T) -> bool {
        if current == desired {
            return false;
        }
        let (from, to) = (current.shown(), desired.shown());
        self.changes.push(format!("{name} {from} -> {to}"));
        true
    }

    /// Notes a field that cannot be altered: if it differs, the object is replaced.
    pub fn fixed<T: PartialEq + Shown>(
        &mut self,
        name: &str,
        current: &T,
        desired: &T,
        why: &'static str,
    ) {
        if self.field(name, current, desired) {
            self.replace_because(why);
        }
    }

    /// Says that the object has to be replaced.
    pub fn replace_because(&mut self, why: &'static str) {
        self.replace.get_or_insert(why);
    }

    /// Says that no way leads there.
    pub fn unsupported_because(&mut self, why: &'static str) {
        self.unsupported.get_or_insert(why);
    }

    /// The verdict over all fields.
    pub fn verdict(&self) -> Verdict {
        match (self.unsupported, self.replace) {
            (Some(why), _) => Verdict::Unsupported(why),
            (None, Some(why)) => Verdict::Replace(why),
            (None, None) if self.changes.is_empty() => Verdict::Same,
            (None, None) => Verdict::Alter,
        }
    }
}

/// How a field's value reads in a list of changes.
pub trait Shown {
    /// The value as people read it; `none` for nothing.
    fn shown(&self) -> String;
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.clone()
    }
}

macro_rules! shown_as_display {
    ($($it:ty),*) => { $(impl Shown for $it { fn shown(&self) -> String { self.to_string() } })* };
}
shown_as_display!(Ident, Name, SqlType, Expr);

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), Shown::shown)
    }
}

impl<T: Shown> Shown for &T {
    fn shown(&self) -> String {
        T::shown(self)
    }
}

impl<T: Shown> Shown for Box<T> {
    fn shown(&self) -> String {
        T::shown(self)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        format!(
            "({})",
            self.iter().map(Shown::shown).collect::<Vec<_>>().join(", ")
        )
    }
}

/// What every kind of object says about itself. A kind that forgets a method does not compile.
pub trait Kind: Clone + PartialEq + Sized {
    /// When it is created.
    const CREATE: Stage;
    /// When it is altered.
    const ALTER: Stage = Self::CREATE;
    /// When it is dropped.
    const DROP: Stage;
    /// Whether columns can be of it.
    const IS_TYPE: bool = false;
    /// How it is replaced.
    const REPLACEMENT: Replacement = Replacement::DropCreate;
    /// About how long reading them takes next to other kinds: where two connections read, the longest begin.
    const READING: u32 = 1;
    /// Whether one that only changed its name is renamed without being asked: true only where nothing but the name
    /// tells two of them apart, so that no guess is made.
    const RENAMES: bool = false;

    /// The one statement that reads all of them, for a server of this `server_version_num`.
    fn catalog_sql(version: u32) -> String;
    /// Reads one row of it; rows of one object follow each other.
    ///
    /// # Errors
    /// If the row does not read as the statement promises.
    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError>;
    /// The key.
    fn key(&self) -> Key;
    /// What it is a part of, and is dropped with.
    fn parent(&self) -> Option<Key> {
        None
    }
    /// What decides whether it is managed; its parent unless said otherwise.
    fn managed_with(&self, _current: &Schema) -> Option<Key> {
        self.parent()
    }
    /// What it is dropped with by PostgreSQL itself; its parent unless said otherwise.
    fn goes_with(&self, _current: &Schema) -> Option<Key> {
        self.parent()
    }
    /// What has to be there before it, besides its parent.
    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>);
    /// What of it only newer servers have. Limbeck supports everything else on each server that it supports.
    fn newer(&self) -> Vec<Since> {
        Vec::new()
    }
    /// What differs. Written by full destructuring, so that a new field stops the build.
    fn compare(current: &Self, desired: &Self) -> Difference;
    /// One line that describes it, beginning with the kind's name.
    fn summary(&self) -> String;
    /// How `COMMENT ON` and messages address it: `COLUMN account.email`.
    fn address(key: &Key) -> String;
    /// Writes what creates it.
    fn create(&self, ctx: &Context<'_>, acc: &mut Script);
    /// What creating it makes, where that differs from it: no statement makes an index that is not valid.
    fn as_created(&self) -> Option<Self> {
        None
    }
    /// Writes what lets go of the current state early, where others wait for that.
    fn release(_current: &Self, _desired: &Self, _ctx: &Context<'_>, _acc: &mut Script) {}
    /// Writes what alters it.
    fn alter(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script);
    /// Writes what drops it.
    fn drop(&self, ctx: &Context<'_>, acc: &mut Script);
    /// Writes what renames it.
    fn rename(_current: &Self, _desired: &Self, _acc: &mut Script) {}
    /// The same object under another key of its kind.
    fn with_key(&self, key: &Key) -> Self;
    /// Its text inside the `CREATE` statement of its parent, if it can stand there.
    fn inline(&self) -> Option<String> {
        None
    }
    /// What only one part inside a `CREATE TABLE` can say: PostgreSQL makes a single index of constraints there that
    /// agree in all but their names (`transformIndexConstraints`).
    fn merged(&self) -> Option<String> {
        None
    }
    /// Where it stands among the inline parts of its kind.
    fn position(&self) -> i64 {
        0
    }
    /// Lends out every name in it: those that it has, and those that it has for others. Names in expressions and types are
    /// in those.
    fn names(&mut self, visit: &mut NameVisitor<'_>);
    /// Whether a state may have it or not without anybody having said so; then it is no difference.
    fn is_implied(&self, _schema: &Schema) -> bool {
        false
    }
    /// The places it holds.
    fn slots(&self) -> Vec<Slot>;
    /// What it does when something it depends on changes while it stays the same.
    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Dropped | Event::Replaced | Event::Swapped => Reaction::Rebuild,
            Event::Retyped | Event::Converted | Event::Redefined => Reaction::Keep,
        }
    }
    /// What altering it in place means for those that depend on it.
    fn event(_current: &Self, _desired: &Self) -> Option<Event> {
        None
    }
    /// What has to be built anew for this to be possible, because of what uses it in the current schema, and why.
    /// `current` is `None` where it is created.
    fn obstacle(
        _current: Option<&Self>,
        _desired: &Self,
        _schema: &Schema,
    ) -> Option<(Key, &'static str)> {
        None
    }
    /// What of the live database would make the server refuse to drop it.
    fn holders(&self, _facts: &Facts) -> Vec<Holder> {
        Vec::new()
    }
    /// Its expressions.
    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        Vec::new()
    }
    /// Its types.
    fn types(&mut self) -> Vec<&mut SqlType> {
        Vec::new()
    }
    /// For `Replacement::Aside`: writes what renames it aside.
    fn move_aside(&self, _acc: &mut Script) {}
    /// For `Replacement::Aside`: writes what drops its old self.
    fn drop_aside(&self, _ctx: &Context<'_>, _acc: &mut Script) {}
}
