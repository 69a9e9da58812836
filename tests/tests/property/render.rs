//! The SQL of a random state, written without any of Limbeck's own rendering, so that PostgreSQL is the only judge.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::{
    Base, Body, Column, Expr, Family, ForeignKey, Id, Index, Item, Numbers, PLAIN, PUBLIC, State,
    Ty, Unique, Value,
};

const DEFERRALS: [&str; 4] = ["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED", ""];
const ACTIONS: [&str; 5] = [
    "NO ACTION",
    "RESTRICT",
    "CASCADE",
    "SET NULL",
    "SET DEFAULT",
];

/// A name in quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The script that builds a state in an empty database.
pub(crate) fn sql(state: &State) -> String {
    let mut it = Writer {
        state,
        done: BTreeSet::new(),
        sql: String::new(),
    };
    for id in state.ids(|it| matches!(it, Body::Schema)) {
        if id != PUBLIC {
            let name = quoted(&state.items[&id].name);
            it.line(format!("CREATE SCHEMA {name}"));
        }
    }
    // A type may take the name of a sequence; the other way round PostgreSQL refuses.
    let first = state.ids(|it| matches!(it, Body::Collation { .. } | Body::Sequence { .. }));
    for id in first.into_iter().chain(state.ids(Body::is_type)) {
        it.create(id);
    }
    for id in state.ids(|it| matches!(it, Body::Table { .. })) {
        it.create(id);
    }
    for id in state.ids(|it| it.is_part() && !matches!(it, Body::Column(_) | Body::ForeignKey(_))) {
        it.part(id);
    }
    for id in state.ids(|it| matches!(it, Body::ForeignKey(_))) {
        it.part(id);
    }
    for (id, item) in &state.items {
        if let Body::Sequence {
            owner: Some(owner), ..
        } = &item.body
        {
            let owner = it.column_of_table(*owner);
            let name = it.name(*id);
            it.line(format!("ALTER SEQUENCE {name} OWNED BY {owner}"));
        }
        if let Some(comment) = &item.comment {
            let target = it.address(*id, item);
            it.line(format!("COMMENT ON {target} IS {}", literal(comment)));
        }
    }
    it.sql
}

pub(crate) struct Writer<'a> {
    pub(crate) state: &'a State,
    done: BTreeSet<Id>,
    sql: String,
}

impl Writer<'_> {
    fn line(&mut self, statement: String) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.sql, "{statement};");
    }

    /// The name of an item with its schema; of a part with the schema of its table.
    pub(crate) fn name(&self, id: Id) -> String {
        let item = &self.state.items[&id];
        let home = if item.body.is_part() {
            self.state.items[&item.home].home
        } else {
            item.home
        };
        format!(
            "{}.{}",
            quoted(&self.state.items[&home].name),
            quoted(&item.name)
        )
    }

    pub(crate) fn bare(&self, id: Id) -> String {
        quoted(&self.state.items[&id].name)
    }

    fn list(&self, columns: &[Id]) -> String {
        columns
            .iter()
            .map(|it| self.bare(*it))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn column_of_table(&self, column: Id) -> String {
        format!(
            "{}.{}",
            self.name(self.state.items[&column].home),
            self.bare(column)
        )
    }

    fn address(&self, id: Id, item: &Item) -> String {
        let name = self.name(id);
        match item.body {
            Body::Schema => format!("SCHEMA {}", quoted(&item.name)),
            Body::Collation { .. } => format!("COLLATION {name}"),
            Body::Domain { .. } => format!("DOMAIN {name}"),
            Body::Enum { .. } | Body::Composite { .. } | Body::Range { .. } => {
                format!("TYPE {name}")
            }
            Body::Sequence { .. } => format!("SEQUENCE {name}"),
            Body::Table { .. } => format!("TABLE {name}"),
            Body::Column(_) => format!("COLUMN {}", self.column_of_table(id)),
            Body::Index(_) => format!("INDEX {name}"),
            _ => format!(
                "CONSTRAINT {} ON {}",
                quoted(&item.name),
                self.name(item.home)
            ),
        }
    }

    pub(crate) fn ty(&self, ty: &Ty) -> String {
        let base = match ty.base {
            Base::Plain(it) => PLAIN[it].sql.to_owned(),
            Base::User(id) => self.name(id),
        };
        format!("{base}{}", if ty.array { "[]" } else { "" })
    }

    /// Creates what an item is built of, then itself.
    fn create(&mut self, id: Id) {
        if !self.done.insert(id) {
            return;
        }
        let item = &self.state.items[&id];
        for ty in item.body.clone().types() {
            ty.user().into_iter().for_each(|it| self.create(it));
        }
        let name = self.name(id);
        let statement = match &item.body {
            Body::Collation { locale } => format!("CREATE COLLATION {name} ({locale})"),
            Body::Enum { values } => {
                let values: Vec<_> = values.iter().map(|it| literal(it)).collect();
                format!("CREATE TYPE {name} AS ENUM ({})", values.join(", "))
            }
            Body::Domain {
                base,
                default,
                not_null,
                checks,
            } => self.domain(&name, base, *default, *not_null, checks),
            Body::Composite { attributes } => {
                let attributes: Vec<_> = attributes
                    .iter()
                    .map(|(name, ty)| format!("{} {}", quoted(name), self.ty(ty)))
                    .collect();
                format!("CREATE TYPE {name} AS ({})", attributes.join(", "))
            }
            Body::Range {
                subtype,
                multirange,
            } => {
                let schema = &self.state.items[&item.home].name;
                let multirange = multirange.as_ref().map_or_else(String::new, |it| {
                    format!(", multirange_type_name = {}.{}", quoted(schema), quoted(it))
                });
                format!(
                    "CREATE TYPE {name} AS RANGE (subtype = {}{multirange})",
                    self.ty(subtype)
                )
            }
            Body::Sequence { options, .. } => {
                let ty = if options.small { " AS smallint" } else { "" };
                format!("CREATE SEQUENCE {name}{ty}{}", numbers(options))
            }
            Body::Table {
                unlogged,
                fillfactor,
                gap,
            } => return self.table(id, *unlogged, *fillfactor, *gap),
            _ => return,
        };
        self.line(statement);
    }

    fn domain(
        &self,
        name: &str,
        base: &Ty,
        default: bool,
        not_null: bool,
        checks: &[(String, u8)],
    ) -> String {
        let mut acc = format!("CREATE DOMAIN {name} AS {}", self.ty(base));
        if default {
            acc.extend(self.constant(base, 0).map(|it| format!(" DEFAULT {it}")));
        }
        if not_null {
            acc.push_str(" NOT NULL");
        }
        for (name, shape) in checks {
            let _ = write!(
                acc,
                " CONSTRAINT {} CHECK ({})",
                quoted(name),
                self.predicate("VALUE", base, *shape)
            );
        }
        acc
    }

    fn table(&mut self, id: Id, unlogged: bool, fillfactor: Option<u8>, gap: bool) {
        let columns = self.state.columns(id);
        for column in &columns {
            let ty = self.state.column(*column).and_then(|it| it.ty.user());
            ty.into_iter().for_each(|it| self.create(it));
        }
        let name = self.name(id);
        let mut lines: Vec<String> = Vec::new();
        if gap {
            lines.push("\"gap\" text".into());
        }
        for column in &columns {
            lines.extend(
                self.state
                    .column(*column)
                    .map(|it| self.definition(*column, it)),
            );
        }
        let unlogged = if unlogged { "UNLOGGED " } else { "" };
        let with = fillfactor.map_or_else(String::new, |it| format!(" WITH (fillfactor = {it})"));
        self.line(format!(
            "CREATE {unlogged}TABLE {name} (\n  {}\n){with}",
            lines.join(",\n  ")
        ));
        if gap {
            self.line(format!("ALTER TABLE {name} DROP COLUMN \"gap\""));
        }
        for column in &columns {
            let Some(it) = self.state.column(*column) else {
                continue;
            };
            let alter = format!("ALTER TABLE {name} ALTER COLUMN {}", self.bare(*column));
            let words = [
                it.storage.map(|it| format!("STORAGE {it}")),
                it.compression.map(|it| format!("COMPRESSION {it}")),
                it.statistics.map(|it| format!("STATISTICS {it}")),
            ];
            words
                .into_iter()
                .flatten()
                .for_each(|it| self.line(format!("{alter} SET {it}")));
        }
    }

    fn definition(&self, id: Id, it: &Column) -> String {
        let mut acc = format!("{} ", self.bare(id));
        if it.value == Value::Serial {
            acc.push_str(match self.ty(&it.ty).as_str() {
                "smallint" => "smallserial",
                "bigint" => "bigserial",
                _ => "serial",
            });
        } else {
            acc.push_str(&self.ty(&it.ty));
        }
        if let Some(collation) = it.collation {
            let _ = write!(acc, " COLLATE {}", self.name(collation));
        }
        if it.not_null {
            acc.push_str(" NOT NULL");
        }
        match &it.value {
            Value::None | Value::Serial => {}
            Value::Default(n) => {
                acc.extend(self.constant(&it.ty, *n).map(|it| format!(" DEFAULT {it}")))
            }
            Value::Next(sequence) => {
                let _ = write!(acc, " DEFAULT nextval({})", literal(&self.name(*sequence)));
            }
            Value::Identity { always, options } => {
                let how = if *always { "ALWAYS" } else { "BY DEFAULT" };
                let options = numbers(options);
                let options = if options.is_empty() {
                    options
                } else {
                    format!(" ({})", options.trim())
                };
                let _ = write!(acc, " GENERATED {how} AS IDENTITY{options}");
            }
            Value::Generated(expr) => {
                let _ = write!(
                    acc,
                    " GENERATED ALWAYS AS ({}) STORED",
                    self.generated(&it.ty, expr)
                );
            }
        }
        acc
    }

    fn part(&mut self, id: Id) {
        let item = &self.state.items[&id];
        let (table, name) = (self.name(item.home), quoted(&item.name));
        let body = match &item.body {
            Body::Primary(it) => self.key("PRIMARY KEY", it),
            Body::Unique(it) => {
                let word = if it.nulls_not_distinct {
                    "UNIQUE NULLS NOT DISTINCT"
                } else {
                    "UNIQUE"
                };
                self.key(word, it)
            }
            Body::Check {
                expr,
                not_valid,
                no_inherit,
            } => format!(
                "CHECK ({}){}{}",
                self.condition(expr),
                if *no_inherit { " NO INHERIT" } else { "" },
                if *not_valid { " NOT VALID" } else { "" }
            ),
            Body::Exclusion {
                columns,
                predicate,
                deferral,
            } => self.exclusion(columns, predicate.as_ref(), *deferral),
            Body::ForeignKey(it) => self.foreign_key(it),
            Body::Index(it) => {
                let statement = self.index(&name, &table, it);
                return self.line(statement);
            }
            _ => return,
        };
        self.line(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {body}"));
    }

    fn key(&self, word: &str, it: &Unique) -> String {
        let include = if it.include.is_empty() {
            String::new()
        } else {
            format!(" INCLUDE ({})", self.list(&it.include))
        };
        let with = it
            .fillfactor
            .map_or_else(String::new, |it| format!(" WITH (fillfactor = {it})"));
        format!(
            "{word} ({}){include}{with}{}",
            self.list(&it.columns),
            DEFERRALS[usize::from(it.deferral % 4)]
        )
    }

    fn exclusion(&self, columns: &[Id], predicate: Option<&Expr>, deferral: u8) -> String {
        let is_range = |it: &Id| {
            self.state
                .column(*it)
                .is_some_and(|it| self.state.family(&it.ty) == Family::Range)
        };
        let (method, operator) = if columns.iter().all(is_range) {
            ("gist", "&&")
        } else {
            ("btree", "=")
        };
        let columns: Vec<_> = columns
            .iter()
            .map(|it| format!("{} WITH {operator}", self.bare(*it)))
            .collect();
        let predicate =
            predicate.map_or_else(String::new, |it| format!(" WHERE ({})", self.condition(it)));
        format!(
            "EXCLUDE USING {method} ({}){predicate}{}",
            columns.join(", "),
            DEFERRALS[usize::from(deferral % 4)]
        )
    }

    fn foreign_key(&self, it: &ForeignKey) -> String {
        let Some((table, columns)) = self.state.referenced(it.target) else {
            return String::new();
        };
        format!(
            "FOREIGN KEY ({}) REFERENCES {} ({}){} ON DELETE {} ON UPDATE {}{}{}",
            self.list(&it.columns),
            self.name(table),
            self.list(&columns),
            if it.full { " MATCH FULL" } else { "" },
            ACTIONS[usize::from(it.on_delete) % ACTIONS.len()],
            ACTIONS[usize::from(it.on_update) % ACTIONS.len()],
            DEFERRALS[usize::from(it.deferral % 4)],
            if it.not_valid { " NOT VALID" } else { "" }
        )
    }

    fn index(&self, name: &str, table: &str, it: &Index) -> String {
        let elements: Vec<_> = it
            .elements
            .iter()
            .filter_map(|element| {
                let column = self.state.column(element.column)?;
                let c = self.bare(element.column);
                let family = self.state.family(&column.ty);
                let mut acc = if element.expression {
                    match family {
                        Family::Text => format!("lower({c})"),
                        Family::Int | Family::Number => format!("abs({c})"),
                        _ => format!("({})", self.predicate(&c, &column.ty, 0)),
                    }
                } else {
                    c
                };
                if let Some(collation) = element.collation {
                    let _ = write!(acc, " COLLATE {}", self.name(collation));
                }
                if element.pattern {
                    acc.push_str(if it.method == "gin" {
                        " jsonb_path_ops"
                    } else {
                        " text_pattern_ops"
                    });
                }
                if it.method == "btree" {
                    acc.push_str(match (element.descending, element.nulls_other) {
                        (true, true) => " DESC NULLS LAST",
                        (true, false) => " DESC",
                        (false, true) => " NULLS FIRST",
                        (false, false) => "",
                    });
                }
                Some(acc)
            })
            .collect();
        let mut acc = format!(
            "CREATE {}INDEX {name} ON {table} USING {} ({})",
            if it.unique { "UNIQUE " } else { "" },
            it.method,
            elements.join(", ")
        );
        if !it.include.is_empty() {
            let _ = write!(acc, " INCLUDE ({})", self.list(&it.include));
        }
        if it.nulls_not_distinct {
            acc.push_str(" NULLS NOT DISTINCT");
        }
        acc.extend(it.fillfactor.map(|it| format!(" WITH (fillfactor = {it})")));
        acc.extend(
            it.predicate
                .as_ref()
                .map(|it| format!(" WHERE {}", self.condition(it))),
        );
        acc
    }
}

fn numbers(it: &Numbers) -> String {
    let mut acc = String::new();
    acc.extend(it.increment.map(|it| format!(" INCREMENT BY {it}")));
    acc.extend(it.max.map(|it| format!(" MAXVALUE {it}")));
    acc.extend(it.start.map(|it| format!(" START WITH {it}")));
    acc.extend(it.cache.map(|it| format!(" CACHE {it}")));
    if it.cycle {
        acc.push_str(" CYCLE");
    }
    acc
}
