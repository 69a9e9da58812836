//! `CREATE ROLE` in a `DO` block. Such a block tolerates a role that is there; but to a role that may create none the server
//! says that first. Where all the roles are there, the statement becomes the error that it would have been.

use std::borrow::Cow;

use limbeck_sql::{Cursor, Head, Token, significant};

/// A place in a block where a role is created, altered or dropped, or a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// `CREATE`, `ALTER` or `DROP`.
    pub(crate) verb: &'static str,
    /// `ROLE`, `USER`, `GROUP` or `DATABASE`.
    pub(crate) object: &'static str,
    /// The name, if it is written out.
    pub(crate) name: Option<String>,
}

const VERBS: [&str; 3] = ["CREATE", "ALTER", "DROP"];
const OBJECTS: [&str; 4] = ["ROLE", "USER", "GROUP", "DATABASE"];

/// The body of a `DO` block; none for another statement.
fn body<'a>(sql: &'a str) -> Option<Token<'a>> {
    let head = Head::of(sql)?;
    (head.verb == "DO").then_some(())?;
    head.tokens().iter().find(|it| it.kind.is_string()).copied()
}

/// What a `DO` block says about roles and databases, in its strings too, as those of `EXECUTE`.
pub(crate) fn mentions(sql: &str) -> Vec<Mention> {
    let body = body(sql).and_then(|it| it.value());
    body.map_or_else(Vec::new, |it| in_text(&it))
}

fn in_text(text: &str) -> Vec<Mention> {
    let tokens: Vec<Token<'_>> = significant(text).collect();
    let mut acc = Vec::new();
    for at in 0..tokens.len() {
        if let Some((mention, _)) = mention(&tokens[at..]) {
            acc.push(mention);
        }
        if tokens[at].kind.is_string()
            && let Some(value) = tokens[at].value()
            && value.len() < text.len()
        {
            acc.extend(in_text(&value));
        }
    }
    acc
}

/// What these tokens begin with, and how many of them it takes up to the name.
fn mention(tokens: &[Token<'_>]) -> Option<(Mention, usize)> {
    let mut cursor = Cursor::new(tokens);
    let verb = cursor.take_one(&VERBS)?;
    let object = cursor.take_one(&OBJECTS)?;
    if cursor.is_at("MAPPING") {
        return None;
    }
    cursor.take("IF EXISTS");
    let name = cursor.ident();
    let mention = Mention { verb, object, name };
    Some((mention, tokens.len() - cursor.rest().len()))
}

/// The statement with each `CREATE ROLE` of a block replaced by the error that the role is there already.
pub(super) fn without_present_roles(sql: &str) -> Cow<'_, str> {
    let Some(body) = body(sql) else {
        return sql.into();
    };
    let Some(value) = body.value() else {
        return sql.into();
    };
    // Only what stands between dollar quotes has the same text inside and outside.
    let Some(at) = body.text.find(value.as_ref()) else {
        return sql.into();
    };
    let changed = changed(&value);
    if changed == value {
        return sql.into();
    }
    let start = body.start + at;
    format!("{}{changed}{}", &sql[..start], &sql[start + value.len()..]).into()
}

fn changed(text: &str) -> Cow<'_, str> {
    let tokens: Vec<Token<'_>> = significant(text).collect();
    let mut acc = String::new();
    let mut done = 0;
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        let found = mention(&tokens[at..]);
        let role = found.filter(|(it, _)| it.verb == "CREATE" && it.object != "DATABASE");
        if let Some((
            Mention {
                name: Some(name), ..
            },
            _,
        )) = role
        {
            let n_tokens = tokens[at..]
                .iter()
                .take_while(|it| !it.is_mark(";"))
                .count();
            acc.push_str(&text[done..token.start]);
            acc.push_str(&raise(&name));
            done = tokens[at + n_tokens - 1].end();
            at += n_tokens;
            continue;
        }
        if token.kind.is_string()
            && let Some(value) = token.value()
            && let [
                Mention {
                    verb: "CREATE",
                    name: Some(name),
                    ..
                },
            ] = in_text(&value).as_slice()
        {
            acc.push_str(&text[done..token.start]);
            let block = format!("DO '{}'", quoted(&format!("BEGIN {}; END", raise(name))));
            acc.push_str(&format!("'{}'", quoted(&block)));
            done = token.end();
        }
        at += 1;
    }
    if done == 0 {
        return text.into();
    }
    acc.push_str(&text[done..]);
    acc.into()
}

fn raise(name: &str) -> String {
    let message = quoted(&format!("role \"{name}\" already exists"));
    format!("RAISE duplicate_object USING MESSAGE = '{message}'")
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::without_present_roles;

    #[test]
    fn a_role_that_is_there_is_an_error_of_the_block() {
        let check = |sql: &str, expected: &str| assert_eq!(without_present_roles(sql), expected);
        check(
            "DO $$ begin create /* x */ role a login; exception when duplicate_object then null; end $$",
            "DO $$ begin RAISE duplicate_object USING MESSAGE = 'role \"a\" already exists'; exception when duplicate_object \
             then null; end $$",
        );
        check(
            "DO $$ BEGIN EXECUTE 'CREATE ROLE a'; END $$",
            "DO $$ BEGIN EXECUTE 'DO ''BEGIN RAISE duplicate_object USING MESSAGE = ''''role \"a\" already exists''''; END'''; \
             END $$",
        );
        for same in [
            "DO $$ BEGIN CREATE TABLE role (); END $$",
            "SELECT 'create role a'",
            "CREATE USER MAPPING FOR a SERVER b",
        ] {
            check(same, same);
        }
    }
}
