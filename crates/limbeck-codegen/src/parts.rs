//! Constraints and indexes: on the field where they are of one column alone, else on the struct; by builders where they
//! name what the struct does not have, a column that is inherited.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_metadata::{
    Action, Check, Element, Exclusion, ForeignKey, GivenName, Index, Match, Nulls, Order,
    PrimaryKey, Table, Unique,
};
use limbeck_schema::{Expr, Ident, Name, Token};

use crate::File;
use crate::item::{Item, literal};

/// Words of the struct's attribute that a column may not be written as without `columns(…)` around it.
const WORDS: &[&str] = &[
    "columns",
    "comment",
    "deferrable",
    "elements",
    "include",
    "index_comment",
    "initially_deferred",
    "match_full",
    "method",
    "name",
    "no_inherit",
    "not_enforced",
    "not_valid",
    "nulls_not_distinct",
    "period",
    "unique",
    "where",
    "with",
    "without_overlaps",
];

/// The parts of a table by where they are written.
#[derive(Default)]
pub(crate) struct Parts {
    /// On the struct.
    pub(crate) on_struct: Vec<Item>,
    /// On the field of a column: what says that it is the primary key, and the rest.
    pub(crate) on_field: BTreeMap<Ident, (Option<Item>, Vec<Item>)>,
    /// By builder calls on the table.
    pub(crate) more: Vec<String>,
}

impl Parts {
    fn field(&mut self, column: &Ident) -> &mut Vec<Item> {
        &mut self.on_field.entry(column.clone()).or_default().1
    }

    /// Whether the field of a column says a part of this sort already.
    fn has(&self, column: &Ident, word: &str) -> bool {
        let says = |it: &Item| match it {
            Item::Leaf(text) => {
                text == word
                    || text
                        .strip_prefix(word)
                        .is_some_and(|it| it.starts_with(" ="))
            }
            Item::List(name, _) => name == word,
        };
        self.on_field
            .get(column)
            .is_some_and(|(_, items)| items.iter().any(says))
    }
}

impl File<'_> {
    pub(crate) fn parts(&mut self, table: &Table) -> Parts {
        let name = self.names.resolve(table.schema.as_ref(), &table.name);
        let mut acc = Parts::default();
        if let Some(it) = &table.primary_key {
            self.primary_key(&name, it, &mut acc);
        }
        for it in &table.uniques {
            self.unique(&name, it, &mut acc);
        }
        for it in &table.checks {
            self.check(table, it, &mut acc);
        }
        for it in &table.foreign_keys {
            self.foreign_key(&name, it, &mut acc);
        }
        for it in &table.exclusions {
            self.exclusion(&name, it, &mut acc);
        }
        for it in &table.indexes {
            self.index(&name, it, &mut acc);
        }
        acc
    }

    /// The builder calls of what the derive cannot say of a table.
    pub(crate) fn more(&mut self, table: &Table) -> Vec<String> {
        self.parts(table).more
    }

    fn primary_key(&mut self, table: &Name, key: &PrimaryKey, acc: &mut Parts) {
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
        } = key;
        let fields = (
            self.names.fields(table, columns),
            self.names.fields(table, include),
        );
        let (Some(fields), Some(include)) = fields else {
            return acc.more.push(self.primary_key_builder(key));
        };
        let mut options = named(name);
        options.extend(list("include", include));
        options.extend(deferral(*deferrable, *initially_deferred));
        options.extend(without_overlaps.then(|| Item::leaf("without_overlaps")));
        options.extend(parameters(with));
        options.extend(comments(comment, index_comment));
        match columns.as_slice() {
            [only] => {
                let item = Item::list_or_word("primary_key", options);
                acc.on_field.entry(only.clone()).or_default().0 = Some(item);
            }
            _ => acc
                .on_struct
                .push(with_columns("primary_key", fields, options)),
        }
    }

    fn unique(&mut self, table: &Name, unique: &Unique, acc: &mut Parts) {
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
        } = unique;
        let fields = (
            self.names.fields(table, columns),
            self.names.fields(table, include),
        );
        let (Some(fields), Some(include)) = fields else {
            return acc.more.push(self.unique_builder(unique));
        };
        let mut options = named(name);
        options.extend(list("include", include));
        options.extend(nulls_not_distinct.then(|| Item::leaf("nulls_not_distinct")));
        options.extend(deferral(*deferrable, *initially_deferred));
        options.extend(without_overlaps.then(|| Item::leaf("without_overlaps")));
        options.extend(parameters(with));
        options.extend(comments(comment, index_comment));
        match columns.as_slice() {
            [only] if !acc.has(only, "unique") => {
                acc.field(only).push(Item::list_or_word("unique", options));
            }
            _ => acc.on_struct.push(with_columns("unique", fields, options)),
        }
    }

    fn check(&mut self, table: &Table, check: &Check, acc: &mut Parts) {
        let Check {
            name,
            expression,
            no_inherit,
            not_valid,
            not_enforced,
            comment,
        } = check;
        // Under a convention with a template for checks, no attribute says a name that it leaves alone.
        if matches!(name, Some(GivenName::Exact(_))) && self.metadata.naming_convention.is_none() {
            return acc.more.push(self.check_builder(check));
        }
        let mut items = named(name);
        items.push(Item::leaf(literal(expression)));
        items.extend(no_inherit.then(|| Item::leaf("no_inherit")));
        items.extend(not_valid.then(|| Item::leaf("not_valid")));
        items.extend(not_enforced.then(|| Item::leaf("not_enforced")));
        items.extend(comments(comment, &None));
        let item = Item::List("check".to_owned(), items);
        let mentioned = mentioned(table, expression);
        match mentioned.iter().collect::<Vec<_>>().as_slice() {
            [only] => acc.field(only).push(item),
            _ => acc.on_struct.push(item),
        }
    }

    fn foreign_key(&mut self, table: &Name, key: &ForeignKey, acc: &mut Parts) {
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
        } = key;
        let target = self
            .names
            .resolve(references.schema.as_ref(), &references.table);
        let model = self.names.model_of(&target).map(str::to_owned);
        let fields = (
            self.names.fields(table, columns),
            self.names.fields(table, on_delete_columns),
            self.names.fields(&target, &references.columns),
        );
        let (Some(model), (Some(fields), Some(some), Some(targets))) = (model, fields) else {
            return acc.more.push(self.foreign_key_builder(key));
        };
        let reference = reference(&model, &targets);
        let mut actions = vec![Item::leaf(format!("references = {reference}"))];
        actions.extend(action("on_delete", *on_delete));
        let update = action("on_update", *on_update);
        let is_full = *match_type == Match::Full;
        let is_short = some.is_empty()
            && comment.is_none()
            && ![is_full, *not_valid, *not_enforced, *period].contains(&true);
        match columns.as_slice() {
            [only] if is_short && !acc.has(only, "references") => {
                actions.extend(update);
                actions.extend(deferral(*deferrable, *initially_deferred));
                let name = name
                    .as_ref()
                    .map(|it| Item::text("foreign_key", it.ident().as_str()));
                actions.extend(name);
                acc.field(only).extend(actions);
            }
            _ => {
                let mut items = named(name);
                items.extend(list("columns", fields));
                items.extend(actions);
                items.extend(list("on_delete_columns", some));
                items.extend(update);
                items.extend(is_full.then(|| Item::leaf("match_full")));
                items.extend(deferral(*deferrable, *initially_deferred));
                items.extend(not_valid.then(|| Item::leaf("not_valid")));
                items.extend(not_enforced.then(|| Item::leaf("not_enforced")));
                items.extend(period.then(|| Item::leaf("period")));
                items.extend(comments(comment, &None));
                acc.on_struct
                    .push(Item::List("foreign_key".to_owned(), items));
            }
        }
    }

    fn exclusion(&mut self, table: &Name, exclusion: &Exclusion, acc: &mut Parts) {
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
        } = exclusion;
        let excluded = |it: &Element| {
            let operator = it.operator.as_deref().unwrap_or_default();
            let item = self.element(table, it)?;
            Some(Item::leaf(format!(
                "{} = {}",
                item.flat(),
                literal(operator)
            )))
        };
        let elements: Option<Vec<Item>> = elements.iter().map(excluded).collect();
        let (Some(elements), Some(include)) = (elements, self.names.fields(table, include)) else {
            return acc.more.push(self.exclusion_builder(exclusion));
        };
        let mut items = named(name);
        items.extend((method.as_str() != "gist").then(|| word_or_text("method", method.as_str())));
        let fields = exclusion
            .elements
            .iter()
            .filter_map(|it| it.column.as_ref());
        if fields
            .filter_map(|it| self.names.field(table, it))
            .any(is_word)
        {
            items.push(Item::List("elements".to_owned(), elements));
        } else {
            items.extend(elements);
        }
        items.extend(list("include", include));
        items.extend(predicate.as_ref().map(|it| Item::text("where", it)));
        items.extend(deferral(*deferrable, *initially_deferred));
        items.extend(parameters(with));
        items.extend(comments(comment, index_comment));
        acc.on_struct.push(Item::List("exclude".to_owned(), items));
    }

    fn index(&mut self, table: &Name, index: &Index, acc: &mut Parts) {
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
        } = index;
        // The attribute has no word for statistics targets.
        let elements_said = statistics.is_empty().then_some(elements);
        let items: Option<Vec<Item>> = elements_said
            .and_then(|elements| elements.iter().map(|it| self.element(table, it)).collect());
        let (Some(items), Some(include)) = (items, self.names.fields(table, include)) else {
            return acc.more.push(self.index_builder(index));
        };
        let mut options = named(name);
        options.extend(unique.then(|| Item::leaf("unique")));
        options
            .extend((method.as_str() != "btree").then(|| word_or_text("method", method.as_str())));
        options.extend(list("include", include));
        options.extend(predicate.as_ref().map(|it| Item::text("where", it)));
        options.extend(nulls_not_distinct.then(|| Item::leaf("nulls_not_distinct")));
        options.extend(parameters(with));
        options.extend(comments(comment, &None));
        match elements.as_slice() {
            [
                Element {
                    column: Some(only), ..
                },
            ] if !acc.has(only, "index") => {
                if let Some(Item::List(_, own)) = items.into_iter().next() {
                    options.extend(own);
                }
                acc.field(only).push(Item::list_or_word("index", options));
            }
            _ => {
                let fields = elements.iter().filter_map(|it| it.column.as_ref());
                let mut fields = fields.filter_map(|it| self.names.field(table, it));
                let mut all = if fields.any(is_word) {
                    vec![Item::List("columns".to_owned(), items)]
                } else {
                    items
                };
                all.extend(options);
                acc.on_struct.push(Item::List("index".to_owned(), all));
            }
        }
    }

    /// An element without its operator; none if its column is inherited.
    fn element(&self, table: &Name, element: &Element) -> Option<Item> {
        let Element {
            column,
            expression,
            operator: _,
            opclass,
            collation,
            order,
            nulls,
        } = element;
        let what = match (column, expression) {
            (Some(column), _) => self.names.field(table, column)?.to_owned(),
            (None, expression) => literal(expression.as_deref().unwrap_or_default()),
        };
        let mut options = Vec::new();
        options.extend((*order == Order::Desc).then(|| Item::leaf("desc")));
        options.extend(nulls.map(|it| {
            Item::leaf(match it {
                Nulls::First => "nulls = first",
                Nulls::Last => "nulls = last",
            })
        }));
        options.extend(opclass.as_ref().map(|it| Item::text("opclass", it)));
        options.extend(collation.as_ref().map(|it| Item::text("collation", it)));
        Some(Item::list_or_word(&what, options))
    }
}

/// The columns of a table that an expression mentions.
fn mentioned(table: &Table, sql: &str) -> BTreeSet<Ident> {
    let expr = Expr::new(sql);
    let tokens = expr.normal();
    let mut acc = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let name = match token {
            // A word before a parenthesis is a function.
            Token::Word(_) if tokens.get(at + 1) == Some(&Token::Mark("(")) => None,
            Token::Word(word) => Some(word.clone()),
            Token::Mark(quoted) if quoted.starts_with('"') => Ident::parse(quoted),
            Token::Mark(_) | Token::Text(_) => None,
        };
        let declared = |it: &Ident| table.columns.iter().any(|column| column.name == *it);
        acc.extend(name.filter(declared));
    }
    acc
}

fn is_word(field: &str) -> bool {
    WORDS.contains(&field.trim_start_matches("r#"))
}

/// A key of several columns, with what else it says behind them.
fn with_columns(word: &str, fields: Vec<String>, options: Vec<Item>) -> Item {
    let mut items = if fields.iter().any(|it| is_word(it)) {
        list("columns", fields)
    } else {
        fields.into_iter().map(Item::Leaf).collect()
    };
    items.extend(options);
    Item::List(word.to_owned(), items)
}

fn list(word: &str, fields: Vec<String>) -> Vec<Item> {
    if fields.is_empty() {
        return Vec::new();
    }
    let fields = fields.into_iter().map(Item::Leaf).collect();
    vec![Item::List(word.to_owned(), fields)]
}

fn named(name: &Option<GivenName>) -> Vec<Item> {
    name.iter()
        .map(|it| Item::text("name", it.ident().as_str()))
        .collect()
}

fn comments(comment: &Option<String>, index: &Option<String>) -> Vec<Item> {
    let own = comment.iter().map(|it| Item::text("comment", it));
    own.chain(index.iter().map(|it| Item::text("index_comment", it)))
        .collect()
}

fn deferral(deferrable: bool, initially_deferred: bool) -> Option<Item> {
    match (deferrable, initially_deferred) {
        (_, true) => Some(Item::leaf("initially_deferred")),
        (true, false) => Some(Item::leaf("deferrable")),
        (false, false) => None,
    }
}

fn action(key: &str, action: Action) -> Option<Item> {
    let word = match action {
        Action::NoAction => return None,
        Action::Restrict => "restrict",
        Action::Cascade => "cascade",
        Action::SetNull => "set_null",
        Action::SetDefault => "set_default",
    };
    Some(Item::leaf(format!("{key} = {word}")))
}

fn reference(model: &str, targets: &[String]) -> String {
    match targets {
        [] => model.to_owned(),
        // A path's last word is a field if it begins with a small letter.
        [only] if only.starts_with(|it: char| it.is_lowercase() || it == '_') => {
            format!("{model}::{only}")
        }
        several => format!("{model}({})", several.join(", ")),
    }
}

/// `key = word`, in quotes if it is none.
pub(crate) fn word_or_text(key: &str, value: &str) -> Item {
    if value.starts_with(|it: char| it.is_ascii_lowercase())
        && value
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    {
        Item::leaf(format!("{key} = {value}"))
    } else {
        Item::text(key, value)
    }
}

/// `with(fillfactor = 70)`.
pub(crate) fn parameters(with: &BTreeMap<String, String>) -> Option<Item> {
    if with.is_empty() {
        return None;
    }
    let is_number = |it: &str| {
        let digits = |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_digit());
        it.split_once('.')
            .map_or_else(|| digits(it), |(whole, rest)| digits(whole) && digits(rest))
    };
    let is_key = |it: &str| {
        it.starts_with(|it: char| it.is_ascii_lowercase())
            && it
                .chars()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    let items = with.iter().map(|(key, value)| {
        let key = if is_key(key) {
            key.clone()
        } else {
            literal(key)
        };
        let bare = is_number(value) || matches!(value.as_str(), "true" | "false");
        let value = if bare { value.clone() } else { literal(value) };
        Item::leaf(format!("{key} = {value}"))
    });
    Some(Item::List("with".to_owned(), items.collect()))
}
