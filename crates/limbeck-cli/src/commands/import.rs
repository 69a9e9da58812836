//! `import alembic`: Alembic's revisions as revision files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use limbeck_revision::alembic::{AlembicFile, AlembicSql, Body, Completeness, alembic_files};
use limbeck_revision::graph::{Direction, Node, RevisionGraph};
use limbeck_revision::{
    NewFile, Revision, RevisionDirectory, RevisionId, Segment, SegmentMode, Timestamp,
};
use limbeck_schema::variables::escape;
use limbeck_sql::Comment;
use serde::Serialize;

use super::Outcome;
use crate::alembic::Alembic;
use crate::args::{Import, ImportAlembic};
use crate::context::Context;
use crate::error::{CliError, one_line};

/// Alembic itself, where the command line names nothing else.
const PROGRAM: &str = "alembic";

/// Alembic's own version table.
const VERSION_TABLE: &str = "alembic_version";

/// A revision that was written.
#[derive(Debug, Serialize)]
struct Imported {
    revision: RevisionId,
    path: PathBuf,
    /// What a person has to look at.
    notes: Vec<String>,
}

impl Context<'_> {
    pub(super) fn import(&mut self, options: &Import) -> Result<Outcome, CliError> {
        let Import::Alembic(options) = options;
        self.import_alembic(options)
    }

    /// Reads everything before it writes anything; if a file cannot be written, those before it are removed again.
    fn import_alembic(&mut self, options: &ImportAlembic) -> Result<Outcome, CliError> {
        let naming = self.naming()?;
        let mut directory = self.history_so_far()?.directory;
        let files = self.new_files(options, &directory)?;
        let (order, heads) = ordered(&directory, &files)?;
        let sql = self.alembic_sql(options, &order, &heads)?;
        let mut imported = Vec::new();
        for file in order {
            let (revision, notes) = converted(file, &sql);
            let new = NewFile {
                naming: &naming,
                at: file.created.unwrap_or_else(Timestamp::now),
                folder: options.version_path.as_deref(),
            };
            match directory.write(&revision, new) {
                Ok(path) => imported.push(Imported {
                    revision: revision.header.revision,
                    path,
                    notes,
                }),
                Err(error) => {
                    for Imported { path, .. } in &imported {
                        // What cannot be removed is whole and named by the next import.
                        let _ = fs::remove_file(path);
                    }
                    return Err(error.into());
                }
            }
        }
        self.report_imported(&imported)?;
        Ok(Outcome::Agree)
    }

    /// The revisions of Alembic's folders that are not here yet.
    fn new_files(
        &mut self,
        options: &ImportAlembic,
        directory: &RevisionDirectory,
    ) -> Result<Vec<AlembicFile>, CliError> {
        let given: BTreeMap<_, _> = options.depends_on.iter().cloned().collect();
        let mut unused: BTreeSet<&str> = given.keys().map(String::as_str).collect();
        let mut found = Vec::new();
        for folder in &options.folders {
            for path in alembic_files(folder)? {
                let bytes = fs::read(&path).map_err(|source| CliError::Read {
                    path: path.clone(),
                    source,
                })?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| CliError::NotText { path: path.clone() })?;
                let file = AlembicFile::parse(&text, &path, &given)?;
                unused.remove(file.header.revision.as_str());
                match directory.get(&file.header.revision) {
                    Some(here) => self.output.say(&format!(
                        "revision {} is here already and stays as it is: {}",
                        file.header.revision,
                        here.path.display()
                    )),
                    None => found.push(file),
                }
            }
        }
        match unused.first() {
            Some(revision) => Err(CliError::NoSuchImport {
                revision: (*revision).to_owned(),
            }),
            None => Ok(found),
        }
    }

    /// The SQL of the scripts, or else of the program.
    fn alembic_sql(
        &mut self,
        options: &ImportAlembic,
        files: &[&AlembicFile],
        heads: &[RevisionId],
    ) -> Result<Sql, CliError> {
        let own = self.runner_options().version_table.name;
        let tables = [VERSION_TABLE, own.as_str()];
        if options.scripts.is_empty() {
            let named = options.alembic.as_deref();
            let mut alembic = Alembic::new(named.unwrap_or(PROGRAM), &tables)?;
            if named.is_none() {
                self.require_alembic(PROGRAM)?;
            }
            let (output, explain) = (&mut self.output, "asking Alembic for the SQL: ");
            alembic.ask(files, heads, &mut |it| {
                output.explain(&format!("{explain}{it}"));
            })?;
            return Ok(Sql {
                sql: alembic.sql,
                failures: alembic.failures,
            });
        }
        let mut sql = AlembicSql::default();
        for path in &options.scripts {
            let text = fs::read_to_string(path).map_err(|source| CliError::Read {
                path: path.clone(),
                source,
            })?;
            let name = path.display().to_string();
            sql.add(&text, &name, Completeness::Whole, &tables)?;
        }
        if sql.n_outside > 0 {
            self.output.warn(&format!(
                "{} statements stand before the first revision of the scripts and are left out",
                sql.n_outside
            ));
        }
        Ok(Sql {
            sql,
            failures: BTreeMap::new(),
        })
    }

    fn report_imported(&mut self, imported: &[Imported]) -> Result<(), CliError> {
        for Imported {
            revision, notes, ..
        } in imported
        {
            for note in notes {
                self.output.warn(&format!("revision {revision}: {note}"));
            }
        }
        if self.output.json {
            return self.output.json(&imported);
        }
        for it in imported {
            self.output.line(&it.path.display().to_string());
        }
        let n_marked = imported.iter().filter(|it| !it.notes.is_empty()).count();
        self.output.say(&format!(
            "{} revisions imported, {n_marked} of them to be looked at",
            imported.len()
        ));
        let table = self.runner_options().version_table;
        if table.name.as_str() != VERSION_TABLE && !imported.is_empty() {
            self.output.say(&format!(
                "write version_table = \"{VERSION_TABLE}\" into limbeck.toml, and every database stays where Alembic \
                 brought it"
            ));
        }
        Ok(())
    }
}

/// SQL, and why there is none of a revision.
struct Sql {
    sql: AlembicSql,
    failures: BTreeMap<(RevisionId, &'static str), String>,
}

/// The files in an order in which parents come first, and the heads among them.
fn ordered<'f>(
    directory: &RevisionDirectory,
    files: &'f [AlembicFile],
) -> Result<(Vec<&'f AlembicFile>, Vec<RevisionId>), CliError> {
    let here = directory
        .headers()
        .map(|it| Node::from(&it.header).at(&it.path));
    let new = files.iter().map(|it| Node::from(&it.header).at(&it.path));
    let graph = RevisionGraph::new(here.chain(new).collect::<Vec<_>>())?;
    let steps = graph.upgrade("heads", &[])?;
    let find = |id: &RevisionId| files.iter().find(|it| it.header.revision == *id);
    let order: Vec<_> = steps.iter().filter_map(|it| find(&it.revision)).collect();
    let heads = graph.heads().into_iter().map(|it| it.id.clone());
    Ok((order, heads.filter(|it| find(it).is_some()).collect()))
}

/// Limbeck's file, and what a person has to look at.
fn converted(file: &AlembicFile, sql: &Sql) -> (Revision, Vec<String>) {
    let mut notes = Vec::new();
    let upgrade = section(file, Direction::Upgrade, sql, &mut notes);
    let downgrade = section(file, Direction::Downgrade, sql, &mut notes);
    let mut header = file.header.clone();
    if !notes.is_empty() {
        header.review = Some(format!("imported from Alembic: {}", notes.join("; ")));
    }
    let revision = Revision {
        header,
        upgrade,
        downgrade,
    };
    (revision, notes)
}

fn section(
    file: &AlembicFile,
    direction: Direction,
    Sql { sql, failures }: &Sql,
    notes: &mut Vec<String>,
) -> Vec<Segment> {
    let (name, Body { empty, looks }) = match direction {
        Direction::Downgrade => ("downgrade", &file.downgrade),
        Direction::Upgrade | Direction::Stamp => ("upgrade", &file.upgrade),
    };
    let id = &file.header.revision;
    let Some(segments) = sql.get(direction, id) else {
        if *empty {
            return Vec::new();
        }
        let why = failures.get(&(id.clone(), name));
        let why = why.map(|it| format!(" ({it})")).unwrap_or_default();
        notes.push(one_line(&format!(
            "there is no SQL of its {name}(){why}: write it by hand, or import it from a recorded run; until then the \
             {name} fails"
        )));
        return vec![guard(&file.path, name)];
    };
    if let Some((word, line)) = looks {
        notes.push(format!(
            "{name}() looks into the database ({word}, line {line}), so the SQL is that of one case: compare it with \
             {}",
            file.path.display()
        ));
    } else if segments.is_empty() && !empty {
        notes.push(format!(
            "{name}() gave no SQL, and {} shows that it does something: write it by hand if it matters",
            file.path.display()
        ));
    }
    // Alembic's SQL has no variables: what looks like one is text.
    let escaped = segments.iter().map(|it| Segment {
        text: escape(&it.text).into_owned(),
        ..it.clone()
    });
    escaped.collect()
}

/// A statement that fails until somebody puts the real ones in its place: a revision that silently did nothing would
/// leave new databases behind the old ones.
fn guard(path: &Path, name: &str) -> Segment {
    let remark = format!(
        "Write here what {name}() of {} does, instead of this statement.",
        path.display()
    );
    let text = format!(
        "{}DO $import$ BEGIN RAISE EXCEPTION 'the {name} of this revision was not imported from Alembic; write its SQL into \
         the file'; END $import$;",
        Comment::new(&remark)
    );
    Segment::new(SegmentMode::Transaction, &text)
}
