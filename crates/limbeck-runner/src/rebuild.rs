//! Rebuilding: the script that makes the state of a database out of an empty one. The proof runs it, `limbeck inspect
//! --format sql` prints it.

use std::fmt::Write as _;

use limbeck_catalog::{Catalog, Unmanaged};
use limbeck_plan::{Plan, PlanError};
use limbeck_schema::{Ident, Schema};

/// The way from an empty database to a state that was read.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// The default schema, in which names without a schema are to be found.
    pub default_schema: Ident,
    /// `CREATE EXTENSION`, a statement for each; they come first, since columns may be of their types.
    pub extensions: Vec<String>,
    /// Everything else.
    pub plan: Plan,
    /// What is not managed, and so not in the script, a line for each sort.
    pub missing: Vec<String>,
}

impl Rebuild {
    /// Plans the way to a state, `unmanaged` being what of its database no kind stands for.
    ///
    /// # Errors
    /// If no order exists in which the objects can be created.
    pub fn new(catalog: &Catalog, unmanaged: &Unmanaged) -> Result<Self, PlanError> {
        let is_extension = |word: &str| word == "extension";
        let names = unmanaged
            .objects
            .keys()
            .filter(|(word, _)| is_extension(word));
        let create = |(_, name): &(String, String)| {
            let name = Ident::parse(name).unwrap_or_else(|| Ident::new(name));
            format!("CREATE EXTENSION IF NOT EXISTS {name} CASCADE")
        };
        let mut others = unmanaged.clone();
        others.objects.retain(|(word, _), _| !is_extension(word));
        Ok(Self {
            default_schema: catalog.default_schema.clone(),
            extensions: names.map(create).collect(),
            plan: limbeck_plan::plan(&Schema::new(), &catalog.schema, catalog.version)?,
            missing: others.lines(),
        })
    }

    /// Every statement, in order, without semicolons.
    pub fn statements(&self) -> impl Iterator<Item = &str> {
        let planned = self.plan.statements().map(|it| it.sql.as_str());
        self.extensions.iter().map(String::as_str).chain(planned)
    }

    /// The script as psql and a SQL source run it. It says itself what is not in it.
    pub fn script(&self) -> String {
        let mut acc = String::from(
            "-- The schema of a database, as `limbeck inspect --format sql` wrote it.\n",
        );
        for line in &self.missing {
            // Names may hold line breaks. Writing to a `String` cannot fail.
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(acc, "-- not managed, so not here: {line}");
        }
        acc.push_str("\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n");
        let schema = &self.default_schema;
        if schema.as_str() != "public" {
            let _ = writeln!(acc, "CREATE SCHEMA IF NOT EXISTS {schema};");
        }
        let _ = writeln!(acc, "SET search_path = {schema};");
        for sql in &self.extensions {
            let _ = write!(acc, "\n{sql};\n");
        }
        let mut plan = String::new();
        for segment in &self.plan.segments {
            let _ = write!(plan, "\n{}", segment.render());
        }
        // Where `public` is not the default schema it is an object like others, which an empty database has already.
        if schema.as_str() != "public" {
            let (create, keep) = (
                "\nCREATE SCHEMA public;\n",
                "\nCREATE SCHEMA IF NOT EXISTS public;\n",
            );
            if plan.contains(create) {
                plan = plan.replacen(create, keep, 1);
            } else {
                acc.push_str("DROP SCHEMA IF EXISTS public;\n");
            }
        }
        acc.push_str(&plan);
        acc
    }
}
