//! One template: text with `%(token)s` in it, `%%` for a per cent sign.

use limbeck_schema::variables::is_placed;
use limbeck_schema::{Ident, MAX_IDENTIFIER_BYTES};

use crate::error::MetaDataError;
use crate::model::GivenName;
use crate::naming::{Facts, Truncation};

/// A template that has been read.
#[derive(Debug)]
pub(crate) struct Template {
    kind: &'static str,
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Text(String),
    TableName,
    ConstraintName,
    ReferredTableName,
    Column(Columns, Attribute),
    ReferredColumn(Columns),
}

/// Which columns a token means.
#[derive(Clone, Copy, Debug)]
enum Columns {
    /// One, by its index: `column_0_name`.
    One(usize),
    /// All, with this between them: `column_0N_name` and `column_0_N_name`.
    All(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Attribute {
    /// `name`, and `key`, which is the same here.
    Name,
    Label,
}

impl Template {
    /// Reads a template of a kind (`ix`, `uq`, `ck`, `fk`, `pk`, `ex`).
    ///
    /// # Errors
    /// If a token is unknown for the kind, or a `%` begins none.
    pub(crate) fn read(kind: &'static str, text: &str) -> Result<Self, MetaDataError> {
        let wrong = |problem: String| MetaDataError::Template {
            kind,
            template: text.to_owned(),
            problem,
        };
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            push_text(&mut segments, before);
            if let Some(after) = after.strip_prefix('%') {
                push_text(&mut segments, "%");
                rest = after;
                continue;
            }
            let token = after.strip_prefix('(').and_then(|it| it.split_once(")s"));
            let (token, after) = token.ok_or_else(|| {
                wrong("a `%` begins no %(token)s; write `%%` for the sign itself".into())
            })?;
            let segment = read_token(token).filter(|it| kind == "fk" || !it.is_referred());
            segments.push(
                segment
                    .ok_or_else(|| wrong(format!("unknown token %({token})s; {}", known(kind))))?,
            );
            rest = after;
        }
        push_text(&mut segments, rest);
        Ok(Self {
            kind,
            text: text.to_owned(),
            segments,
        })
    }

    /// Whether the template wants the given name.
    pub(crate) fn wants_name(&self) -> bool {
        self.segments
            .iter()
            .any(|it| matches!(it, Segment::ConstraintName))
    }

    /// Whether the template says anything about columns.
    pub(crate) fn wants_columns(&self) -> bool {
        self.segments
            .iter()
            .any(|it| matches!(it, Segment::Column(..)))
    }

    /// The name that the template makes.
    ///
    /// # Errors
    /// If it wants a name and none is given, or a column that the object does not have.
    pub(crate) fn render(&self, facts: &Facts<'_>) -> Result<String, MetaDataError> {
        let mut name = String::with_capacity(MAX_IDENTIFIER_BYTES);
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => name.push_str(text),
                Segment::TableName => name.push_str(facts.table.as_str()),
                Segment::ConstraintName => match facts.given {
                    Some(given) => name.push_str(given.ident().as_str()),
                    None => return Err(self.unnamed(facts)),
                },
                Segment::ReferredTableName => {
                    name.push_str(facts.referred.map_or("", |(table, _)| table.as_str()));
                }
                Segment::Column(columns, attribute) => {
                    self.columns(facts, *columns, &facts.columns, *attribute, &mut name)?;
                }
                Segment::ReferredColumn(columns) => {
                    let referred: Vec<&Ident> = facts
                        .referred
                        .iter()
                        .flat_map(|(_, columns)| columns.iter())
                        .collect();
                    self.columns(facts, *columns, &referred, Attribute::Name, &mut name)?;
                }
            }
        }
        if name.is_empty() {
            let problem = format!(
                "the {} template \"{}\" makes an empty name; give it a name",
                self.kind, self.text
            );
            return Err(MetaDataError::name(facts.describe(), problem));
        }
        Ok(name)
    }

    fn columns(
        &self,
        facts: &Facts<'_>,
        which: Columns,
        columns: &[&Ident],
        attribute: Attribute,
        name: &mut String,
    ) -> Result<(), MetaDataError> {
        let (separator, chosen) = match which {
            Columns::One(at) => match columns.get(at..=at) {
                Some(one) => ("", one),
                None => {
                    let problem = format!(
                        "the {} template \"{}\" wants column {at} (from 0) and there are {}; give it a name",
                        self.kind,
                        self.text,
                        columns.len()
                    );
                    return Err(MetaDataError::name(facts.describe(), problem));
                }
            },
            Columns::All(separator) => (separator, columns),
        };
        for (at, column) in chosen.iter().enumerate() {
            if at > 0 {
                name.push_str(separator);
            }
            match attribute {
                Attribute::Name => name.push_str(column.as_str()),
                Attribute::Label => facts.push_label(column.as_str(), name),
            }
        }
        Ok(())
    }

    fn unnamed(&self, facts: &Facts<'_>) -> MetaDataError {
        let problem = format!(
            "it has no name, and the {} template \"{}\" holds %(constraint_name)s, which stands for one; give it a name",
            self.kind, self.text
        );
        MetaDataError::name(facts.describe(), problem)
    }
}

/// The name of an object by its template: `None` where PostgreSQL is to name it.
///
/// # Errors
/// If the template cannot make one, or a given name has more than 63 bytes.
pub(crate) fn choose(
    template: Option<&Template>,
    truncate: Truncation,
    facts: &Facts<'_>,
) -> Result<Option<Ident>, MetaDataError> {
    let verbatim = match (facts.given, template) {
        (Some(GivenName::Exact(name)), _) => Some(name),
        (Some(GivenName::Name(name)), template) if !template.is_some_and(Template::wants_name) => {
            Some(name)
        }
        _ => None,
    };
    if let Some(name) = verbatim {
        fits(name, || facts.describe())?;
        return Ok(Some(name.clone()));
    }
    template
        .map(|it| {
            it.render(facts)
                .map(|name| Ident::from(truncate.apply(name)))
        })
        .transpose()
}

/// Whether PostgreSQL keeps all of a name that the user gave.
///
/// # Errors
/// If it has more than 63 bytes, or none.
pub(crate) fn fits(name: &Ident, describe: impl FnOnce() -> String) -> Result<(), MetaDataError> {
    let bytes = name.as_str().len();
    if bytes == 0 {
        return Err(MetaDataError::name(
            describe(),
            "its name is empty; give it a name",
        ));
    }
    // A placeholder stands for a value whose length was looked at.
    if bytes > MAX_IDENTIFIER_BYTES && !is_placed(name.as_str()) {
        let problem = format!(
            "the name {name} has {bytes} bytes and PostgreSQL keeps {MAX_IDENTIFIER_BYTES}; give it a shorter one"
        );
        return Err(MetaDataError::name(describe(), problem));
    }
    Ok(())
}

fn push_text(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        _ if text.is_empty() => {}
        Some(Segment::Text(last)) => last.push_str(text),
        _ => segments.push(Segment::Text(text.to_owned())),
    }
}

impl Segment {
    fn is_referred(&self) -> bool {
        matches!(self, Self::ReferredTableName | Self::ReferredColumn(_))
    }
}

fn read_token(token: &str) -> Option<Segment> {
    Some(match token {
        "table_name" => Segment::TableName,
        "constraint_name" => Segment::ConstraintName,
        "referred_table_name" => Segment::ReferredTableName,
        _ => {
            if let Some(rest) = token.strip_prefix("referred_column_") {
                let (columns, attribute) = read_columns(rest)?;
                return (attribute == "name").then_some(Segment::ReferredColumn(columns));
            }
            let (columns, attribute) = read_columns(token.strip_prefix("column_")?)?;
            match attribute {
                "name" | "key" => Segment::Column(columns, Attribute::Name),
                "label" => Segment::Column(columns, Attribute::Label),
                _ => return None,
            }
        }
    })
}

/// Reads `0_name`, `0N_name`, `0_N_name`: which columns, and the attribute.
fn read_columns(text: &str) -> Option<(Columns, &str)> {
    let digits = text.find(|it: char| !it.is_ascii_digit())?;
    let (index, rest) = text.split_at(digits);
    let index: usize = index.parse().ok()?;
    if let Some(attribute) = rest.strip_prefix("_N_").filter(|_| index == 0) {
        return Some((Columns::All("_"), attribute));
    }
    if let Some(attribute) = rest.strip_prefix("N_").filter(|_| index == 0) {
        return Some((Columns::All(""), attribute));
    }
    Some((Columns::One(index), rest.strip_prefix('_')?))
}

fn known(kind: &str) -> String {
    let referred = if kind == "fk" {
        ", %(referred_table_name)s, %(referred_column_0_name)s"
    } else {
        ""
    };
    format!(
        "known are %(table_name)s, %(constraint_name)s, %(column_0_name)s (key, label){referred}, with another number for \
         another column and 0_N or 0N for all of them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Renders a template for columns `a`, `b` of table `t` in schema `s`, which refer to `x`, `y` of `r`.
    #[track_caller]
    fn check(kind: &'static str, template: &str, expected: Result<&str, &str>) {
        let (schema, table, referred) = (Ident::new("s"), Ident::new("t"), Ident::new("r"));
        let (a, b) = (Ident::new("a"), Ident::new("b"));
        let targets = [Ident::new("x"), Ident::new("y")];
        let given = GivenName::from("given");
        let facts = Facts {
            kind: "thing",
            schema: Some(&schema),
            table: &table,
            columns: vec![&a, &b],
            referred: Some((&referred, &targets)),
            given: Some(&given),
        };
        let made = Template::read(kind, template).and_then(|it| it.render(&facts));
        match (made, expected) {
            (Ok(made), Ok(expected)) => assert_eq!(made, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (made, expected) => panic!("{template}: {made:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn every_token_of_sqlalchemy_is_known() {
        check("uq", "uq_%(table_name)s_%(column_0_name)s", Ok("uq_t_a"));
        check("uq", "%(column_1_key)s", Ok("b"));
        check("ix", "ix_%(column_0_label)s", Ok("ix_s_t_a"));
        check("ix", "%(column_0N_name)s", Ok("ab"));
        check("ix", "%(column_0_N_name)s", Ok("a_b"));
        check("ix", "%(column_0_N_label)s", Ok("s_t_a_s_t_b"));
        check("ck", "ck_%(constraint_name)s_100%%", Ok("ck_given_100%"));
        check(
            "fk",
            "%(referred_table_name)s_%(referred_column_0_name)s",
            Ok("r_x"),
        );
        check(
            "fk",
            "%(referred_column_0_N_name)s%(referred_column_0N_name)s",
            Ok("x_yxy"),
        );
    }

    #[test]
    fn what_a_template_cannot_say_is_an_error() {
        check(
            "uq",
            "uq_%(colum_0_name)s",
            Err("unknown token %(colum_0_name)s"),
        );
        check("uq", "uq_%(column_N_name)s", Err("unknown token"));
        check("uq", "%(referred_table_name)s", Err("unknown token"));
        check("uq", "100%", Err("`%%`"));
        check(
            "uq",
            "uq_%(column_2_name)s",
            Err(
                "thing given (a, b) of table s.t: the uq template \"uq_%(column_2_name)s\" wants column 2",
            ),
        );
        check("uq", "", Err("empty name"));
    }
}
