//! Enums: `#[pg_enum(…)]`, and what `#[sqlx(…)]` says about the same type.

use std::collections::BTreeMap;

use heck::{ToKebabCase, ToLowerCamelCase, ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, Token, Variant,
};

use crate::attribute::{check_name, name, once, text, unknown, word};
use crate::parts::items;
use crate::table::limbeck;

/// An enum that declares an enum type.
pub(crate) struct PgEnum {
    ident: Ident,
    limbeck: Path,
    name: String,
    schema: Option<String>,
    comment: Option<LitStr>,
    is_registered: bool,
    labels: Vec<String>,
}

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    schema: Option<LitStr>,
    rename_all: Option<LitStr>,
    comment: Option<LitStr>,
    limbeck: Option<Path>,
    unregistered: Option<bool>,
}

impl Options {
    fn read(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key = word(input)?;
        match key.to_string().as_str() {
            "name" => once(&mut self.name, &key, name(input)?),
            "schema" => once(&mut self.schema, &key, name(input)?),
            "rename_all" => once(&mut self.rename_all, &key, text(input)?),
            "comment" => once(&mut self.comment, &key, text(input)?),
            "unregistered" => once(&mut self.unregistered, &key, true),
            "crate" => {
                input.parse::<Token![=]>()?;
                once(&mut self.limbeck, &key, input.call(Path::parse_mod_style)?)
            }
            _ => {
                let known = [
                    "name",
                    "schema",
                    "rename_all",
                    "comment",
                    "unregistered",
                    "crate",
                ];
                Err(unknown(&key, "attribute of an enum type", &known))
            }
        }
    }
}

/// What `#[sqlx(…)]` says: keys with text values; everything else there is sqlx's own business.
fn sqlx(attributes: &[Attribute]) -> Result<Option<BTreeMap<String, LitStr>>> {
    let mut found = None;
    for attribute in attributes.iter().filter(|it| it.path().is_ident("sqlx")) {
        let values: &mut BTreeMap<String, LitStr> = found.get_or_insert_default();
        attribute.parse_nested_meta(|meta| {
            let key = meta
                .path
                .get_ident()
                .map(ToString::to_string)
                .unwrap_or_default();
            if meta.input.peek(Token![=]) {
                let value: syn::Expr = meta.value()?.parse()?;
                if let syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(text),
                    ..
                }) = value
                {
                    values.insert(key, text);
                }
            } else if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(found)
}

impl PgEnum {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let Data::Enum(data) = &input.data else {
            return Err(Error::new_spanned(
                &input.ident,
                "an enum type is declared by an enum; for a table derive `Table`",
            ));
        };
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(
                &input.generics,
                "an enum type has no parameters",
            ));
        }
        let mut options = Options::default();
        for attribute in input
            .attrs
            .iter()
            .filter(|it| it.path().is_ident("pg_enum"))
        {
            items(attribute, |input| options.read(input))?;
        }
        let by_sqlx = sqlx(&input.attrs)?;
        let said_by_sqlx = |key: &str| by_sqlx.as_ref().and_then(|it| it.get(key)).cloned();
        let rename_all = options.rename_all.or_else(|| said_by_sqlx("rename_all"));
        // sqlx leaves the variants' names alone unless it is told otherwise.
        let default_rule = if by_sqlx.is_some() {
            "verbatim"
        } else {
            "snake_case"
        };
        let labels = labels(data.variants.iter(), rename_all.as_ref(), default_rule)?;
        let (schema, name) = match options.name {
            Some(name) => (None, name.value()),
            None => match said_by_sqlx("type_name") {
                Some(text) => type_name(&text)?,
                None => (None, input.ident.unraw().to_string().to_snake_case()),
            },
        };
        check_name(&name, input.ident.span())?;
        Ok(Self {
            ident: input.ident.clone(),
            limbeck: options.limbeck.unwrap_or_else(limbeck),
            name,
            schema: options.schema.map(|it| it.value()).or(schema),
            comment: options.comment,
            is_registered: options.unregistered.is_none(),
            labels,
        })
    }

    pub(crate) fn expand(&self) -> TokenStream {
        let Self {
            ident,
            limbeck,
            name,
            schema,
            comment,
            is_registered,
            labels,
        } = self;
        let schema = schema.iter();
        let comment = comment.iter();
        let registration = is_registered.then(|| {
            quote! {
                __limbeck::__private::inventory::submit! {
                    __limbeck::Registered::EnumType(<#ident as __limbeck::PgEnum>::enum_type)
                }
            }
        });
        quote! {
            const _: () = {
                use #limbeck as __limbeck;

                #[automatically_derived]
                impl __limbeck::PgEnum for #ident {
                    fn enum_type() -> __limbeck::EnumType {
                        __limbeck::EnumType::new(#name, [#(#labels),*])
                            .place(::core::concat!(::core::file!(), ":", ::core::line!()))
                            #(.schema(#schema))*
                            #(.comment(#comment))*
                    }
                }

                #[automatically_derived]
                impl __limbeck::ColumnType for #ident {
                    fn type_info() -> __limbeck::TypeInfo {
                        __limbeck::TypeInfo::of_enum(<Self as __limbeck::PgEnum>::enum_type())
                    }
                }

                #[automatically_derived]
                impl __limbeck::types::ArrayElement for #ident {}

                #registration
            };
        }
    }
}

/// `schema.name` or `name`, as sqlx's `type_name` has it: quotes are allowed around each.
fn type_name(text: &LitStr) -> Result<(Option<String>, String)> {
    let value = text.value();
    let unquoted = |it: &str| it.trim_matches('"').to_owned();
    let (schema, name) = match value.split_once('.') {
        Some((schema, name)) => (Some(unquoted(schema)), unquoted(name)),
        None => (None, unquoted(&value)),
    };
    check_name(&name, text.span())?;
    Ok((schema, name))
}

fn labels<'a>(
    variants: impl Iterator<Item = &'a Variant>,
    rename_all: Option<&LitStr>,
    default_rule: &str,
) -> Result<Vec<String>> {
    let rule = rename_all.map_or_else(|| default_rule.to_owned(), LitStr::value);
    let mut labels: Vec<String> = Vec::new();
    for variant in variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a label has no fields"));
        }
        let label = match renamed(variant)? {
            Some(label) => label.value(),
            None => rename(&variant.ident.unraw().to_string(), &rule).ok_or_else(|| {
                let message = "unknown rule; known are snake_case, lowercase, UPPERCASE, camelCase, PascalCase, \
                               SCREAMING_SNAKE_CASE, kebab-case and verbatim";
                Error::new(rename_all.map_or_else(|| variant.ident.span(), LitStr::span), message)
            })?,
        };
        check_name(&label, variant.ident.span())?;
        if labels.contains(&label) {
            return Err(Error::new(
                variant.ident.span(),
                format!("another variant has the label `{label}`"),
            ));
        }
        labels.push(label);
    }
    Ok(labels)
}

/// `#[pg_enum(rename = "…")]` or `#[sqlx(rename = "…")]`.
fn renamed(variant: &Variant) -> Result<Option<LitStr>> {
    let mut label = None;
    for attribute in variant
        .attrs
        .iter()
        .filter(|it| it.path().is_ident("pg_enum"))
    {
        items(attribute, |input| {
            let key = word(input)?;
            if key != "rename" {
                return Err(unknown(&key, "attribute of a label", &["rename"]));
            }
            once(&mut label, &key, name(input)?)
        })?;
    }
    let by_sqlx = sqlx(&variant.attrs)?;
    Ok(label.or_else(|| by_sqlx.and_then(|it| it.get("rename").cloned())))
}

fn rename(variant: &str, rule: &str) -> Option<String> {
    Some(match rule {
        "verbatim" => variant.to_owned(),
        "snake_case" => variant.to_snake_case(),
        "lowercase" => variant.to_lowercase(),
        "UPPERCASE" => variant.to_uppercase(),
        "camelCase" => variant.to_lower_camel_case(),
        "PascalCase" => variant.to_upper_camel_case(),
        "SCREAMING_SNAKE_CASE" => variant.to_shouty_snake_case(),
        "kebab-case" => variant.to_kebab_case(),
        _ => return None,
    })
}
