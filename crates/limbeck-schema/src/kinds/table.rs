//! Tables (`pg_class`, relkind `r` and `p`): what is theirs alone. Columns, constraints and indexes are objects of
//! their own, and are written inside `CREATE TABLE` where they can stand there.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Holder};
use crate::ident::{List, Name};
use crate::key::Key;
use crate::kinds::namespace::schema_key;
use crate::kinds::sequence::is_owned_by;
use crate::kinds::{
    Column, Context, Difference, Kind, KindTag, NameVisitor, Named, Object, Parameters, Slot,
    Stage, parameters, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The name.
    pub name: Name,
    /// Whether it is `UNLOGGED` (`pg_class.relpersistence`).
    pub unlogged: bool,
    /// Storage parameters (`pg_class.reloptions`).
    pub options: Parameters,
    /// The partition key, as `pg_get_partkeydef` prints it.
    pub partition_by: Option<String>,
    /// The tables it inherits from, in order (`pg_inherits`).
    pub inherits: Vec<Name>,
}

impl Table {
    /// A table with every default.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            unlogged: false,
            options: Parameters::default(),
            partition_by: None,
            inherits: Vec::new(),
        }
    }
}

/// The sequences that columns of a table own, besides those of identity columns.
fn sequences_owned(schema: &Schema, table: &Name) -> Vec<Name> {
    let owners = schema.of_kind(KindTag::SequenceOwner);
    owners
        .filter(|(key, _)| is_owned_by(schema, &key.qualified(), table))
        .map(|(key, _)| key.qualified())
        .collect()
}

impl Kind for Table {
    const CREATE: Stage = Stage::CreateTables;
    const DROP: Stage = Stage::DropTables;

    fn catalog_sql(_version: u32) -> String {
        // Partitions are parts of their parent; dropping one because no model names it would drop its rows.
        format!(
            "SELECT n.nspname, c.relname, c.relpersistence = 'u', c.reloptions || array(SELECT 'toast.' || o FROM \
             pg_class tc, unnest(tc.reloptions) o WHERE tc.oid = c.reltoastrelid), CASE WHEN c.relkind = 'p' THEN \
             pg_get_partkeydef(c.oid) END, array(SELECT np.nspname::text FROM pg_inherits i JOIN pg_class p ON p.oid = \
             i.inhparent JOIN pg_namespace np ON np.oid = p.relnamespace WHERE i.inhrelid = c.oid ORDER BY i.inhseqno), \
             array(SELECT p.relname::text FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = \
             c.oid ORDER BY i.inhseqno) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN \
             ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND {}",
            user_objects("pg_class", "c.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let name = fields.name()?;
        let unlogged = fields.boolean()?;
        let storage = Parameters::read(fields.options(parameters::of_tables)?);
        let partition_by = fields.text_or_null()?.map(str::to_owned);
        let schemas = fields.list()?;
        let parents = fields.list()?;
        let inherits = schemas
            .iter()
            .zip(&parents)
            .map(|(schema, name)| fields.qualified(schema, name))
            .collect();
        acc.push(Self {
            name,
            unlogged,
            options: storage,
            partition_by,
            inherits,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Table, &self.name)
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
        acc.extend(self.inherits.iter().map(|it| Key::of(KindTag::Table, it)));
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            name,
            unlogged,
            options,
            partition_by,
            inherits,
        } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it.field("unlogged", unlogged, &desired.unlogged);
        it.field("storage parameters", options, &desired.options);
        it.field("inherits", inherits, &desired.inherits);
        if it.field("partition key", partition_by, &desired.partition_by) {
            it.unsupported_because(
                "PostgreSQL cannot change how a table is partitioned; create a new table and move the rows in a revision \
                 written by hand",
            );
        }
        it
    }

    fn summary(&self) -> String {
        self.key().to_string()
    }

    fn address(key: &Key) -> String {
        format!("TABLE {}", key.qualified())
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let Self {
            name,
            unlogged,
            options,
            partition_by,
            inherits,
        } = self;
        let unlogged = if *unlogged { "UNLOGGED " } else { "" };
        let body = if ctx.inline.is_empty() {
            "()".into()
        } else {
            format!("(\n    {}\n)", ctx.inline.join(",\n    "))
        };
        let mut sql = format!("CREATE {unlogged}TABLE {name} {body}");
        if !inherits.is_empty() {
            sql.push_str(&format!(" INHERITS ({})", List(inherits)));
        }
        if let Some(key) = partition_by {
            sql.push_str(&format!(" PARTITION BY {key}"));
        }
        sql.push_str(&options.with_clause());
        acc.push(Lock::None, sql);
        columns_of(ctx.desired, name)
            .into_iter()
            .for_each(|it| it.write_rest(ctx, acc));
    }

    fn alter(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        let Self {
            name,
            unlogged,
            options,
            partition_by: _,
            inherits,
        } = current;
        if *unlogged != desired.unlogged {
            let to = if desired.unlogged {
                "UNLOGGED"
            } else {
                "LOGGED"
            };
            acc.push(
                Lock::AccessExclusive,
                format!("ALTER TABLE {name} SET {to}"),
            )
            .warn(
                Hazard::RewritesTable,
                "every row is written anew while nobody can use the table",
            );
            // The sequences that the table's columns own go along since PostgreSQL 15, whether they should or not.
            for other in sequences_owned(ctx.current, name)
                .into_iter()
                .filter(|_| ctx.version >= 150_000)
            {
                if let Some(Object::Sequence(it)) =
                    ctx.desired.get(&Key::of(KindTag::Sequence, &other))
                    && it.unlogged != desired.unlogged
                {
                    let back = if it.unlogged { "UNLOGGED" } else { "LOGGED" };
                    acc.push(
                        Lock::AccessExclusive,
                        format!("ALTER SEQUENCE {other} SET {back}"),
                    );
                }
            }
        }
        for clause in options.changes(&desired.options) {
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("ALTER TABLE {name} {clause}"),
            );
        }
        for parent in inherits.iter().filter(|it| !desired.inherits.contains(it)) {
            acc.push(
                Lock::AccessExclusive,
                format!("ALTER TABLE {name} NO INHERIT {parent}"),
            );
        }
        for parent in desired.inherits.iter().filter(|it| !inherits.contains(it)) {
            acc.push(
                Lock::AccessExclusive,
                format!("ALTER TABLE {name} INHERIT {parent}"),
            );
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::AccessExclusive, format!("DROP TABLE {}", self.name))
            .warn(
                Hazard::DeletesData,
                format!("every row of {} is lost", self.name),
            );
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        for name in std::iter::once(&mut self.name).chain(&mut self.inherits) {
            visit(Named::Object(KindTag::Table, name));
        }
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders_of_table(&self.name)
    }

    fn slots(&self) -> Vec<Slot> {
        // A table's row type holds its name among the types as well.
        vec![
            Slot::relation(self.name.clone()),
            Slot::ty(self.name.clone()),
        ]
    }
}

/// The columns of a table in a schema, in table order.
pub fn columns_of<'a>(schema: &'a Schema, table: &Name) -> Vec<&'a Column> {
    let mut acc: Vec<&Column> = schema
        .parts(KindTag::Column, table)
        .filter_map(|(_, it)| {
            if let Object::Column(column) = it {
                Some(&**column)
            } else {
                None
            }
        })
        .collect();
    acc.sort_by_key(|it| it.position);
    acc
}
