//! Elements of indexes and exclusion constraints.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::attribute::{choice, each_in_parentheses, text, unknown, word};
use crate::table::Fields;

/// What is indexed.
pub(crate) enum What {
    /// A column, by its field.
    Field(Ident),
    /// An SQL expression.
    Expression(LitStr),
}

/// An element with how it is indexed, as builder calls.
pub(crate) struct Element {
    what: What,
    calls: TokenStream,
}

impl Element {
    pub(crate) fn field(field: Ident) -> Self {
        Self {
            what: What::Field(field),
            calls: TokenStream::new(),
        }
    }

    pub(crate) fn expression(sql: LitStr) -> Self {
        Self {
            what: What::Expression(sql),
            calls: TokenStream::new(),
        }
    }

    /// `a`, `a(desc)`, `"lower(a)"`, `"lower(a)"(opclass = "…")`.
    pub(crate) fn read(input: ParseStream<'_>) -> Result<Self> {
        let element = if input.peek(LitStr) {
            Self::expression(input.parse()?)
        } else {
            Self::field(word(input)?)
        };
        element.options(input)
    }

    /// The options in parentheses, if there are any.
    pub(crate) fn options(mut self, input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(syn::token::Paren) {
            return Ok(self);
        }
        each_in_parentheses(input, |input| {
            let key = word(input)?;
            if !self.option(&key, input)? {
                return Err(unknown(
                    &key,
                    "option of an element",
                    &["desc", "asc", "nulls", "opclass", "collation"],
                ));
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Reads one option whose key has been read; false if it is none.
    pub(crate) fn option(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<bool> {
        let call = match key.to_string().as_str() {
            "asc" => TokenStream::new(),
            "desc" => quote!(.desc()),
            "nulls" => {
                let place = choice(input)?;
                match place.value().as_str() {
                    "first" => quote!(.nulls_first()),
                    "last" => quote!(.nulls_last()),
                    _ => return Err(Error::new(place.span(), "expected `first` or `last`")),
                }
            }
            "opclass" => {
                let opclass = text(input)?;
                quote!(.opclass(#opclass))
            }
            "collation" => {
                let collation = text(input)?;
                quote!(.collation(#collation))
            }
            _ => return Ok(false),
        };
        self.calls.extend(call);
        Ok(true)
    }

    /// `= "&&"` after an element of an exclusion constraint.
    pub(crate) fn with_operator(mut self, input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Token![=]) {
            return Err(input
                .error("expected `= \"operator\"` after an element of an exclusion constraint"));
        }
        let operator = text(input)?;
        self.calls.extend(quote!(.operator(#operator)));
        Ok(self)
    }

    /// The builder call.
    pub(crate) fn tokens(&self, fields: &Fields) -> Result<TokenStream> {
        let calls = &self.calls;
        Ok(match &self.what {
            What::Field(field) => {
                let column = fields.column(field)?;
                quote!(__limbeck::Element::column(#column) #calls)
            }
            What::Expression(sql) => quote!(__limbeck::Element::expression(#sql) #calls),
        })
    }
}
