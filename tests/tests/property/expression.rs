//! Constants and expressions that fit the types of their columns.

use crate::model::{Base, Body, Expr, Family, PLAIN, Ty};
use crate::render::{Writer, literal};

impl Writer<'_> {
    /// A constant, or a call, that a column of the type can have for a default.
    pub(crate) fn constant(&self, ty: &Ty, n: u8) -> Option<String> {
        if ty.array {
            return Some(match n % 2 {
                0 => "'{}'".into(),
                _ => format!("ARRAY[]::text[]::{}", self.ty(ty)),
            });
        }
        match ty.base {
            Base::Plain(it) => Some(PLAIN[it].constants[usize::from(n) % 3].to_owned()),
            Base::User(id) => match &self.state.items[&id].body {
                Body::Enum { values } => Some(literal(&values[usize::from(n) % values.len()])),
                Body::Domain { base, .. } => self.constant(base, n),
                Body::Range { .. } => Some("'empty'".into()),
                Body::Composite { attributes } => Some(format!(
                    "ROW({})",
                    vec!["NULL"; attributes.len()].join(", ")
                )),
                _ => None,
            },
        }
    }

    /// Something that is true or false of a value.
    pub(crate) fn predicate(&self, c: &str, ty: &Ty, shape: u8) -> String {
        let pick = |all: &[&str]| all[usize::from(shape) % all.len()].replace('$', c);
        match self.state.family(ty) {
            Family::Text => pick(&[
                "length($) > 1",
                "$ <> 'it''s; -- not a comment'",
                "lower($) = $",
                // Of a `varchar` PostgreSQL prints a list that it prints otherwise once it has read it again.
                "$::text IN ('a', 'B')",
                "$ ~ '^[a-z]+$'",
                "$ LIKE 'a%' OR $ = ''",
                "$ COLLATE \"C\" > 'a'",
            ]),
            Family::Int => pick(&[
                "$ > 0",
                "$ BETWEEN 1 AND 9",
                "$ IN (1, 2, 3)",
                "($ + 1) * 2 <> 7",
                "$ % 2 = 0",
                "$::text <> '3'",
            ]),
            Family::Number => pick(&[
                "$ > 0",
                "$ BETWEEN 0.5 AND 1e3",
                "$ <> -1.5",
                "$ IS NULL OR NOT $ < 5",
            ]),
            Family::Bool => pick(&["$", "NOT $", "$ IS NOT TRUE", "$ = false"]),
            Family::Enum(id) => {
                let Body::Enum { values } = &self.state.items[&id].body else {
                    return pick(&["$ IS NOT NULL"]);
                };
                let (ty, n) = (self.name(id), usize::from(shape));
                let value = |n: usize| format!("{}::{ty}", literal(&values[n % values.len()]));
                match shape % 3 {
                    0 => format!("{c} <> {}", value(n)),
                    1 => format!("{c} IN ({}, {})", value(n), value(n + 1)),
                    _ => format!("{c} IS NULL OR {c} > {}", value(n)),
                }
            }
            Family::Range => pick(&["NOT isempty($)", "$ <> 'empty'", "lower($) IS NOT NULL"]),
            Family::Array => pick(&[
                "cardinality($) > 0",
                "array_length($, 1) IS NULL",
                "$ <> '{}'",
            ]),
            Family::Json => pick(&["$::text <> '1'", "$ IS NOT NULL"]),
            Family::Other => pick(&["$ IS NOT NULL", "$ IS NULL"]),
        }
    }

    pub(crate) fn condition(&self, expr: &Expr) -> String {
        let parts = expr.columns.iter().enumerate().filter_map(|(n, it)| {
            let column = self.state.column(*it)?;
            let shape = expr.shape.wrapping_add(u8::try_from(n).unwrap_or(0));
            Some(format!(
                "({})",
                self.predicate(&self.bare(*it), &column.ty, shape)
            ))
        });
        parts
            .collect::<Vec<_>>()
            .join(if expr.shape.is_multiple_of(2) {
                " AND "
            } else {
                " OR "
            })
    }

    /// An expression of the type of a generated column.
    pub(crate) fn generated(&self, ty: &Ty, expr: &Expr) -> String {
        let first = expr.columns.first().copied().unwrap_or_default();
        let c = self.bare(first);
        let source = self
            .state
            .column(first)
            .map_or(Family::Other, |it| self.state.family(&it.ty));
        match (self.state.family(ty), source) {
            (Family::Bool, _) => self.condition(expr),
            (Family::Text, Family::Text) => {
                [format!("lower({c})"), format!("{c} || '-x'")][usize::from(expr.shape % 2)].clone()
            }
            (Family::Text, _) => format!(
                "CASE WHEN {} THEN 'yes' ELSE 'no' END",
                self.condition(expr)
            ),
            (_, Family::Int) => {
                [format!("{c} * 2"), format!("{c} + 1")][usize::from(expr.shape % 2)].clone()
            }
            (_, Family::Text) => format!("length({c})"),
            _ => format!("CASE WHEN {} THEN 1 ELSE 0 END", self.condition(expr)),
        }
    }
}
