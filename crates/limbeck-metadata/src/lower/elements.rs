//! Elements of indexes and exclusion constraints, and which columns expressions mention.

use limbeck_schema::kinds::{self, ElementKey};
use limbeck_schema::{Expr, Ident, Name, Token};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::table::InTable;
use crate::model::{self, Nulls, Order};
use crate::naming::Facts;

impl<'a> Lowering<'a> {
    pub(super) fn elements(
        &self,
        it: &InTable<'a>,
        facts: &Facts<'a>,
        elements: &'a [model::Element],
    ) -> Result<Vec<kinds::Element>, MetaDataError> {
        if elements.is_empty() {
            return Err(MetaDataError::invalid(
                facts.describe(),
                "it has no element; name a column or an expression",
            ));
        }
        elements
            .iter()
            .map(|element| self.element(it, facts, element))
            .collect()
    }

    fn element(
        &self,
        it: &InTable<'a>,
        facts: &Facts<'a>,
        element: &'a model::Element,
    ) -> Result<kinds::Element, MetaDataError> {
        let model::Element {
            column,
            expression,
            operator: _,
            opclass,
            collation,
            order,
            nulls,
        } = element;
        let mut collated = None;
        let key = match (column, expression) {
            (Some(column), None) if it.has_column(column) => ElementKey::Column(column.clone()),
            (Some(column), None) => return Err(it.missing_column(facts, column)),
            (None, Some(sql)) if !sql.trim().is_empty() => match own_column(it, sql) {
                Some((column, said)) => {
                    collated = said;
                    ElementKey::Column(column.clone())
                }
                None => ElementKey::Expression(Expr::new(sql)),
            },
            _ => {
                let problem =
                    "an element has neither column nor expression, or both; give it one of them";
                return Err(MetaDataError::invalid(facts.describe(), problem));
            }
        };
        let (opclass, opclass_options) = match opclass {
            None => (None, Vec::new()),
            Some(spelled) => {
                let (name, options) = read_opclass(spelled).ok_or_else(|| {
                    MetaDataError::invalid(
                        facts.describe(),
                        format!("`{spelled}` is no operator class"),
                    )
                })?;
                (Some(self.catalog_name(name)), options)
            }
        };
        let order = match order {
            Order::Asc => kinds::Order::Asc,
            Order::Desc => kinds::Order::Desc,
        };
        let nulls = match (nulls, order) {
            (Some(Nulls::First), _) | (None, kinds::Order::Desc) => kinds::Nulls::First,
            (Some(Nulls::Last), _) | (None, kinds::Order::Asc) => kinds::Nulls::Last,
        };
        let collation = collation.as_deref().or(collated.as_deref());
        let collation = self.collation(collation, || facts.describe())?;
        Ok(kinds::Element {
            key,
            collation,
            opclass,
            opclass_options,
            order,
            nulls,
            defaults: kinds::Defaults::default(),
        })
    }
}

/// The column that an expression is, with the collation that it says: PostgreSQL takes both `(a)` and `(a COLLATE "C")`
/// for the column itself (`ComputeIndexAttrs`).
fn own_column<'a>(it: &InTable<'a>, sql: &str) -> Option<(&'a Ident, Option<String>)> {
    let (name, collation) = bare_name(sql)?;
    Some((it.column(&name)?, collation))
}

/// The one name that an expression consists of, and its collation.
fn bare_name(sql: &str) -> Option<(Ident, Option<String>)> {
    let expr = Expr::new(sql);
    let tokens = expr.normal();
    let name = |token: &Token<'_>| match token {
        Token::Word(it) => Some(it.clone()),
        Token::Mark(it) if it.starts_with('"') => Ident::parse(it),
        Token::Mark(_) | Token::Text(_) => None,
    };
    let column = name(tokens.first()?)?;
    let collation = match &tokens[1..] {
        [] => None,
        [Token::Word(collate), rest @ ..] if collate.as_str() == "collate" => match rest {
            [it] => Some(name(it)?.to_string()),
            [schema, Token::Mark("."), it] => Some(format!("{}.{}", name(schema)?, name(it)?)),
            _ => return None,
        },
        _ => return None,
    };
    Some((column, collation))
}

/// The columns of elements; for an expression the first that it mentions, if any (as SQLAlchemy's `Index.columns`).
pub(super) fn element_columns<'a>(
    it: &InTable<'a>,
    elements: &'a [model::Element],
) -> Vec<&'a Ident> {
    let column = |element: &'a model::Element| match (&element.column, &element.expression) {
        (Some(column), _) => Some(column),
        (None, Some(sql)) => mentioned_columns(it, sql).into_iter().next(),
        (None, None) => None,
    };
    elements.iter().filter_map(column).collect()
}

/// The columns that an expression mentions, in the order of their first mention.
pub(super) fn mentioned_columns<'a>(it: &InTable<'a>, sql: &str) -> Vec<&'a Ident> {
    let expr = Expr::new(sql);
    let tokens = expr.normal();
    let mut columns = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let name = match token {
            // A word before a parenthesis is a function.
            Token::Word(_) if tokens.get(at + 1) == Some(&Token::Mark("(")) => None,
            Token::Word(word) => Some(word.clone()),
            Token::Mark(quoted) if quoted.starts_with('"') => Ident::parse(quoted),
            Token::Mark(_) | Token::Text(_) => None,
        };
        if let Some(column) = name.and_then(|name| it.column(&name))
            && !columns.contains(&column)
        {
            columns.push(column);
        }
    }
    columns
}

/// The names that PostgreSQL makes an index's default name of (`ChooseIndexColumnNames`, `FigureIndexColname`): the
/// column, the function of a call, otherwise `expr`; `INCLUDE` columns count, and a repeated name gets a number.
pub(super) fn default_columns(elements: &[model::Element], include: &[Ident]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let expressions = elements
        .iter()
        .map(|element| match (&element.column, &element.expression) {
            (Some(column), _) => column.as_str().to_owned(),
            (None, sql) => {
                let sql = sql.as_deref().unwrap_or_default();
                let bare = bare_name(sql).map(|(it, _)| it.as_str().to_owned());
                bare.or_else(|| function_name(sql))
                    .unwrap_or_else(|| "expr".into())
            }
        });
    for name in expressions.chain(include.iter().map(|it| it.as_str().to_owned())) {
        let mut choices = (0..).map(|pass| {
            if pass == 0 {
                name.clone()
            } else {
                format!("{name}{pass}")
            }
        });
        let free = choices.find(|it| !names.contains(it));
        names.extend(free);
    }
    names
}

/// The function's name, if an expression is one call.
fn function_name(sql: &str) -> Option<String> {
    let expr = Expr::new(sql);
    // An element is printed without parentheses exactly when it is one call.
    if expr.element().starts_with('(') {
        return None;
    }
    expr.normal()
        .iter()
        .map_while(|it| match it {
            Token::Word(word) => Some(Some(word.as_str().to_owned())),
            Token::Mark(".") => Some(None),
            _ => None,
        })
        .flatten()
        .last()
}

/// Reads `name` or `name(option=value, …)`.
fn read_opclass(spelled: &str) -> Option<(Name, Vec<String>)> {
    let (name, options) = match spelled.split_once('(') {
        None => (spelled, Vec::new()),
        Some((name, rest)) => {
            let list = rest.trim_end().strip_suffix(')')?;
            (
                name,
                list.split(',')
                    .map(|it| it.split_whitespace().collect())
                    .collect(),
            )
        }
    };
    Some((Name::parse(name.trim())?, options))
}
