//! Builder calls for what no derive says.

use limbeck_metadata::{
    Action, Attribute, Check, Collation, CompositeType, Domain, DomainCheck, Element, EnumType,
    Exclusion, ForeignKey, GivenName, Index, Match, Namespace, Nulls, Order, OwnedBy, PrimaryKey,
    Provider, RangeType, References, Sequence, Unique,
};
use limbeck_schema::Ident;

use crate::File;
use crate::item::{call, literal, texts};

/// Calls on a builder, each said where there is something to say.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn text(&mut self, method: &str, value: Option<&str>) {
        self.0
            .extend(value.map(|it| format!("{method}({})", literal(it))));
    }

    fn number(&mut self, method: &str, value: Option<i64>) {
        self.0.extend(value.map(|it| format!("{method}({it})")));
    }

    fn flag(&mut self, method: &str, is_said: bool) {
        self.0.extend(is_said.then(|| format!("{method}()")));
    }

    fn names(&mut self, method: &str, names: &[Ident]) {
        if !names.is_empty() {
            self.0.push(format!("{method}({})", idents(names)));
        }
    }

    /// The whole as the only argument of a call in the chain of the function's body.
    fn within(self, method: &str, first: &str) -> String {
        call(method, first, &self.0, 2)
    }

    /// The whole as the only argument of a call in a chain inside of one of the function's body.
    fn inside(self, method: &str, first: &str) -> String {
        call(method, first, &self.0, 4)
    }

    /// The whole on one line.
    fn flat(self, first: &str) -> String {
        let calls: String = self.0.iter().map(|it| format!(".{it}")).collect();
        format!("{first}{calls}")
    }
}

fn idents(names: &[Ident]) -> String {
    texts(names.iter().map(Ident::as_str))
}

fn name_of(name: &Ident) -> String {
    literal(name.as_str())
}

fn schema(it: &Option<Ident>) -> Option<&str> {
    it.as_ref().map(Ident::as_str)
}

impl File<'_> {
    /// The calls that declare what is no table and no Rust enum.
    pub(crate) fn objects(&mut self) -> Vec<String> {
        let metadata = self.metadata;
        let mut acc = Vec::new();
        acc.extend(metadata.schemas.iter().map(|it| self.namespace(it)));
        acc.extend(metadata.collations.iter().map(|it| self.collation(it)));
        for it in &metadata.enums {
            acc.extend(self.enum_builder(it));
        }
        acc.extend(metadata.domains.iter().map(|it| self.domain(it)));
        acc.extend(
            metadata
                .composite_types
                .iter()
                .map(|it| self.composite_type(it)),
        );
        acc.extend(metadata.ranges.iter().map(|it| self.range(it)));
        acc.extend(metadata.sequences.iter().map(|it| self.sequence(it)));
        acc
    }

    fn namespace(&mut self, it: &Namespace) -> String {
        let Namespace { name, comment } = it;
        self.uses("limbeck", "Namespace");
        let mut calls = Calls::default();
        calls.text("comment", comment.as_deref());
        calls.within("namespace", &format!("Namespace::new({})", name_of(name)))
    }

    fn collation(&mut self, it: &Collation) -> String {
        let Collation {
            name,
            schema: place,
            provider,
            locale,
            ctype,
            deterministic,
            rules,
            comment,
            place: _,
        } = it;
        self.uses("limbeck", "Collation");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        if let Some(provider) = provider {
            self.uses("limbeck", "Provider");
            let variant = match provider {
                Provider::Libc => "Libc",
                Provider::Icu => "Icu",
                Provider::Builtin => "Builtin",
            };
            calls.0.push(format!("provider(Provider::{variant})"));
        }
        calls.text("ctype", ctype.as_deref());
        calls.flag("nondeterministic", !deterministic);
        calls.text("rules", rules.as_deref());
        calls.text("comment", comment.as_deref());
        let first = format!("Collation::new({}, {})", name_of(name), literal(locale));
        calls.within("collation", &first)
    }

    /// An enum type that no Rust enum can be.
    fn enum_builder(&mut self, it: &EnumType) -> Option<String> {
        let EnumType {
            name,
            schema: place,
            labels,
            comment,
            place: _,
        } = it;
        if self.names.enum_type(it).is_some() {
            return None;
        }
        self.uses("limbeck", "EnumType");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        calls.text("comment", comment.as_deref());
        let labels = match labels.as_slice() {
            [] => "[] as [&str; 0]".to_owned(),
            labels => texts(labels.iter().map(String::as_str)),
        };
        Some(calls.within(
            "enum_type",
            &format!("EnumType::new({}, {labels})", name_of(name)),
        ))
    }

    fn domain(&mut self, it: &Domain) -> String {
        let Domain {
            name,
            schema: place,
            ty,
            nullable,
            default,
            collation,
            checks,
            comment,
            place: _,
        } = it;
        self.uses("limbeck", "Domain");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        calls.flag("not_null", !nullable);
        calls.text("default", default.as_deref());
        calls.text("collation", collation.as_deref());
        for it in checks {
            let DomainCheck {
                name,
                expression,
                not_valid,
                comment,
            } = it;
            self.uses("limbeck", "DomainCheck");
            let mut own = Calls::default();
            own.text("name", name.as_ref().map(Ident::as_str));
            own.flag("not_valid", *not_valid);
            own.text("comment", comment.as_deref());
            let first = format!("DomainCheck::new({})", literal(expression));
            calls.0.push(own.inside("check", &first));
        }
        calls.text("comment", comment.as_deref());
        calls.within(
            "domain",
            &format!("Domain::new({}, {})", name_of(name), literal(ty)),
        )
    }

    fn composite_type(&mut self, it: &CompositeType) -> String {
        let CompositeType {
            name,
            schema: place,
            attributes,
            comment,
            place: _,
        } = it;
        self.uses("limbeck", "CompositeType");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        for it in attributes {
            let Attribute {
                name,
                ty,
                collation,
                comment,
            } = it;
            self.uses("limbeck", "Attribute");
            let mut own = Calls::default();
            own.text("collation", collation.as_deref());
            own.text("comment", comment.as_deref());
            let first = format!("Attribute::new({}, {})", name_of(name), literal(ty));
            calls.0.push(own.inside("attribute", &first));
        }
        calls.text("comment", comment.as_deref());
        calls.within(
            "composite_type",
            &format!("CompositeType::new({})", name_of(name)),
        )
    }

    fn range(&mut self, it: &RangeType) -> String {
        let RangeType {
            name,
            schema: place,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
            comment,
            place: _,
        } = it;
        self.uses("limbeck", "RangeType");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        calls.text("opclass", opclass.as_deref());
        calls.text("collation", collation.as_deref());
        calls.text("canonical", canonical.as_deref());
        calls.text("subtype_diff", subtype_diff.as_deref());
        calls.text("multirange", multirange.as_deref());
        calls.text("comment", comment.as_deref());
        calls.within(
            "range",
            &format!("RangeType::new({}, {})", name_of(name), literal(subtype)),
        )
    }

    fn sequence(&mut self, it: &Sequence) -> String {
        let Sequence {
            name,
            schema: place,
            ty,
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            unlogged,
            owned_by,
            comment,
            place: _,
        } = it;
        self.uses("limbeck", "Sequence");
        let mut calls = Calls::default();
        calls.text("schema", schema(place));
        calls.text("sql_type", ty.as_deref());
        calls.number("start", *start);
        calls.number("increment", *increment);
        calls.number("min", *min);
        calls.number("max", *max);
        calls.number("cache", *cache);
        calls.flag("cycle", *cycle == Some(true));
        calls.flag("unlogged", *unlogged);
        if let Some(OwnedBy {
            table,
            schema,
            column,
        }) = owned_by
        {
            let (table, column) = (name_of(table), name_of(column));
            calls.0.push(match schema {
                None => format!("owned_by({table}, {column})"),
                Some(schema) => {
                    self.uses("limbeck", "OwnedBy");
                    format!(
                        "owned_by_column(OwnedBy {{ table: {table}.into(), schema: Some({}.into()), column: {column}.into() }})",
                        name_of(schema)
                    )
                }
            });
        }
        calls.text("comment", comment.as_deref());
        calls.within("sequence", &format!("Sequence::new({})", name_of(name)))
    }

    /// The name of a part, exact where it is.
    fn given(&mut self, calls: &mut Calls, name: &Option<GivenName>) {
        match name {
            None => {}
            Some(GivenName::Name(it)) => calls.text("name", Some(it.as_str())),
            Some(GivenName::Exact(it)) => {
                self.uses("limbeck", "exact");
                calls.0.push(format!("name(exact({}))", name_of(it)));
            }
        }
    }

    pub(crate) fn primary_key_builder(&mut self, it: &PrimaryKey) -> String {
        let PrimaryKey {
            name,
            columns,
            include,
            deferrable,
            initially_deferred,
            without_overlaps,
            with,
            comment,
            index_comment,
        } = it;
        self.uses("limbeck", "PrimaryKey");
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        calls.names("include", include);
        calls.deferral(*deferrable, *initially_deferred);
        calls.flag("without_overlaps", *without_overlaps);
        calls.parameters(with);
        calls.text("comment", comment.as_deref());
        calls.text("index_comment", index_comment.as_deref());
        calls.inside(
            "primary_key",
            &format!("PrimaryKey::new({})", idents(columns)),
        )
    }

    pub(crate) fn unique_builder(&mut self, it: &Unique) -> String {
        let Unique {
            name,
            columns,
            include,
            nulls_not_distinct,
            deferrable,
            initially_deferred,
            without_overlaps,
            with,
            comment,
            index_comment,
        } = it;
        self.uses("limbeck", "Unique");
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        calls.names("include", include);
        calls.flag("nulls_not_distinct", *nulls_not_distinct);
        calls.deferral(*deferrable, *initially_deferred);
        calls.flag("without_overlaps", *without_overlaps);
        calls.parameters(with);
        calls.text("comment", comment.as_deref());
        calls.text("index_comment", index_comment.as_deref());
        calls.inside("unique", &format!("Unique::new({})", idents(columns)))
    }

    pub(crate) fn check_builder(&mut self, it: &Check) -> String {
        let Check {
            name,
            expression,
            no_inherit,
            not_valid,
            not_enforced,
            comment,
        } = it;
        self.uses("limbeck", "Check");
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        calls.flag("no_inherit", *no_inherit);
        calls.flag("not_valid", *not_valid);
        calls.flag("not_enforced", *not_enforced);
        calls.text("comment", comment.as_deref());
        calls.inside("check", &format!("Check::new({})", literal(expression)))
    }

    pub(crate) fn foreign_key_builder(&mut self, it: &ForeignKey) -> String {
        let ForeignKey {
            name,
            columns,
            references,
            on_delete,
            on_update,
            on_delete_columns,
            match_type,
            deferrable,
            initially_deferred,
            not_valid,
            not_enforced,
            period,
            comment,
        } = it;
        let References {
            schema: place,
            table,
            columns: targets,
        } = references;
        self.uses("limbeck", "ForeignKey");
        self.uses("limbeck", "References");
        let mut target = Calls::default();
        target.text("schema", schema(place));
        target.names("columns", targets);
        let target = target.flat(&format!("References::new({})", name_of(table)));
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        for (method, action) in [("on_delete", on_delete), ("on_update", on_update)] {
            if *action != Action::NoAction {
                self.uses("limbeck", "Action");
                calls.0.push(format!("{method}(Action::{action:?})"));
            }
        }
        calls.names("on_delete_columns", on_delete_columns);
        calls.flag("match_full", *match_type == Match::Full);
        calls.deferral(*deferrable, *initially_deferred);
        calls.flag("not_valid", *not_valid);
        calls.flag("not_enforced", *not_enforced);
        calls.flag("period", *period);
        calls.text("comment", comment.as_deref());
        calls.inside(
            "foreign_key",
            &format!("ForeignKey::new({}, {target})", idents(columns)),
        )
    }

    pub(crate) fn exclusion_builder(&mut self, it: &Exclusion) -> String {
        let Exclusion {
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
        } = it;
        self.uses("limbeck", "Exclusion");
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        calls.text("method", Some(method.as_str()).filter(|it| *it != "gist"));
        calls.names("include", include);
        calls.text("predicate", predicate.as_deref());
        calls.deferral(*deferrable, *initially_deferred);
        calls.parameters(with);
        calls.text("comment", comment.as_deref());
        calls.text("index_comment", index_comment.as_deref());
        calls.inside(
            "exclusion",
            &format!("Exclusion::new({})", self.elements(elements)),
        )
    }

    pub(crate) fn index_builder(&mut self, it: &Index) -> String {
        let Index {
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
        } = it;
        self.uses("limbeck", "Index");
        let mut calls = Calls::default();
        self.given(&mut calls, name);
        calls.flag("unique", *unique);
        calls.text("method", Some(method.as_str()).filter(|it| *it != "btree"));
        calls.names("include", include);
        calls.text("predicate", predicate.as_deref());
        calls.flag("nulls_not_distinct", *nulls_not_distinct);
        calls.parameters(with);
        calls.targets(statistics);
        calls.text("comment", comment.as_deref());
        calls.inside("index", &format!("Index::new({})", self.elements(elements)))
    }

    fn elements(&mut self, elements: &[Element]) -> String {
        self.uses("limbeck", "Element");
        let elements: Vec<_> = elements.iter().map(element).collect();
        format!("[{}]", elements.join(", "))
    }
}

fn element(it: &Element) -> String {
    let Element {
        column,
        expression,
        operator,
        opclass,
        collation,
        order,
        nulls,
    } = it;
    let mut calls = Calls::default();
    calls.text("operator", operator.as_deref());
    calls.text("opclass", opclass.as_deref());
    calls.text("collation", collation.as_deref());
    calls.flag("desc", *order == Order::Desc);
    calls.flag("nulls_first", *nulls == Some(Nulls::First));
    calls.flag("nulls_last", *nulls == Some(Nulls::Last));
    calls.flat(&match (column, expression) {
        (Some(column), _) => format!("Element::column({})", name_of(column)),
        (None, expression) => {
            format!(
                "Element::expression({})",
                literal(expression.as_deref().unwrap_or_default())
            )
        }
    })
}

impl Calls {
    fn deferral(&mut self, deferrable: bool, initially_deferred: bool) {
        self.flag("deferrable", deferrable && !initially_deferred);
        self.flag("initially_deferred", initially_deferred);
    }

    fn targets(&mut self, targets: &std::collections::BTreeMap<i64, i64>) {
        let calls = targets.iter();
        self.0
            .extend(calls.map(|(column, target)| format!("statistics({column}, {target})")));
    }

    fn parameters(&mut self, with: &std::collections::BTreeMap<String, String>) {
        let calls = with
            .iter()
            .map(|(key, value)| format!("with({}, {})", literal(key), literal(value)));
        self.0.extend(calls);
    }
}
