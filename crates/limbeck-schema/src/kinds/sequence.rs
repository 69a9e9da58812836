//! Sequences (`pg_sequence` joined to `pg_class`). Identity sequences belong to their column and are left out here;
//! the sequence of a serial column is one of these, given to its column by a sequence owner.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Literal, Name};
use crate::key::Key;
use crate::kinds::enum_type::prefixed;
use crate::kinds::namespace::schema_key;
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Object, Since, Slot, Stage,
    user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script};

/// The numbers of a sequence, of its own or behind an identity column (`pg_sequence`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceOptions {
    /// `START WITH`.
    pub start: i64,
    /// `INCREMENT BY`.
    pub increment: i64,
    /// `MINVALUE`.
    pub min: i64,
    /// `MAXVALUE`.
    pub max: i64,
    /// `CACHE`.
    pub cache: i64,
    /// `CYCLE`.
    pub cycle: bool,
}

impl SequenceOptions {
    /// The defaults of `CREATE SEQUENCE` for a type and an increment.
    pub fn defaults(ty: &str, increment: i64) -> Self {
        let (low, high) = bounds(ty);
        let (min, max) = if increment < 0 { (low, -1) } else { (1, high) };
        Self {
            start: if increment < 0 { max } else { min },
            increment,
            min,
            max,
            cache: 1,
            cycle: false,
        }
    }

    /// How many numbers it gives before it ends; none if it begins anew then.
    pub(crate) fn count(&self) -> Option<i128> {
        let Self {
            start,
            increment,
            min,
            max,
            cache: _,
            cycle,
        } = *self;
        let end = if increment < 0 { min } else { max };
        let steps = (i128::from(end) - i128::from(start)).checked_div(increment.into())?;
        (!cycle).then_some(steps + 1)
    }

    /// The clauses that say what differs from the defaults of the type.
    pub(crate) fn clauses(&self, ty: &str) -> Vec<String> {
        let Self {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = self;
        let mut defaults = Self::defaults(ty, *increment);
        // The start's own default follows the bounds.
        defaults.start = if *increment < 0 { *max } else { *min };
        let mut acc = Vec::new();
        let mut say = |differs: bool, text: String| acc.extend(differs.then_some(text));
        say(*increment != 1, format!("INCREMENT BY {increment}"));
        say(*min != defaults.min, format!("MINVALUE {min}"));
        say(*max != defaults.max, format!("MAXVALUE {max}"));
        say(*start != defaults.start, format!("START WITH {start}"));
        say(*cache != defaults.cache, format!("CACHE {cache}"));
        say(*cycle, "CYCLE".into());
        acc
    }

    /// The clauses that lead from another state, each after `prefix`.
    pub(crate) fn changes(current: &Self, desired: &Self, prefix: &str) -> Vec<String> {
        let Self {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = current;
        let mut acc = Vec::new();
        let mut say =
            |differs: bool, text: String| acc.extend(differs.then(|| format!("{prefix}{text}")));
        say(
            *increment != desired.increment,
            format!("INCREMENT BY {}", desired.increment),
        );
        say(*min != desired.min, format!("MINVALUE {}", desired.min));
        say(*max != desired.max, format!("MAXVALUE {}", desired.max));
        say(
            *start != desired.start,
            format!("START WITH {}", desired.start),
        );
        say(*cache != desired.cache, format!("CACHE {}", desired.cache));
        say(
            *cycle != desired.cycle,
            if desired.cycle {
                "CYCLE".into()
            } else {
                "NO CYCLE".into()
            },
        );
        acc
    }

    /// A bound that was the old type's own becomes the new type's (documentation of `ALTER SEQUENCE`; `init_params`).
    pub(crate) fn follow(&mut self, from: &SqlType, to: &SqlType) {
        let (old, new) = (bounds(from.as_str()), bounds(to.as_str()));
        self.min = if self.min == old.0 { new.0 } else { self.min };
        self.max = if self.max == old.1 { new.1 } else { self.max };
    }

    /// PostgreSQL refuses bounds that leave the current value outside. Where they narrow: the statement that brings a
    /// value outside the new ones to their nearest end, and before it, where that end is outside the current ones, the
    /// clause that makes room. `current` gets that room.
    pub(crate) fn clamp(
        current: &mut Self,
        desired: &Self,
        target: &str,
        relation: &dyn Display,
    ) -> Option<(Option<String>, String)> {
        let Self { min, max, .. } = desired;
        let narrows = *min > current.min || *max < current.max;
        let room = if *min > current.max {
            current.max = *min;
            Some(format!("MAXVALUE {min}"))
        } else if *max < current.min {
            current.min = *max;
            Some(format!("MINVALUE {max}"))
        } else {
            None
        };
        let clamp = format!(
            "SELECT setval({target}, greatest({min}, least({max}, last_value)), false) FROM {relation} WHERE last_value NOT \
             BETWEEN {min} AND {max}"
        );
        narrows.then_some((room, clamp))
    }

    pub(crate) fn compare(current: &Self, desired: &Self, it: &mut Difference) {
        let Self {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = current;
        it.field("start", start, &desired.start);
        it.field("increment", increment, &desired.increment);
        it.field("minimum", min, &desired.min);
        it.field("maximum", max, &desired.max);
        it.field("cache", cache, &desired.cache);
        it.field("cycle", cycle, &desired.cycle);
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            start: fields.integer()?,
            increment: fields.integer()?,
            min: fields.integer()?,
            max: fields.integer()?,
            cache: fields.integer()?,
            cycle: fields.boolean()?,
        })
    }
}

/// The smallest and the largest value of a type.
fn bounds(ty: &str) -> (i64, i64) {
    match ty {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The columns of `pg_sequence` that `SequenceOptions::decode` reads.
pub(crate) const OPTION_COLUMNS: &str =
    "s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle";

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sequence {
    /// The name.
    pub name: Name,
    /// `smallint`, `integer` or `bigint`.
    #[serde(rename = "type")]
    pub ty: SqlType,
    /// Its numbers.
    pub options: SequenceOptions,
    /// Whether it is `UNLOGGED` (PostgreSQL 15).
    pub unlogged: bool,
}

impl Kind for Sequence {
    const CREATE: Stage = Stage::CreateTypes;
    const DROP: Stage = Stage::DropTypes;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname, c.relname, format_type(s.seqtypid, NULL), c.relpersistence = 'u', {OPTION_COLUMNS} FROM \
             pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE \
             c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND \
             d.objid = c.oid AND d.deptype = 'i') AND {}",
            user_objects("pg_class", "c.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            name: fields.name()?,
            ty: SqlType::from_catalog(fields.text()?),
            unlogged: fields.boolean()?,
            options: SequenceOptions::decode(fields)?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Sequence, &self.name)
    }

    fn managed_with(&self, current: &Schema) -> Option<Key> {
        let owner = current.get(&Key::of(KindTag::SequenceOwner, &self.name))?;
        owner.managed_with(current)
    }

    fn goes_with(&self, current: &Schema) -> Option<Key> {
        match current.get(&Key::of(KindTag::SequenceOwner, &self.name)) {
            Some(Object::SequenceOwner(it)) => {
                Some(Key::part(KindTag::Column, &it.table, &it.column))
            }
            _ => None,
        }
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
    }

    fn newer(&self) -> Vec<Since> {
        self.unlogged
            .then_some(Since {
                what: "UNLOGGED",
                major: 15,
            })
            .into_iter()
            .collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            name,
            ty,
            options,
            unlogged,
        } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it.field("type", ty, &desired.ty);
        it.field("unlogged", unlogged, &desired.unlogged);
        SequenceOptions::compare(options, &desired.options, &mut it);
        it
    }

    fn summary(&self) -> String {
        let mut words = vec![self.key().to_string(), self.ty.to_string()];
        words.extend(
            self.options
                .clauses(self.ty.as_str())
                .iter()
                .map(|it| it.to_lowercase()),
        );
        words.join(" ")
    }

    fn address(key: &Key) -> String {
        format!("SEQUENCE {}", key.qualified())
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        // A sequence has no row type, but PostgreSQL creates none where a type has its name; renaming is not checked so.
        // In which schema the type is does not matter for whether this works.
        let mut types = KindTag::TYPES
            .iter()
            .flat_map(|kind| ctx.current.of_kind(*kind).chain(ctx.desired.of_kind(*kind)));
        let is_type = ctx.version >= 140_000 && types.any(|(key, _)| key.name == self.name.name);
        let name = if is_type {
            self.name
                .sibling(prefixed("limbeck_new_", self.name.name.as_str()))
        } else {
            self.name.clone()
        };
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        let mut sql = format!("CREATE {unlogged}SEQUENCE {name}");
        if self.ty.as_str() != "bigint" {
            sql.push_str(&format!(" AS {}", self.ty));
        }
        for clause in self.options.clauses(self.ty.as_str()) {
            sql.push_str(&format!(" {clause}"));
        }
        acc.push(Lock::None, sql);
        if is_type {
            acc.push(
                Lock::None,
                format!("ALTER SEQUENCE {name} RENAME TO {}", self.name.name),
            );
        }
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        let Self {
            name,
            ty,
            options,
            unlogged,
        } = current;
        let mut options = options.clone();
        let is_apart = desired.options.min > options.max || desired.options.max < options.min;
        let widens_first = is_apart && bounds(ty.as_str()).1 < bounds(desired.ty.as_str()).1;
        if widens_first {
            // The current value may have to go where only the new type reaches.
            acc.push(
                Lock::ShareRowExclusive,
                format!("ALTER SEQUENCE {name} AS {}", desired.ty),
            );
            options.follow(ty, &desired.ty);
        }
        let target = Literal(&name.to_string()).to_string();
        if let Some((room, clamp)) =
            SequenceOptions::clamp(&mut options, &desired.options, &target, name)
        {
            if let Some(clause) = room {
                acc.push(
                    Lock::ShareRowExclusive,
                    format!("ALTER SEQUENCE {name} {clause}"),
                );
            }
            acc.push(Lock::ShareRowExclusive, clamp);
        }
        let mut clauses = Vec::new();
        if *ty != desired.ty && !widens_first {
            clauses.push(format!("AS {}", desired.ty));
            options.follow(ty, &desired.ty);
        }
        clauses.extend(SequenceOptions::changes(&options, &desired.options, ""));
        if !clauses.is_empty() {
            acc.push(
                Lock::ShareRowExclusive,
                format!("ALTER SEQUENCE {name} {}", clauses.join(" ")),
            );
        }
        if *unlogged != desired.unlogged {
            let to = if desired.unlogged {
                "UNLOGGED"
            } else {
                "LOGGED"
            };
            acc.push(
                Lock::AccessExclusive,
                format!("ALTER SEQUENCE {name} SET {to}"),
            );
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::AccessExclusive,
            format!("DROP SEQUENCE {}", self.name),
        )
        .warn(Hazard::DeletesData, "the current value is lost");
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Object(KindTag::Sequence, &mut self.name));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Relation(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        vec![
            Slot::relation(self.name.clone()),
            Slot::sequence_type(self.name.clone()),
        ]
    }
}

/// Whether a sequence is in a schema and owned by a column of this table.
pub(crate) fn is_owned_by(schema: &Schema, sequence: &Name, table: &Name) -> bool {
    matches!(
        schema.get(&Key::of(KindTag::SequenceOwner, sequence)),
        Some(Object::SequenceOwner(owner)) if owner.table == *table
    )
}
