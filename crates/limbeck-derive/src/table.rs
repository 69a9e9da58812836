//! Structs: `#[table(…)]` and the fields, before they are expanded.

use std::collections::BTreeMap;

use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{
    Data, DeriveInput, Error, Fields as SynFields, GenericParam, Generics, Ident, LitStr, Path,
    Result, Token,
};

use crate::attribute::{
    check_name, each_in_parentheses, flag, name, once, parameters, text, unknown, word,
};
use crate::column::Column;
use crate::parts::{self, Key, Part, items};

/// A struct that declares a table.
pub(crate) struct Table {
    /// The struct.
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// Where `limbeck` is.
    pub(crate) limbeck: Path,
    pub(crate) name: String,
    pub(crate) schema: Option<LitStr>,
    pub(crate) is_registered: bool,
    /// Builder calls of the table alone.
    pub(crate) calls: TokenStream,
    pub(crate) columns: Vec<Column>,
    /// Constraints and indexes, as builder calls.
    pub(crate) parts: TokenStream,
}

/// The columns by their fields.
pub(crate) struct Fields {
    table: Ident,
    columns: BTreeMap<String, String>,
}

impl Fields {
    /// The column's name of a field.
    pub(crate) fn column(&self, field: &Ident) -> Result<&str> {
        self.columns
            .get(&field.unraw().to_string())
            .map(String::as_str)
            .ok_or_else(|| {
                Error::new(
                    field.span(),
                    format!("`{}` has no column field `{field}`", self.table),
                )
            })
    }

    /// The columns' names of fields.
    pub(crate) fn columns(&self, fields: &[Ident]) -> Result<Vec<&str>> {
        fields.iter().map(|it| self.column(it)).collect()
    }
}

/// What the struct's attribute says, while it is read.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    schema: Option<LitStr>,
    limbeck: Option<Path>,
    unregistered: Option<bool>,
    calls: TokenStream,
    parts: Vec<Part>,
    primary_key: Option<Ident>,
}

impl Options {
    fn read(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key = word(input)?;
        if let Some(part) = Part::read(&key, input)? {
            if matches!(part, Part::PrimaryKey(_)) {
                once(&mut self.primary_key, &key, key.clone())?;
            }
            self.parts.push(part);
            return Ok(());
        }
        match key.to_string().as_str() {
            "name" => once(&mut self.name, &key, name(input)?),
            "schema" => once(&mut self.schema, &key, name(input)?),
            "crate" => {
                input.parse::<Token![=]>()?;
                once(&mut self.limbeck, &key, input.call(Path::parse_mod_style)?)
            }
            "unregistered" => once(&mut self.unregistered, &key, flag(input)?),
            "comment" | "partition_by" => {
                let text = text(input)?;
                self.calls.extend(quote!(.#key(#text)));
                Ok(())
            }
            "unlogged" => {
                self.calls.extend(flag(input)?.then(|| quote!(.unlogged())));
                Ok(())
            }
            "inherits" => each_in_parentheses(input, |input| {
                let parent: LitStr = input.parse()?;
                self.calls.extend(quote!(.inherits(#parent)));
                Ok(())
            }),
            "with" => {
                let parameters = parameters(input)?;
                self.calls.extend(
                    parameters
                        .into_iter()
                        .map(|(key, value)| quote!(.with(#key, #value))),
                );
                Ok(())
            }
            _ => {
                let own = [
                    "name",
                    "schema",
                    "comment",
                    "unlogged",
                    "with",
                    "partition_by",
                    "inherits",
                    "unregistered",
                    "crate",
                ];
                Err(unknown(
                    &key,
                    "table attribute",
                    &[own.as_slice(), parts::NAMES].concat(),
                ))
            }
        }
    }
}

impl Table {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let mut options = Options::default();
        for attribute in input.attrs.iter().filter(|it| it.path().is_ident("table")) {
            items(attribute, |input| options.read(input))?;
        }
        if let Some(it) = input
            .generics
            .params
            .iter()
            .find(|it| !matches!(it, GenericParam::Lifetime(_)))
        {
            return Err(Error::new_spanned(
                it,
                "a table has one set of columns; generic types cannot declare one",
            ));
        }
        let columns = columns(input)?;
        let mut by_name: BTreeMap<&str, &Ident> = BTreeMap::new();
        for it in &columns {
            if let Some(first) = by_name.insert(&it.name, &it.field) {
                let message = format!("`{first}` and `{}` are both named `{}`", it.field, it.name);
                return Err(Error::new(it.field.span(), message));
            }
        }
        let limbeck = options.limbeck.unwrap_or_else(limbeck);
        let fields = Fields {
            table: input.ident.clone(),
            columns: columns
                .iter()
                .map(|it| (it.field.unraw().to_string(), it.name.clone()))
                .collect(),
        };
        let mut parts = primary_key(&columns, options.primary_key.as_ref(), &fields)?;
        for part in columns
            .iter()
            .flat_map(|it| &it.parts)
            .chain(&options.parts)
        {
            parts.extend(part.tokens(&fields)?);
        }
        let name = match &options.name {
            Some(name) => name.value(),
            None => {
                let name = input.ident.unraw().to_string().to_snake_case();
                check_name(&name, input.ident.span())?;
                name
            }
        };
        Ok(Self {
            ident: input.ident.clone(),
            generics: input.generics.clone(),
            limbeck,
            name,
            schema: options.schema,
            is_registered: options.unregistered != Some(true),
            calls: options.calls,
            columns,
            parts,
        })
    }
}

/// Where `limbeck` is unless an attribute says otherwise.
pub(crate) fn limbeck() -> Path {
    syn::parse_quote!(::limbeck)
}

fn columns(input: &DeriveInput) -> Result<Vec<Column>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "a table is declared by a struct; for an enum type derive `PgEnum`",
        ));
    };
    let SynFields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            "a table is declared by a struct with named fields",
        ));
    };
    let mut columns = Vec::new();
    let mut errors: Option<Error> = None;
    for field in &fields.named {
        match Column::read(field) {
            Ok(column) => columns.extend(column),
            Err(error) => match &mut errors {
                Some(all) => all.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(columns), Err)
}

/// The primary key that fields say they are: one of several columns is in the order of the fields.
fn primary_key(
    columns: &[Column],
    on_struct: Option<&Ident>,
    fields: &Fields,
) -> Result<TokenStream> {
    let keyed: Vec<(&Column, &Key)> = columns
        .iter()
        .filter_map(|it| Some((it, it.primary_key.as_ref()?)))
        .collect();
    if let (Some(key), false) = (on_struct, keyed.is_empty()) {
        return Err(Error::new(
            key.span(),
            "the primary key is given here and on a field; keep one of them",
        ));
    }
    let new = quote!(__limbeck::PrimaryKey::new);
    let key = match keyed.as_slice() {
        [] => return Ok(TokenStream::new()),
        [(_, key)] => key.tokens(fields, &new)?,
        several => {
            if let Some((column, _)) = several.iter().find(|(_, key)| key.has_options()) {
                let message = "a primary key of several columns has its options on the struct: #[table(primary_key(a, b, …))]";
                return Err(Error::new(column.field.span(), message));
            }
            let names = several.iter().map(|(column, _)| &column.name);
            quote!(#new([#(#names),*]))
        }
    };
    Ok(quote!(.primary_key(#key)))
}
