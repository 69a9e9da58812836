//! Columns: types, defaults, identity, serial.

use limbeck_schema::kinds::{self, default_name};
use limbeck_schema::{Expr, Ident, Key, KindTag, Literal, Name, Object, SqlType, Token};

use crate::error::MetaDataError;
use crate::lower::sequences::{Numbers, integer_type};
use crate::lower::table::sorted_columns;
use crate::lower::{Lowering, comment_on};
use crate::model;

impl<'a> Lowering<'a> {
    /// The columns of a table, sorted by name. Its serial columns have their sequences by now.
    pub(super) fn columns(
        &self,
        name: &Name,
        table: &'a model::Table,
    ) -> impl Iterator<Item = Result<Object, MetaDataError>> + use<'a, '_> {
        let name = name.clone();
        let primary: &[Ident] = table.primary_key.as_ref().map_or(&[], |it| &it.columns);
        sorted_columns(table).into_iter().map(move |(_, at)| {
            let mut column = self
                .column(&name, &table.columns[at])
                .map_err(|error| error.at(table.place.as_deref()))?;
            // A table has at most 1600 columns.
            column.position = i64::try_from(at + 1).unwrap_or(i64::MAX);
            column.nullable &= !primary.contains(&column.name);
            Ok(column.into())
        })
    }

    fn column(
        &self,
        table: &Name,
        column: &'a model::Column,
    ) -> Result<kinds::Column, MetaDataError> {
        let model::Column {
            name,
            ty,
            nullable,
            default,
            generated,
            is_virtual,
            identity,
            collation,
            physical,
            serial: _,
            comment: _,
            enum_type: _,
        } = column;
        let object = || format!("column {table}.{name}");
        let serial = is_serial(column);
        check_one_source(column, serial, object)?;
        let ty = self
            .sql_type(serial_type(ty).unwrap_or(ty))
            .ok_or_else(|| {
                MetaDataError::invalid(
                    object(),
                    format!("`{ty}` is no type; write it as SQL does, `varchar(50)`"),
                )
            })?;
        let mut lowered = kinds::Column::new(table.clone(), name.clone(), ty);
        lowered.nullable = *nullable && !serial && identity.is_none();
        lowered.collation = self.collation(collation.as_deref(), object)?.map(Box::new);
        lowered.default = default.as_deref().and_then(default_expression);
        lowered.generated = generated.as_deref().map(Expr::new);
        lowered.is_virtual = *is_virtual;
        lowered.physical = physical.as_deref().map(|it| physical_of(it).shared());
        if let Some(identity) = identity {
            let ty = counting_type(&lowered.ty, "an identity", object)?;
            let options = Numbers::from(identity.as_ref()).options(ty.as_str(), object)?;
            lowered.identity = Some(Box::new(kinds::Identity {
                always: identity.always,
                sequence: identity
                    .sequence
                    .as_ref()
                    .map(|it| table.sibling(it.clone())),
                options,
            }));
        }
        if let Some(sequence) = serial
            .then(|| self.serials.get(&(table.clone(), name)))
            .flatten()
        {
            let text = format!("nextval({}::regclass)", Literal(&sequence.to_string()));
            lowered.default = Some(Expr::new(text));
        }
        Ok(lowered)
    }

    /// The comments on the sequences of identity columns.
    pub(super) fn sequence_comments(&mut self, name: &Name, table: &'a model::Table) {
        for column in &table.columns {
            let Some(identity) = &column.identity else {
                continue;
            };
            let sequence = identity
                .sequence
                .clone()
                .unwrap_or_else(|| default_name(&table.name, &[column.name.as_str()], "seq"));
            self.comment(
                Key::of(KindTag::Sequence, &name.sibling(sequence)),
                identity.comment.as_deref(),
            );
        }
    }

    /// Adds the sequence of a serial column, as `transformColumnDefinition` does. The column's default is spelled as
    /// the catalog prints it.
    pub(super) fn serial(
        &mut self,
        table: &Name,
        declared: &'a model::Table,
        column: &'a model::Column,
    ) -> Result<(), MetaDataError> {
        let model::Column {
            name: column, ty, ..
        } = column;
        let object = || format!("column {table}.{column}");
        let ty = serial_type(ty).unwrap_or(ty);
        let ty = match self.sql_type(ty) {
            Some(ty) => counting_type(&ty, "a serial", object)?,
            None => {
                return Err(MetaDataError::invalid(
                    object(),
                    format!("`{ty}` is no type; write `bigint`"),
                ));
            }
        };
        let choices = (0..).map(|pass| match pass {
            0 => default_name(&declared.name, &[column.as_str()], "seq"),
            _ => default_name(&declared.name, &[column.as_str()], &format!("seq{pass}")),
        });
        let mut free = choices
            .map(|name| table.sibling(name))
            .filter(|name| !self.names.is_taken(name));
        let sequence = free.next().unwrap_or_else(|| table.clone());
        drop(free);
        self.names.relation("sequence", &sequence)?;
        let options = kinds::SequenceOptions::defaults(ty.as_str(), 1);
        self.push(kinds::SequenceOwner {
            sequence: sequence.clone(),
            table: table.clone(),
            column: column.clone(),
        });
        self.push(kinds::Sequence {
            name: sequence.clone(),
            ty,
            options,
            unlogged: false,
        });
        self.serials.insert((table.clone(), column), sequence);
        Ok(())
    }

    /// A type in any spelling. The name of a declared enum type is found in the metadata's schema.
    pub(super) fn sql_type(&self, spelled: &'a str) -> Option<SqlType> {
        if let Some(known) = self.types.borrow().get(spelled) {
            return Some(known.clone());
        }
        let mut ty = SqlType::parse(spelled, self.default_schema)?;
        if let Some(Name { schema: None, name }) = ty.user_defined() {
            let resolved = self.resolve(None, &name);
            let is_declared =
                self.enums.contains_key(&resolved) || self.declared_types.contains(&resolved);
            if resolved.schema.is_some() && is_declared {
                let brackets = if ty.is_array() { "[]" } else { "" };
                ty = SqlType::from_catalog(format!("{resolved}{brackets}"));
            }
        }
        self.types.borrow_mut().insert(spelled, ty.clone());
        Some(ty)
    }

    /// A collation; `default` is the database's own, which is no collation of the column's.
    pub(super) fn collation(
        &self,
        spelled: Option<&str>,
        object: impl Fn() -> String,
    ) -> Result<Option<Name>, MetaDataError> {
        let Some(spelled) = spelled else {
            return Ok(None);
        };
        let name = collation_name(spelled).ok_or_else(|| {
            MetaDataError::invalid(
                object(),
                format!("`{spelled}` is no collation; write `C` or `\"de-x-icu\"`"),
            )
        })?;
        let name = self.catalog_name(name);
        Ok((name != Name::plain("default")).then_some(name))
    }

    /// A name without the schemas that need not be said.
    pub(super) fn catalog_name(&self, name: Name) -> Name {
        let said = |it: &Ident| it != self.default_schema && it.as_str() != "pg_catalog";
        Name {
            schema: name.schema.filter(said),
            ..name
        }
    }
}

/// The comments of a table's columns, sorted by column.
pub(super) fn comments<'a>(
    name: &Name,
    table: &'a model::Table,
) -> impl Iterator<Item = Object> + use<'a> {
    let name = name.clone();
    let is_commented = table.columns.iter().any(|it| it.comment.is_some());
    let columns = if is_commented {
        sorted_columns(table)
    } else {
        Vec::new()
    };
    columns.into_iter().filter_map(move |(column, at)| {
        let comment = table.columns[at].comment.as_deref()?;
        comment_on(Key::part(KindTag::Column, &name, column), Some(comment)).map(Into::into)
    })
}

/// Whether a column is serial, by its flag or by its type.
pub(super) fn is_serial(column: &model::Column) -> bool {
    column.serial || serial_type(&column.ty).is_some()
}

/// PostgreSQL's collations have names such as `C`, `en_US.utf8` and `de-x-icu`, which are rarely written with the quotes
/// that SQL wants; only what reads as SQL without changing is read as SQL.
pub(super) fn collation_name(spelled: &str) -> Option<Name> {
    let plain =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '_' | '.');
    if spelled.contains('"') || spelled.chars().all(plain) {
        return Name::parse(spelled);
    }
    Some(Name::plain(spelled.trim()))
}

/// PostgreSQL does not store a default that is null (`AddRelationNewConstraints`).
pub(super) fn default_expression(sql: &str) -> Option<Expr> {
    let expr = Expr::new(sql);
    let is_null = |it: &Token<'_>| matches!(it, Token::Word(word) if word.as_str() == "null");
    let starts_as_null = expr
        .as_str()
        .get(..4)
        .is_some_and(|it| it.eq_ignore_ascii_case("null"));
    let is_nothing = starts_as_null
        && match expr.normal().as_slice() {
            [only] => is_null(only),
            [first, Token::Mark("::"), Token::Word(_)] => is_null(first),
            _ => false,
        };
    (!is_nothing).then_some(expr)
}

fn physical_of(declared: &model::Physical) -> kinds::Physical {
    let model::Physical {
        storage,
        compression,
        statistics,
        with,
    } = declared;
    kinds::Physical {
        storage: *storage,
        compression: compression.clone(),
        statistics: *statistics,
        options: with.clone().into(),
    }
}

/// The integer type of a `serial` type (PostgreSQL documentation, "Serial Types").
fn serial_type(spelled: &str) -> Option<&'static str> {
    let is = |names: &[&str]| {
        names
            .iter()
            .any(|it| it.eq_ignore_ascii_case(spelled.trim()))
    };
    if is(&["serial", "serial4"]) {
        Some("integer")
    } else if is(&["bigserial", "serial8"]) {
        Some("bigint")
    } else if is(&["smallserial", "serial2"]) {
        Some("smallint")
    } else {
        None
    }
}

fn counting_type(
    ty: &SqlType,
    what: &str,
    object: impl Fn() -> String,
) -> Result<SqlType, MetaDataError> {
    integer_type(ty.clone()).ok_or_else(|| {
        let problem =
            format!("{what} column has to be smallint, integer or bigint, and this is {ty}");
        MetaDataError::invalid(object(), problem)
    })
}

/// A column's value comes from one of default, generated, identity and serial.
fn check_one_source(
    column: &model::Column,
    serial: bool,
    object: impl Fn() -> String,
) -> Result<(), MetaDataError> {
    let stated = [
        ("default", column.default.is_some()),
        ("generated", column.generated.is_some()),
        ("identity", column.identity.is_some()),
        ("serial", serial),
    ];
    let stated: Vec<_> = stated
        .into_iter()
        .filter_map(|(what, is_stated)| is_stated.then_some(what))
        .collect();
    if let [first, second, ..] = stated.as_slice() {
        return Err(MetaDataError::invalid(
            object(),
            format!("it has both {first} and {second}; keep one of them"),
        ));
    }
    if column.is_virtual && column.generated.is_none() {
        return Err(MetaDataError::invalid(
            object(),
            "it is virtual and not generated; give it a generated expression",
        ));
    }
    for (what, text) in [
        ("default", &column.default),
        ("generated", &column.generated),
    ] {
        if text.as_ref().is_some_and(|it| it.trim().is_empty()) {
            let problem = format!(
                "its {what} expression is empty; write `''` for the empty text, or leave {what} out"
            );
            return Err(MetaDataError::invalid(object(), problem));
        }
    }
    Ok(())
}
