//! Schemas (`pg_namespace`).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Slot, Stage, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// The schema that every new database has, whether anybody wants it or not.
const PUBLIC: &str = "public";

/// A schema. The default schema of the connection is not one of them: it is where names without a schema live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// The name.
    pub name: Ident,
}

impl Kind for Namespace {
    const CREATE: Stage = Stage::CreateSchemas;
    const DROP: Stage = Stage::DropSchemas;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname FROM pg_namespace n WHERE {}",
            user_objects("pg_namespace", "n.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        if let Some(name) = fields.schema()? {
            acc.push(Self { name });
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Namespace, &Name::plain(self.name.clone()))
    }

    fn depends_on(&self, _schema: &Schema, _acc: &mut BTreeSet<Key>) {}

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self { name } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it
    }

    fn summary(&self) -> String {
        self.key().to_string()
    }

    fn address(key: &Key) -> String {
        format!("SCHEMA {}", key.name)
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("CREATE SCHEMA {}", self.name));
    }

    fn alter(_current: &Self, _desired: &Self, _ctx: &Context<'_>, _acc: &mut Script) {}

    fn drop(&self, ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP SCHEMA {}", self.name))
            .warn_unless(
                ctx.facts.knows_holders(),
                Hazard::MayFail,
                "fails while the schema holds anything that is not in this revision",
            );
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.name.clone(),
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        let mut name = Name::plain(self.name.clone());
        visit(Named::Object(KindTag::Namespace, &mut name));
        self.name = name.name;
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Schema(self.name.clone())).to_vec()
    }

    fn is_implied(&self, schema: &Schema) -> bool {
        let is_inside = |key: &Key| {
            key.schema.as_ref() == Some(&self.name) || key.subject() == Some(self.key())
        };
        self.name.as_str() == PUBLIC && !schema.iter().any(|(key, _)| is_inside(key))
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot {
            space: "schema",
            name: Name::plain(self.name.clone()),
            part: None,
        }]
    }
}

/// The schema that an object in it depends on.
pub(crate) fn schema_key(name: &Name) -> Option<Key> {
    name.schema
        .as_ref()
        .map(|it| Key::of(KindTag::Namespace, &Name::plain(it.clone())))
}
