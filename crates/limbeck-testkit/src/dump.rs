//! PostgreSQL's own account of a database, by pg_dump, and the same without its order; scripts run by psql.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::binaries::{Binaries, embedded_roots, is_native, major_of, version_of};
use crate::error::{TestkitError, tail};

/// The schema of the database as `pg_dump` writes it, without owners and without Limbeck's own tables (`limbeck_*`).
///
/// The newest `pg_dump` found serves every server, since it reads those of its own version and older ones, and refuses newer
/// ones. `scripts/install-postgres.sh MAJOR` sees to one that is new enough.
///
/// # Errors
///
/// [`TestkitError::NoPgDump`] when there is none, [`TestkitError::Failed`] with what it says.
pub fn pg_dump(url: &str) -> Result<String, TestkitError> {
    dump(url, "--schema-only")
}

/// The rows of the database as `pg_dump` writes them, an `INSERT` each, sorted, without those of Limbeck's own tables.
///
/// # Errors
///
/// As [`pg_dump`].
pub fn pg_dump_rows(url: &str) -> Result<Vec<String>, TestkitError> {
    let text = dump(url, "--data-only --inserts")?;
    let rows = text.lines().filter(|it| it.starts_with("INSERT INTO "));
    let mut rows: Vec<String> = rows.map(str::to_owned).collect();
    rows.sort();
    Ok(rows)
}

fn dump(url: &str, what: &str) -> Result<String, TestkitError> {
    let program = newest_client("pg_dump")?;
    let output = Command::new(&program)
        .args(what.split(' '))
        .args(["--no-owner", "--exclude-table=*.limbeck_*", "--dbname", url])
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .stdin(Stdio::null())
        .output()
        .map_err(TestkitError::spawn(&program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(TestkitError::Failed {
        program: "pg_dump".into(),
        output: tail(&String::from_utf8_lossy(&output.stderr), 3),
    })
}

/// Runs a script by `psql`, which ends at the first statement that fails.
///
/// # Errors
///
/// [`TestkitError::NoPgDump`] when there are no client programs, [`TestkitError::Failed`] with what psql says.
pub fn psql(url: &str, script: &str) -> Result<(), TestkitError> {
    let program = newest_client("psql")?;
    let spawned = Command::new(&program)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", url])
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(TestkitError::spawn(&program))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A psql that ended early closed its end; it says why.
        let _ = stdin.write_all(script.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(TestkitError::spawn(&program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(TestkitError::Failed {
        program: "psql".into(),
        output: tail(&String::from_utf8_lossy(&output.stderr), 3),
    })
}

fn newest_client(name: &str) -> Result<PathBuf, TestkitError> {
    let beside_servers = Binaries::all()?
        .into_iter()
        .filter_map(|binaries| binaries.tool(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Scripts are passed over: Debian's wrapper chooses a version by the host's own clusters.
    let in_path: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .filter(|path| is_native(path))
        .collect();
    // Debian's client package alone puts the program beside no server.
    let clients = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| is_native(path));
    let fetched = embedded_roots()
        .into_iter()
        .map(|root| root.join("client/bin").join(name))
        .filter(|path| is_native(path));
    beside_servers
        .chain(in_path)
        .chain(clients)
        .chain(fetched)
        .filter_map(|program| {
            Some((
                version_of(&program).ok().as_deref().and_then(major_of)?,
                program,
            ))
        })
        .max_by_key(|(major, _)| *major)
        .map(|(_, program)| program)
        .ok_or(TestkitError::NoPgDump)
}

/// The objects in a dump, sorted, each as its head line and its SQL, with every order that carries no meaning removed: of
/// the objects, of a table's columns, of the settings of columns behind it, of grants, of an event trigger's tags.
///
/// Two databases have the same schema exactly when their objects are equal.
#[must_use]
pub fn dump_objects(text: &str) -> Vec<String> {
    let mut objects: Vec<String> = text.split("\n--\n-- ").skip(1).filter_map(object).collect();
    objects.sort();
    objects
}

/// One object, from the text between the head of its comment and that of the next one.
fn object(chunk: &str) -> Option<String> {
    let (head, body) = chunk.split_once("\n--\n").unwrap_or((chunk, ""));
    // A shell type is the first half of a base type, which follows whole.
    if head.contains("Type: SHELL TYPE") {
        return None;
    }
    let kind = |name: &str| head.contains(&format!("; Type: {name};"));
    let mut body = body
        .split("\n-- PostgreSQL database dump complete")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    if let Some(sorted) = sorted_table(&body) {
        body = sorted;
    }
    if kind("ACL") || kind("DEFAULT ACL") {
        let mut grants: Vec<&str> = body.lines().collect();
        grants.sort_unstable();
        body = grants.join("\n");
    }
    if kind("EVENT TRIGGER") {
        body = sorted_tags(&body);
    }
    // `\restrict` and its key differ with each run; `SET default_*` stands before the first object that needs it.
    let kept: Vec<&str> = body
        .lines()
        .filter(|line| !line.starts_with('\\') && !line.starts_with("SET default_"))
        .collect();
    let heads: Vec<&str> = head
        .lines()
        .map(|line| line.split("; Owner: -").next().unwrap_or(line))
        .collect();
    Some(format!(
        "{}\n{}",
        heads.join("\n").trim(),
        kept.join("\n").trim()
    ))
}

/// A `CREATE TABLE` with its columns sorted, and the `ALTER` statements behind it, which come in the order of columns.
fn sorted_table(body: &str) -> Option<String> {
    let starts = [
        "CREATE TABLE ",
        "CREATE UNLOGGED TABLE ",
        "CREATE FOREIGN TABLE ",
    ];
    let (create, rest) = body.split_once('\n')?;
    if !create.ends_with('(') || !starts.iter().any(|start| create.starts_with(start)) {
        return None;
    }
    let end = rest.find("\n)")?;
    let mut columns: Vec<&str> = rest[..end]
        .split(",\n")
        .map(|column| column.trim().trim_end_matches(','))
        .collect();
    columns.sort_unstable();
    let mut tail = statements(&rest[end..]);
    if let Some(alters) = tail.get_mut(1..) {
        alters.sort_unstable();
    }
    Some(format!(
        "{create}\n{}{}",
        columns.join("\n"),
        tail.join("\n")
    ))
}

/// Cuts the text before every line that begins with `ALTER `, without the line breaks at the cut.
fn statements(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    for (n, line) in text.split('\n').enumerate() {
        match parts.last_mut() {
            Some(last) if n == 0 || !line.starts_with("ALTER ") => {
                if n > 0 {
                    last.push('\n');
                }
                last.push_str(line);
            }
            last => {
                if let Some(last) = last {
                    last.truncate(last.trim_end_matches('\n').len());
                }
                parts.push(line.to_owned());
            }
        }
    }
    parts
}

/// `WHEN TAG IN (…)` is a set.
fn sorted_tags(body: &str) -> String {
    const OPENING: &str = "TAG IN (";
    let Some(start) = body.find(OPENING).map(|at| at + OPENING.len()) else {
        return body.to_owned();
    };
    let Some(end) = body[start..].find(')').map(|at| start + at) else {
        return body.to_owned();
    };
    let mut tags: Vec<&str> = body[start..end].split(", ").collect();
    tags.sort_unstable();
    format!("{}{}{}", &body[..start], tags.join(", "), &body[end..])
}

#[cfg(test)]
mod tests {
    use super::dump_objects;

    /// Objects in the manner of pg_dump, between its first and last lines.
    fn dump(objects: &[(&str, &str)]) -> String {
        let objects: String = objects
            .iter()
            .map(|(head, body)| format!("--\n-- {head}; Owner: -\n--\n\n{body}\n\n\n"))
            .collect();
        format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\n{objects}--\n-- PostgreSQL database dump complete\n--\n\n"
        )
    }

    #[track_caller]
    fn check(objects: &[(&str, &str)], expected: &[&str]) {
        let found = dump_objects(&dump(objects));
        let found: Vec<&str> = found
            .iter()
            .map(String::as_str)
            .filter(|object| object.contains("Name:"))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_order_of_objects_and_columns_and_of_settings_is_gone() {
        check(
            &[
                (
                    "Name: b; Type: SEQUENCE; Schema: public",
                    "CREATE SEQUENCE public.b;",
                ),
                (
                    "Name: a; Type: TABLE; Schema: public",
                    "CREATE TABLE public.a (\n    y text,\n    x numeric(5,2) NOT NULL\n);\nALTER TABLE y;\n\n\nALTER TABLE x;",
                ),
            ],
            &[
                "Name: a; Type: TABLE; Schema: public\nCREATE TABLE public.a (\nx numeric(5,2) NOT NULL\ny text\n);\n\
                 ALTER TABLE x;\nALTER TABLE y;",
                "Name: b; Type: SEQUENCE; Schema: public\nCREATE SEQUENCE public.b;",
            ],
        );
    }

    #[test]
    fn grants_and_tags_are_sets_and_settings_of_the_session_are_left_out() {
        check(
            &[
                (
                    "Name: a; Type: ACL; Schema: public",
                    "GRANT SELECT ON a TO y;\nGRANT SELECT ON a TO x;",
                ),
                (
                    "Name: e; Type: EVENT TRIGGER; Schema: -",
                    "CREATE EVENT TRIGGER e\n  WHEN TAG IN ('B', 'A')\n  X();",
                ),
                (
                    "Name: s; Type: SHELL TYPE; Schema: public",
                    "CREATE TYPE public.s;",
                ),
                (
                    "Name: t; Type: TABLE; Schema: public",
                    "SET default_tablespace = '';\n\nCREATE TABLE public.t (\n);",
                ),
            ],
            &[
                "Name: a; Type: ACL; Schema: public\nGRANT SELECT ON a TO x;\nGRANT SELECT ON a TO y;",
                "Name: e; Type: EVENT TRIGGER; Schema: -\nCREATE EVENT TRIGGER e\n  WHEN TAG IN ('A', 'B')\n  X();",
                "Name: t; Type: TABLE; Schema: public\nCREATE TABLE public.t (\n);",
            ],
        );
    }

    #[test]
    fn what_differs_stays_different() {
        let table = |column: &str| {
            dump(&[(
                "Name: a; Type: TABLE",
                &format!("CREATE TABLE a (\n    {column}\n);"),
            )])
        };
        assert_ne!(
            dump_objects(&table("x text")),
            dump_objects(&table("x text NOT NULL"))
        );
    }
}
