//! The architecture's rules that a program can check: which crate may know which, what the pure crates must not hold, that
//! only `kinds/` names a kind, and the shape of source files.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates each crate may depend on, and with them whatever those may; the arrows of ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("limbeck-derive", &[]),
    ("limbeck-sql", &[]),
    ("limbeck-testkit", &[]),
    ("limbeck-connect", &["limbeck-sql"]),
    ("limbeck-schema", &["limbeck-sql"]),
    ("limbeck-revision", &["limbeck-sql"]),
    ("limbeck-metadata", &["limbeck-schema"]),
    ("limbeck-codegen", &["limbeck-metadata"]),
    ("limbeck-plan", &["limbeck-schema"]),
    (
        "limbeck-catalog",
        &[
            "limbeck-connect",
            "limbeck-schema",
            "limbeck-metadata",
            "limbeck-plan",
        ],
    ),
    (
        "limbeck-runner",
        &[
            "limbeck-revision",
            "limbeck-plan",
            "limbeck-catalog",
            "limbeck-testkit",
        ],
    ),
    ("limbeck-cli", &["limbeck-codegen", "limbeck-runner"]),
    ("limbeck", &["limbeck-derive", "limbeck-cli"]),
];

/// What the façade depends on whatever its features: all that a crate of models compiles.
const MODELS_NEED: &[&str] = &["limbeck-derive", "limbeck-metadata", "limbeck-schema"];

/// Crates whose code neither waits nor touches the outside world. `limbeck-revision` may read and write files, and
/// `limbeck-codegen`, which writes the words that are looked for here, is held by what it depends on.
const PURE: &[&str] = &[
    "limbeck-sql",
    "limbeck-schema",
    "limbeck-metadata",
    "limbeck-plan",
];

/// Crates that know objects only through the registry of kinds.
const KNOW_NO_KIND: &[&str] = &[
    "limbeck-catalog",
    "limbeck-cli",
    "limbeck-codegen",
    "limbeck-connect",
    "limbeck-plan",
    "limbeck-revision",
    "limbeck-runner",
    "limbeck-sql",
];

/// Beyond this a file has more than one reason to exist.
const MAX_LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate of tests is a member of the workspace")
}

struct Source {
    /// The path below the root, such as `crates/limbeck-plan/src/lib.rs`.
    path: String,
    text: String,
}

impl Source {
    /// The crate's name.
    fn owner(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// The code that users run: without comments and without the module of tests at the end.
    fn code(&self) -> String {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return String::new();
        }
        let lines = self
            .text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]");
        let code = lines.map(|line| line.split("//").next().unwrap_or_default());
        code.collect::<Vec<_>>().join("\n")
    }
}

/// Every Rust file below `crates/*/src`, in the order of paths.
fn sources() -> Vec<Source> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("there are crates") {
        let src = entry.expect("the entry is readable").path().join("src");
        if src.is_dir() {
            collect(&src, &mut paths);
        }
    }
    paths.sort();
    let source = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("sources are UTF-8"),
        path: path
            .strip_prefix(root())
            .expect("it is below the root")
            .display()
            .to_string(),
    };
    paths.into_iter().map(source).collect()
}

#[track_caller]
fn check(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

#[test]
fn source_files_have_one_shape() {
    let mut breaches = Vec::new();
    for Source { path, text } in &sources() {
        if !text.starts_with("//! ") {
            breaches.push(format!(
                "{path}:1: a module begins with `//! ` and says what it is for"
            ));
        }
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            breaches.push(format!("{path}: a file ends with one line break"));
        }
        let n_lines = text.lines().count();
        if n_lines > MAX_LINES {
            breaches.push(format!("{path}: {n_lines} lines, more than {MAX_LINES}"));
        }
        for (n, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                breaches.push(format!("{path}:{}: trailing space", n + 1));
            }
        }
    }
    check("the shape of source files", &breaches);
}

#[test]
fn pure_crates_hold_no_io_and_no_async_code() {
    let io = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread",
        "SystemTime",
    ];
    let mut breaches = Vec::new();
    for source in &sources() {
        let pure = PURE.contains(&source.owner());
        if !pure && source.owner() != "limbeck-revision" {
            continue;
        }
        let code = source.code();
        for banned in io.iter().filter(|_| pure) {
            if code.contains(banned) {
                breaches.push(format!("{}: `{banned}`", source.path));
            }
        }
        if words(&code).any(|word| word == "async" || word == "await") {
            breaches.push(format!("{}: async code", source.path));
        }
    }
    check("pure crates do no IO", &breaches);
}

/// The file whose `Comment` writes comment lines.
const WRITES_COMMENTS: &str = "crates/limbeck-sql/src/comment.rs";

/// Format strings that put a value behind `-- `: whatever ends a line in the value would end the comment.
fn comments_formatted(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for begin in ["\"-- ", "\\n-- ", "}-- ", "\"--{"] {
        for (at, _) in code.match_indices(begin) {
            let literal = &code[at + 1..];
            let line = literal.split(['"', '\n']).next().unwrap_or_default();
            if line.contains('{') {
                found.push(line);
            }
        }
    }
    found
}

#[test]
fn comment_lines_have_one_writer() {
    let mut breaches = Vec::new();
    for source in &sources() {
        if source.path != WRITES_COMMENTS {
            for line in comments_formatted(&source.code()) {
                breaches.push(format!("{}: `{line}`", source.path));
            }
        }
    }
    check(
        "a comment line with a value is written by limbeck_sql::Comment",
        &breaches,
    );
    assert_eq!(comments_formatted("format!(\"-- {x}\")"), ["-- {x}"]);
    assert_eq!(comments_formatted("format!(\"a\\n-- b {x}\")").len(), 1);
    assert!(comments_formatted("println!(\"a line -- {x}\"); \"-- b\"").is_empty());
}

/// The files of the command line that may use the standard streams: they set up `Output`, are it, ask a question, or draw
/// the line of progress.
const USE_STREAMS: &[&str] = &["allow.rs", "lib.rs", "live.rs", "output.rs", "signals.rs"];

#[test]
fn the_command_line_prints_in_one_place() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let name = source.path.strip_prefix("crates/limbeck-cli/src/");
        let Some(name) = name.filter(|name| !USE_STREAMS.contains(name)) else {
            continue;
        };
        for stream in ["stdout()", "stderr()", "println!", "eprintln!"] {
            if source.code().contains(stream) {
                breaches.push(format!("{name}: `{stream}`"));
            }
        }
    }
    check("all that a command prints leaves through Output", &breaches);
}

#[test]
fn only_the_kinds_name_a_kind() {
    let registry = root().join("crates/limbeck-schema/src/kinds/mod.rs");
    let kinds = registered(&fs::read_to_string(registry).expect("there is a registry of kinds"));
    assert!(
        kinds.len() > 5,
        "the registry of kinds was not understood: {kinds:?}"
    );
    let mut breaches = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| KNOW_NO_KIND.contains(&source.owner()))
    {
        for named in kinds_named(&source.code(), &kinds) {
            breaches.push(format!("{}: `{named}`", source.path));
        }
    }
    check("a kind is named outside kinds/", &breaches);
}

/// The entries of the registry: for `primary_key::PrimaryKey = "primary key",` the module and the type.
fn registered(registry: &str) -> BTreeSet<(String, String)> {
    let list = registry
        .split_once("\nkinds! {")
        .map_or("", |(_, list)| list);
    let list = list.split_once("\n}").map_or("", |(list, _)| list);
    list.lines()
        .filter_map(|line| line.split_once('=')?.0.trim().split_once("::"))
        .map(|(module, kind)| (module.to_owned(), kind.to_owned()))
        .collect()
}

/// The paths in the code that name a kind: as a variant (`Object::Index`), as a module or a type (`kinds::index`,
/// `kinds::Index`), or in a list of imports (`kinds::{Index, …}`).
fn kinds_named(code: &str, kinds: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut named = Vec::new();
    for (module, kind) in kinds {
        for path in [
            format!("Object::{kind}"),
            format!("KindTag::{kind}"),
            format!("Kind::{kind}"),
            format!("kinds::{kind}"),
            format!("kinds::{module}"),
        ] {
            let ends = |at: usize| {
                !code[at + path.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            };
            if code.match_indices(&path).any(|(at, _)| ends(at)) {
                named.push(path);
            }
        }
        for list in code.split("kinds::{").skip(1) {
            let list = list.split(';').next().unwrap_or_default();
            if words(list).any(|word| word == module || word == kind) {
                named.push(format!("kinds::{{{kind}}}"));
            }
        }
    }
    named
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[test]
fn a_named_kind_is_noticed_however_it_is_written() {
    let registry = "\nkinds! {\n    primary_key::PrimaryKey = \"primary key\",\n    index::Index = \"index\",\n}\n";
    let kinds = registered(registry);
    assert_eq!(kinds.len(), 2);
    let named = |code| kinds_named(code, &kinds);
    assert_eq!(named("matches!(it, Object::Index(_))"), ["Object::Index"]);
    assert_eq!(
        named("use limbeck_schema::kinds::index::Method;"),
        ["kinds::index"]
    );
    assert_eq!(
        named("use crate::kinds::{\n    Name,\n    PrimaryKey,\n};"),
        ["kinds::{PrimaryKey}"]
    );
    assert!(named("Object::IndexLike; kinds::Verdict; KindTag::ALL; Index::new()").is_empty());
}

/// What a crate of ours depends on among ours: the crate and whether only by a feature. Dependencies of tests do not count.
fn dependencies() -> BTreeMap<String, Vec<(String, bool)>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut dependencies = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let ours = list(&package["dependencies"])
            .iter()
            .filter(|it| text(&it["name"]).starts_with("limbeck") && text(&it["kind"]) != "dev")
            .map(|it| (text(&it["name"]), it["optional"] == true))
            .collect();
        dependencies.insert(text(&package["name"]), ours);
    }
    // The whole-program tests stand outside and see everything.
    dependencies.remove("limbeck-tests");
    dependencies
}

fn reachable(name: &str) -> BTreeSet<&'static str> {
    let arrows = ARROWS
        .iter()
        .find(|(from, _)| *from == name)
        .map_or(&[][..], |(_, to)| *to);
    let further = arrows.iter().flat_map(|to| reachable(to));
    further.chain(arrows.iter().copied()).collect()
}

#[test]
fn arrows_between_crates_go_one_way() {
    let mut breaches = Vec::new();
    for (name, ours) in dependencies() {
        if ARROWS.iter().all(|(from, _)| *from != name) {
            breaches.push(format!(
                "{name}: say here and in ARCHITECTURE.md what it may depend on"
            ));
        }
        let allowed = reachable(&name);
        for (to, optional) in ours {
            if !allowed.contains(to.as_str()) {
                breaches.push(format!("{name} -> {to}"));
            } else if name == "limbeck" && !optional && !MODELS_NEED.contains(&to.as_str()) {
                breaches.push(format!(
                    "{name} -> {to} without a feature: a crate of models would compile it"
                ));
            }
        }
    }
    check(
        "a dependency that the architecture does not have",
        &breaches,
    );
}

/// Statements that are sent as they stand, and not through `own_sql`, are parsed under the search path of the session.
#[test]
fn statements_that_are_sent_as_they_stand_name_the_schema_of_all_they_call() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let code = source.code();
        for call in ["raw_sql(", "query(", "query_scalar(", "query_as("] {
            for (at, _) in code.match_indices(&format!("sqlx::{call}")) {
                let rest = code[at..].split_once('(').expect("it ends so").1;
                let literal = rest.trim_start().strip_prefix('"');
                let sql = literal.and_then(|it| it.split_once("\"")).map(|it| it.0);
                if let Some(sql) = sql.filter(|it| !is_qualified(it)) {
                    breaches.push(format!("{}: `{sql}`", source.path));
                }
            }
        }
    }
    check("names in statements of Limbeck's own", &breaches);
}

/// Whether every function and type of a statement has its schema, and there is no operator.
fn is_qualified(sql: &str) -> bool {
    let before = |at: usize| sql[..at].rsplit([' ', '(', ',']).next().unwrap_or_default();
    let mut calls = sql.match_indices('(').map(|(at, _)| before(at));
    let functions = calls.all(|it| it.is_empty() || it.starts_with("pg_catalog."));
    let mut casts = sql.split("::").skip(1);
    let types = casts.all(|it| it.starts_with("pg_catalog."));
    functions && types && !sql.contains(['=', '<', '>', '|', '~', '/', '+'])
}

#[test]
fn an_unqualified_statement_is_told() {
    let cases = [
        ("SELECT pg_catalog.current_schema()", true),
        ("SELECT current_schema()", false),
        (
            "SELECT pg_catalog.current_setting('x')::pg_catalog.int4",
            true,
        ),
        ("SELECT pg_catalog.current_setting('x')::int4", false),
        ("SELECT 1 = 2", false),
        ("BEGIN", true),
    ];
    for (sql, expected) in cases {
        assert_eq!(is_qualified(sql), expected, "{sql}");
    }
}
