//! A schema in sea-schema's vocabulary, its types and defaults read by sea-schema's own parser.
//!
//! Its types say less than the catalog does: a length over 65,535 is lost, an array loses its elements' modifiers, a
//! domain and a type of another schema lose their names. So a [`SqlType`] stays the exact text, and
//! [`column_type`] says by `None` where sea-schema's type would not lead back to it.

use std::collections::BTreeMap;

use limbeck_metadata::{Action, LowerOptions, MetaData, model};
use limbeck_schema::{Expr, Ident, Name, Schema, SqlType};
use sea_schema::postgres::def;
use sea_schema::postgres::def::{ColumnType, Type};
use sea_schema::postgres::parser::parse_column_default;
use sea_schema::postgres::query::ColumnQueryResult;

/// One schema of a database, as sea-schema has it: its tables and enum types by name, columns in order, constraints by
/// name. `default_schema` is that of the connection which read it.
///
/// Unique indexes stand among the unique constraints, as in sea-schema; what it has no place for is left out: other
/// indexes, the schemas of referred tables, deferral, and how an identity counts. Serial columns have their default.
pub fn schema(schema: &Schema, default_schema: &Ident, name: &Ident) -> def::Schema {
    let options = LowerOptions {
        default_schema: default_schema.clone(),
    };
    let metadata = MetaData::lift_in_full(schema, &options);
    let place = Some(name).filter(|it| *it != default_schema);
    let types = Types {
        metadata: &metadata,
        default_schema,
        enums: metadata
            .enums
            .iter()
            .map(|it| {
                let name = Name::qualified(it.schema.clone(), it.name.clone());
                (name.in_default(default_schema), enum_def(it))
            })
            .collect(),
    };
    // What is named like something of `pg_catalog` has its schema said, be it the default one.
    let is_there = |it: &Option<Ident>| it.as_ref().filter(|it| *it != default_schema) == place;
    let tables = metadata.tables.iter().filter(|it| is_there(&it.schema));
    let enums = metadata.enums.iter().filter(|it| is_there(&it.schema));
    def::Schema {
        schema: name.as_str().to_owned(),
        tables: tables.map(|it| table(it, &types)).collect(),
        enums: enums.map(enum_def).collect(),
    }
}

/// What columns can be of, and keys refer to.
struct Types<'a> {
    metadata: &'a MetaData,
    default_schema: &'a Ident,
    enums: BTreeMap<Name, def::EnumDef>,
}

impl Types<'_> {
    /// The columns that a foreign key refers to.
    fn targets(&self, references: &model::References) -> Vec<String> {
        if !references.columns.is_empty() {
            return texts(&references.columns);
        }
        let mut tables = self.metadata.tables.iter();
        let table = tables.find(|it| it.name == references.table && it.schema == references.schema);
        let key = table.and_then(|it| it.primary_key.as_ref());
        key.map_or_else(Vec::new, |it| texts(&it.columns))
    }

    /// The type of a column, with what [`column_type`] cannot say as far as sea-schema says it.
    fn of(&self, spelled: &str) -> ColumnType {
        let Some(ty) = SqlType::parse(spelled, self.default_schema) else {
            return Type::Unknown(spelled.to_owned());
        };
        if let Some(it) = column_type(&ty) {
            return it;
        }
        let own = ty
            .user_defined()
            .map(|it| it.in_default(self.default_schema));
        let known = own.as_ref().and_then(|it| self.enums.get(it));
        match (known, ty.is_array()) {
            (Some(it), false) => Type::Enum(it.clone()),
            (None, false) => Type::Unknown(ty.as_str().to_owned()),
            (known, true) => {
                let base = ty.base();
                let element = known.map_or_else(
                    || Type::from_str(&base, Some(&base), false),
                    |it| Type::Enum(it.clone()),
                );
                Type::Array(def::ArrayDef {
                    col_type: Some(element.into()),
                })
            }
        }
    }
}

fn enum_def(ty: &model::EnumType) -> def::EnumDef {
    def::EnumDef {
        values: ty.labels.clone(),
        typename: ty.name.as_str().to_owned(),
    }
}

fn table(table: &model::Table, types: &Types<'_>) -> def::TableDef {
    let uniques = table.uniques.iter().map(|it| def::Unique {
        name: name_of(&it.name),
        columns: texts(it.columns.iter().chain(&it.include)),
        is_partial: false,
    });
    let indexes = table.indexes.iter().filter(|it| it.unique).map(|it| {
        let columns = it.elements.iter().filter_map(|it| it.column.as_ref());
        def::Unique {
            name: name_of(&it.name),
            columns: texts(columns.chain(&it.include)),
            is_partial: it.predicate.is_some(),
        }
    });
    let mut unique_constraints: Vec<_> = uniques.chain(indexes).collect();
    unique_constraints.sort_by(|a, b| a.name.cmp(&b.name));
    let checks = table.checks.iter().map(|it| def::Check {
        name: name_of(&it.name),
        expr: it.expression.clone(),
        no_inherit: it.no_inherit,
    });
    let keys = table.primary_key.iter().map(|it| def::PrimaryKey {
        name: name_of(&it.name),
        columns: texts(&it.columns),
    });
    let references = table.foreign_keys.iter().map(|it| def::References {
        name: name_of(&it.name),
        columns: texts(&it.columns),
        table: it.references.table.as_str().to_owned(),
        foreign_columns: types.targets(&it.references),
        on_update: Some(action(it.on_update)),
        on_delete: Some(action(it.on_delete)),
    });
    let exclusions = table.exclusions.iter().map(|it| {
        let operators = it.elements.iter().filter_map(|it| it.operator.clone());
        def::Exclusion {
            name: name_of(&it.name),
            using: it.method.as_str().to_owned(),
            columns: texts(it.elements.iter().filter_map(|it| it.column.as_ref())),
            operation: operators.collect::<Vec<_>>().join(", "),
        }
    });
    def::TableDef {
        info: def::TableInfo {
            name: table.name.as_str().to_owned(),
            of_type: None,
        },
        columns: table
            .columns
            .iter()
            .map(|it| column(table, it, types))
            .collect(),
        check_constraints: checks.collect(),
        not_null_constraints: Vec::new(),
        unique_constraints,
        primary_key_constraints: keys.collect(),
        reference_constraints: references.collect(),
        exclusion_constraints: exclusions.collect(),
    }
}

fn column(table: &model::Table, column: &model::Column, types: &Types<'_>) -> def::ColumnInfo {
    let default = if column.serial {
        Some(serial_default(table, column))
    } else {
        column.default.as_deref().map(printed)
    };
    def::ColumnInfo {
        name: column.name.as_str().to_owned(),
        col_type: types.of(&column.ty),
        default: parse_column_default(default),
        generated: def::ColumnExpression::from_option_string(
            column.generated.as_deref().map(printed),
        ),
        not_null: def::NotNull::from_bool(!column.nullable),
        is_identity: column.identity.is_some(),
    }
}

/// An expression with the parentheses that PostgreSQL prints around an operation.
fn printed(sql: &str) -> String {
    Expr::new(sql).operand()
}

/// The default of a serial column, as the catalog prints it.
fn serial_default(table: &model::Table, column: &model::Column) -> String {
    let name = limbeck_schema::kinds::default_name(&table.name, &[column.name.as_str()], "seq");
    let sequence = Name::qualified(table.schema.clone(), name).to_string();
    format!("nextval({}::regclass)", limbeck_schema::Literal(&sequence))
}

fn name_of(name: &Option<model::GivenName>) -> String {
    name.as_ref()
        .map_or_else(String::new, |it| it.ident().as_str().to_owned())
}

fn texts<'a>(names: impl IntoIterator<Item = &'a Ident>) -> Vec<String> {
    names.into_iter().map(|it| it.as_str().to_owned()).collect()
}

fn action(action: Action) -> def::ForeignKeyAction {
    match action {
        Action::NoAction => def::ForeignKeyAction::NoAction,
        Action::Restrict => def::ForeignKeyAction::Restrict,
        Action::Cascade => def::ForeignKeyAction::Cascade,
        Action::SetNull => def::ForeignKeyAction::SetNull,
        Action::SetDefault => def::ForeignKeyAction::SetDefault,
    }
}

/// The type in sea-schema's vocabulary; `None` where that would lose something.
pub fn column_type(ty: &SqlType) -> Option<ColumnType> {
    let (base, modifiers) = (ty.base(), modifiers(ty)?);
    if ty.is_array() || ty.user_defined().is_some() || base == "interval" {
        return None;
    }
    let number = |at: usize| modifiers.get(at).copied();
    let is = |names: &[&str]| names.contains(&base.as_str());
    let text = is(&["character varying", "character", "bit", "bit varying"]);
    let time = base.starts_with("time");
    if modifiers
        .iter()
        .any(|it| !(0..=i32::from(u16::MAX - 1)).contains(it))
    {
        return None;
    }
    let row = ColumnQueryResult {
        column_name: String::new(),
        column_type: base.clone(),
        column_default: None,
        column_generated: None,
        is_nullable: "YES".into(),
        is_identity: "NO".into(),
        numeric_precision: if base == "numeric" { number(0) } else { None },
        numeric_precision_radix: (base == "numeric" && number(0).is_some()).then_some(10),
        numeric_scale: if base == "numeric" { number(1) } else { None },
        character_maximum_length: if text { number(0) } else { None },
        character_octet_length: None,
        // Six digits are what a time without a modifier keeps, and what `information_schema` says of it.
        datetime_precision: time.then(|| number(0).unwrap_or(6)),
        interval_type: None,
        interval_precision: None,
        udt_name: None,
        udt_name_regtype: None,
    };
    let parsed = sea_schema::postgres::parser::parse_column_type(&row, &Default::default());
    (!matches!(parsed, Type::Unknown(_))).then_some(parsed)
}

/// The numbers in parentheses; `None` if something else stands there.
fn modifiers(ty: &SqlType) -> Option<Vec<i32>> {
    let text = ty.as_str();
    let Some((_, rest)) = text.split_once('(') else {
        return Some(Vec::new());
    };
    let (inner, _) = rest.split_once(')')?;
    inner.split(',').map(|it| it.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use limbeck_schema::Ident;
    use sea_schema::postgres::def::{ArbitraryPrecisionNumericAttr, StringAttr};

    use super::*;

    fn parse(text: &str) -> Option<ColumnType> {
        column_type(&SqlType::parse(text, &Ident::new("public")).unwrap())
    }

    #[test]
    fn what_sea_schema_can_say_is_said() {
        assert_eq!(parse("int8"), Some(Type::BigInt));
        assert_eq!(
            parse("varchar(50)"),
            Some(Type::Varchar(StringAttr { length: Some(50) }))
        );
        let attr = ArbitraryPrecisionNumericAttr {
            precision: Some(10),
            scale: Some(2),
        };
        assert_eq!(parse("numeric(10,2)"), Some(Type::Numeric(attr)));
        assert_eq!(parse("jsonb"), Some(Type::JsonBinary));
    }

    #[test]
    fn what_it_would_lose_is_not() {
        for text in [
            "varchar(100000)",
            "numeric(5,-2)",
            "varchar(10)[]",
            "status",
            "interval day to second(2)",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
