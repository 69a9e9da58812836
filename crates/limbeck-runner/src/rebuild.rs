//! Rebuilding: the script that makes the state of a database out of an empty one. The proof runs it, `limbeck inspect
//! --format sql` prints it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use limbeck_catalog::{Catalog, Extension, Unmanaged};
use limbeck_plan::{Plan, PlanError};
use limbeck_schema::{Ident, Schema};
use limbeck_sql::Comment;

/// The way from an empty database to a state that was read.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// The default schema, in which names without a schema are to be found.
    pub default_schema: Ident,
    /// What comes first: the schemas of extensions and `CREATE EXTENSION`, since columns may be of their types.
    pub extensions: Vec<String>,
    /// Schemas that are there already when the plan comes to them.
    present: BTreeSet<Ident>,
    /// Everything else.
    pub plan: Plan,
    /// What is not managed, and so not in the script, a line for each sort.
    pub missing: Vec<String>,
    /// What of that a statement could refer to.
    pub missing_objects: Vec<String>,
}

impl Rebuild {
    /// Plans the way to a state, `unmanaged` being what of its database no kind stands for.
    ///
    /// # Errors
    /// If no order exists in which the objects can be created.
    pub fn new(catalog: &Catalog, unmanaged: &Unmanaged) -> Result<Self, PlanError> {
        let default_schema = catalog.default_schema.clone();
        let is_public = default_schema.as_str() == "public";
        let (mut extensions, mut present) = (Vec::new(), BTreeSet::new());
        // An empty database has it. Where it is not the default schema it is an object like others.
        present.extend((!is_public).then(|| Ident::new("public")));
        for Extension { name, schema } in &unmanaged.extensions {
            let is_there = *schema == default_schema || schema.as_str().starts_with("pg_");
            if !is_there && present.insert(schema.clone()) {
                extensions.push(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
            }
            extensions.push(format!(
                "CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {schema} CASCADE"
            ));
        }
        let plan = limbeck_plan::plan(&Schema::new(), &catalog.schema, catalog.version)?;
        let mut keys = catalog.schema.iter().map(|(key, _)| key);
        if !is_public && keys.all(|it| it.to_string() != "schema public") {
            extensions.insert(0, "DROP SCHEMA IF EXISTS public".to_owned());
        }
        let mut others = unmanaged.clone();
        others.objects.retain(|(word, _), _| word != "extension");
        Ok(Self {
            default_schema,
            extensions,
            present,
            plan,
            missing: others.lines(),
            missing_objects: unmanaged.object_lines(),
        })
    }

    /// Every statement, in order, without semicolons.
    pub fn statements(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let planned = self.plan.statements().map(|it| {
            let schema = it.sql.strip_prefix("CREATE SCHEMA ").and_then(Ident::parse);
            match schema.filter(|it| self.present.contains(it)) {
                Some(schema) => Cow::from(format!("CREATE SCHEMA IF NOT EXISTS {schema}")),
                None => Cow::from(it.sql.as_str()),
            }
        });
        let first = self.extensions.iter().map(|it| Cow::from(it.as_str()));
        first.chain(planned)
    }

    /// What the script sets before its statements.
    pub fn settings(&self) -> Vec<String> {
        let schema = &self.default_schema;
        let mut all = vec![
            "SET client_encoding = 'UTF8'".to_owned(),
            "SET standard_conforming_strings = on".to_owned(),
        ];
        if schema.as_str() != "public" {
            all.push(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
        }
        all.push(format!("SET search_path = {schema}"));
        all
    }

    /// The script as psql and a SQL source run it. It says itself what is not in it.
    pub fn script(&self) -> String {
        let mut acc =
            Comment::new("The schema of a database, as `limbeck inspect --format sql` wrote it.")
                .to_string();
        for line in &self.missing {
            let line = format!("not managed, so not here: {line}");
            // Writing to a `String` cannot fail.
            let _ = write!(acc, "{}", Comment::new(&line));
        }
        acc.push('\n');
        for sql in self.settings() {
            let _ = writeln!(acc, "{sql};");
        }
        for sql in &self.extensions {
            let _ = write!(acc, "\n{sql};\n");
        }
        let mut plan = String::new();
        for segment in &self.plan.segments {
            let _ = write!(plan, "\n{}", segment.render());
        }
        for schema in &self.present {
            let (create, keep) = (
                format!("\nCREATE SCHEMA {schema};\n"),
                format!("\nCREATE SCHEMA IF NOT EXISTS {schema};\n"),
            );
            plan = plan.replacen(&create, &keep, 1);
        }
        acc.push_str(&plan);
        acc
    }
}
