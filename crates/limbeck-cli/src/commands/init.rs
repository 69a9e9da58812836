//! `init`: a config file and a folder for revisions.

use std::fs;
use std::path::Path;

use limbeck_revision::files::write_new;

use super::Outcome;
use crate::args::Init;
use crate::config::{FILE_NAME, REVISIONS};
use crate::context::Context;
use crate::error::CliError;

const CONFIG: &str = include_str!("../../templates/limbeck.toml");
const README: &str = include_str!("../../templates/README.md");

impl Context<'_> {
    pub(super) fn init(&mut self, options: &Init) -> Result<Outcome, CliError> {
        let config = options.dir.join(FILE_NAME);
        let folder = options.dir.join(REVISIONS);
        let readme = folder.join("README.md");
        // Both are looked for before either is written, so that a refusal leaves nothing behind.
        if let Some(path) = [&config, &readme].into_iter().find(|it| it.exists()) {
            return Err(CliError::Exists(path.clone()));
        }
        create(&folder)?;
        write_new(&readme, README)?;
        write_new(&config, CONFIG)?;
        if self.output.json {
            self.output
                .json(&serde_json::json!({ "config": config, "revisions": folder }))?;
        } else {
            self.output.line(&config.display().to_string());
            self.output.line(&folder.display().to_string());
        }
        self.output.say("next: name the database and the models in limbeck.toml, then `limbeck revision --autogenerate -m first`");
        Ok(Outcome::Agree)
    }
}

fn create(folder: &Path) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|source| CliError::Folder {
        path: folder.to_owned(),
        source,
    })
}
