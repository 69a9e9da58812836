//! `inspect`: the database by itself, as a list, as SQL, as JSON metadata or as Rust models.

use std::path::Path;

use limbeck_catalog::{Catalog, Unmanaged};
use limbeck_metadata::{LeftOut, Lifted, LowerOptions, MetaData};
use limbeck_revision::files::Destination;
use limbeck_runner::Rebuild;

use super::Outcome;
use crate::args::{Format, Inspect};
use crate::context::Context;
use crate::error::CliError;
use crate::read_back::{Expected, check_script};

impl Context<'_> {
    pub(super) async fn write_or_list(&mut self, options: &Inspect) -> Result<Outcome, CliError> {
        let Some(format) = options.format else {
            return self.list_objects().await;
        };
        let mut conn = self.connect().await?;
        let read = self.read_options(&mut conn).await?;
        let mut catalog = Catalog::read(&mut conn, &read).await?;
        self.explain_unknown(&catalog);
        let mut unmanaged = Unmanaged::read(&mut conn).await?;
        let mut ignore = self.ignore();
        ignore.note_owners(&mut conn).await?;
        ignore.retain(&mut unmanaged);
        ignore.leave_out(&mut catalog);
        let (text, left_out) = match format {
            Format::Sql => {
                let left_out = LeftOut::between(&catalog.schema, &catalog.schema.as_created());
                (script(&Rebuild::new(&catalog, &unmanaged)?)?, left_out)
            }
            Format::Json => {
                let Lifted { metadata, left_out } = lift(&catalog)?;
                (format!("{}\n", metadata.to_json()?), left_out)
            }
            Format::Rust => {
                let Lifted { metadata, left_out } = lift(&catalog)?;
                (
                    limbeck_codegen::rust(&metadata, &catalog.default_schema),
                    left_out,
                )
            }
        };
        let destination = match options.output.as_deref() {
            None => Destination::Stdout,
            Some(path) if path == Path::new("-") => Destination::Stdout,
            Some(path) => Destination::of(path)?,
        };
        if destination == Destination::Stdout {
            match format {
                Format::Sql => self.output.sql(&text),
                Format::Json => self.output.json_text(&text),
                Format::Rust => self.output.text(&text),
            }
        } else {
            destination.write(&text)?;
        }
        if let (Destination::File(_), Some(path)) = (&destination, &options.output) {
            self.output.line(&path.display().to_string());
        }
        let others = unmanaged.lines();
        for line in &others {
            self.output
                .say(&format!("not managed, so not written: {line}"));
        }
        for it in &left_out {
            self.output.error_lines(&format!("left out: {it}"));
        }
        if !left_out.is_empty() {
            let n_facts = left_out.len();
            return Err(CliError::LeftOut { n_facts });
        }
        if self.global.strict && !others.is_empty() {
            let n_objects = unmanaged.objects.len();
            return Err(CliError::Unmanaged { n_objects });
        }
        Ok(Outcome::Agree)
    }

    async fn list_objects(&mut self) -> Result<Outcome, CliError> {
        let mut catalog = self.inspect().await?;
        let mut ignore = self.ignore();
        if !ignore.is_empty() {
            ignore.note_owners(&mut self.connect().await?).await?;
            ignore.leave_out(&mut catalog);
        }
        let schema = catalog.schema;
        if self.output.json {
            self.output.json(&schema)?;
        } else {
            for object in schema.objects() {
                self.output.line(&object.summary());
            }
            let n = schema.len();
            self.output.say(&format!(
                "{n} {}",
                if n == 1 { "object" } else { "objects" }
            ));
        }
        Ok(Outcome::Agree)
    }
}

/// The script of a rebuild, read back.
fn script(rebuild: &Rebuild) -> Result<String, CliError> {
    let text = rebuild.script();
    let settings = rebuild.settings().into_iter().map(Expected::new);
    let planned = rebuild.statements().map(Expected::new);
    let expected: Vec<_> = settings.chain(planned).collect();
    check_script("the script", &text, &expected)?;
    Ok(text)
}

fn lift(catalog: &Catalog) -> Result<Lifted, CliError> {
    let default_schema = catalog.default_schema.clone();
    Ok(MetaData::lift(
        &catalog.schema,
        &LowerOptions { default_schema },
    )?)
}
