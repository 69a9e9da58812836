//! What a table says of its own about a column that it inherits (`pg_attribute`, attislocal false): a default, NOT NULL, and
//! how values are kept and measured. A column about which it says nothing is the parent's alone.
//!
//! Default, NOT NULL and storage mode follow the parent's where nothing is said, since `ALTER TABLE` of the parent recurses
//! to its children. So does the compression of a new child. Statistics target and options are every table's own.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::is_false;
use crate::kinds::inheritance::{
    compression_of, default_of, is_not_null, parent_of, storage_of, type_of,
};
use crate::kinds::usage::{mentioned_sequences, mentioned_types, owner_of};
use crate::kinds::{
    Column, Context, Difference, Event, Kind, KindTag, NameVisitor, Named, NotNull, Object,
    Parameters, Physical, Reaction, Shown, Since, Slot, Stage, StorageMode, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Lock, Script};

/// The default of a column that is inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnDefault {
    /// The parent's.
    #[default]
    Inherited,
    /// None, although the parent has one.
    Nothing,
    /// Another one.
    Own(Expr),
}

impl OwnDefault {
    fn is_inherited(&self) -> bool {
        *self == Self::Inherited
    }
}

impl Shown for OwnDefault {
    fn shown(&self) -> String {
        match self {
            Self::Inherited => "inherited".into(),
            Self::Nothing => "none".into(),
            Self::Own(it) => it.to_string(),
        }
    }
}

/// What a table says of its own about a column that it inherits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InheritedColumn {
    /// The table that inherits.
    pub table: Name,
    /// The column.
    pub name: Ident,
    /// The type. It is the parent's, so it is never a difference.
    #[serde(rename = "type")]
    pub ty: SqlType,
    /// The default.
    #[serde(skip_serializing_if = "OwnDefault::is_inherited")]
    pub default: OwnDefault,
    /// Whether it takes no nulls although the parent's does.
    #[serde(skip_serializing_if = "is_false")]
    pub not_null: bool,
    /// The constraint behind it (PostgreSQL 18); `None` where nothing says it, which agrees with any name.
    #[serde(skip_serializing_if = "NotNull::says_nothing")]
    pub constraint: Option<Box<NotNull>>,
    /// A storage mode other than the parent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageMode>,
    /// A compression method other than the parent's, `default` for the server's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Ident>,
    /// A statistics target other than the server's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<i64>,
    /// Attribute options.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub options: Parameters,
}

/// How a server calls the compression that its setting decides.
pub(crate) const SERVERS_CHOICE: &str = "default";

impl InheritedColumn {
    fn new(table: Name, name: Ident, ty: SqlType) -> Self {
        Self {
            table,
            name,
            ty,
            default: OwnDefault::Inherited,
            not_null: false,
            constraint: None,
            storage: None,
            compression: None,
            statistics: None,
            options: Parameters::default(),
        }
    }

    pub(crate) fn says_nothing(&self) -> bool {
        *self == Self::new(self.table.clone(), self.name.clone(), self.ty.clone())
    }

    /// What a column that a table both declares and inherits says of its own.
    pub(crate) fn of_declared(column: &Column, schema: &Schema, parent: &Name) -> Self {
        let mut it = Self::new(column.table.clone(), column.name.clone(), column.ty.clone());
        if column.default != default_of(schema, parent, &column.name) && column.generated.is_none()
        {
            it.default = column
                .default
                .clone()
                .map_or(OwnDefault::Nothing, OwnDefault::Own);
        }
        it.not_null = !column.nullable && !is_not_null(schema, parent, &column.name);
        it.constraint = column.not_null.clone().filter(|_| it.not_null);
        if let Some(physical) = &column.physical {
            let storage = storage_of(schema, &column.table, &column.name);
            it.storage = storage.filter(|_| storage != storage_of(schema, parent, &column.name));
            let own = compression_of(schema, &column.table, &column.name);
            let inherits = own == compression_of(schema, parent, &column.name);
            it.compression = (!inherits).then_some(own);
            it.statistics = physical.statistics;
            it.options = physical.options.clone();
        }
        it
    }

    /// Takes over from another one what a source that does not speak about it leaves open.
    pub(crate) fn keep_physical(&mut self, other: Option<&Object>) {
        if let Some(Object::InheritedColumn(it)) = other {
            self.storage = it.storage;
            self.compression = it.compression.clone();
            self.statistics = it.statistics;
            self.options = it.options.clone();
        }
    }

    /// Writes what leads to the desired state from what the parent's statements leave.
    fn write(&self, ctx: &Context<'_>, acc: &mut Script) {
        let Self { table, name, .. } = self;
        let Some(parent) = parent_of(ctx.desired, table, name) else {
            return;
        };
        let was = ctx.current.contains(&Key::of(KindTag::Table, table));
        let was = was.then(|| parent_of(ctx.current, table, name)).flatten();
        let retyped = was.as_ref().is_some_and(|it| {
            type_of(ctx.current, it, name) != type_of(ctx.desired, &parent, name)
        });
        let alter = format!("ALTER TABLE {table} ALTER COLUMN {name}");
        let default = base(
            ctx,
            was.as_ref(),
            &parent,
            self,
            retyped || self.is_swapped(ctx),
            default_of,
        );
        let wanted = default_of(ctx.desired, table, name);
        if default != wanted {
            let clause = wanted.map_or_else(
                || "DROP DEFAULT".to_owned(),
                |it| format!("SET DEFAULT {}", it.operand()),
            );
            acc.push(Lock::AccessExclusive, format!("{alter} {clause}"));
        }
        let not_null = base(ctx, was.as_ref(), &parent, self, false, is_not_null);
        match (not_null, is_not_null(ctx.desired, table, name)) {
            (false, true) => NotNull::add(&self.column(), ctx, acc),
            (true, false) => {
                acc.push(Lock::AccessExclusive, format!("{alter} DROP NOT NULL"));
            }
            _ => {}
        }
        let storage = base(ctx, was.as_ref(), &parent, self, retyped, storage_of);
        let wanted = storage_of(ctx.desired, table, name);
        if let Some(mode) = wanted.filter(|_| storage != wanted) {
            let mode = mode.shown().to_uppercase();
            acc.push(Lock::AccessExclusive, format!("{alter} SET STORAGE {mode}"));
        }
        let only = format!("ALTER TABLE ONLY {table} ALTER COLUMN {name}");
        // A change of the compression does not recurse.
        let compression = match &was {
            Some(_) if retyped => Ident::new(SERVERS_CHOICE),
            Some(_) => compression_of(ctx.current, table, name),
            None => compression_of(ctx.desired, &parent, name),
        };
        let wanted = compression_of(ctx.desired, table, name);
        if compression != wanted {
            acc.push(
                Lock::AccessExclusive,
                format!("{only} SET COMPRESSION {wanted}"),
            );
        }
        let own = |schema: &Schema| match schema.get(&self.key()) {
            Some(Object::InheritedColumn(it)) => (it.statistics, it.options.clone()),
            _ => (None, Parameters::default()),
        };
        let (statistics, options) = if was.is_some() {
            own(ctx.current)
        } else {
            (None, Parameters::default())
        };
        let (target, wanted) = own(ctx.desired);
        if statistics != target {
            let target = target.unwrap_or(-1);
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("{only} SET STATISTICS {target}"),
            );
        }
        for clause in options.changes(&wanted) {
            acc.push(Lock::ShareUpdateExclusive, format!("{only} {clause}"));
        }
    }

    /// Whether the type is built anew beside its old self, so that the parent's default goes and comes again.
    fn is_swapped(&self, ctx: &Context<'_>) -> bool {
        let owners = [ctx.current, ctx.desired].map(|schema| owner_of(schema, &self.ty));
        owners
            .into_iter()
            .flatten()
            .any(|it| ctx.asides.contains(&it))
    }

    /// The column with what is said of it, for the writers of columns.
    fn column(&self) -> Column {
        Column {
            nullable: !self.not_null,
            not_null: self.constraint.clone(),
            ..Column::new(self.table.clone(), self.name.clone(), self.ty.clone())
        }
    }
}

/// A fact of the child after the parent's statements have run: they recurse where they change it.
fn base<T: PartialEq>(
    ctx: &Context<'_>,
    was: Option<&Name>,
    parent: &Name,
    column: &InheritedColumn,
    reset: bool,
    fact: impl Fn(&Schema, &Name, &Ident) -> T,
) -> T {
    let name = &column.name;
    // A statement of any table above recurses down to here.
    let mut touched = reset;
    let mut above = Some(parent.clone());
    while let Some(table) = above {
        touched |= fact(ctx.current, &table, name) != fact(ctx.desired, &table, name);
        above = parent_of(ctx.desired, &table, name);
    }
    if touched || was.is_none() {
        fact(ctx.desired, parent, name)
    } else {
        fact(ctx.current, &column.table, name)
    }
}

impl Kind for InheritedColumn {
    const CREATE: Stage = Stage::Columns;
    const DROP: Stage = Stage::Columns;

    fn catalog_sql(version: u32) -> String {
        let (not_null, join) = (NotNull::columns(version), NotNull::join(version));
        let compression = |row: &str| {
            if version >= 140_000 {
                format!("{row}.attcompression::text")
            } else {
                "''".to_owned()
            }
        };
        let (compression, parents) = (compression("a"), compression("p"));
        let options = Physical::options("a");
        let user = user_objects("pg_class", "c.oid");
        // Of several parents the first one counts.
        format!(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated = '' AND \
             pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM pg_get_expr(e.adbin, e.adrelid), pg_get_expr(d.adbin, d.adrelid), \
             a.attnotnull AND NOT p.attnotnull, {not_null}, CASE WHEN a.attstorage <> p.attstorage THEN a.attstorage::text END, \
             CASE WHEN {compression} <> {parents} THEN {compression} END, nullif(a.attstattarget, -1)::int8, {options} FROM \
             pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a \
             ON a.attrelid = c.oid JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname LEFT JOIN pg_attrdef d \
             ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef LEFT JOIN pg_attrdef e ON e.adrelid = p.attrelid AND \
             e.adnum = p.attnum AND p.atthasdef{join} WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence <> 't' AND \
             a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount > 0 AND NOT a.attislocal AND NOT EXISTS (SELECT FROM pg_inherits \
             j JOIN pg_attribute q ON q.attrelid = j.inhparent AND q.attname = a.attname WHERE j.inhrelid = i.inhrelid AND \
             j.inhseqno < i.inhseqno) AND {user}"
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let table = fields.name()?;
        let name = fields.ident()?;
        let mut it = Self::new(table, name, SqlType::from_catalog(fields.text_shared()?));
        let is_own = fields.boolean()?;
        let default = fields.text_or_null()?.map(Expr::new);
        if is_own {
            it.default = default.map_or(OwnDefault::Nothing, OwnDefault::Own);
        }
        it.not_null = fields.boolean()?;
        let constraint = NotNull::decode(fields, &it.table, &it.name)?;
        it.constraint = constraint.filter(|_| it.not_null).map(Box::new);
        it.storage = fields.text_or_null()?.map(StorageMode::from_catalog);
        it.compression = fields.text_or_null()?.map(|it| {
            Ident::new(match it {
                "l" => "lz4",
                "p" => "pglz",
                _ => SERVERS_CHOICE,
            })
        });
        it.statistics = fields.integer_or_null()?;
        it.options = Physical::decode_options(fields)?;
        if !it.says_nothing() {
            acc.push(it);
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::InheritedColumn, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(owner_of(schema, &self.ty));
        if let OwnDefault::Own(expr) = &self.default {
            let words = expr.words();
            mentioned_types(schema, &self.table, &words, acc);
            mentioned_sequences(schema, &self.table, &words, acc);
        }
        let mut table = self.table.clone();
        // What comes from further up is handed down by what stands between.
        while let Some(parent) = parent_of(schema, &table, &self.name) {
            acc.insert(Key::part(KindTag::Column, &parent, &self.name));
            let between = Key::part(KindTag::InheritedColumn, &parent, &self.name);
            acc.extend(Some(between).filter(|it| schema.contains(it)));
            table = parent;
        }
    }

    fn newer(&self) -> Vec<Since> {
        let compression = self.compression.as_ref().map(|_| Since {
            what: "COMPRESSION",
            major: 14,
        });
        let not_null = self.constraint.as_ref().and_then(|it| it.newer());
        [compression, not_null].into_iter().flatten().collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            table,
            name,
            ty: _,
            default,
            not_null,
            constraint,
            storage,
            compression,
            statistics,
            options,
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.field("default", default, &desired.default);
        if !it.field("not null", not_null, &desired.not_null) && *not_null {
            NotNull::compare(constraint, &desired.constraint, &mut it);
        }
        it.field("storage", storage, &desired.storage);
        it.field("compression", compression, &desired.compression);
        it.field("statistics target", statistics, &desired.statistics);
        it.field("options", options, &desired.options);
        it
    }

    fn summary(&self) -> String {
        let nothing = Self::new(self.table.clone(), self.name.clone(), self.ty.clone());
        let said = Self::compare(&nothing, self).changes;
        let said: Vec<String> = said
            .iter()
            .map(|it| {
                let (what, value) = it.split_once(" -> ").unwrap_or((it, ""));
                let what = what.rsplit_once(' ').map_or(what, |(what, _)| what);
                if what == "not null" {
                    what.to_owned()
                } else {
                    format!("{what} {value}")
                }
            })
            .collect();
        format!("{} {}", self.key(), said.join(", "))
    }

    fn address(key: &Key) -> String {
        format!("COLUMN {}.{}", key.qualified(), key.own_name())
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        self.write(ctx, acc);
    }

    fn release(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        // The old default need not fit the parent's new type.
        let types = |schema: &Schema, it: &Self| type_of(schema, &it.table, &it.name);
        let retyped = types(ctx.current, current) != types(ctx.desired, desired);
        if (retyped || current.is_swapped(ctx)) && matches!(current.default, OwnDefault::Own(_)) {
            let Self { table, name, .. } = current;
            acc.push(
                Lock::AccessExclusive,
                format!("ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"),
            );
        }
    }

    fn alter(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        desired.write(ctx, acc);
        if current.not_null && desired.not_null {
            NotNull::alter(&current.column(), &desired.column(), ctx, acc);
        }
    }

    fn drop(&self, ctx: &Context<'_>, acc: &mut Script) {
        self.write(ctx, acc);
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            table: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        if let Some(name) = self.constraint.as_mut().and_then(|it| it.name.as_mut()) {
            visit(Named::Part(KindTag::Check, &mut self.table.clone(), name));
        }
        visit(Named::Column(&mut self.table, &mut self.name));
    }

    fn slots(&self) -> Vec<Slot> {
        Vec::new()
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Retyped | Event::Converted | Event::Redefined | Event::Swapped => {
                Reaction::Convert
            }
            Event::Dropped | Event::Replaced => Reaction::Rebuild,
        }
    }

    fn event(current: &Self, desired: &Self) -> Option<Event> {
        (current != desired).then_some(Event::Redefined)
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        match &mut self.default {
            OwnDefault::Own(expr) => vec![ExprSlot {
                role: Role::Default(self.ty.clone()),
                expr,
            }],
            OwnDefault::Inherited | OwnDefault::Nothing => Vec::new(),
        }
    }

    fn types(&mut self) -> Vec<&mut SqlType> {
        vec![&mut self.ty]
    }
}
