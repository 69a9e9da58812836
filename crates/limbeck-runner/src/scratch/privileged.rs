//! Which statements the role without rights may have run for it, chosen by their heads.
//!
//! None of them evaluates an expression or calls a function of the SQL that is tried: they name objects, and set options
//! that are strings. What is created is checked before the statement ends (`limbeck_unsafe` in `privileged.sql`).

use std::borrow::Cow;

use limbeck_sql::{Cursor, Head};

/// A statement that may run with more rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Privileged<'a> {
    /// The statement as it is to be run.
    pub(super) sql: Cow<'a, str>,
    pub(super) kind: Kind,
}

/// What has to be looked at around a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Plain,
    /// The script of an extension runs: nothing may stand in for what it calls.
    Script,
    /// Functions in machine code are named.
    Code,
    /// A function of a wrapper's may be called.
    Wrapper,
    /// Event triggers themselves, which fire for nothing about event triggers.
    Event,
    /// A setting, which stays behind.
    Setting,
}

impl Kind {
    /// The word that the database's function knows.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Script => "script",
            Self::Code => "code",
            Self::Wrapper => "wrapper",
            Self::Event => "event",
            Self::Setting => "setting",
        }
    }
}

/// Kinds of objects that may belong to somebody with more rights.
const OTHERS_OBJECTS: &[&str] = &[
    "ACCESS METHOD",
    "AGGREGATE",
    "CAST",
    "EVENT TRIGGER",
    "EXTENSION",
    "FOREIGN DATA WRAPPER",
    "FUNCTION",
    "LANGUAGE",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PROCEDURE",
    "PUBLICATION",
    "ROUTINE",
    "SCHEMA",
    "SERVER",
    "SUBSCRIPTION",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "TYPE",
    "USER MAPPING",
];

/// Settings that only a superuser may change, and that change nothing outside of the session.
const SETTINGS: &[&str] = &[
    "deadlock_timeout",
    "lc_messages",
    "log_duration",
    "log_error_verbosity",
    "log_lock_waits",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_min_messages",
    "log_statement",
    "session_replication_role",
    "track_activities",
    "track_counts",
    "track_functions",
];

/// Options of a subscription that no other server has to hear of.
const SUBSCRIPTION_OPTIONS: &[&str] = &[
    "binary",
    "disable_on_error",
    "origin",
    "password_required",
    "run_as_owner",
    "slot_name",
    "streaming",
    "synchronous_commit",
];

impl<'a> Privileged<'a> {
    /// The statement, if it may run with more rights.
    pub(super) fn of(sql: &'a str) -> Option<Self> {
        let head = Head::of(sql)?;
        let object = head.object.unwrap_or_default();
        let kind = match head.verb.as_str() {
            "CREATE" => created(&head, object)?,
            "ALTER" => altered(&head, object)?,
            "DROP" => {
                if object == "SUBSCRIPTION" {
                    return dropped_subscription(&head);
                }
                listed(object)?
            }
            "COMMENT" => listed(object)?,
            "GRANT" => granted(&head, object)?,
            "REVOKE" if !is_shared(object) => Kind::Plain,
            "SET" => {
                let setting = head.setting()?;
                SETTINGS
                    .contains(&setting.as_str())
                    .then_some(Kind::Setting)?
            }
            _ => return None,
        };
        Some(Self {
            sql: sql.into(),
            kind,
        })
    }
}

fn listed(object: &str) -> Option<Kind> {
    let kind = match object {
        "EVENT TRIGGER" => Kind::Event,
        _ => Kind::Plain,
    };
    OTHERS_OBJECTS.contains(&object).then_some(kind)
}

/// Whether objects of this kind belong to the whole server.
fn is_shared(object: &str) -> bool {
    matches!(
        object,
        "ROLE" | "USER" | "GROUP" | "DATABASE" | "TABLESPACE" | "PARAMETER" | "OWNED" | "SYSTEM"
    )
}

fn created(head: &Head<'_>, object: &str) -> Option<Kind> {
    let mut rest = head.rest();
    let has = |word: &str| head.tokens().iter().any(|it| it.is_word(word));
    let fits = match object {
        "EXTENSION" => return Some(Kind::Script),
        "EVENT TRIGGER" => return Some(Kind::Event),
        "LANGUAGE" => return (!has("HANDLER")).then_some(Kind::Script),
        "FOREIGN DATA WRAPPER" | "SERVER" | "USER MAPPING" => return Some(Kind::Wrapper),
        "ACCESS METHOD"
        | "OPERATOR CLASS"
        | "OPERATOR FAMILY"
        | "TEXT SEARCH PARSER"
        | "TEXT SEARCH TEMPLATE" => return Some(Kind::Code),
        "TYPE" => return rest.take_mark("(").then_some(Kind::Code),
        "FUNCTION" => return is_internal(head).then_some(Kind::Code),
        "CAST" => return has("WITHOUT").then_some(Kind::Code),
        "PUBLICATION" => !has("WHERE"),
        "SUBSCRIPTION" => connects_nowhere(head),
        "SCHEMA" => {
            if rest.take("AUTHORIZATION") {
                rest.bump();
            }
            rest.is_at_end()
        }
        _ => false,
    };
    fits.then_some(Kind::Plain)
}

/// Whether a function is one of PostgreSQL's own in another name, without anything to be evaluated.
fn is_internal(head: &Head<'_>) -> bool {
    let has = |word: &str| head.tokens().iter().any(|it| it.is_word(word));
    let assigns = head
        .tokens()
        .iter()
        .any(|it| it.is_mark("=") || it.is_mark(":="));
    let mut rest = head.rest();
    let is_internal = rest.find("LANGUAGE") && {
        rest.take("LANGUAGE");
        let language = rest.ident().or_else(|| rest.string());
        language.is_some_and(|it| it.eq_ignore_ascii_case("internal"))
    };
    is_internal
        && !assigns
        && !["DEFAULT", "SECURITY", "SET", "SUPPORT", "BEGIN"]
            .iter()
            .any(|it| has(it))
}

/// Whether a new subscription asks nothing of another server, now and later.
pub(crate) fn connects_nowhere(head: &Head<'_>) -> bool {
    let mut rest = head.rest();
    let options = rest.find("WITH") && rest.take("WITH");
    let Some(options) = options.then(|| rest.parenthesis()).flatten() else {
        return false;
    };
    options
        .split(|it| it.is_mark(","))
        .any(|it| matches!(it, [name, equals, value] if name.is_word("connect") && equals.is_mark("=") && is_off(value)))
}

/// Whether an option has a value that means false.
fn is_off(value: &limbeck_sql::Token<'_>) -> bool {
    let text = value.value().or_else(|| value.ident());
    // A number is neither a string nor an identifier.
    let text = text.map_or_else(|| value.text.to_owned(), |it| it.to_lowercase());
    matches!(text.as_str(), "false" | "off" | "0")
}

fn altered(head: &Head<'_>, object: &str) -> Option<Kind> {
    if is_shared(object) {
        return None;
    }
    let mut rest = head.rest();
    if gives_owner(rest) {
        return Some(if object == "EVENT TRIGGER" {
            Kind::Event
        } else {
            Kind::Plain
        });
    }
    let renames = rest.is_at("RENAME TO");
    let fits = match object {
        "EVENT TRIGGER" => return Some(Kind::Event),
        "EXTENSION" => {
            return if rest.is_at("UPDATE") {
                Some(Kind::Script)
            } else {
                rest.is_at("SET SCHEMA").then_some(Kind::Plain)
            };
        }
        "FOREIGN DATA WRAPPER" | "SERVER" | "USER MAPPING" => return Some(Kind::Wrapper),
        "OPERATOR FAMILY" | "OPERATOR CLASS" => return Some(Kind::Code),
        "TYPE" => {
            return (rest.take("SET") && rest.take_mark("(")).then_some(Kind::Code);
        }
        "PUBLICATION" => !head.tokens().iter().any(|it| it.is_word("WHERE")),
        "SUBSCRIPTION" => renames || is_quiet(rest),
        "DEFAULT PRIVILEGES" => true,
        "LANGUAGE" => renames,
        "FUNCTION" | "PROCEDURE" | "ROUTINE" => {
            let _ = rest.take("NOT");
            rest.take("LEAKPROOF") && rest.is_at_end()
        }
        "TABLE" => {
            let _ = rest.take("ENABLE") || rest.take("DISABLE");
            rest.take("TRIGGER ALL") && rest.is_at_end()
        }
        _ => false,
    };
    fits.then_some(Kind::Plain)
}

/// Whether a statement does nothing but `OWNER TO role`.
fn gives_owner(mut rest: Cursor<'_, '_>) -> bool {
    // The access method of an operator class and the foreign server of a mapping stand behind the name.
    if rest.take("USING") {
        rest.ident();
    }
    rest.take("OWNER TO") && rest.bump().is_some() && rest.is_at_end()
}

/// Whether a change of a subscription asks nothing of another server.
fn is_quiet(mut rest: Cursor<'_, '_>) -> bool {
    if rest.is_at("DISABLE") || rest.is_at("SKIP") || rest.is_at("CONNECTION") {
        return true;
    }
    if !rest.take("SET") {
        return false;
    }
    let Some(options) = rest.parenthesis() else {
        return false;
    };
    options.split(|it| it.is_mark(",")).all(|it| {
        it.first()
            .is_some_and(|name| SUBSCRIPTION_OPTIONS.iter().any(|known| name.is_word(known)))
    })
}

/// Dropping a subscription without a word to the server that it is about.
fn dropped_subscription<'a>(head: &Head<'_>) -> Option<Privileged<'a>> {
    let name = head.name()?;
    Some(Privileged {
        sql: format!(
            "ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}"
        )
        .into(),
        kind: Kind::Plain,
    })
}

/// A grant to other roles than that of the SQL that is tried, which everybody and the current role would be.
fn granted(head: &Head<'_>, object: &str) -> Option<Kind> {
    if is_shared(object) {
        return None;
    }
    let mut rest = head.rest();
    rest.find("TO").then_some(())?;
    let is_own = rest.rest().iter().any(|it| {
        ["PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER"]
            .iter()
            .any(|word| {
                it.ident()
                    .is_some_and(|name| name.eq_ignore_ascii_case(word))
            })
            || it
                .ident()
                .is_some_and(|name| name.starts_with(super::SCRATCH_PREFIX))
    });
    let harmless = matches!(
        object,
        "FOREIGN DATA WRAPPER" | "FOREIGN SERVER" | "TYPE" | "DOMAIN"
    );
    (harmless || !is_own).then_some(Kind::Plain)
}
