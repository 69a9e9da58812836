//! The sequences that number a column's rows: those of identity columns, and those of serial ones.

use serde::Serialize;

use crate::ident::{Ident, Literal, Name};
use crate::key::Key;
use crate::kinds::column::Column;
use crate::kinds::named::default_name;
use crate::kinds::sequence::{SequenceOptions, is_owned_by};
use crate::kinds::{KindTag, Object, Shown};
use crate::schema::Schema;
use crate::statement::{Lock, Script};

/// `GENERATED … AS IDENTITY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// `ALWAYS` rather than `BY DEFAULT`.
    pub always: bool,
    /// The name of its sequence; `None` where nothing says it, which agrees with any.
    pub sequence: Option<Name>,
    /// The numbers of its sequence.
    pub options: SequenceOptions,
}

impl Identity {
    /// The same, with the other one's sequence name where this one has none.
    pub(crate) fn filled(&self, other: &Self) -> Self {
        Self {
            sequence: self.sequence.clone().or_else(|| other.sequence.clone()),
            ..self.clone()
        }
    }
}

/// Two identities with their sequences' names told where only one has one.
pub(crate) fn filled(
    one: &Option<Box<Identity>>,
    other: &Option<Box<Identity>>,
) -> Option<Identity> {
    one.as_ref().map(|it| {
        other
            .as_ref()
            .map_or_else(|| (**it).clone(), |other| it.filled(other))
    })
}

impl Shown for Identity {
    fn shown(&self) -> String {
        let clauses = self.options.clauses("bigint");
        let options = if clauses.is_empty() {
            String::new()
        } else {
            format!(" ({})", clauses.join(" ").to_lowercase())
        };
        let name = self
            .sequence
            .as_ref()
            .map_or_else(String::new, |it| format!(" {it}"));
        format!(
            "{}{name}{options}",
            if self.always { "always" } else { "by default" }
        )
    }
}

impl Identity {
    pub(crate) fn clause(&self, column: &Column) -> String {
        let mut clauses = self.options.clauses(column.ty.as_str());
        if let Some(name) = self
            .sequence
            .as_ref()
            .filter(|it| **it != column.default_sequence())
        {
            clauses.insert(0, format!("SEQUENCE NAME {name}"));
        }
        let options = if clauses.is_empty() {
            String::new()
        } else {
            format!(" ({})", clauses.join(" "))
        };
        format!("GENERATED {} AS IDENTITY{options}", self.when())
    }

    pub(crate) fn when(&self) -> &'static str {
        if self.always { "ALWAYS" } else { "BY DEFAULT" }
    }
}

impl Column {
    /// The name that PostgreSQL gives the sequence of an identity column.
    pub(crate) fn identity_sequence(&self) -> Name {
        let own = self.identity.as_ref().and_then(|it| it.sequence.clone());
        own.unwrap_or_else(|| self.default_sequence())
    }

    pub(crate) fn default_sequence(&self) -> Name {
        self.table
            .sibling(default_name(&self.table.name, &[self.name.as_str()], "seq"))
    }

    /// The call that finds the sequence of an identity or serial column.
    pub(crate) fn own_sequence(&self) -> String {
        format!(
            "pg_get_serial_sequence({}, {})",
            Literal(&self.table.to_string()),
            Literal(self.name.as_str())
        )
    }

    /// The sequence whose next value is the default, if it is one that this column owns.
    pub(crate) fn serial_sequence(&self, schema: &Schema) -> Option<Name> {
        let words = self.default.as_ref()?.words();
        if !words.contains(&Ident::new("nextval")) {
            return None;
        }
        words
            .into_iter()
            .map(|it| self.table.sibling(it))
            .find(|it| is_owned_by(schema, it, &self.table))
    }

    /// How many rows the sequence behind it can number, if tables with more of them are common.
    pub(crate) fn few_numbers(&self, schema: &Schema) -> Option<i128> {
        let serial = self
            .serial_sequence(schema)
            .and_then(|it| schema.get(&Key::of(KindTag::Sequence, &it)));
        let options = match serial {
            Some(Object::Sequence(it)) => &it.options,
            _ => &self.identity.as_ref()?.options,
        };
        options.count().filter(|it| *it <= i128::from(i16::MAX))
    }
}

pub(crate) fn write_identity(
    was: Option<&Identity>,
    is: &Identity,
    current: &Column,
    desired: &Column,
    acc: &mut Script,
) {
    let alter = current.alter_prefix();
    let Some(was) = was else {
        acc.push(
            Lock::AccessExclusive,
            format!("{alter} ADD {}", is.clause(desired)),
        );
        write_restart(desired, &desired.own_sequence(), acc);
        return;
    };
    let (old, new) = (
        current.identity_sequence(),
        is.filled(was)
            .sequence
            .unwrap_or_else(|| desired.identity_sequence()),
    );
    if old != new {
        acc.push(
            Lock::AccessExclusive,
            format!("ALTER SEQUENCE {old} RENAME TO {}", new.name),
        );
    }
    let mut from = was.options.clone();
    if current.ty != desired.ty && !narrows(current, desired) {
        // The sequence follows the column's type, and its bounds with it where they were the type's own.
        from.follow(&current.ty, &desired.ty);
    }
    if let Some((room, clamp)) =
        SequenceOptions::clamp(&mut from, &is.options, &desired.own_sequence(), &new)
    {
        if let Some(clause) = room {
            acc.push(Lock::AccessExclusive, format!("{alter} SET {clause}"));
        }
        acc.push(Lock::ShareRowExclusive, clamp);
    }
    let mut clauses = SequenceOptions::changes(&from, &is.options, "SET ");
    if was.always != is.always {
        clauses.insert(0, format!("SET GENERATED {}", is.when()));
    }
    if !clauses.is_empty() {
        acc.push(
            Lock::AccessExclusive,
            format!("{alter} {}", clauses.join(" ")),
        );
    }
}

/// Whether the identity's bounds have to fit the new type before the column gets it.
pub(crate) fn narrows(current: &Column, desired: &Column) -> bool {
    let largest = |it: &Column| SequenceOptions::defaults(it.ty.as_str(), 1).max;
    current.identity.is_some() && desired.identity.is_some() && largest(desired) < largest(current)
}

/// A sequence that begins to fill a column of a table with rows has to begin after them.
pub(crate) fn write_restart(column: &Column, sequence: &str, acc: &mut Script) {
    let Column { table, name, .. } = column;
    acc.push(
        Lock::None,
        format!(
            "SELECT setval({sequence}, max({name})) FROM {table} HAVING max({name}) IS NOT NULL"
        ),
    );
}
