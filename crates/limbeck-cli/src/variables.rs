//! The values of variables, and revisions written with the variables themselves.

use std::collections::BTreeMap;

use limbeck_catalog::Attached;
use limbeck_metadata::{LowerOptions, MetaData};
use limbeck_plan::{Migration, Plan, migration};
use limbeck_revision::{Segment, SegmentMode};
use limbeck_runner::History;
use limbeck_schema::variables::{escape, has_placeholder, restore, written_names};
use limbeck_schema::{Key, Schema, Spelling, Variables};
use limbeck_sql::printable;

use crate::args::Global;
use crate::config::Config;
use crate::context::Compared;
use crate::error::CliError;
use crate::read_back::{Expected, planned};

/// What the environment variable of a variable's value begins with.
pub(crate) const ENVIRONMENT: &str = "LIMBECK_X_";

/// The values: those of `-x`, then of the environment (`LIMBECK_X_prefix` or `LIMBECK_X_PREFIX`), then of the config file,
/// then of the models that the program brought along.
///
/// What cannot name a variable is for programs only, except in the config file.
///
/// # Errors
/// If a name of the config file's or the models' cannot be one.
pub(crate) fn variables(
    global: &Global,
    config: &Config,
    metadata: Option<&MetaData>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Variables, CliError> {
    let mut all = metadata.map_or_else(|| Ok(Variables::new()), MetaData::variables)?;
    for (name, value) in &config.variables {
        all.set(name, value).map_err(|problem| CliError::Value {
            from: "[variables] of the config file".to_owned(),
            problem,
        })?;
    }
    let named = |(name, value): (String, String)| {
        let name = name.strip_prefix(ENVIRONMENT)?.to_owned();
        Some((name, value))
    };
    let environment: BTreeMap<String, String> = environment.filter_map(named).collect();
    for (name, value) in &environment {
        let _ = all.set(name, value);
        let lower = name.to_ascii_lowercase();
        if !environment.contains_key(&lower) {
            let _ = all.set(&lower, value);
        }
    }
    for (name, value) in &global.values {
        let _ = all.set(name, value);
    }
    Ok(all)
}

/// A migration as a revision file holds it: in each direction its segments.
pub(crate) struct Written {
    pub(crate) upgrade: Vec<Segment>,
    pub(crate) downgrade: Vec<Segment>,
    /// The statements that each has to hold.
    pub(crate) expected: [Vec<Expected>; 2],
    /// Names that are written with the present value of a variable, as no reference says them.
    pub(crate) left_out: Vec<String>,
}

/// Writes a migration down. Where the models have variables, it is planned once more between the same states with their
/// names spelled with the variables; else whatever looks like one is text.
///
/// # Errors
/// If the models cannot be lowered or the states not be planned so, or a file of the history cannot be read.
pub(crate) fn written(
    compared: &Compared,
    plain: &Migration,
    history: &History,
) -> Result<Written, CliError> {
    let Some(models) = &compared.models else {
        return Ok(Written {
            upgrade: plain_segments(&plain.upgrade),
            downgrade: plain_segments(&plain.downgrade),
            expected: [&plain.upgrade, &plain.downgrade].map(plain_statements),
            left_out: Vec::new(),
        });
    };
    // A value of a variable holds no control character, so one in this plan is of a name or a text.
    for plan in [&plain.upgrade, &plain.downgrade] {
        let placed = planned(plan, str::to_owned);
        if let Some(it) = placed.into_iter().find(|it| has_placeholder(&it.sql)) {
            return Err(CliError::Placeholder { object: it.object });
        }
    }
    let Compared {
        catalog, desired, ..
    } = compared;
    let variables = models.variables()?;
    let options = LowerOptions {
        default_schema: catalog.default_schema.clone(),
    };
    let placed = models.lower_placed(&options)?.schema;
    let policy = models.truncation();
    let spelling = Spelling::new(&placed, &variables, policy, &catalog.default_schema);
    let mut spelling = spelling.map_err(|it| CliError::Value {
        from: "the models".to_owned(),
        problem: it.problem,
    })?;
    let left_out = spelling.left_out(&models.lower(&options)?.schema);
    for header in history.directory.headers() {
        let file = history.directory.read(&header.header.revision)?;
        for segment in file.upgrade.iter().chain(&file.downgrade) {
            for name in written_names(&segment.text) {
                spelling.note(&name, &variables);
            }
        }
    }
    let current = spelling.schema(&catalog.schema, &desired.scope);
    let mut spelled = migration(&current, &spelling.desired(desired), catalog.version)?;
    spelled.state_attached(&spelled_keys(compared, &spelling));
    let write = |it: &str| printable(&restore(it, policy)).into_owned();
    Ok(Written {
        upgrade: segments(&spelled.upgrade, write),
        downgrade: segments(&spelled.downgrade, write),
        expected: [&spelled.upgrade, &spelled.downgrade].map(|it| planned(it, write)),
        left_out,
    })
}

/// What hangs on objects that go, by the keys that these have as they are written.
fn spelled_keys(compared: &Compared, spelling: &Spelling) -> Attached {
    let Compared {
        catalog,
        desired,
        attached,
        ..
    } = compared;
    let spelled = |(key, phrases): (&Key, &Vec<String>)| {
        let alone: Schema = catalog.schema.get(key).cloned().into_iter().collect();
        let alone = spelling.schema(&alone, &desired.scope);
        let key = alone.iter().next().map(|(key, _)| key.clone())?;
        Some((key, phrases.clone()))
    };
    attached.iter().filter_map(spelled).collect()
}

/// The segments of a plan as a file without variables holds them: what looks like one is text.
pub(crate) fn plain_segments(plan: &Plan) -> Vec<Segment> {
    segments(plan, plain)
}

/// The statements of [`plain_segments`].
pub(crate) fn plain_statements(plan: &Plan) -> Vec<Expected> {
    planned(plan, plain)
}

fn plain(sql: &str) -> String {
    printable(&escape(sql)).into_owned()
}

fn segments(plan: &Plan, write: impl Fn(&str) -> String) -> Vec<Segment> {
    let mode = |transaction| {
        if transaction {
            SegmentMode::Transaction
        } else {
            SegmentMode::NoTransaction
        }
    };
    plan.segments
        .iter()
        .map(|it| Segment::new(mode(it.transaction), &write(&it.render())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    /// The variables of a command line, an environment and a config file.
    #[track_caller]
    fn check(args: &[&str], environment: &[(&str, &str)], config: &str, expected: &str) {
        let words = ["limbeck", "heads"].iter().chain(args);
        let global = Cli::try_parse_from(words).unwrap().global;
        let config: Config = toml::from_str(config).unwrap();
        let models = MetaData::new().variable("prefix", "models_");
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let found = match variables(&global, &config, Some(&models), environment) {
            Ok(it) => it
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.line(),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn values_have_an_order_of_precedence() {
        let config = "[variables]\nprefix = 'file_'";
        let environment = [("LIMBECK_X_PREFIX", "env_"), ("HOME", "/")];
        check(&[], &[], "", "prefix=models_");
        check(&[], &[], config, "prefix=file_");
        check(&[], &environment, config, "prefix=env_");
        check(&["-x", "prefix=x_"], &environment, config, "prefix=x_");
        let both = [("LIMBECK_X_PREFIX", "A_"), ("LIMBECK_X_prefix", "b_")];
        check(&[], &both, config, "prefix=b_");
    }

    #[test]
    fn what_no_variable_can_be_is_for_programs() {
        check(
            &["-x", "1=a"],
            &[("LIMBECK_X_a-b", "c")],
            "",
            "prefix=models_",
        );
        check(
            &[],
            &[],
            "[variables]\n1 = 'a'",
            "[variables] of the config file: \"1\" cannot name a variable",
        );
    }
}
