//! Primary keys, unique, check and exclusion constraints, and indexes.

use limbeck_schema::kinds::{self, Deferral, Excluded, KeyIndex};
use limbeck_schema::{Expr, Ident, Object};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::elements::{default_columns, element_columns, mentioned_columns};
use crate::lower::names::{Comments, Naming};
use crate::lower::table::InTable;
use crate::model;
use crate::naming::{Facts, Template};

impl<'a> Lowering<'a> {
    pub(super) fn primary_key(
        &mut self,
        it: &mut InTable<'a>,
        key: &'a model::PrimaryKey,
    ) -> Result<(), MetaDataError> {
        let model::PrimaryKey {
            name,
            columns,
            without_overlaps,
            include,
            deferrable,
            initially_deferred,
            with,
            comment,
            index_comment,
        } = key;
        let facts = it.facts("primary key", columns.iter().collect(), name.as_ref());
        it.check_columns(&facts, columns, "columns")?;
        it.check_columns(&facts, include, "include")?;
        let index = KeyIndex {
            columns: columns.clone(),
            include: include.clone(),
            deferral: deferral(*deferrable, *initially_deferred),
            options: with.clone().into(),
            without_overlaps: *without_overlaps,
            partitioned: false,
        };
        let table = it.name.clone();
        self.part(
            it,
            |templates| Naming {
                template: templates.pk.as_ref(),
                suffix: "pkey",
                is_constraint: true,
                is_relation: true,
            },
            facts,
            Comments {
                own: comment.as_deref(),
                index: index_comment.as_deref(),
            },
            Vec::new,
            |name| kinds::PrimaryKey { table, name, index }.into(),
        )
    }

    pub(super) fn unique(
        &mut self,
        it: &mut InTable<'a>,
        unique: &'a model::Unique,
    ) -> Result<(), MetaDataError> {
        let model::Unique {
            name,
            columns,
            without_overlaps,
            include,
            nulls_not_distinct,
            deferrable,
            initially_deferred,
            with,
            comment,
            index_comment,
        } = unique;
        let facts = it.facts("unique constraint", columns.iter().collect(), name.as_ref());
        it.check_columns(&facts, columns, "columns")?;
        it.check_columns(&facts, include, "include")?;
        let index = KeyIndex {
            columns: columns.clone(),
            include: include.clone(),
            deferral: deferral(*deferrable, *initially_deferred),
            options: with.clone().into(),
            without_overlaps: *without_overlaps,
            partitioned: false,
        };
        let table = it.name.clone();
        self.part(
            it,
            |templates| Naming {
                template: templates.uq.as_ref(),
                suffix: "key",
                is_constraint: true,
                is_relation: true,
            },
            facts,
            Comments {
                own: comment.as_deref(),
                index: index_comment.as_deref(),
            },
            || texts(columns.iter().chain(include)),
            |name| {
                kinds::Unique {
                    table,
                    name,
                    index,
                    nulls_not_distinct: *nulls_not_distinct,
                }
                .into()
            },
        )
    }

    pub(super) fn check(
        &mut self,
        it: &mut InTable<'a>,
        check: &'a model::Check,
    ) -> Result<(), MetaDataError> {
        let model::Check {
            name,
            expression,
            no_inherit,
            not_valid,
            not_enforced,
            comment,
        } = check;
        // Reading the expression costs more than the rest, and most conventions name checks without it.
        let by_columns = self
            .templates
            .ck
            .as_ref()
            .is_none_or(Template::wants_columns);
        let columns = if by_columns || name.is_none() {
            mentioned_columns(it, expression)
        } else {
            Vec::new()
        };
        let facts = it.facts("check constraint", columns.clone(), name.as_ref());
        if expression.trim().is_empty() {
            return Err(MetaDataError::invalid(
                facts.describe(),
                "its expression is empty; write a condition",
            ));
        }
        let table = it.name.clone();
        self.part(
            it,
            |templates| Naming {
                template: templates.ck.as_ref(),
                suffix: "check",
                is_constraint: true,
                is_relation: false,
            },
            facts,
            comment.as_deref(),
            // PostgreSQL puts the column into the name when there is exactly one (`AddRelationNewConstraints`).
            || {
                if columns.len() == 1 {
                    texts(columns)
                } else {
                    Vec::new()
                }
            },
            |name| {
                let expression = Expr::new(expression);
                kinds::Check {
                    table,
                    name,
                    expression,
                    no_inherit: *no_inherit,
                    valid: !not_valid || *not_enforced,
                    enforced: !not_enforced,
                }
                .into()
            },
        )
    }

    pub(super) fn exclusion(
        &mut self,
        it: &mut InTable<'a>,
        exclusion: &'a model::Exclusion,
    ) -> Result<(), MetaDataError> {
        let model::Exclusion {
            name,
            method,
            elements,
            include,
            predicate,
            deferrable,
            initially_deferred,
            with,
            comment,
            index_comment,
        } = exclusion;
        let facts = it.facts(
            "exclusion constraint",
            element_columns(it, elements),
            name.as_ref(),
        );
        it.check_columns(&facts, include, "include")?;
        let lowered = self.elements(it, &facts, elements)?;
        let operator = |element: &'a model::Element| {
            element.operator.clone().ok_or_else(|| {
                MetaDataError::invalid(
                    facts.describe(),
                    "an element has no operator; write one, `&&`",
                )
            })
        };
        let elements: Vec<Excluded> = lowered
            .into_iter()
            .zip(elements)
            .map(|(lowered, declared)| {
                operator(declared).map(|operator| Excluded {
                    element: lowered,
                    operator,
                })
            })
            .collect::<Result<_, _>>()?;
        let lowered = kinds::Exclusion {
            table: it.name.clone(),
            name: it.name.name.clone(),
            method: method.clone(),
            elements,
            include: include.clone(),
            options: with.clone().into(),
            predicate: predicate.as_deref().map(Expr::new),
            deferral: deferral(*deferrable, *initially_deferred),
        };
        self.part(
            it,
            |templates| Naming {
                template: templates.ex.as_ref(),
                suffix: "excl",
                is_constraint: true,
                is_relation: true,
            },
            facts,
            Comments {
                own: comment.as_deref(),
                index: index_comment.as_deref(),
            },
            || default_columns(&exclusion.elements, include),
            |name| Object::from(kinds::Exclusion { name, ..lowered }),
        )
    }

    pub(super) fn index(
        &mut self,
        it: &mut InTable<'a>,
        index: &'a model::Index,
    ) -> Result<(), MetaDataError> {
        let model::Index {
            name,
            unique,
            method,
            elements,
            include,
            predicate,
            nulls_not_distinct,
            with,
            statistics,
            comment,
        } = index;
        let facts: Facts<'a> = it.facts("index", element_columns(it, elements), name.as_ref());
        it.check_columns(&facts, include, "include")?;
        let lowered = kinds::Index {
            unique: *unique,
            method: method.clone(),
            include: include.clone(),
            nulls_not_distinct: *nulls_not_distinct,
            options: with.clone().into(),
            predicate: predicate.as_deref().map(Expr::new),
            statistics: (!statistics.is_empty()).then(|| statistics.clone()),
            ..kinds::Index::new(
                it.name.clone(),
                it.name.name.clone(),
                self.elements(it, &facts, elements)?,
            )
        };
        self.part(
            it,
            |templates| Naming {
                template: templates.ix.as_ref(),
                suffix: "idx",
                is_constraint: false,
                is_relation: true,
            },
            facts,
            comment.as_deref(),
            || default_columns(elements, include),
            |name| Object::from(kinds::Index { name, ..lowered }),
        )
    }
}

/// A constraint that is initially deferred is deferrable, as in SQL.
pub(super) fn deferral(deferrable: bool, initially_deferred: bool) -> Deferral {
    Deferral::new(deferrable || initially_deferred, initially_deferred)
}

pub(super) fn texts<'i>(names: impl IntoIterator<Item = &'i Ident>) -> Vec<String> {
    names.into_iter().map(|it| it.as_str().to_owned()).collect()
}
