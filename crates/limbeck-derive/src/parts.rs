//! Constraints and indexes, on the struct or on one field: each is read into the builder calls that say it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result};

use crate::attribute::{
    each, each_in_parentheses, flag, name, parameters, text, unknown, word, words,
};
use crate::elements::Element;
use crate::reference::{Reference, action};
use crate::table::Fields;

/// A constraint or index before its fields are known to be there.
pub(crate) enum Part {
    /// A primary key.
    PrimaryKey(Key),
    /// A unique constraint.
    Unique(Key),
    /// A check constraint.
    Check(Check),
    /// A foreign key.
    ForeignKey(Box<ForeignKey>),
    /// An exclusion constraint.
    Exclusion(Elements),
    /// An index.
    Index(Elements),
}

/// A primary key or unique constraint.
#[derive(Default)]
pub(crate) struct Key {
    columns: Vec<Ident>,
    include: Vec<Ident>,
    calls: TokenStream,
}

/// A check constraint.
pub(crate) struct Check {
    expression: LitStr,
    calls: TokenStream,
}

/// A foreign key.
pub(crate) struct ForeignKey {
    columns: Vec<Ident>,
    references: Reference,
    on_delete_columns: Vec<Ident>,
    calls: TokenStream,
}

/// An index or exclusion constraint.
#[derive(Default)]
pub(crate) struct Elements {
    pub(crate) elements: Vec<Element>,
    include: Vec<Ident>,
    calls: TokenStream,
}

/// Reads `name = "…"`, `comment = "…"` and the like, whose key has been read; `None` if the key is none of `known`.
fn common(key: &Ident, input: ParseStream<'_>, known: &[&str]) -> Result<Option<TokenStream>> {
    let word = key.unraw().to_string();
    let has_value = match word.as_str() {
        "name" | "comment" | "where" | "method" => input.peek(syn::Token![=]),
        "with" => input.peek(syn::token::Paren),
        _ => true,
    };
    // A bare `name` is a column of that name.
    if !known.contains(&word.as_str()) || !has_value {
        return Ok(None);
    }
    let call = Ident::new(&word, key.span());
    Ok(Some(match word.as_str() {
        "name" => {
            let name = name(input)?;
            quote!(.#call(#name))
        }
        "comment" => {
            let text = text(input)?;
            quote!(.#call(#text))
        }
        "where" => {
            let text = text(input)?;
            quote!(.predicate(#text))
        }
        "method" => {
            let method = crate::attribute::choice(input)?;
            quote!(.#call(#method))
        }
        "with" => parameters(input)?
            .into_iter()
            .map(|(key, value)| quote!(.with(#key, #value)))
            .collect(),
        _ if flag(input)? => quote!(.#call()),
        _ => TokenStream::new(),
    }))
}

impl Key {
    /// A key on one field, without options.
    pub(crate) fn on(field: &Ident) -> Self {
        Self {
            columns: vec![field.clone()],
            ..Self::default()
        }
    }

    /// Whether it says more than its columns.
    pub(crate) fn has_options(&self) -> bool {
        !self.calls.is_empty() || !self.include.is_empty()
    }

    /// Adds what stands in parentheses: options, and columns if they are not given by the field.
    pub(crate) fn read(mut self, input: ParseStream<'_>, options: &[&str]) -> Result<Self> {
        let by_field = !self.columns.is_empty();
        each_in_parentheses(input, |input| {
            let key = word(input)?;
            let is_list = input.peek(syn::token::Paren);
            if is_list && key == "include" {
                self.include.extend(words(input)?);
            } else if is_list && key == "columns" && !by_field {
                self.columns.extend(words(input)?);
            } else if let Some(call) = common(&key, input, options)? {
                self.calls.extend(call);
            } else if by_field || !(input.is_empty() || input.peek(syn::Token![,])) {
                return Err(unknown(
                    &key,
                    "option",
                    &[options, &["include", "columns"]].concat(),
                ));
            } else {
                self.columns.push(key);
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// The builder calls; `new` is the path of the constructor.
    pub(crate) fn tokens(&self, fields: &Fields, new: &TokenStream) -> Result<TokenStream> {
        let columns = fields.columns(&self.columns)?;
        let include = include(fields, &self.include)?;
        let calls = &self.calls;
        Ok(quote!(#new([#(#columns),*]) #include #calls))
    }
}

/// The options of primary keys.
pub(crate) const PRIMARY_KEY: &[&str] = &[
    "name",
    "comment",
    "deferrable",
    "initially_deferred",
    "without_overlaps",
    "with",
];
/// The options of unique constraints.
pub(crate) const UNIQUE: &[&str] = &[
    "name",
    "comment",
    "deferrable",
    "initially_deferred",
    "nulls_not_distinct",
    "without_overlaps",
    "with",
];
const CHECK: &[&str] = &["name", "comment", "no_inherit", "not_valid", "not_enforced"];
const FOREIGN_KEY: &[&str] = &[
    "name",
    "comment",
    "deferrable",
    "initially_deferred",
    "match_full",
    "not_valid",
    "not_enforced",
    "period",
];
const EXCLUSION: &[&str] = &[
    "name",
    "comment",
    "deferrable",
    "initially_deferred",
    "method",
    "where",
    "with",
];
const INDEX: &[&str] = &[
    "name",
    "comment",
    "unique",
    "method",
    "where",
    "nulls_not_distinct",
    "with",
];

impl Check {
    /// `(name = "positive", "balance >= 0")`.
    pub(crate) fn read(key: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let (mut expression, mut calls) = (None, TokenStream::new());
        each_in_parentheses(input, |input| {
            if input.peek(LitStr) {
                let sql: LitStr = input.parse()?;
                let span = sql.span();
                return match expression.replace(sql) {
                    Some(_) => Err(Error::new(span, "a check has one expression")),
                    None => Ok(()),
                };
            }
            let key = word(input)?;
            calls.extend(
                common(&key, input, CHECK)?
                    .ok_or_else(|| unknown(&key, "option of a check", CHECK))?,
            );
            Ok(())
        })?;
        let expression = expression.ok_or_else(|| {
            Error::new(
                key.span(),
                "a check needs an expression: check(name = \"positive\", \"balance >= 0\")",
            )
        })?;
        Ok(Self { expression, calls })
    }
}

impl ForeignKey {
    /// A foreign key on one field.
    pub(crate) fn on(field: &Ident, references: Reference, calls: TokenStream) -> Self {
        Self {
            columns: vec![field.clone()],
            references,
            on_delete_columns: Vec::new(),
            calls,
        }
    }

    /// `(columns(a, b), references = Other(x, y), on_delete = cascade)`.
    fn read(key: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let (mut columns, mut on_delete_columns) = (Vec::new(), Vec::new());
        let (mut references, mut calls) = (None, TokenStream::new());
        each_in_parentheses(input, |input| {
            let key = word(input)?;
            match key.to_string().as_str() {
                "columns" => columns.extend(words(input)?),
                "on_delete_columns" => on_delete_columns.extend(words(input)?),
                "references" => {
                    crate::attribute::once(&mut references, &key, Reference::read(input)?)?
                }
                "on_delete" | "on_update" => calls.extend(action_call(&key, input)?),
                _ => match common(&key, input, FOREIGN_KEY)? {
                    Some(call) => calls.extend(call),
                    None => {
                        let more = &[
                            "columns",
                            "references",
                            "on_delete",
                            "on_update",
                            "on_delete_columns",
                        ];
                        return Err(unknown(
                            &key,
                            "option of a foreign key",
                            &[FOREIGN_KEY, more].concat(),
                        ));
                    }
                },
            }
            Ok(())
        })?;
        let references = references.ok_or_else(|| {
            Error::new(
                key.span(),
                "a foreign key needs `references = Model(fields)`",
            )
        })?;
        if columns.is_empty() {
            return Err(Error::new(
                key.span(),
                "a foreign key needs `columns(fields)`",
            ));
        }
        Ok(Self {
            columns,
            references,
            on_delete_columns,
            calls,
        })
    }
}

/// `.on_delete(Action::Cascade)`.
pub(crate) fn action_call(key: &Ident, input: ParseStream<'_>) -> Result<TokenStream> {
    let action = action(input)?;
    Ok(quote!(.#key(__limbeck::Action::#action)))
}

impl Elements {
    /// `(a, b(desc), "lower(c)", unique, …)`; with a field given, options only.
    pub(crate) fn read_index(mut self, input: ParseStream<'_>) -> Result<Self> {
        let by_field = !self.elements.is_empty();
        each_in_parentheses(input, |input| {
            if input.peek(LitStr) && !by_field {
                self.elements.push(Element::read(input)?);
                return Ok(());
            }
            let key = word(input)?;
            let is_list = input.peek(syn::token::Paren);
            if is_list && key == "include" {
                self.include.extend(words(input)?);
            } else if is_list && key == "columns" && !by_field {
                each_in_parentheses(input, |input| {
                    self.elements.push(Element::read(input)?);
                    Ok(())
                })?;
            } else if let Some(call) = common(&key, input, INDEX)? {
                self.calls.extend(call);
            } else if !by_field && !input.peek(syn::Token![=]) {
                self.elements.push(Element::field(key).options(input)?);
            } else {
                let is_option = match self.elements.last_mut().filter(|_| by_field) {
                    Some(element) => element.option(&key, input)?,
                    None => false,
                };
                if !is_option {
                    return Err(unknown(
                        &key,
                        "option of an index",
                        &[INDEX, &["include", "columns"]].concat(),
                    ));
                }
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// `(a = "=", "tsrange(b, c)" = "&&", method = gist, …)`.
    fn read_exclusion(key: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        let push = |elements: &mut Vec<Element>, input: ParseStream<'_>| {
            elements.push(Element::read(input)?.with_operator(input)?);
            Ok(())
        };
        each_in_parentheses(input, |input| {
            if input.peek(LitStr) {
                return push(&mut it.elements, input);
            }
            let key = word(input)?;
            if key == "include" && input.peek(syn::token::Paren) {
                it.include.extend(words(input)?);
            } else if key == "elements" && input.peek(syn::token::Paren) {
                each_in_parentheses(input, |input| push(&mut it.elements, input))?;
            } else if let Some(call) = common(&key, input, EXCLUSION)? {
                it.calls.extend(call);
            } else {
                it.elements
                    .push(Element::field(key).options(input)?.with_operator(input)?);
            }
            Ok(())
        })?;
        if it.elements.is_empty() {
            let message =
                "an exclusion constraint needs an element with its operator: exclude(room = \"=\")";
            return Err(Error::new(key.span(), message));
        }
        Ok(it)
    }

    /// An index on one field.
    pub(crate) fn on(field: &Ident) -> Self {
        Self {
            elements: vec![Element::field(field.clone())],
            ..Self::default()
        }
    }

    fn tokens(&self, fields: &Fields, new: &TokenStream) -> Result<TokenStream> {
        let elements = self
            .elements
            .iter()
            .map(|it| it.tokens(fields))
            .collect::<Result<Vec<_>>>()?;
        let include = include(fields, &self.include)?;
        let calls = &self.calls;
        Ok(quote!(#new([#(#elements),*]) #include #calls))
    }
}

fn include(fields: &Fields, include: &[Ident]) -> Result<TokenStream> {
    let columns = fields.columns(include)?;
    Ok(if columns.is_empty() {
        TokenStream::new()
    } else {
        quote!(.include([#(#columns),*]))
    })
}

/// The parts that the struct's attribute can hold.
pub(crate) const NAMES: &[&str] = &[
    "primary_key",
    "unique",
    "check",
    "foreign_key",
    "exclude",
    "index",
];

impl Part {
    /// Reads a part of the struct's attribute, whose key has been read.
    pub(crate) fn read(key: &Ident, input: ParseStream<'_>) -> Result<Option<Self>> {
        let word = key.to_string();
        if !NAMES.contains(&word.as_str()) {
            return Ok(None);
        }
        if !input.peek(syn::token::Paren) {
            return Err(Error::new(key.span(), format!("expected `{word}(…)`")));
        }
        let part = match word.as_str() {
            "primary_key" => Self::PrimaryKey(Key::default().read(input, PRIMARY_KEY)?),
            "unique" => Self::Unique(Key::default().read(input, UNIQUE)?),
            "check" => Self::Check(Check::read(key, input)?),
            "foreign_key" => Self::ForeignKey(Box::new(ForeignKey::read(key, input)?)),
            "exclude" => Self::Exclusion(Elements::read_exclusion(key, input)?),
            _ => Self::Index(Elements::default().read_index(input)?),
        };
        let is_empty = match &part {
            Self::PrimaryKey(it) | Self::Unique(it) => it.columns.is_empty(),
            Self::Index(it) => it.elements.is_empty(),
            Self::Check(_) | Self::ForeignKey(_) | Self::Exclusion(_) => false,
        };
        if is_empty {
            return Err(Error::new(
                key.span(),
                format!("`{word}` names no column: {word}(a, b)"),
            ));
        }
        Ok(Some(part))
    }

    /// The builder call on the table.
    pub(crate) fn tokens(&self, fields: &Fields) -> Result<TokenStream> {
        Ok(match self {
            Self::PrimaryKey(it) => {
                let key = it.tokens(fields, &quote!(__limbeck::PrimaryKey::new))?;
                quote!(.primary_key(#key))
            }
            Self::Unique(it) => {
                let unique = it.tokens(fields, &quote!(__limbeck::Unique::new))?;
                quote!(.unique(#unique))
            }
            Self::Check(Check { expression, calls }) => {
                quote!(.check(__limbeck::Check::new(#expression) #calls))
            }
            Self::ForeignKey(it) => {
                let ForeignKey {
                    columns,
                    references,
                    on_delete_columns,
                    calls,
                } = it.as_ref();
                let columns = fields.columns(columns)?;
                let some = fields.columns(on_delete_columns)?;
                let some = if some.is_empty() {
                    TokenStream::new()
                } else {
                    quote!(.on_delete_columns([#(#some),*]))
                };
                let references = references.tokens();
                quote!(.foreign_key(__limbeck::ForeignKey::new([#(#columns),*], #references) #some #calls))
            }
            Self::Exclusion(it) => {
                let exclusion = it.tokens(fields, &quote!(__limbeck::Exclusion::new))?;
                quote!(.exclusion(#exclusion))
            }
            Self::Index(it) => {
                let index = it.tokens(fields, &quote!(__limbeck::Index::new))?;
                quote!(.index(#index))
            }
        })
    }
}

/// Reads options that stand by themselves or in parentheses: nothing, or `(…)`.
pub(crate) fn optional<T>(
    input: ParseStream<'_>,
    plain: T,
    read: impl FnOnce(T) -> Result<T>,
) -> Result<T> {
    if input.peek(syn::token::Paren) {
        read(plain)
    } else {
        Ok(plain)
    }
}

/// Reads every item of an attribute.
pub(crate) fn items(
    attribute: &syn::Attribute,
    item: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let mut item = item;
    attribute.parse_args_with(|input: ParseStream<'_>| each(input, &mut item))
}
