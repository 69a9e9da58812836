//! The head of a statement: its verb, the kind of object, modifiers and names.

use std::collections::BTreeSet;

use crate::cursor::{Cursor, QualifiedName};
use crate::lexer::significant;
use crate::objects::OBJECTS;
use crate::token::{Token, TokenKind};

/// Objects whose names have arguments in parentheses behind them.
const WITH_ARGUMENTS: &[&str] = &["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "OPERATOR"];

/// What PostgreSQL's grammar has at the beginning of a statement. Comments and the spacing of words play no part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The first word in capitals: `CREATE`. It is empty for a statement that does not begin with a word; parentheses
    /// around a query are passed over.
    pub verb: String,
    /// The kind of object in capitals, with one blank between words: `INDEX`, `MATERIALIZED VIEW`, `SYSTEM`. `SET` and
    /// `RESET` have `ROLE`, `SESSION AUTHORIZATION`, `SESSION CHARACTERISTICS`, `TRANSACTION`, `CONSTRAINTS` and `TIME
    /// ZONE` here; `GRANT` and `REVOKE` what the privileges are on (`TABLE` where that is not said, `ALL IN SCHEMA`), or
    /// `ROLE` where they are about membership.
    pub object: Option<&'static str>,
    /// The modifiers around the kind of object.
    pub modifiers: BTreeSet<Modifier>,
    /// The objects that are named, or the table of `INSERT` and its like, or the setting of `SET`.
    pub names: Vec<QualifiedName>,
    /// All significant tokens of the statement.
    tokens: Vec<Token<'a>>,
    /// How many of them are at the end, behind what was read.
    n_rest: usize,
}

/// A word or phrase that changes what a statement does to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Modifier {
    /// `OR REPLACE`
    OrReplace,
    /// `TEMPORARY` or `TEMP`, `GLOBAL` and `LOCAL` before it
    Temporary,
    /// `UNLOGGED`
    Unlogged,
    /// `UNIQUE`
    Unique,
    /// `RECURSIVE`
    Recursive,
    /// `CONCURRENTLY`; that of `REINDEX` in parentheses too
    Concurrently,
    /// `IF EXISTS`
    IfExists,
    /// `IF NOT EXISTS`
    IfNotExists,
    /// `ONLY`
    Only,
    /// `LOCAL`, of `SET`
    Local,
    /// `SESSION`, of `SET`
    Session,
    /// `CONSTRAINT`, of `CREATE CONSTRAINT TRIGGER`
    Constraint,
}

/// A statement that begins or ends a transaction or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`
    Begin,
    /// `COMMIT`, `END`
    Commit,
    /// `ROLLBACK`, `ABORT`, of the whole transaction
    Rollback,
    /// `SAVEPOINT`
    Savepoint,
    /// `ROLLBACK TO`
    RollbackTo,
    /// `RELEASE`
    Release,
    /// `PREPARE TRANSACTION`
    Prepare,
    /// `COMMIT PREPARED`
    CommitPrepared,
    /// `ROLLBACK PREPARED`
    RollbackPrepared,
}

impl<'a> Head<'a> {
    /// Reads the head of the statement that `sql` begins with; none if there are only comments and white space.
    #[must_use]
    pub fn of(sql: &'a str) -> Option<Self> {
        Self::of_tokens(significant(sql).collect())
    }

    /// Reads the head of a statement from its significant tokens; none if there is no token.
    #[must_use]
    pub fn of_tokens(tokens: Vec<Token<'a>>) -> Option<Self> {
        let mut cursor = Cursor::new(&tokens);
        cursor.peek()?;
        while cursor.take_mark("(") {}
        let verb = match cursor.peek().filter(|it| it.kind == TokenKind::Word) {
            Some(word) => word.text.to_ascii_uppercase(),
            None => String::new(),
        };
        if !verb.is_empty() {
            cursor.bump();
        }
        let mut reader = Reader {
            cursor,
            modifiers: BTreeSet::new(),
            names: Vec::new(),
        };
        let object = reader.object(&verb);
        let Reader {
            cursor,
            modifiers,
            names,
        } = reader;
        let n_rest = cursor.rest().len();
        Some(Self {
            verb,
            object,
            modifiers,
            names,
            tokens,
            n_rest,
        })
    }

    /// Whether the statement has this verb and this kind of object.
    #[must_use]
    pub fn is(&self, verb: &str, object: &str) -> bool {
        self.verb == verb && self.object == Some(object)
    }

    /// Whether the statement has a modifier.
    #[must_use]
    pub fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The first of the names.
    #[must_use]
    pub fn name(&self) -> Option<&QualifiedName> {
        self.names.first()
    }

    /// All significant tokens of the statement.
    #[must_use]
    pub fn tokens(&self) -> &[Token<'a>] {
        &self.tokens
    }

    /// A cursor behind what the head was read from: before `ADD VALUE` in `ALTER TYPE a.b ADD VALUE 'x'`.
    #[must_use]
    pub fn rest(&self) -> Cursor<'_, 'a> {
        let at = self.tokens.len().saturating_sub(self.n_rest);
        Cursor::new(&self.tokens[at..])
    }

    /// The table behind the first `ON` after the name, as indexes, triggers, policies and constraints have one.
    #[must_use]
    pub fn on(&self) -> Option<QualifiedName> {
        let mut cursor = self.rest();
        cursor.find("ON").then_some(())?;
        cursor.take("ON");
        cursor.take("ONLY");
        cursor.take("DOMAIN");
        cursor.name()
    }

    /// How the statement controls transactions; none if it does not.
    #[must_use]
    pub fn transaction(&self) -> Option<Transaction> {
        let mut cursor = self.rest();
        Some(match self.verb.as_str() {
            "BEGIN" => Transaction::Begin,
            "START" => Transaction::Begin,
            "COMMIT" if cursor.is_at("PREPARED") => Transaction::CommitPrepared,
            "COMMIT" | "END" => Transaction::Commit,
            "SAVEPOINT" => Transaction::Savepoint,
            "RELEASE" => Transaction::Release,
            "PREPARE" if cursor.is_at("TRANSACTION") => Transaction::Prepare,
            "ROLLBACK" if cursor.is_at("PREPARED") => Transaction::RollbackPrepared,
            "ROLLBACK" | "ABORT" => {
                let _ = cursor.take("WORK") || cursor.take("TRANSACTION");
                match cursor.is_at("TO") {
                    true => Transaction::RollbackTo,
                    false => Transaction::Rollback,
                }
            }
            _ => return None,
        })
    }

    /// The setting that `SET` or `RESET` is about, in lower case, as `pg_settings` has it: `role` for `SET LOCAL ROLE x`;
    /// `all` for `RESET ALL`.
    #[must_use]
    pub fn setting(&self) -> Option<String> {
        if !matches!(self.verb.as_str(), "SET" | "RESET") {
            return None;
        }
        let by_object = match self.object {
            Some("ROLE") => "role",
            Some("SESSION AUTHORIZATION") => "session_authorization",
            Some("TIME ZONE") => "timezone",
            Some("SCHEMA") => "search_path",
            Some("NAMES") => "client_encoding",
            Some("ALL") => "all",
            Some(_) => return None,
            None => return Some(self.name()?.parts.join(".").to_lowercase()),
        };
        Some(by_object.to_owned())
    }

    /// The statement that an `EXPLAIN` is about, and whether it is run (`ANALYZE`).
    #[must_use]
    pub fn explained(&self) -> Option<(Head<'a>, bool)> {
        (self.verb == "EXPLAIN").then_some(())?;
        let mut cursor = self.rest();
        let is_run = match cursor.parenthesis() {
            Some(options) => is_on(options, "ANALYZE") || is_on(options, "ANALYSE"),
            None => {
                let is_run = cursor.take("ANALYZE") || cursor.take("ANALYSE");
                cursor.take("VERBOSE");
                is_run
            }
        };
        Some((Self::of_tokens(cursor.rest().to_vec())?, is_run))
    }
}

/// Whether an option in parentheses is there and not switched off, as in `REINDEX (CONCURRENTLY)`.
fn is_on(options: &[Token<'_>], option: &str) -> bool {
    options.split(|it| it.is_mark(",")).any(|it| match it {
        [name] => name.is_word(option),
        [name, value, ..] => {
            let value = value.value().or_else(|| value.ident());
            let value = value.map_or("0".into(), |it| it.to_lowercase());
            name.is_word(option) && !matches!(value.as_str(), "false" | "off")
        }
        [] => false,
    })
}

/// The head under construction.
struct Reader<'t, 'a> {
    cursor: Cursor<'t, 'a>,
    modifiers: BTreeSet<Modifier>,
    names: Vec<QualifiedName>,
}

impl Reader<'_, '_> {
    /// Reads on behind the verb, and returns the kind of object.
    fn object(&mut self, verb: &str) -> Option<&'static str> {
        match verb {
            "CREATE" => self.create(),
            "ALTER" => {
                let object = self.kind();
                self.modifier("IF EXISTS", Modifier::IfExists);
                // The server itself has no name: `ALTER SYSTEM SET …`.
                if object != Some("SYSTEM") {
                    self.one_name(object);
                }
                object
            }
            "DROP" => {
                self.cursor.take("PROCEDURAL");
                let object = self.kind();
                self.modifier("CONCURRENTLY", Modifier::Concurrently);
                self.modifier("IF EXISTS", Modifier::IfExists);
                self.cursor.take("BY");
                self.all_names(object);
                object
            }
            "COMMENT" => {
                self.cursor.take("ON");
                let object = self.kind();
                self.one_name(object);
                object
            }
            "SECURITY" => {
                self.cursor.take("LABEL");
                self.cursor.find("ON");
                self.cursor.take("ON");
                let object = self.kind();
                self.one_name(object);
                object
            }
            "GRANT" | "REVOKE" => self.privileges(),
            "SET" => self.set(),
            "RESET" => self.reset(),
            "REINDEX" => {
                if let Some(options) = self.cursor.parenthesis()
                    && is_on(options, "CONCURRENTLY")
                {
                    self.modifiers.insert(Modifier::Concurrently);
                }
                let object = self.kind();
                self.modifier("CONCURRENTLY", Modifier::Concurrently);
                self.one_name(object);
                object
            }
            "REFRESH" => {
                let object = self.kind();
                self.modifier("CONCURRENTLY", Modifier::Concurrently);
                self.one_name(object);
                object
            }
            "IMPORT" => {
                let object = self.cursor.take("FOREIGN SCHEMA");
                self.one_name(None);
                object.then_some("FOREIGN SCHEMA")
            }
            "REASSIGN" => {
                let object = self.kind();
                self.cursor.take("BY");
                self.all_names(None);
                object
            }
            _ => {
                self.rows(verb);
                None
            }
        }
    }

    fn modifier(&mut self, keywords: &str, modifier: Modifier) -> bool {
        let there = self.cursor.take(keywords);
        if there {
            self.modifiers.insert(modifier);
        }
        there
    }

    fn kind(&mut self) -> Option<&'static str> {
        self.cursor.take_one(OBJECTS)
    }

    fn create(&mut self) -> Option<&'static str> {
        loop {
            let is_passed = self.modifier("OR REPLACE", Modifier::OrReplace)
                || self.modifier("TEMPORARY", Modifier::Temporary)
                || self.modifier("TEMP", Modifier::Temporary)
                || self.modifier("UNLOGGED", Modifier::Unlogged)
                || self.modifier("UNIQUE", Modifier::Unique)
                || self.modifier("RECURSIVE", Modifier::Recursive)
                || self.modifier("CONSTRAINT", Modifier::Constraint)
                || self
                    .cursor
                    .take_one(&["GLOBAL", "LOCAL", "TRUSTED", "PROCEDURAL"])
                    .is_some()
                || self.cursor.is_at("DEFAULT CONVERSION") && self.cursor.take("DEFAULT");
            if !is_passed {
                break;
            }
        }
        let object = self.kind();
        self.modifier("CONCURRENTLY", Modifier::Concurrently);
        self.modifier("IF NOT EXISTS", Modifier::IfNotExists);
        if object.is_some() {
            self.names.extend(self.cursor.name());
        }
        object
    }

    /// Reads one name, and passes the arguments of a function.
    fn one_name(&mut self, object: Option<&'static str>) {
        self.modifier("ONLY", Modifier::Only);
        let Some(name) = self.cursor.name() else {
            return;
        };
        self.names.push(name);
        self.cursor.take_mark("*");
        if object.is_some_and(|it| WITH_ARGUMENTS.contains(&it)) {
            self.cursor.parenthesis();
        }
    }

    /// Reads names with commas between them.
    fn all_names(&mut self, object: Option<&'static str>) {
        loop {
            self.one_name(object);
            if !self.cursor.take_mark(",") {
                return;
            }
        }
    }

    fn privileges(&mut self) -> Option<&'static str> {
        // ON is reserved, so where there is none, roles are granted.
        if !self.cursor.find("ON") {
            self.cursor.take_one(&[
                "GRANT OPTION FOR",
                "ADMIN OPTION FOR",
                "INHERIT OPTION FOR",
                "SET OPTION FOR",
            ]);
            self.all_names(None);
            return Some("ROLE");
        }
        self.cursor.take("ON");
        if self.cursor.take("ALL") {
            self.cursor.bump();
            self.cursor.take("IN SCHEMA");
            self.all_names(None);
            return Some("ALL IN SCHEMA");
        }
        // A table may have the name of a kind: `ON database TO x`.
        let before = self.cursor;
        let mut object = self.kind().unwrap_or("TABLE");
        let names_nothing = self.cursor.peek().is_none_or(|it| {
            it.is_word("TO") || it.is_word("FROM") || it.is_mark(".") || it.is_mark(",")
        });
        if names_nothing {
            self.cursor = before;
            object = "TABLE";
        }
        self.all_names(Some(object));
        Some(object)
    }

    fn set(&mut self) -> Option<&'static str> {
        let is_name = |ahead: Cursor<'_, '_>| {
            let mut ahead = ahead;
            ahead.bump();
            ahead
                .peek()
                .is_none_or(|it| it.is_mark(".") || it.is_mark("=") || it.is_word("TO"))
        };
        let is_scope = !self.cursor.is_at("SESSION AUTHORIZATION")
            && !self.cursor.is_at("SESSION CHARACTERISTICS")
            && !is_name(self.cursor);
        if is_scope {
            let _ = self.modifier("LOCAL", Modifier::Local)
                || self.modifier("SESSION", Modifier::Session);
        }
        if !is_name(self.cursor) {
            let phrase = self.cursor.take_one(&[
                "SESSION AUTHORIZATION",
                "SESSION CHARACTERISTICS",
                "ROLE",
                "TRANSACTION",
                "CONSTRAINTS",
                "TIME ZONE",
                "SCHEMA",
                "NAMES",
                "CATALOG",
                "XML OPTION",
            ]);
            if phrase.is_some() {
                return phrase;
            }
        }
        self.names.extend(self.cursor.name());
        None
    }

    fn reset(&mut self) -> Option<&'static str> {
        let phrase = self.cursor.take_one(&[
            "SESSION AUTHORIZATION",
            "TRANSACTION ISOLATION LEVEL",
            "TIME ZONE",
            "ALL",
        ]);
        if phrase.is_none() {
            self.names.extend(self.cursor.name());
        }
        phrase
    }

    /// Reads the table or tables of a statement about rows, and the name of a savepoint and its like.
    fn rows(&mut self, verb: &str) {
        match verb {
            "INSERT" | "MERGE" => {
                self.cursor.take("INTO");
                self.one_name(None);
            }
            "DELETE" => {
                self.cursor.take("FROM");
                self.one_name(None);
            }
            "COPY" => {
                self.cursor.take("BINARY");
                self.one_name(None);
            }
            "UPDATE" | "CALL" | "EXECUTE" | "SAVEPOINT" | "DECLARE" | "LISTEN" | "NOTIFY"
            | "UNLISTEN" | "DEALLOCATE" | "SHOW" => self.one_name(None),
            "TRUNCATE" | "LOCK" => {
                self.cursor.take("TABLE");
                self.all_names(None);
            }
            "VACUUM" | "ANALYZE" | "ANALYSE" | "CLUSTER" => {
                self.cursor.parenthesis();
                let words = ["FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"];
                while self.cursor.take_one(&words).is_some() {}
                self.all_names(None);
            }
            _ => {}
        }
    }
}
