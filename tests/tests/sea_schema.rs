//! sea-schema's own discovery as an independent witness: on every fixture it reports what the catalog reader has, but for
//! the facts listed here, which it drops or gets wrong.

use limbeck_catalog::{Catalog, ReadOptions, sea};
use limbeck_metadata::{LowerOptions, MetaData};
use limbeck_schema::{Expr, Ident, Name, SqlType};
use limbeck_testkit::TestDb;
use sea_schema::postgres::def::{Check, ColumnInfo, References, Schema, TableDef};
use sea_schema::postgres::discovery::SchemaDiscovery;

use fixtures::{Fixture, Result, each, text};

mod fixtures;

/// A schema as lines, without what is normalised away.
struct Lines<'a> {
    metadata: &'a MetaData,
    default_schema: &'a Ident,
}

impl Lines<'_> {
    fn of(&self, schema: &Schema) -> Vec<String> {
        // An enum type without labels is not reported.
        let enums = schema.enums.iter().filter(|it| !it.values.is_empty());
        let mut acc: Vec<String> = enums.map(|it| format!("enum {it:?}")).collect();
        for table in &schema.tables {
            let name = &table.info.name;
            let lines = self.table(table).into_iter();
            acc.extend(lines.map(|line| format!("{name}: {line}")));
        }
        acc.sort();
        acc
    }

    fn table(&self, table: &TableDef) -> Vec<String> {
        let TableDef {
            info,
            columns,
            check_constraints,
            // It is never filled.
            not_null_constraints: _,
            unique_constraints,
            primary_key_constraints,
            reference_constraints,
            // Exclusion constraints are not reported.
            exclusion_constraints: _,
        } = table;
        let mut acc = vec![format!("table {info:?}")];
        acc.extend(columns.iter().map(|it| self.column(&info.name, it)));
        acc.extend(check_constraints.iter().filter_map(check));
        // A unique index on expressions alone is not reported, and of expressions among columns nothing is said.
        let uniques = unique_constraints
            .iter()
            .filter(|it| !it.columns.is_empty());
        acc.extend(uniques.map(|it| format!("{it:?}")));
        acc.extend(primary_key_constraints.iter().map(|it| format!("{it:?}")));
        acc.extend(reference_constraints.iter().map(reference));
        acc
    }

    fn column(&self, table: &str, column: &ColumnInfo) -> String {
        let ColumnInfo {
            name,
            col_type,
            default,
            generated,
            not_null,
            is_identity,
        } = column;
        let ty = if self.is_said(table, name) {
            format!("{col_type:?}")
        } else {
            "of a type that is not said".to_owned()
        };
        // `NOT NULL` of a domain is reported of its columns.
        let not_null = if self.is_domain(table, name) {
            "as its domain has it".to_owned()
        } else {
            not_null.is_some().to_string()
        };
        format!(
            "column {name} {ty} {default:?} {generated:?} not null {not_null} identity {is_identity}"
        )
    }

    /// Whether sea-schema's vocabulary has the type of a column. It loses lengths over 65,534, the modifiers of arrays'
    /// elements, negative scales, fields of intervals, and the names of domains, composites, ranges and multiranges.
    fn is_said(&self, table: &str, column: &str) -> bool {
        self.ty(table, column)
            .is_none_or(|ty| sea::column_type(&ty).is_some() || self.is_enum(&ty) && !ty.is_array())
    }

    fn is_domain(&self, table: &str, column: &str) -> bool {
        let ty = self.ty(table, column).and_then(|it| it.user_defined());
        let name = ty.map(|it| it.in_default(self.default_schema));
        name.is_some_and(|name| {
            let mut domains = self.metadata.domains.iter();
            domains.any(|it| {
                Name::qualified(it.schema.clone(), it.name.clone()).in_default(self.default_schema)
                    == name
            })
        })
    }

    /// The type of a column.
    fn ty(&self, table: &str, column: &str) -> Option<SqlType> {
        let mut tables = self.metadata.tables.iter();
        let table = tables.find(|it| it.name.as_str() == table && self.is_here(&it.schema))?;
        let column = table.columns.iter().find(|it| it.name.as_str() == column)?;
        SqlType::parse(&column.ty, self.default_schema)
    }

    /// Whether a type is an enum type of the schema: those of others are not known by their values.
    fn is_enum(&self, ty: &SqlType) -> bool {
        let name = ty
            .user_defined()
            .map(|it| it.in_default(self.default_schema));
        name.is_some_and(|name| {
            let mut enums = self.metadata.enums.iter();
            enums.any(|it| {
                self.is_here(&it.schema)
                    && Name::qualified(it.schema.clone(), it.name.clone())
                        .in_default(self.default_schema)
                        == name
            })
        })
    }

    fn is_here(&self, schema: &Option<Ident>) -> bool {
        schema.as_ref().is_none_or(|it| it == self.default_schema)
    }
}

/// A check. `NOT NULL` is reported as a check, without parentheses, whose name holds oids or, since PostgreSQL 18, is the
/// constraint's; `NO INHERIT` and `NOT VALID` stay in the text.
fn check(check: &Check) -> Option<String> {
    let Check {
        name,
        expr,
        no_inherit: _,
    } = check;
    let of_column = |it: &str| !it.starts_with('(') && !it.ends_with(".*");
    if expr.strip_suffix(" IS NOT NULL").is_some_and(of_column) {
        return None;
    }
    let expr = expr
        .trim_end_matches(" NOT VALID")
        .trim_end_matches(" NO INHERIT");
    Some(format!("check {name} {}", Expr::new(expr)))
}

/// A foreign key. Its columns are paired by their positions in the referred constraint, so of several only the sets are
/// right. The referred table's schema is lost on both sides.
fn reference(reference: &References) -> String {
    let References {
        name,
        columns,
        table,
        foreign_columns,
        on_update,
        on_delete,
    } = reference;
    let set = |names: &[String]| {
        let names: std::collections::BTreeSet<_> = names.iter().collect();
        format!("{names:?}")
    };
    let (columns, targets) = (set(columns), set(foreign_columns));
    format!("references {name} {columns} {table} {targets} {on_update:?} {on_delete:?}")
}

/// Why discovery may fail as a whole: it casts the bare names of types to `regtype`, which finds only those of the search
/// path that need no quotes.
fn may_fail(metadata: &MetaData, default_schema: &Ident) -> bool {
    let mut columns = metadata.tables.iter().flat_map(|it| &it.columns);
    columns.any(|it| {
        let name = SqlType::parse(&it.ty, default_schema).and_then(|it| it.user_defined());
        name.is_some_and(|it| it.schema.is_some() || it.name.to_string().starts_with('"'))
    })
}

async fn discovery_agrees(_: &Fixture, db: &TestDb, _: &TestDb) -> Result<()> {
    let mut conn = db.connect().await.map_err(text)?;
    let Catalog {
        schema,
        default_schema,
        version: _,
        unknown_options: _,
    } = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .map_err(text)?;
    let options = LowerOptions {
        default_schema: default_schema.clone(),
    };
    let metadata = MetaData::lift_in_full(&schema, &options);
    let lines = Lines {
        metadata: &metadata,
        default_schema: &default_schema,
    };
    let discovery = SchemaDiscovery::new(db.pool().clone(), default_schema.as_str());
    let theirs = match discovery.discover().await {
        Ok(it) => lines.of(&it),
        Err(_) if may_fail(&metadata, &default_schema) => return Ok(()),
        Err(error) => return Err(format!("discovery fails: {error}")),
    };
    let mut ours = lines.of(&sea::schema(&schema, &default_schema, &default_schema));
    // Discovery leaves out tables that inherit from others.
    let children = metadata.tables.iter().filter(|it| !it.inherits.is_empty());
    let children: Vec<_> = children
        .map(|it| format!("{}: ", it.name.as_str()))
        .collect();
    ours.retain(|line| !children.iter().any(|it| line.starts_with(it)));
    let lacks = |a: &[String], b: &[String], sign: &str| -> String {
        let lines = a.iter().filter(|it| !b.contains(it));
        lines.map(|it| format!("{sign} {it}\n")).collect()
    };
    let differences = lacks(&ours, &theirs, "-") + &lacks(&theirs, &ours, "+");
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("ours (-) and theirs (+)\n{differences}"))
    }
}

#[test]
fn discovery_reports_what_the_catalog_reader_has() {
    let failures = each(discovery_agrees);
    let n = failures.len();
    assert!(failures.is_empty(), "{n} fail\n{}", failures.join("\n"));
}
