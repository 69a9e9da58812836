//! Fields: `#[column(…)]` read into the builder calls of a column, and the constraints of that column alone.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Error, Field, Ident, LitStr, Result, Type};

use crate::attribute::{
    check_name, choice, each_in_parentheses, flag, integer, name, once, parameters, text, unknown,
    word,
};
use crate::parts::{
    Check, Elements, ForeignKey, Key, PRIMARY_KEY, Part, UNIQUE, action_call, items, optional,
};
use crate::reference::Reference;

const KNOWN: &[&str] = &[
    "name",
    "primary_key",
    "identity",
    "serial",
    "unique",
    "length",
    "precision",
    "scale",
    "sql_type",
    "default",
    "generated",
    "virtual_generated",
    "collation",
    "comment",
    "storage",
    "compression",
    "statistics",
    "with",
    "check",
    "references",
    "on_delete",
    "on_update",
    "deferrable",
    "initially_deferred",
    "foreign_key",
    "index",
    "nullable",
    "skip",
];

/// A field that is a column.
pub(crate) struct Column {
    /// The field.
    pub(crate) field: Ident,
    /// The column's name.
    pub(crate) name: String,
    ty: Type,
    /// The field says that it is the primary key, perhaps together with others.
    pub(crate) primary_key: Option<Key>,
    /// Constraints and indexes of this column alone.
    pub(crate) parts: Vec<Part>,
    sql_type: Option<LitStr>,
    calls: TokenStream,
}

/// What the attribute says, while it is read.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    sql_type: Option<LitStr>,
    length: Option<u32>,
    precision: Option<u32>,
    scale: Option<i32>,
    /// Where the value comes from: `default`, `generated`, `virtual_generated`, `identity` or `serial`.
    source: Option<(Ident, TokenStream)>,
    nullable: Option<bool>,
    skip: Option<bool>,
    primary_key: Option<Key>,
    unique: Option<Key>,
    index: Option<Elements>,
    checks: Vec<Check>,
    references: Option<Reference>,
    /// Options of the foreign key, with the first one's place.
    reference_calls: Option<(Ident, TokenStream)>,
    calls: TokenStream,
}

impl Column {
    /// Reads a field; `None` if it is to be skipped.
    pub(crate) fn read(field: &Field) -> Result<Option<Self>> {
        let Some(ident) = &field.ident else {
            return Err(Error::new(
                field.span(),
                "a table's columns are named fields",
            ));
        };
        let mut options = Options::default();
        for attribute in field.attrs.iter().filter(|it| it.path().is_ident("column")) {
            items(attribute, |input| options.read(ident, input))?;
        }
        if options.skip == Some(true) {
            return Ok(None);
        }
        options.finish(ident, &field.ty).map(Some)
    }

    /// The builder call.
    pub(crate) fn tokens(&self) -> TokenStream {
        let Self {
            name, ty, calls, ..
        } = self;
        let new = match &self.sql_type {
            Some(sql) => {
                let nullable = is_option(ty);
                quote!(__limbeck::Column::new(#name, #sql).nullable(#nullable))
            }
            None => quote_spanned!(ty.span()=> __limbeck::Column::of::<#ty>(#name)),
        };
        quote!(.column(#new #calls))
    }
}

impl Options {
    fn read(&mut self, field: &Ident, input: ParseStream<'_>) -> Result<()> {
        let key = word(input)?;
        match key.to_string().as_str() {
            "name" => once(&mut self.name, &key, name(input)?),
            "sql_type" => once(&mut self.sql_type, &key, text(input)?),
            "length" => once(&mut self.length, &key, integer(input)?),
            "precision" => once(&mut self.precision, &key, integer(input)?),
            "scale" => once(&mut self.scale, &key, integer(input)?),
            "default" | "generated" | "virtual_generated" => {
                let sql = text(input)?;
                self.source(&key, quote!(.#key(#sql)))
            }
            "identity" => {
                let identity = identity(input)?;
                self.source(&key, identity)
            }
            "serial" => self.source(&key, quote!(.serial())),
            "collation" | "comment" => {
                let text = text(input)?;
                self.calls.extend(quote!(.#key(#text)));
                Ok(())
            }
            "storage" => {
                let mode = storage_mode(input)?;
                self.calls
                    .extend(quote!(.storage(__limbeck::StorageMode::#mode)));
                Ok(())
            }
            "compression" => {
                let method = choice(input)?;
                self.calls.extend(quote!(.compression(#method)));
                Ok(())
            }
            "statistics" => {
                let target: i64 = integer(input)?;
                self.calls.extend(quote!(.statistics(#target)));
                Ok(())
            }
            "with" => {
                let options = parameters(input)?;
                self.calls.extend(
                    options
                        .iter()
                        .map(|(option, value)| quote!(.with(#option, #value))),
                );
                Ok(())
            }
            "nullable" => once(&mut self.nullable, &key, flag(input)?),
            "skip" => once(&mut self.skip, &key, true),
            "primary_key" => {
                let read = optional(input, Key::on(field), |it| it.read(input, PRIMARY_KEY))?;
                once(&mut self.primary_key, &key, read)
            }
            "unique" => {
                let read = optional(input, Key::on(field), |it| it.read(input, UNIQUE))?;
                once(&mut self.unique, &key, read)
            }
            "index" => {
                let read = optional(input, Elements::on(field), |it| it.read_index(input))?;
                once(&mut self.index, &key, read)
            }
            "check" => {
                self.checks.push(Check::read(&key, input)?);
                Ok(())
            }
            "references" => once(&mut self.references, &key, Reference::read(input)?),
            "on_delete" | "on_update" => {
                let call = action_call(&key, input)?;
                self.reference_call(&key, call);
                Ok(())
            }
            "deferrable" | "initially_deferred" => {
                self.reference_call(&key, quote!(.#key()));
                Ok(())
            }
            "foreign_key" => {
                let name = name(input)?;
                self.reference_call(&key, quote!(.name(#name)));
                Ok(())
            }
            _ => Err(unknown(&key, "column attribute", KNOWN)),
        }
    }

    fn source(&mut self, key: &Ident, call: TokenStream) -> Result<()> {
        match self.source.replace((key.clone(), call)) {
            Some((first, _)) if first == *key => {
                Err(Error::new(key.span(), format!("`{key}` is given twice")))
            }
            Some((first, _)) => Err(Error::new(
                key.span(),
                format!("a column has either `{first}` or `{key}`; keep one of them"),
            )),
            None => Ok(()),
        }
    }

    fn reference_call(&mut self, key: &Ident, call: TokenStream) {
        self.reference_calls
            .get_or_insert_with(|| (key.clone(), TokenStream::new()))
            .1
            .extend(call);
    }

    fn finish(self, field: &Ident, ty: &Type) -> Result<Column> {
        let name = match &self.name {
            Some(name) => name.value(),
            None => {
                let name = field.unraw().to_string();
                check_name(&name, field.span())?;
                name
            }
        };
        if self.primary_key.is_some() && (is_option(ty) || self.nullable == Some(true)) {
            return Err(Error::new(
                ty.span(),
                "a column of a primary key is never null",
            ));
        }
        let mut calls = modifiers(self.length, self.precision, self.scale, field.span())?;
        calls.extend(self.source.map(|(_, call)| call));
        calls.extend(self.calls);
        calls.extend(self.nullable.map(|it| quote!(.nullable(#it))));
        let mut parts = Vec::new();
        match (self.references, self.reference_calls) {
            (Some(references), calls) => {
                let calls = calls.map_or_else(TokenStream::new, |it| it.1);
                parts.push(Part::ForeignKey(Box::new(ForeignKey::on(
                    field, references, calls,
                ))));
            }
            (None, Some((key, _))) => {
                return Err(Error::new(
                    key.span(),
                    format!("`{key}` goes with `references = Model::field`"),
                ));
            }
            (None, None) => {}
        }
        parts.extend(self.unique.map(Part::Unique));
        parts.extend(self.checks.into_iter().map(Part::Check));
        parts.extend(self.index.map(Part::Index));
        Ok(Column {
            field: field.clone(),
            name,
            ty: ty.clone(),
            primary_key: self.primary_key,
            parts,
            sql_type: self.sql_type,
            calls,
        })
    }
}

fn modifiers(
    length: Option<u32>,
    precision: Option<u32>,
    scale: Option<i32>,
    span: Span,
) -> Result<TokenStream> {
    Ok(match (length, precision, scale) {
        (None, None, None) => TokenStream::new(),
        (Some(length), None, None) => quote!(.length(#length)),
        (None, Some(precision), None) => quote!(.precision(#precision)),
        (None, Some(precision), Some(scale)) => quote!(.precision_and_scale(#precision, #scale)),
        (None, None, Some(_)) => return Err(Error::new(span, "`scale` goes with `precision`")),
        (Some(_), _, _) => {
            return Err(Error::new(
                span,
                "a column has either `length` or `precision`",
            ));
        }
    })
}

/// `= external`, as a variant of `StorageMode`.
fn storage_mode(input: ParseStream<'_>) -> Result<Ident> {
    let mode = choice(input)?;
    let variant = match mode.value().to_lowercase().as_str() {
        "plain" => "Plain",
        "external" => "External",
        "main" => "Main",
        "extended" => "Extended",
        _ => {
            let message = "expected `plain`, `external`, `main` or `extended`";
            return Err(Error::new(mode.span(), message));
        }
    };
    Ok(Ident::new(variant, mode.span()))
}

/// `identity` or `identity(always, start = 1, …)`.
fn identity(input: ParseStream<'_>) -> Result<TokenStream> {
    if !input.peek(syn::token::Paren) {
        return Ok(quote!(.identity()));
    }
    let mut calls = TokenStream::new();
    each_in_parentheses(input, |input| {
        let key = word(input)?;
        match key.to_string().as_str() {
            "always" | "cycle" => calls.extend(quote!(.#key())),
            "start" | "increment" | "min" | "max" | "cache" => {
                let number: i64 = integer(input)?;
                calls.extend(quote!(.#key(#number)));
            }
            "sequence" => {
                let name = name(input)?;
                calls.extend(quote!(.sequence(#name)));
            }
            "comment" => {
                let text = text(input)?;
                calls.extend(quote!(.comment(#text)));
            }
            _ => {
                let known = [
                    "always",
                    "start",
                    "increment",
                    "min",
                    "max",
                    "cache",
                    "cycle",
                    "sequence",
                    "comment",
                ];
                return Err(unknown(&key, "option of an identity", &known));
            }
        }
        Ok(())
    })?;
    Ok(quote!(.identity_with(__limbeck::Identity::new() #calls)))
}

/// Whether a type is written as an `Option`.
fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(it) if it.path.segments.last().is_some_and(|it| it.ident == "Option"))
}
