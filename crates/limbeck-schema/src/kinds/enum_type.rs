//! Enum types (`pg_type`, `pg_enum`): labels are added in place; removing or reordering them builds the type anew.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, List, Literal, MAX_IDENTIFIER_BYTES, Name};
use crate::key::Key;
use crate::kinds::namespace::schema_key;
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Replacement, Slot, Stage, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script, Tx};

/// An enum type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnumType {
    /// The name.
    pub name: Name,
    /// The labels, in sort order.
    pub labels: Vec<String>,
}

impl EnumType {
    /// Whether each label of this one stands in the other in the same order.
    fn is_part_of(&self, other: &Self) -> bool {
        let mut rest = other.labels.iter();
        self.labels.iter().all(|label| rest.any(|it| it == label))
    }
}

/// The name that a type has while its new self is being built.
pub(crate) fn aside(name: &Name) -> Name {
    name.sibling(prefixed("limbeck_old_", name.name.as_str()))
}

/// A name with something before it. Where PostgreSQL would cut it, its end becomes a checksum (FNV-1a) of the whole, so
/// that long names that differ only at their ends stay apart.
pub(crate) fn prefixed(prefix: &str, name: &str) -> Ident {
    let mut text = format!("{prefix}{name}");
    if text.len() > MAX_IDENTIFIER_BYTES {
        let step = |sum: u32, byte: u8| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let end = format!("_{:08x}", name.bytes().fold(0x811c_9dc5, step));
        while text.len() + end.len() > MAX_IDENTIFIER_BYTES {
            text.pop();
        }
        text.push_str(&end);
    }
    Ident::from(text)
}

impl Kind for EnumType {
    const CREATE: Stage = Stage::CreateTypes;
    const ALTER: Stage = Stage::AddValues;
    const DROP: Stage = Stage::DropTypes;
    const IS_TYPE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Aside;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname, t.typname, array(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER \
             BY e.enumsortorder) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e' AND {}",
            user_objects("pg_type", "t.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            name: fields.type_name()?,
            labels: fields.list()?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::EnumType, &self.name)
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self { name, labels } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        if it.field("labels", labels, &desired.labels) && !current.is_part_of(desired) {
            it.replace_because("PostgreSQL can add labels but not remove or reorder them");
        }
        it
    }

    fn summary(&self) -> String {
        let labels: Vec<_> = self.labels.iter().map(|it| Literal(it)).collect();
        format!("{} ({})", self.key(), List(&labels))
    }

    fn address(key: &Key) -> String {
        format!("TYPE {}", key.qualified())
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        let labels: Vec<_> = self.labels.iter().map(|it| Literal(it)).collect();
        acc.push(
            Lock::None,
            format!("CREATE TYPE {} AS ENUM ({})", self.name, List(&labels)),
        );
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        let is_old = |label: &String| current.labels.contains(label);
        for (at, label) in desired
            .labels
            .iter()
            .enumerate()
            .filter(|(_, label)| !is_old(label))
        {
            // What stands before is there by now: it was in the type or has just been added.
            let place = match (
                at.checked_sub(1).map(|it| &desired.labels[it]),
                desired.labels[at..].iter().find(|it| is_old(it)),
            ) {
                (_, None) => String::new(),
                (Some(before), Some(_)) => format!(" AFTER {}", Literal(before)),
                (None, Some(after)) => format!(" BEFORE {}", Literal(after)),
            };
            acc.push(
                Lock::None,
                format!(
                    "ALTER TYPE {} ADD VALUE {}{place}",
                    desired.name,
                    Literal(label)
                ),
            )
            .tx(Tx::CommitAfter);
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP TYPE {}", self.name));
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Object(KindTag::EnumType, &mut self.name));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Type(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::ty(self.name.clone())]
    }

    fn move_aside(&self, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!(
                "ALTER TYPE {} RENAME TO {}",
                self.name,
                aside(&self.name).name
            ),
        );
    }

    fn drop_aside(&self, ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP TYPE {}", aside(&self.name)))
            .warn_unless(
                ctx.facts.knows_holders(),
                Hazard::MayFail,
                "fails if a function or view that is not in this revision still uses the type",
            );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Verdict;

    fn ty(labels: &[&str]) -> EnumType {
        EnumType {
            name: Name::plain("status"),
            labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check(current: &[&str], desired: &[&str], expected: &[&str]) {
        let (current, desired) = (ty(current), ty(desired));
        let (schema, none) = (Schema::new(), BTreeSet::new());
        let ctx = Context {
            version: 150_000,
            current: &schema,
            desired: &schema,
            created: &none,
            inline: vec![],
            swapped: false,
            asides: &none,
            facts: &Facts::default(),
        };
        let mut acc = Script::default();
        match EnumType::compare(&current, &desired).verdict() {
            Verdict::Alter => EnumType::alter(&current, &desired, &ctx, &mut acc),
            Verdict::Replace(_) => acc.statements.clear(),
            it => assert_eq!(it, Verdict::Same),
        }
        let sql: Vec<_> = acc.statements.into_iter().map(|it| it.sql).collect();
        assert_eq!(sql, expected);
    }

    #[test]
    fn labels_are_added_where_they_belong() {
        check(
            &["a", "b"],
            &["a", "b", "c"],
            &["ALTER TYPE status ADD VALUE 'c'"],
        );
        check(
            &["b"],
            &["a", "b"],
            &["ALTER TYPE status ADD VALUE 'a' BEFORE 'b'"],
        );
        check(
            &["a", "d"],
            &["a", "b", "c", "d"],
            &[
                "ALTER TYPE status ADD VALUE 'b' AFTER 'a'",
                "ALTER TYPE status ADD VALUE 'c' AFTER 'b'",
            ],
        );
    }

    #[test]
    fn removal_and_reorder_are_no_alteration() {
        assert!(matches!(
            EnumType::compare(&ty(&["a", "b"]), &ty(&["b"])).verdict(),
            Verdict::Replace(_)
        ));
        assert!(matches!(
            EnumType::compare(&ty(&["a", "b"]), &ty(&["b", "a"])).verdict(),
            Verdict::Replace(_)
        ));
    }
}
