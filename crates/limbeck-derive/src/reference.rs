//! What foreign keys refer to: a model by its path, or a table by its name.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Path, Result, Token};

use crate::attribute::{check_name, choice, words};

/// The table and columns that a foreign key refers to.
pub(crate) enum Reference {
    /// A model and fields of it; no field is its primary key.
    Model { path: Path, fields: Vec<Ident> },
    /// A table by name.
    Table {
        schema: Option<String>,
        table: String,
        columns: Vec<String>,
    },
}

impl Reference {
    /// `= Other::id`, `= Other`, `= Other(a, b)`, `= "schema.table(id)"` or `= "schema.table"(a, b)`.
    pub(crate) fn read(input: ParseStream<'_>) -> Result<Self> {
        input.parse::<Token![=]>()?;
        if input.peek(LitStr) {
            return Self::read_table(input);
        }
        let mut path: Path = input.call(Path::parse_mod_style)?;
        if input.peek(syn::token::Paren) {
            return Ok(Self::Model {
                path,
                fields: words(input)?,
            });
        }
        // `module::Other::id`: by the customs of Rust a field begins with a small letter and a type does not.
        let is_field = |it: &Ident| {
            it.unraw()
                .to_string()
                .starts_with(|it: char| it.is_lowercase() || it == '_')
        };
        let last = path
            .segments
            .last()
            .map(|it| it.ident.clone())
            .filter(is_field);
        let Some(field) = last else {
            return Ok(Self::Model {
                path,
                fields: Vec::new(),
            });
        };
        path.segments.pop();
        if path.segments.pop_punct().is_none() {
            return Err(Error::new(
                field.span(),
                "name a model's column as `Model::field`, or a table as \"table(column)\"",
            ));
        }
        Ok(Self::Model {
            path,
            fields: vec![field],
        })
    }

    fn read_table(input: ParseStream<'_>) -> Result<Self> {
        let literal: LitStr = input.parse()?;
        let text = literal.value();
        let wrong = || {
            Error::new(
                literal.span(),
                "expected \"table\", \"schema.table\" or \"schema.table(column)\"",
            )
        };
        let (name, inner) = match text.split_once('(') {
            Some((name, rest)) => (
                name.trim(),
                Some(rest.trim_end().strip_suffix(')').ok_or_else(wrong)?),
            ),
            None => (text.trim(), None),
        };
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
            None => (None, name.to_owned()),
        };
        check_name(&table, literal.span())?;
        let mut columns: Vec<String> = inner
            .into_iter()
            .flat_map(|it| it.split(','))
            .map(|it| it.trim().to_owned())
            .collect();
        if columns.iter().any(String::is_empty) || table.contains(['.', ')']) {
            return Err(wrong());
        }
        if input.peek(syn::token::Paren) {
            columns.extend(words(input)?.iter().map(|it| it.unraw().to_string()));
        }
        Ok(Self::Table {
            schema,
            table,
            columns,
        })
    }

    /// The builder call.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Model { path, fields } if fields.is_empty() => {
                quote!(__limbeck::References::model::<#path>())
            }
            Self::Model { path, fields } => quote! {
                __limbeck::References::model::<#path>()
                    .columns([#(<#path as __limbeck::Model>::COLUMNS.#fields.name),*])
            },
            Self::Table {
                schema,
                table,
                columns,
            } => {
                let schema = schema.iter();
                let columns = (!columns.is_empty())
                    .then(|| quote!(.columns([#(#columns),*])))
                    .into_iter();
                quote!(__limbeck::References::new(#table) #(.schema(#schema))* #(#columns)*)
            }
        }
    }
}

/// `= cascade`, `= "set null"`, as a variant of `Action`.
pub(crate) fn action(input: ParseStream<'_>) -> Result<Ident> {
    let literal = choice(input)?;
    let variant = match literal
        .value()
        .to_lowercase()
        .replace(['_', '-'], " ")
        .as_str()
    {
        "no action" => "NoAction",
        "restrict" => "Restrict",
        "cascade" => "Cascade",
        "set null" => "SetNull",
        "set default" => "SetDefault",
        other => {
            let message = format!(
                "unknown action `{other}`; known are no_action, restrict, cascade, set_null and set_default"
            );
            return Err(Error::new(literal.span(), message));
        }
    };
    Ok(Ident::new(variant, literal.span()))
}
