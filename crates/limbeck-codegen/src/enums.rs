//! Enum types as enums.

use heck::{ToKebabCase, ToLowerCamelCase, ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};
use limbeck_metadata::EnumType;

use crate::File;
use crate::item::{Item, attribute};
use crate::names::variants;

/// The word of a rule, and the label that it makes of a variant.
type Rule = (&'static str, fn(&str) -> String);

/// The rules of `rename_all`, the derive's own first.
const RULES: &[Rule] = &[
    ("snake_case", |it| it.to_snake_case()),
    ("UPPERCASE", str::to_uppercase),
    ("lowercase", str::to_lowercase),
    ("SCREAMING_SNAKE_CASE", |it| it.to_shouty_snake_case()),
    ("camelCase", |it| it.to_lower_camel_case()),
    ("PascalCase", |it| it.to_upper_camel_case()),
    ("kebab-case", |it| it.to_kebab_case()),
    ("verbatim", str::to_owned),
];

impl File<'_> {
    /// The enum; none if no Rust enum can be it.
    pub(crate) fn enum_type(&mut self, ty: &EnumType) -> Option<String> {
        let EnumType {
            name,
            schema,
            labels,
            comment,
            place: _,
        } = ty;
        let rust = self.names.enum_type(ty)?.to_owned();
        self.uses("limbeck", "PgEnum");
        let variants = variants(labels);
        let n_kept = |rule: fn(&str) -> String| {
            let kept = variants
                .iter()
                .zip(labels)
                .filter(|(it, label)| rule(it) == **label);
            kept.count()
        };
        // The first of the rules that keep the most labels.
        let mut best = RULES[0];
        for rule in RULES {
            if n_kept(rule.1) > n_kept(best.1) {
                best = *rule;
            }
        }
        let (word, rule) = best;
        let mut items = Vec::new();
        if rust.to_snake_case() != name.as_str() {
            items.push(Item::text("name", name.as_str()));
        }
        items.extend(schema.as_ref().map(|it| Item::text("schema", it.as_str())));
        if word != RULES[0].0 {
            items.push(Item::text("rename_all", word));
        }
        items.extend(comment.as_ref().map(|it| Item::text("comment", it)));
        let mut acc = format!(
            "\n#[derive(PgEnum)]\n{}pub enum {rust} {{\n",
            attribute("pg_enum", &items, 0)
        );
        for (variant, label) in variants.iter().zip(labels) {
            if rule(variant) != *label {
                acc.push_str(&attribute("pg_enum", &[Item::text("rename", label)], 1));
            }
            acc.push_str(&format!("    {variant},\n"));
        }
        acc.push_str("}\n");
        Some(acc)
    }
}
