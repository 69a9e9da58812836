//! Comments (`pg_description`) on every other kind: objects of their own, whose key is that of what they are about.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::ident::{Ident, Literal};
use crate::key::Key;
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Reaction, Slot, Stage,
    user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Lock, Script};

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// What it is about.
    pub subject: Key,
    /// The text.
    pub text: String,
}

impl Comment {
    fn set(&self, text: &str, acc: &mut Script) {
        acc.push(
            Lock::ShareUpdateExclusive,
            format!(
                "COMMENT ON {} IS {text}",
                self.subject.kind.address(&self.subject)
            ),
        );
    }
}

impl Kind for Comment {
    const CREATE: Stage = Stage::Annotations;
    const DROP: Stage = Stage::DropParts;

    fn catalog_sql(_version: u32) -> String {
        // The first column is a kind's name as the registry has it. What `initdb` says of `public` is nobody's comment.
        format!(
            "SELECT 'schema', NULL::name, n.nspname, NULL::name, d.description FROM pg_description d JOIN pg_namespace n ON \
             n.oid = d.objoid WHERE d.classoid = 'pg_namespace'::regclass AND NOT (n.nspname = 'public' AND d.description = 'standard public \
             schema') AND {} UNION ALL \
             SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' WHEN 'c' THEN \
             'composite type' END, n.nspname, t.typname, NULL, d.description FROM pg_description d JOIN pg_type t ON t.oid = \
             d.objoid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE d.classoid = 'pg_type'::regclass AND {} UNION ALL \
             SELECT CASE WHEN c.relkind = 'c' THEN 'composite type' WHEN d.objsubid <> 0 THEN 'column' WHEN c.relkind = 'S' THEN 'sequence' WHEN x.indexrelid IS NOT \
             NULL THEN 'index' ELSE 'table' END, n.nspname, coalesce(t.relname, c.relname), coalesce(a.attname, CASE WHEN \
             x.indexrelid IS NOT NULL THEN c.relname END), d.description FROM pg_description d JOIN pg_class c ON c.oid = \
             d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND \
             a.attnum = d.objsubid AND d.objsubid > 0 LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class t ON \
             t.oid = x.indrelid WHERE d.classoid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'c', 'S', 'i', 'I') AND NOT \
             c.relispartition AND (t.oid IS NULL OR t.relkind IN ('r', 'p') AND NOT t.relispartition) AND {} UNION \
             ALL SELECT CASE o.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'c' THEN 'check' WHEN 'x' THEN \
             'exclusion' WHEN 'f' THEN 'foreign key' END, n.nspname, t.relname, o.conname, d.description FROM pg_description d \
             JOIN pg_constraint o ON o.oid = d.objoid JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = \
             t.relnamespace WHERE d.classoid = 'pg_constraint'::regclass AND o.contype IN ('p', 'u', 'c', 'x', 'f') AND \
             t.relkind IN ('r', 'p') AND NOT t.relispartition AND {} UNION \
             ALL SELECT 'domain check', n.nspname, t.typname, o.conname, d.description FROM pg_description d JOIN \
             pg_constraint o ON o.oid = d.objoid JOIN pg_type t ON t.oid = o.contypid JOIN pg_namespace n ON n.oid = \
             t.typnamespace WHERE d.classoid = 'pg_constraint'::regclass AND o.contype = 'c' AND {} UNION ALL \
             SELECT 'collation', n.nspname, c.collname, NULL, d.description FROM pg_description d JOIN pg_collation c ON \
             c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.collnamespace WHERE d.classoid = 'pg_collation'::regclass AND \
             {}",
            user_objects("pg_namespace", "n.oid"),
            user_objects("pg_type", "t.oid"),
            user_objects("pg_class", "c.oid"),
            user_objects("pg_class", "t.oid"),
            user_objects("pg_type", "t.oid"),
            user_objects("pg_collation", "c.oid"),
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let Some(kind) = fields.text_or_null()?.and_then(KindTag::from_name) else {
            return Ok(());
        };
        let of_type = KindTag::TYPES.contains(&kind) || kind == KindTag::DomainCheck;
        let name = if of_type {
            fields.type_name()?
        } else {
            fields.name()?
        };
        let part: Option<Ident> = fields.ident_or_null()?;
        let subject = Key {
            part,
            ..Key::of(kind, &name)
        };
        acc.push(Self {
            subject,
            text: fields.text()?.to_owned(),
        });
        Ok(())
    }

    fn key(&self) -> Key {
        self.subject.about(KindTag::Comment)
    }

    fn parent(&self) -> Option<Key> {
        // The attributes of composite types are no objects of their own.
        let is_attribute = self.subject.kind == KindTag::CompositeType;
        let part = self.subject.part.clone().filter(|_| !is_attribute);
        Some(Key {
            part,
            ..self.subject.clone()
        })
    }

    fn depends_on(&self, _schema: &Schema, _acc: &mut BTreeSet<Key>) {}

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self { subject, text } = current;
        let mut it = Difference::default();
        if *subject != desired.subject {
            it.unsupported_because("a comment cannot move to another object");
        }
        it.field("text", text, &desired.text);
        it
    }

    fn summary(&self) -> String {
        format!("{}: {}", self.key(), self.text)
    }

    fn address(key: &Key) -> String {
        key.to_string()
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        self.set(&Literal(&self.text).to_string(), acc);
    }

    fn alter(_current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        desired.create(ctx, acc);
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        self.set("NULL", acc);
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            subject: key.subject().unwrap_or_else(|| key.clone()),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        let mut name = self.subject.qualified();
        match &mut self.subject.part {
            None => visit(Named::Object(self.subject.kind, &mut name)),
            Some(part) if self.subject.kind == KindTag::Column => {
                visit(Named::Column(&mut name, part))
            }
            Some(part) => visit(Named::Part(self.subject.kind, &mut name, part)),
        }
        self.subject.schema = name.schema;
        self.subject.name = name.name;
    }

    fn slots(&self) -> Vec<Slot> {
        Vec::new()
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Dropped | Event::Replaced | Event::Swapped => Reaction::Rebuild,
            Event::Retyped | Event::Converted | Event::Redefined => Reaction::Keep,
        }
    }
}
