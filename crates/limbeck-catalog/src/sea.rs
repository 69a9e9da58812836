//! sea-schema's vocabulary of column types, read from `format_type` texts by sea-schema's own parser.
//!
//! Its types say less than the catalog does: a length over 65,535 is lost, an array loses its elements' modifiers, a
//! domain and a type of another schema lose their names. So a [`SqlType`] stays the exact text, and
//! [`column_type`] says by `None` where sea-schema's type would not lead back to it.

use limbeck_schema::SqlType;
use sea_schema::postgres::def::{ColumnType, Type};
use sea_schema::postgres::query::ColumnQueryResult;

/// The type in sea-schema's vocabulary; `None` where that would lose something.
pub fn column_type(ty: &SqlType) -> Option<ColumnType> {
    let (base, modifiers) = (ty.base(), modifiers(ty)?);
    if ty.is_array() || ty.user_defined().is_some() || base == "interval" {
        return None;
    }
    let number = |at: usize| modifiers.get(at).copied();
    let is = |names: &[&str]| names.contains(&base.as_str());
    let text = is(&["character varying", "character", "bit", "bit varying"]);
    let time = base.starts_with("time");
    if modifiers
        .iter()
        .any(|it| !(0..=i32::from(u16::MAX - 1)).contains(it))
    {
        return None;
    }
    let row = ColumnQueryResult {
        column_name: String::new(),
        column_type: base.clone(),
        column_default: None,
        column_generated: None,
        is_nullable: "YES".into(),
        is_identity: "NO".into(),
        numeric_precision: if base == "numeric" { number(0) } else { None },
        numeric_precision_radix: (base == "numeric" && number(0).is_some()).then_some(10),
        numeric_scale: if base == "numeric" { number(1) } else { None },
        character_maximum_length: if text { number(0) } else { None },
        character_octet_length: None,
        // Six digits are what a time without a modifier keeps, and what `information_schema` says of it.
        datetime_precision: time.then(|| number(0).unwrap_or(6)),
        interval_type: None,
        interval_precision: None,
        udt_name: None,
        udt_name_regtype: None,
    };
    let parsed = sea_schema::postgres::parser::parse_column_type(&row, &Default::default());
    (!matches!(parsed, Type::Unknown(_))).then_some(parsed)
}

/// The numbers in parentheses; `None` if something else stands there.
fn modifiers(ty: &SqlType) -> Option<Vec<i32>> {
    let text = ty.as_str();
    let Some((_, rest)) = text.split_once('(') else {
        return Some(Vec::new());
    };
    let (inner, _) = rest.split_once(')')?;
    inner.split(',').map(|it| it.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use limbeck_schema::Ident;
    use sea_schema::postgres::def::{ArbitraryPrecisionNumericAttr, StringAttr};

    use super::*;

    fn parse(text: &str) -> Option<ColumnType> {
        column_type(&SqlType::parse(text, &Ident::new("public")).unwrap())
    }

    #[test]
    fn what_sea_schema_can_say_is_said() {
        assert_eq!(parse("int8"), Some(Type::BigInt));
        assert_eq!(
            parse("varchar(50)"),
            Some(Type::Varchar(StringAttr { length: Some(50) }))
        );
        let attr = ArbitraryPrecisionNumericAttr {
            precision: Some(10),
            scale: Some(2),
        };
        assert_eq!(parse("numeric(10,2)"), Some(Type::Numeric(attr)));
        assert_eq!(parse("jsonb"), Some(Type::JsonBinary));
    }

    #[test]
    fn what_it_would_lose_is_not() {
        for text in [
            "varchar(100000)",
            "numeric(5,-2)",
            "varchar(10)[]",
            "status",
            "interval day to second(2)",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
