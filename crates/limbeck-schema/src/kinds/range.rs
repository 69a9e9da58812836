//! Range types (`pg_range`), each with its multirange type (PostgreSQL 14). PostgreSQL can change nothing of one but its
//! name, so it is built anew beside its old self.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, MAX_IDENTIFIER_BYTES, Name};
use crate::key::Key;
use crate::kinds::collation::collation_key;
use crate::kinds::enum_type::aside;
use crate::kinds::namespace::schema_key;
use crate::kinds::usage::owner_of;
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Replacement, Since, Slot, Stage, named,
    user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script};

/// A range type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The name.
    pub name: Name,
    /// The type of its bounds.
    pub subtype: SqlType,
    /// An operator class other than the subtype's default.
    pub opclass: Option<Name>,
    /// A collation other than the subtype's own.
    pub collation: Option<Name>,
    /// The function that brings ranges to their canonical form.
    pub canonical: Option<Name>,
    /// The function that measures the distance of two bounds.
    pub subtype_diff: Option<Name>,
    /// The multirange type; `None` where the server has none.
    pub multirange: Option<Name>,
}

impl Range {
    /// The list in parentheses: `subtype = numeric, subtype_opclass = numeric_ops`.
    fn definition(&self) -> String {
        let Self {
            name: _,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
        } = self;
        let mut parts = vec![format!("subtype = {subtype}")];
        let mut say = |word: &str, value: Option<&Name>| {
            parts.extend(value.map(|it| format!("{word} = {it}")))
        };
        say("subtype_opclass", opclass.as_ref());
        say("collation", collation.as_ref());
        say("canonical", canonical.as_ref());
        say("subtype_diff", subtype_diff.as_ref());
        say(
            "multirange_type_name",
            multirange
                .as_ref()
                .filter(|it| **it != self.default_multirange()),
        );
        parts.join(", ")
    }

    /// The name that PostgreSQL gives the multirange type (`makeMultirangeTypeName`).
    pub fn default_multirange(&self) -> Name {
        let range = self.name.name.as_str();
        let mut text = match range.find("range") {
            Some(at) => format!("{}multi{}", &range[..at], &range[at..]),
            None => {
                let mut kept = range;
                while kept.len() > MAX_IDENTIFIER_BYTES - "_multirange".len() {
                    kept = &kept[..kept.char_indices().next_back().map_or(0, |(at, _)| at)];
                }
                format!("{kept}_multirange")
            }
        };
        while text.len() > MAX_IDENTIFIER_BYTES {
            text.pop();
        }
        self.name.sibling(Ident::from(text))
    }
}

impl Kind for Range {
    const CREATE: Stage = Stage::CreateTypes;
    const DROP: Stage = Stage::DropTypes;
    const IS_TYPE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Aside;

    fn catalog_sql(version: u32) -> String {
        let multirange = if version >= 140_000 {
            "r.rngmultitypid"
        } else {
            "0"
        };
        format!(
            "SELECT n.nspname, t.typname, format_type(r.rngsubtype, NULL), CASE WHEN NOT oc.opcdefault THEN noc.nspname \
             END, CASE WHEN NOT oc.opcdefault THEN oc.opcname END, CASE WHEN r.rngcollation <> s.typcollation THEN \
             nco.nspname END, CASE WHEN r.rngcollation <> s.typcollation THEN co.collname END, nca.nspname, ca.proname, \
             ndi.nspname, di.proname, nm.nspname, m.typname FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN \
             pg_namespace n ON n.oid = t.typnamespace JOIN pg_type s ON s.oid = r.rngsubtype JOIN pg_opclass oc ON oc.oid = \
             r.rngsubopc JOIN pg_namespace noc ON noc.oid = oc.opcnamespace LEFT JOIN pg_collation co ON co.oid = \
             r.rngcollation LEFT JOIN pg_namespace nco ON nco.oid = co.collnamespace LEFT JOIN pg_proc ca ON ca.oid = \
             r.rngcanonical LEFT JOIN pg_namespace nca ON nca.oid = ca.pronamespace LEFT JOIN pg_proc di ON di.oid = \
             r.rngsubdiff LEFT JOIN pg_namespace ndi ON ndi.oid = di.pronamespace LEFT JOIN pg_type m ON m.oid = \
             {multirange} LEFT JOIN pg_namespace nm ON nm.oid = m.typnamespace WHERE {}",
            user_objects("pg_type", "t.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            name: fields.type_name()?,
            subtype: SqlType::from_catalog(fields.text_shared()?),
            opclass: fields.name_or_null()?,
            collation: fields.name_or_null()?,
            canonical: fields.name_or_null()?,
            subtype_diff: fields.name_or_null()?,
            multirange: fields.name_or_null()?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Range, &self.name)
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
        acc.extend(owner_of(schema, &self.subtype));
        acc.extend(self.collation.as_ref().map(collation_key));
    }

    fn newer(&self) -> Vec<Since> {
        let named = self
            .multirange
            .iter()
            .filter(|it| **it != self.default_multirange());
        named
            .map(|_| Since {
                what: "MULTIRANGE_TYPE_NAME",
                major: 14,
            })
            .collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL can change nothing of a range type but its name";
        let Self {
            name,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
        } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it.fixed("subtype", subtype, &desired.subtype, WHY);
        it.fixed("operator class", opclass, &desired.opclass, WHY);
        it.fixed("collation", collation, &desired.collation, WHY);
        it.fixed("canonical", canonical, &desired.canonical, WHY);
        it.fixed(
            "subtype difference",
            subtype_diff,
            &desired.subtype_diff,
            WHY,
        );
        if multirange.is_some() && desired.multirange.is_some() {
            it.fixed("multirange", multirange, &desired.multirange, WHY);
        }
        it
    }

    fn summary(&self) -> String {
        format!("{} ({})", self.key(), self.definition())
    }

    fn address(key: &Key) -> String {
        format!("TYPE {}", key.qualified())
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!("CREATE TYPE {} AS RANGE ({})", self.name, self.definition()),
        );
    }

    fn alter(_current: &Self, _desired: &Self, _ctx: &Context<'_>, _acc: &mut Script) {}

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
        named::collations(&mut self.collation, visit);
        for name in std::iter::once(&mut self.name).chain(&mut self.multirange) {
            visit(Named::Object(KindTag::Range, name));
        }
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Type(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        std::iter::once(&self.name)
            .chain(&self.multirange)
            .map(|it| Slot::ty(it.clone()))
            .collect()
    }

    fn types(&mut self) -> Vec<&mut SqlType> {
        vec![&mut self.subtype]
    }

    fn move_aside(&self, acc: &mut Script) {
        let Self { name, subtype, .. } = self;
        let old = aside(name);
        acc.push(
            Lock::None,
            format!("ALTER TYPE {name} RENAME TO {}", old.name),
        );
        // The functions that construct a type's values are named like it, and keep that name.
        for arguments in [
            format!("{subtype}, {subtype}"),
            format!("{subtype}, {subtype}, text"),
        ] {
            acc.push(
                Lock::None,
                format!("ALTER FUNCTION {name}({arguments}) RENAME TO {}", old.name),
            );
        }
        if let Some(multirange) = &self.multirange {
            let renamed = aside(multirange).name;
            acc.push(
                Lock::None,
                format!("ALTER TYPE {multirange} RENAME TO {renamed}"),
            );
            for arguments in [String::new(), old.to_string(), format!("VARIADIC {old}[]")] {
                acc.push(
                    Lock::None,
                    format!("ALTER FUNCTION {multirange}({arguments}) RENAME TO {renamed}"),
                );
            }
        }
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

    #[test]
    fn multirange_types_are_named_as_postgresql_names_them() {
        let check = |name: &str, expected: &str| {
            let range = Range {
                name: Name::plain(name),
                subtype: SqlType::from_catalog("text"),
                opclass: None,
                collation: None,
                canonical: None,
                subtype_diff: None,
                multirange: None,
            };
            assert_eq!(range.default_multirange(), Name::plain(expected));
        };
        check("textrange", "textmultirange");
        check("price_range_of", "price_multirange_of");
        check("span", "span_multirange");
        check(&"a".repeat(63), &format!("{}_multirange", "a".repeat(52)));
    }
}
