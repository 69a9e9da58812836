//! Composite types (`pg_type`, typtype `c`, of a `pg_class` of relkind `c`). Attributes are added at the end and dropped
//! in place; their order means something, since `ROW(…)` is read by it, so another order builds the type anew.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, List, Name};
use crate::key::Key;
use crate::kinds::cast::{coercion, through_text, using};
use crate::kinds::collation::collation_key;
use crate::kinds::enum_type::aside;
use crate::kinds::namespace::schema_key;
use crate::kinds::usage::{Stored, composite_below, owner_of, stored};
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Object, Replacement, Shown, Slot,
    Stage, named, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script};

/// An attribute of a composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// The name.
    pub name: Ident,
    /// The type.
    #[serde(rename = "type")]
    pub ty: SqlType,
    /// A collation other than the type's own.
    pub collation: Option<Name>,
}

impl Attribute {
    fn rest(&self) -> String {
        let collation = self
            .collation
            .as_ref()
            .map_or_else(String::new, |it| format!(" COLLATE {it}"));
        format!("{}{collation}", self.ty)
    }
}

impl Shown for Attribute {
    fn shown(&self) -> String {
        format!("{} {}", self.name, self.rest())
    }
}

/// A composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompositeType {
    /// The name.
    pub name: Name,
    /// The attributes, in order.
    pub attributes: Vec<Attribute>,
}

impl CompositeType {
    fn attribute(&self, name: &Ident) -> Option<&Attribute> {
        self.attributes.iter().find(|it| it.name == *name)
    }

    /// Whether dropping and adding at the end leads to the desired order.
    fn leads_to(&self, desired: &Self) -> bool {
        let kept = self
            .attributes
            .iter()
            .filter(|it| desired.attribute(&it.name).is_some());
        let added = desired
            .attributes
            .iter()
            .filter(|it| self.attribute(&it.name).is_none());
        kept.chain(added)
            .map(|it| &it.name)
            .eq(desired.attributes.iter().map(|it| &it.name))
    }

    /// The function that converts values of the old self while it stands aside.
    fn converter(&self) -> Name {
        let name = Ident::from(
            aside(&self.name)
                .name
                .as_str()
                .replacen("_old_", "_new_", 1),
        );
        self.name.sibling(name)
    }

    /// Writes the cast from the old self, attribute by attribute; PostgreSQL applies it inside arrays and domains too.
    fn write_cast(&self, old: &Self, ctx: &Context<'_>, acc: &mut Script) {
        let values: Vec<String> = self
            .attributes
            .iter()
            .map(|it| match old.attribute(&it.name) {
                None => "NULL".into(),
                Some(was) => {
                    let value = format!("($1).{}", was.name);
                    conversion(&value, &was.ty, &it.ty, ctx).unwrap_or(value)
                }
            })
            .collect();
        let (from, converter) = (aside(&self.name), self.converter());
        acc.push(
            Lock::None,
            format!(
                "CREATE FUNCTION {converter}({from}) RETURNS {} LANGUAGE sql IMMUTABLE STRICT AS $limbeck$SELECT \
                 ROW({})::{}$limbeck$",
                self.name,
                values.join(", "),
                self.name
            ),
        );
        acc.push(
            Lock::None,
            format!(
                "CREATE CAST ({from} AS {}) WITH FUNCTION {converter}({from})",
                self.name
            ),
        );
        for lost in old
            .attributes
            .iter()
            .filter(|it| self.attribute(&it.name).is_none())
        {
            if let Some(last) = acc.statements.last_mut() {
                last.warn(
                    Hazard::DeletesData,
                    format!("every value of {} in {} is lost", lost.name, self.name),
                );
            }
        }
    }
}

/// The expression that makes a value of one type one of another where a type may be aside; `None` where the value can
/// stay as it is.
pub(crate) fn conversion(
    value: &str,
    from: &SqlType,
    to: &SqlType,
    ctx: &Context<'_>,
) -> Option<String> {
    let is_aside = |schema: &Schema, ty: &SqlType| {
        owner_of(schema, ty).is_some_and(|it| ctx.asides.contains(&it))
    };
    if !is_aside(ctx.current, from) && !is_aside(ctx.desired, to) {
        if from == to {
            return None;
        }
        let (was, is) = ((from.clone(), None), (to.clone(), None));
        return using(&value, from, to, coercion(&was, &is, ctx).using);
    }
    let below = composite_below(ctx.desired, to);
    if below.is_some()
        && below == composite_below(ctx.current, from)
        && from.is_array() == to.is_array()
    {
        return Some(format!("{value}::{to}"));
    }
    Some(if from.is_array() == to.is_array() {
        through_text(&value, to)
    } else {
        format!("{value}::text::{to}")
    })
}

impl Kind for CompositeType {
    const CREATE: Stage = Stage::CreateTypes;
    const DROP: Stage = Stage::DropTypes;
    const IS_TYPE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Aside;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> \
             t.typcollation THEN nco.nspname END, CASE WHEN a.attcollation <> t.typcollation THEN co.collname END FROM \
             pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND \
             a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation co ON \
             co.oid = a.attcollation LEFT JOIN pg_namespace nco ON nco.oid = co.collnamespace WHERE c.relkind = 'c' AND {} \
             ORDER BY c.oid, a.attnum",
            user_objects("pg_type", "c.reltype")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let (name, attribute) = (fields.type_name()?, fields.ident_or_null()?);
        if acc.last().is_none_or(|it| it.name != name) {
            acc.push(Self {
                name,
                attributes: Vec::new(),
            });
        }
        if let (Some(last), Some(name)) = (acc.last_mut(), attribute) {
            let ty = SqlType::from_catalog(fields.text_shared()?);
            last.attributes.push(Attribute {
                name,
                ty,
                collation: fields.name_or_null()?,
            });
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::CompositeType, &self.name)
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
        for Attribute {
            name: _,
            ty,
            collation,
        } in &self.attributes
        {
            acc.extend(owner_of(schema, ty));
            acc.extend(collation.as_ref().map(collation_key));
        }
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self { name, attributes } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        if it.field("attributes", attributes, &desired.attributes) && !current.leads_to(desired) {
            it.replace_because("PostgreSQL adds attributes at the end alone");
        }
        it
    }

    fn summary(&self) -> String {
        format!("{} {}", self.key(), self.attributes.shown())
    }

    fn address(key: &Key) -> String {
        match &key.part {
            // A comment on an attribute.
            Some(attribute) => format!("COLUMN {}.{attribute}", key.qualified()),
            None => format!("TYPE {}", key.qualified()),
        }
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let attributes: Vec<_> = self.attributes.iter().map(Shown::shown).collect();
        let list = List(&attributes).to_string();
        let body = if list.len() > 80 {
            format!("(\n    {}\n)", attributes.join(",\n    "))
        } else {
            format!("({list})")
        };
        acc.push(Lock::None, format!("CREATE TYPE {} AS {body}", self.name));
        let key = self.key();
        if ctx.asides.contains(&key)
            && stored(ctx.current, &key) != Stored::No
            && let Some(Object::CompositeType(old)) = ctx.current.get(&key)
        {
            self.write_cast(old, ctx, acc);
        }
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        let alter = format!("ALTER TYPE {}", current.name);
        for it in current
            .attributes
            .iter()
            .filter(|it| desired.attribute(&it.name).is_none())
        {
            acc.push(
                Lock::AccessExclusive,
                format!("{alter} DROP ATTRIBUTE {}", it.name),
            )
            .warn(
                Hazard::DeletesData,
                format!("every value of {} in {} is lost", it.name, current.name),
            );
        }
        for it in &desired.attributes {
            match current.attribute(&it.name) {
                None => drop(acc.push(
                    Lock::AccessExclusive,
                    format!("{alter} ADD ATTRIBUTE {}", it.shown()),
                )),
                Some(was) if was != it => {
                    acc.push(
                        Lock::AccessExclusive,
                        format!("{alter} ALTER ATTRIBUTE {} TYPE {}", it.name, it.rest()),
                    );
                }
                Some(_) => {}
            }
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
        named::collations(
            self.attributes
                .iter_mut()
                .filter_map(|it| it.collation.as_mut()),
            visit,
        );
        visit(Named::Object(KindTag::CompositeType, &mut self.name));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Type(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        vec![
            Slot::relation(self.name.clone()),
            Slot::ty(self.name.clone()),
        ]
    }

    fn obstacle(
        current: Option<&Self>,
        desired: &Self,
        schema: &Schema,
    ) -> Option<(Key, &'static str)> {
        let retypes = |it: &Attribute| {
            desired
                .attribute(&it.name)
                .is_some_and(|wanted| wanted != it)
        };
        let key = desired.key();
        let held = current.is_some_and(|it| it.attributes.iter().any(retypes))
            && stored(schema, &key) != Stored::No;
        held.then_some((
            key,
            "PostgreSQL cannot change the type of an attribute while columns hold values of it",
        ))
    }

    fn types(&mut self) -> Vec<&mut SqlType> {
        self.attributes.iter_mut().map(|it| &mut it.ty).collect()
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
        let old = aside(&self.name);
        let comes_back = ctx.desired.contains(&self.key());
        if comes_back && stored(ctx.current, &self.key()) != Stored::No {
            acc.push(Lock::None, format!("DROP CAST ({old} AS {})", self.name));
            acc.push(
                Lock::None,
                format!("DROP FUNCTION {}({old})", self.converter()),
            );
        }
        acc.push(Lock::None, format!("DROP TYPE {old}"))
            .warn_unless(
                ctx.facts.knows_holders(),
                Hazard::MayFail,
                "fails if a function or view that is not in this revision still uses the type",
            );
    }
}
