//! SQL files as they come: which files a path stands for, and what of them is for psql or for another version of the
//! server.

use std::path::{Path, PathBuf};

use limbeck_schema::{Ident, Name};
use limbeck_sql::{Head, SplitProblem, Splitter, significant, tokens};

use crate::error::ServerError;
use crate::load::LoadError;
use crate::work::words;

/// The `.sql` files of a path: itself, or those in the folder and in its subfolders, by name. What is hidden, because its
/// name begins with a dot, is left out.
///
/// # Errors
/// [`LoadError::Read`] and [`LoadError::Empty`].
pub fn sql_files(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let is_hidden = |it: &walkdir::DirEntry| {
        it.depth() > 0 && it.file_name().as_encoded_bytes().starts_with(b".")
    };
    let all = walkdir::WalkDir::new(path).follow_links(true);
    let mut files = Vec::new();
    for entry in all.into_iter().filter_entry(|it| !is_hidden(it)) {
        let entry = entry.map_err(|error| LoadError::Read {
            path: error.path().unwrap_or(path).to_owned(),
            source: error.into(),
        })?;
        let extension = entry.path().extension();
        if extension.is_some_and(|it| it.eq_ignore_ascii_case("sql")) && entry.file_type().is_file()
        {
            files.push(entry.into_path());
        }
    }
    files.sort();
    if files.is_empty() {
        Err(LoadError::Empty(path.to_owned()))
    } else {
        Ok(files)
    }
}

/// The text of a file, with what is for psql alone blank, so that every line keeps its number.
pub(crate) struct SqlText {
    /// The SQL.
    pub(crate) text: String,
    /// What was passed over, a line each.
    pub(crate) notes: Vec<String>,
}

impl SqlText {
    /// Reads a file.
    ///
    /// # Errors
    /// [`LoadError::Read`], [`LoadError::Encoding`] and [`LoadError::Nul`].
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        let line = |at: usize| 1 + bytes[..at].iter().filter(|it| **it == b'\n').count();
        let text = match str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                return Err(LoadError::Encoding {
                    path: path.to_owned(),
                    line: line(error.valid_up_to()),
                });
            }
        };
        if let Some(at) = text.find('\0') {
            return Err(LoadError::Nul {
                path: path.to_owned(),
                line: line(at),
            });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (text, tables) = without_psql(text);
        let mut notes = Vec::new();
        if !tables.is_empty() {
            let (file, tables) = (path.display(), tables.join(", "));
            notes.push(format!(
                "{file}: the rows of COPY are passed over: {tables}"
            ));
        }
        Ok(Self { text, notes })
    }
}

/// The text with what is for psql alone blank, and the tables whose rows are among it: each `COPY … FROM stdin` with its
/// rows, and the lines `\restrict` and `\unrestrict` that newer versions of `pg_dump` write.
fn without_psql(text: &str) -> (String, Vec<String>) {
    let mut acc = String::with_capacity(text.len());
    let mut tables = Vec::new();
    let mut rest = text;
    while let Some(found) = ForPsql::first(rest) {
        acc.push_str(&rest[..found.begin]);
        let lines = rest[found.begin..found.end].matches('\n');
        acc.extend(lines);
        tables.extend(found.table);
        rest = &rest[found.end..];
    }
    acc.push_str(rest);
    (acc, tables)
}

/// A part of a text that is for psql alone.
struct ForPsql {
    begin: usize,
    end: usize,
    /// The table whose rows it is.
    table: Option<String>,
}

impl ForPsql {
    /// The first one of a text; none if there is none, if nothing ends its rows, or if more stands on its line, which psql
    /// would run.
    fn first(text: &str) -> Option<Self> {
        let mut splitter = Splitter::new(text);
        let mut ahead = tokens(text);
        let (token, fault) = ahead.find_map(|it| Some((it, splitter.take(it).err()?)))?;
        match fault.problem {
            SplitProblem::CopyFromStdin => {}
            SplitProblem::MetaCommand { command }
                if matches!(command.as_str(), "\\restrict" | "\\unrestrict") =>
            {
                let (begin, end) = (token.start, token.end());
                return Some(Self {
                    begin,
                    end,
                    table: None,
                });
            }
            _ => return None,
        }
        let begin = splitter.statement_start()?;
        let semicolon = ahead.find(|it| it.is_mark(";"))?;
        let statement_end = semicolon.end() + text[semicolon.end()..].find('\n')? + 1;
        if significant(&text[semicolon.end()..statement_end])
            .next()
            .is_some()
        {
            return None;
        }
        let head = Head::of(&text[begin..semicolon.start])?;
        let table = head.name()?;
        let schema = table.schema().map(|it| Ident::from(it.to_owned()));
        let table = Name::qualified(schema, table.name().to_owned()).to_string();
        let mut end = statement_end;
        for line in text[statement_end..].split_inclusive('\n') {
            end += line.len();
            if line.trim_end_matches(['\r', '\n']) == "\\." {
                let table = Some(table);
                return Some(Self { begin, end, table });
            }
        }
        None
    }
}

/// Why a statement that the server refused does no harm: it is of another version of PostgreSQL, and nothing of a schema.
pub(crate) fn passed_over(sql: &str, answer: &ServerError) -> Option<String> {
    let all: Vec<String> = words(sql).take(8).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match (answer.code.as_str(), all.as_slice()) {
        // undefined_object, which roles and other objects can be as well.
        ("42704", ["set", rest @ ..]) => {
            let mut rest = rest.iter();
            let name = rest.find(|it| !["session", "local"].contains(*it))?;
            let is_setting = answer.message.contains(&format!("\"{name}\""));
            is_setting
                .then(|| format!("the setting {name} is passed over: this server does not have it"))
        }
        // What `pg_dump` says of statistics is there since PostgreSQL 18 (undefined_function).
        ("42883", ["select", .., function]) | ("42883", ["select", function, ..])
            if function.starts_with("pg_restore_") || sql.contains("pg_catalog.pg_restore_") =>
        {
            Some("statistics are passed over: this version cannot take them".to_owned())
        }
        // `pg_dump` before 11 comments on an extension that the database has from its birth (insufficient_privilege).
        ("42501", ["comment", "on", "extension", name, ..]) => Some(format!(
            "the comment on extension {name} is passed over: it belongs to somebody else"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_copy_become_blank_lines() {
        let check = |text: &str, expected: &str, tables: &[&str]| {
            let (found, named) = without_psql(text);
            assert_eq!(
                (found.as_str(), named.as_slice()),
                (expected, tables_of(tables).as_slice())
            );
        };
        check("SELECT 1;\n", "SELECT 1;\n", &[]);
        check(
            "A;\nCOPY public.t (id, n) FROM stdin;\n1\tit's;\n2\t$$\n\\.\n\nB;\n",
            "A;\n\n\n\n\n\nB;\n",
            &["public.t"],
        );
        check(
            "copy \"T\" from STDIN;\r\n\\.\r\nCOPY u FROM stdin WITH (FORMAT csv);\n1\n\\.\n",
            "\n\n\n\n\n",
            &["\"T\"", "u"],
        );
        check(
            "COPY t (a,\n b) FROM stdin;\n\\.\nB;\n",
            "\n\n\nB;\n",
            &["t"],
        );
        check(
            "COPY /* copy */ a.\"b c\" -- x\nFROM /* from stdin; */ STDIN (DELIMITER ';');\n\\.\nB;\n",
            "\n\n\nB;\n",
            &["a.\"b c\""],
        );
        let followed = "COPY t FROM stdin; DROP TABLE u;\n\\.\n";
        check(followed, followed, &[]);
        // Only text, and rows that do not end.
        check(
            "DO $$\nCOPY t FROM stdin;\n\\.\n$$;\n",
            "DO $$\nCOPY t FROM stdin;\n\\.\n$$;\n",
            &[],
        );
        check("COPY t FROM stdin;\n1\n", "COPY t FROM stdin;\n1\n", &[]);
    }

    #[test]
    fn lines_of_new_dumps_for_psql_are_blank() {
        let check = |text: &str, expected: &str| assert_eq!(without_psql(text).0, expected);
        check("a;\n\\restrict x\nb;\n\\unrestrict x", "a;\n\nb;\n");
        let inside = "SELECT '\n\\restrict x\n';\n";
        check(inside, inside);
        check("a;\n\\connect x\n", "a;\n\\connect x\n");
    }

    fn tables_of(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn files_are_found_in_subfolders_and_in_any_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schema.v1");
        for name in [
            "b.SQL",
            "a.1.sql",
            "sub/deep/c.Sql",
            "notes.md",
            ".git/d.sql",
            ".e.sql",
        ] {
            let file = path.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let found = sql_files(&path).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|it| it.strip_prefix(&path).unwrap().display().to_string())
            .collect();
        assert_eq!(found, ["a.1.sql", "b.SQL", "sub/deep/c.Sql"]);
        let empty = sql_files(&path.join("none.sql"));
        assert!(
            empty.is_ok(),
            "a file that is missing is found missing when it is read"
        );
        let empty = sql_files(folder.path().join("schema.v1/sub/deep").parent().unwrap()).unwrap();
        assert_eq!(empty.len(), 1);
    }

    #[test]
    fn texts_that_are_none_are_named_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let check = |bytes: &[u8], expected: &str| {
            let path = folder.path().join("a.sql");
            std::fs::write(&path, bytes).unwrap();
            let error = SqlText::read(&path).err().unwrap().to_string();
            assert!(error.ends_with(expected), "{error}");
        };
        check(
            b"A;\n'gr\xfc\xdfe';\n",
            "a.sql:2: the file is not in UTF-8; convert it, or have pg_dump write it with --encoding=UTF8",
        );
        check(
            b"\xff\xfeA\0",
            "a.sql:1: the file is not in UTF-8; convert it, or have pg_dump write it with --encoding=UTF8",
        );
        check(b"A;\n\n\0", "a.sql:3: the file holds a NUL byte; remove it");
    }
}
