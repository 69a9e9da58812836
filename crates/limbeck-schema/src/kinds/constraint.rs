//! What constraints share: deferral, the columns they span, the statements that rename and drop them.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde::Serialize;

use crate::ident::{Ident, List, Name};
use crate::key::Key;
use crate::kinds::element::include_clause;
use crate::kinds::{
    Context, Difference, KindTag, Parameters, Shown, Since, parameters, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::statement::{Hazard, Lock, Script};

/// What checks and foreign keys can be since PostgreSQL 18.
pub(crate) const NOT_ENFORCED: Since = Since {
    what: "NOT ENFORCED",
    major: 18,
};

/// When a constraint is checked (`pg_constraint.condeferrable`, `condeferred`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deferral {
    /// `NOT DEFERRABLE`.
    #[default]
    No,
    /// `DEFERRABLE INITIALLY IMMEDIATE`.
    Immediate,
    /// `DEFERRABLE INITIALLY DEFERRED`.
    Deferred,
}

impl Deferral {
    /// From the two columns of `pg_constraint`.
    pub fn new(deferrable: bool, initially_deferred: bool) -> Self {
        match (deferrable, initially_deferred) {
            (false, _) => Self::No,
            (true, false) => Self::Immediate,
            (true, true) => Self::Deferred,
        }
    }
}

impl Display for Deferral {
    /// The clause with a space before it, nothing for the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "",
            Self::Immediate => " DEFERRABLE",
            Self::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        })
    }
}

impl Shown for Deferral {
    fn shown(&self) -> String {
        match self {
            Self::No => "not deferrable".into(),
            Self::Immediate => "deferrable".into(),
            Self::Deferred => "initially deferred".into(),
        }
    }
}

/// The statement that reads constraints of one `contype`, with `columns` after schema, table and name. A foreign key
/// to a partitioned table has further rows for its partitions, which are not constraints of their own.
pub(crate) fn catalog_sql(contype: char, columns: &str, joins: &str, order: &str) -> String {
    format!(
        "SELECT n.nspname, t.relname, c.conname{columns} FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         JOIN pg_namespace n ON n.oid = t.relnamespace {joins} WHERE c.contype = '{contype}' AND c.conislocal AND (c.contype <> 'f' OR c.conparentid = 0) AND NOT \
         t.relispartition AND t.relpersistence <> 't' AND t.relkind IN ('r', 'p') AND {} ORDER BY c.oid{order}",
        user_objects("pg_class", "t.oid")
    )
}

/// Whether a key has a column `WITHOUT OVERLAPS`, or a foreign key one of a `PERIOD`; both came with PostgreSQL 18.
pub(crate) fn period(version: u32) -> &'static str {
    if version >= 180_000 {
        "c.conperiod"
    } else {
        "false"
    }
}

/// Whether a constraint is valid and whether it is enforced, in the select list. `NOT ENFORCED` came with PostgreSQL 18;
/// that such a constraint is never valid says nothing more.
pub(crate) fn validity(version: u32) -> &'static str {
    if version >= 180_000 {
        "c.convalidated OR NOT c.conenforced, c.conenforced"
    } else {
        "c.convalidated, true"
    }
}

/// What the definition of a constraint ends in.
pub(crate) fn validity_clause(valid: bool, enforced: bool) -> &'static str {
    match (valid, enforced) {
        (_, false) => " NOT ENFORCED",
        (false, true) => " NOT VALID",
        (true, true) => "",
    }
}

pub(crate) fn is_false(it: &bool) -> bool {
    !it
}

pub(crate) fn is_true(it: &bool) -> bool {
    *it
}

/// The columns of a table as keys.
pub(crate) fn column_keys<'a>(
    table: &'a Name,
    columns: &'a [Ident],
) -> impl Iterator<Item = Key> + 'a {
    columns
        .iter()
        .map(|it| Key::part(KindTag::Column, table, it))
}

/// The columns of a table that an expression's words name: a superset of those it uses.
pub(crate) fn mentioned_columns(table: &Name, words: &BTreeSet<Ident>, acc: &mut BTreeSet<Key>) {
    acc.extend(words.iter().map(|it| Key::part(KindTag::Column, table, it)));
}

/// How messages and `COMMENT ON` address a constraint.
pub(crate) fn address(key: &Key) -> String {
    format!("CONSTRAINT {} ON {}", key.own_name(), key.qualified())
}

/// `ALTER TABLE … ADD CONSTRAINT`, with the lock it takes.
pub(crate) fn add<'a>(
    acc: &'a mut Script,
    lock: Lock,
    table: &Name,
    definition: &str,
) -> &'a mut crate::statement::Statement {
    acc.push(lock, format!("ALTER TABLE {table} ADD {definition}"))
}

/// `ALTER TABLE … DROP CONSTRAINT`.
pub(crate) fn drop(acc: &mut Script, key: &Key) {
    let sql = format!(
        "ALTER TABLE {} DROP CONSTRAINT {}",
        key.qualified(),
        key.own_name()
    );
    acc.push(Lock::AccessExclusive, sql);
}

/// `ALTER TABLE … VALIDATE CONSTRAINT`.
pub(crate) fn validate(acc: &mut Script, key: &Key) {
    let sql = format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}",
        key.qualified(),
        key.own_name()
    );
    acc.push(Lock::ShareUpdateExclusive, sql).warn(
        Hazard::MayFail,
        format!(
            "reads every row of {} and fails if one does not fit",
            key.qualified()
        ),
    );
}

/// `ALTER TABLE … RENAME CONSTRAINT`.
pub(crate) fn rename(acc: &mut Script, current: &Key, desired: &Key) {
    let sql = format!(
        "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
        current.qualified(),
        current.own_name(),
        desired.own_name()
    );
    acc.push(Lock::AccessExclusive, sql);
}

/// Whether the table of a part is there already, so that its rows and readers matter.
pub(crate) fn on_live_table(ctx: &Context<'_>, table: &Name) -> bool {
    ctx.is_live(&Key::of(KindTag::Table, table))
}

/// What primary keys and unique constraints share: the index that carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyIndex {
    /// The key columns, in order.
    pub columns: Vec<Ident>,
    /// `INCLUDE` columns.
    pub include: Vec<Ident>,
    /// When it is checked.
    pub deferral: Deferral,
    /// Storage parameters of the index.
    pub options: Parameters,
    /// Whether the last key column is `WITHOUT OVERLAPS` (PostgreSQL 18).
    #[serde(skip_serializing_if = "is_false")]
    pub without_overlaps: bool,
    /// Whether it was read as the index of a partitioned table, whose parameters cannot be altered; never a difference.
    #[serde(skip)]
    pub partitioned: bool,
}

impl KeyIndex {
    /// Columns with every default.
    pub fn new(columns: Vec<Ident>) -> Self {
        Self {
            columns,
            include: Vec::new(),
            deferral: Deferral::No,
            options: Parameters::default(),
            without_overlaps: false,
            partitioned: false,
        }
    }

    /// What only newer servers have.
    pub(crate) fn newer(&self) -> Option<Since> {
        self.without_overlaps.then_some(Since {
            what: "WITHOUT OVERLAPS",
            major: 18,
        })
    }

    /// What follows the keywords: `(a, b) INCLUDE (c) WITH (fillfactor=70) DEFERRABLE`.
    pub(crate) fn sql(&self) -> String {
        self.with_options(&self.options)
    }

    /// What two keys inside one `CREATE TABLE` cannot both say.
    pub(crate) fn merged(&self) -> String {
        self.with_options(&Parameters::default())
    }

    fn with_options(&self, options: &Parameters) -> String {
        let Self {
            columns,
            include,
            deferral,
            options: _,
            without_overlaps,
            partitioned: _,
        } = self;
        let overlaps = if *without_overlaps {
            " WITHOUT OVERLAPS"
        } else {
            ""
        };
        format!(
            "({}{overlaps}){}{}{deferral}",
            List(columns),
            include_clause(include),
            options.with_clause()
        )
    }

    pub(crate) fn compare(current: &Self, desired: &Self, it: &mut Difference) {
        const WHY: &str = "PostgreSQL cannot change the columns or deferral of a key";
        let Self {
            columns,
            include,
            deferral,
            options,
            without_overlaps,
            partitioned,
        } = current;
        it.fixed("columns", columns, &desired.columns, WHY);
        it.fixed(
            "without overlaps",
            without_overlaps,
            &desired.without_overlaps,
            WHY,
        );
        it.fixed("include", include, &desired.include, WHY);
        it.fixed("deferral", deferral, &desired.deferral, WHY);
        if it.field("storage parameters", options, &desired.options)
            && (*partitioned || desired.partitioned)
        {
            it.replace_because("PostgreSQL cannot alter the parameters of a partitioned index");
        }
    }

    /// The storage parameters are all that can be altered.
    pub(crate) fn alter(current: &Self, desired: &Self, index: &Name, acc: &mut Script) {
        for clause in current.options.changes(&desired.options) {
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("ALTER INDEX {index} {clause}"),
            );
        }
    }

    /// The select list that `decode` reads; one row a column.
    pub(crate) fn columns(version: u32) -> String {
        let period = period(version);
        format!(
            ", k.ord > x.indnkeyatts, a.attname, c.condeferrable, c.condeferred, i.reloptions, {period}, t.relkind = 'p'"
        )
    }

    /// The joins that `columns` needs.
    pub(crate) const JOINS: &str = "JOIN pg_index x ON x.indexrelid = c.conindid JOIN pg_class i ON i.oid = c.conindid \
         CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k(att, ord) JOIN pg_attribute a ON a.attrelid = \
         c.conrelid AND a.attnum = k.att";

    /// Reads one row into `acc`.
    pub(crate) fn decode(&mut self, fields: &mut Fields<'_>) -> Result<(), DecodeError> {
        let included = fields.boolean()?;
        let column = fields.ident()?;
        if included {
            self.include.push(column)
        } else {
            self.columns.push(column)
        }
        self.deferral = Deferral::new(fields.boolean()?, fields.boolean()?);
        self.options = Parameters::read(fields.options(parameters::of_indexes)?);
        self.without_overlaps = fields.boolean()?;
        self.partitioned = fields.boolean()?;
        Ok(())
    }

    pub(crate) fn depends_on(&self, table: &Name, acc: &mut BTreeSet<Key>) {
        acc.extend(column_keys(table, &self.columns).chain(column_keys(table, &self.include)));
    }
}
