//! The text of Rust: literals, attributes, chains of calls, in lines as rustfmt breaks them.

use limbeck_sql::is_hidden;

/// The widest line.
pub(crate) const WIDTH: usize = 100;

/// What stands in parentheses of an attribute on one line at most (rustfmt's `attr_fn_like_width`).
const ATTRIBUTE_WIDTH: usize = 70;

/// A chain of calls on one line at most (rustfmt's `chain_width`).
const CHAIN_WIDTH: usize = 60;

/// An item of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A word, `word = value`, a literal.
    Leaf(String),
    /// `word(…)`.
    List(String, Vec<Item>),
}

impl Item {
    pub(crate) fn leaf(text: impl Into<String>) -> Self {
        Self::Leaf(text.into())
    }

    /// `key = "text"`.
    pub(crate) fn text(key: &str, text: &str) -> Self {
        Self::Leaf(format!("{key} = {}", literal(text)))
    }

    /// `key`, or `key(…)` where there is something to say.
    pub(crate) fn list_or_word(key: &str, items: Vec<Self>) -> Self {
        if items.is_empty() {
            Self::leaf(key)
        } else {
            Self::List(key.to_owned(), items)
        }
    }

    pub(crate) fn flat(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(name, items) => format!("{name}({})", flat(items)),
        }
    }

    fn render(&self, depth: usize) -> String {
        let flat_text = self.flat();
        match self {
            Self::List(name, items)
                if flat(items).len() > ATTRIBUTE_WIDTH || 4 * depth + flat_text.len() >= WIDTH =>
            {
                format!("{name}({})", lines(items, depth))
            }
            _ => flat_text,
        }
    }
}

fn flat(items: &[Item]) -> String {
    items.iter().map(Item::flat).collect::<Vec<_>>().join(", ")
}

fn lines(items: &[Item], depth: usize) -> String {
    let indent = "    ".repeat(depth + 1);
    let lines: Vec<_> = items
        .iter()
        .map(|it| format!("{indent}{}", it.render(depth + 1)))
        .collect();
    format!("\n{}\n{}", lines.join(",\n"), "    ".repeat(depth))
}

/// `#[name(…)]` with its line break, nothing if there is nothing to say.
pub(crate) fn attribute(name: &str, items: &[Item], depth: usize) -> String {
    if items.is_empty() {
        return String::new();
    }
    let indent = "    ".repeat(depth);
    let inner = flat(items);
    if inner.len() <= ATTRIBUTE_WIDTH && indent.len() + name.len() + inner.len() + 5 <= WIDTH {
        return format!("{indent}#[{name}({inner})]\n");
    }
    match items {
        [Item::List(only, inner)] => {
            format!("{indent}#[{name}({only}({}))]\n", lines(inner, depth))
        }
        _ => format!("{indent}#[{name}({})]\n", lines(items, depth)),
    }
}

/// A chain of calls behind an expression; `depth` is that of the line on which it begins.
pub(crate) fn chain(first: &str, calls: &[String], depth: usize) -> String {
    let flat: String = calls.iter().map(|it| format!(".{it}")).collect();
    let width = first.len() + flat.len();
    let is_short = width <= CHAIN_WIDTH || calls.len() == 1 && 4 * depth + width < WIDTH;
    if calls.is_empty() || is_short && !flat.contains('\n') {
        return format!("{first}{flat}");
    }
    let indent = "    ".repeat(depth + 1);
    let mut acc = first.to_owned();
    for call in calls {
        acc.push_str(&format!("\n{indent}.{call}"));
    }
    acc
}

/// A call whose only argument is a chain of calls; `depth` is that of the line on which the call begins.
pub(crate) fn call(method: &str, first: &str, calls: &[String], depth: usize) -> String {
    let inner = chain(first, calls, depth + 1);
    if inner.contains('\n') {
        let (outer, indent) = ("    ".repeat(depth), "    ".repeat(depth + 1));
        format!("{method}(\n{indent}{inner},\n{outer})")
    } else {
        format!("{method}({inner})")
    }
}

/// A text as a literal of Rust: raw where that spares backslashes.
pub(crate) fn literal(text: &str) -> String {
    let is_plain = !text.contains(['"', '\\']);
    if is_plain || text.contains(is_hidden) {
        return format!("{text:?}");
    }
    // As many marks as it takes for no quote inside to end the literal.
    let longest = text
        .split('"')
        .skip(1)
        .map(|it| it.chars().take_while(|c| *c == '#').count())
        .max();
    let marks = "#".repeat(longest.map_or(0, |it| it + 1));
    format!("r{marks}\"{text}\"{marks}")
}

/// `[…]` of texts.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(literal).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_raw_where_that_spares_backslashes() {
        let check = |text: &str, expected: &str| assert_eq!(literal(text), expected);
        check("a 'b'", "\"a 'b'\"");
        check(r#"a "b""#, r###"r#"a "b""#"###);
        check(r##"a "# b"##, r####"r##"a "# b"##"####);
        check(r"^\d$", r#"r"^\d$""#);
        check("a\n\"b\"", r#""a\n\"b\"""#);
    }

    #[test]
    fn long_attributes_have_a_line_for_each_item() {
        let items = [
            Item::text("comment", &"c".repeat(40)),
            Item::List("unique".into(), vec![Item::leaf("a"), Item::leaf("b")]),
        ];
        assert_eq!(
            attribute("table", &items[1..], 0),
            "#[table(unique(a, b))]\n"
        );
        let long = [items[0].clone(), items[0].clone(), items[1].clone()];
        let c = "c".repeat(40);
        assert_eq!(
            attribute("table", &long, 0),
            format!(
                "#[table(\n    comment = \"{c}\",\n    comment = \"{c}\",\n    unique(a, b)\n)]\n"
            )
        );
    }
}
