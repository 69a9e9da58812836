//! Tables as structs.

use heck::ToSnakeCase;
use limbeck_metadata::{Column, Identity, Physical, StorageMode, Table};

use crate::File;
use crate::item::{Item, attribute};
use crate::parts::{Parts, parameters, word_or_text};

impl File<'_> {
    /// The struct.
    pub(crate) fn table(&mut self, table: &Table) -> String {
        let rust = self.names.model(table).to_owned();
        self.uses("limbeck", "Table");
        let mut items = Vec::new();
        if rust.to_snake_case() != table.name.as_str() {
            items.push(Item::text("name", table.name.as_str()));
        }
        items.extend(
            table
                .schema
                .as_ref()
                .map(|it| Item::text("schema", it.as_str())),
        );
        items.extend(table.comment.as_ref().map(|it| Item::text("comment", it)));
        items.extend(table.unlogged.then(|| Item::leaf("unlogged")));
        items.extend(parameters(&table.with));
        items.extend(
            table
                .partition_by
                .as_ref()
                .map(|it| Item::text("partition_by", it)),
        );
        if !table.inherits.is_empty() {
            let parents = table
                .inherits
                .iter()
                .map(|it| Item::leaf(crate::item::literal(it)));
            items.push(Item::List("inherits".to_owned(), parents.collect()));
        }
        let mut parts = self.parts(table);
        items.append(&mut parts.on_struct);
        let mut acc = format!(
            "\n#[derive(Table)]\n{}pub struct {rust} {{",
            attribute("table", &items, 0)
        );
        for column in &table.columns {
            acc.push('\n');
            acc.push_str(self.field(table, column, &mut parts).trim_end());
        }
        acc.push_str(if table.columns.is_empty() {
            "}\n"
        } else {
            "\n}\n"
        });
        acc
    }

    fn field(&mut self, table: &Table, column: &Column, parts: &mut Parts) -> String {
        let Column {
            name,
            ty: _,
            nullable,
            default,
            generated,
            is_virtual,
            identity,
            serial,
            collation,
            physical,
            comment,
            ..
        } = column;
        let place = self.names.resolve(table.schema.as_ref(), &table.name);
        let field = self
            .names
            .field(&place, name)
            .unwrap_or_default()
            .to_owned();
        let (key, rest) = parts.on_field.remove(name).unwrap_or_default();
        // A column of a primary key is never null, whatever is said of it.
        let in_key = table
            .primary_key
            .as_ref()
            .is_some_and(|it| it.columns.contains(name));
        let is_null = *nullable && !serial && identity.is_none() && !in_key;
        let (rust, ty) = self.field_type(column, is_null);
        let mut items = Vec::new();
        if field.trim_start_matches("r#") != name.as_str() || !name.as_str().is_ascii() {
            items.push(Item::text("name", name.as_str()));
        }
        items.extend(key);
        items.extend(
            identity
                .as_ref()
                .map(|it| Item::list_or_word("identity", identity_items(it))),
        );
        items.extend(serial.then(|| Item::leaf("serial")));
        items.extend(ty);
        items.extend(collation.as_ref().map(|it| Item::text("collation", it)));
        items.extend(default.as_ref().map(|it| Item::text("default", it)));
        let word = if *is_virtual {
            "virtual_generated"
        } else {
            "generated"
        };
        items.extend(generated.as_ref().map(|it| Item::text(word, it)));
        items.extend(physical.as_deref().into_iter().flat_map(physical_items));
        items.extend(rest);
        items.extend(comment.as_ref().map(|it| Item::text("comment", it)));
        format!(
            "{}    pub {field}: {rust},\n",
            attribute("column", &items, 1)
        )
    }
}

fn identity_items(identity: &Identity) -> Vec<Item> {
    let Identity {
        always,
        start,
        increment,
        min,
        max,
        cache,
        cycle,
        sequence,
        comment,
    } = identity;
    let mut items = Vec::new();
    items.extend(always.then(|| Item::leaf("always")));
    let numbers = [
        ("start", start),
        ("increment", increment),
        ("min", min),
        ("max", max),
        ("cache", cache),
    ];
    for (word, number) in numbers {
        items.extend(number.map(|it| Item::leaf(format!("{word} = {it}"))));
    }
    items.extend((*cycle == Some(true)).then(|| Item::leaf("cycle")));
    items.extend(
        sequence
            .as_ref()
            .map(|it| Item::text("sequence", it.as_str())),
    );
    items.extend(comment.as_ref().map(|it| Item::text("comment", it)));
    items
}

fn physical_items(physical: &Physical) -> Vec<Item> {
    let Physical {
        storage,
        compression,
        statistics,
        with,
    } = physical;
    let mode = |it: &StorageMode| match it {
        StorageMode::Plain => "plain",
        StorageMode::External => "external",
        StorageMode::Main => "main",
        StorageMode::Extended => "extended",
    };
    let storage = storage
        .as_ref()
        .map(|it| Item::leaf(format!("storage = {}", mode(it))));
    let compression = compression
        .as_ref()
        .map(|it| word_or_text("compression", it.as_str()));
    let statistics = statistics.map(|it| Item::leaf(format!("statistics = {it}")));
    [storage, compression, statistics, parameters(with)]
        .into_iter()
        .flatten()
        .collect()
}
