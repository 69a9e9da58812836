//! `init`, `list-templates` and `mkdir`: a config file, and folders for revisions.

use std::fs;
use std::path::Path;

use limbeck_revision::Location;

use limbeck_revision::files::write_new;

use super::Outcome;
use crate::args::{Init, Mkdir};
use crate::config::{FILE_NAME, REVISIONS};
use crate::context::Context;
use crate::error::CliError;
use crate::folders::same;

const CONFIG: &str = include_str!("../../templates/limbeck.toml");
const README: &str = include_str!("../../templates/README.md");

/// What `init` can write.
struct Template {
    name: &'static str,
    /// What `list-templates` says of it.
    about: &'static str,
    /// What the config file has for its line `revisions`.
    revisions: &'static str,
}

/// The line of the config file that templates differ in.
const REVISIONS_LINE: &str = "revisions = [\"revisions\"]\n";

const TEMPLATES: [Template; 2] = [
    Template {
        name: "generic",
        about: "one folder of revisions",
        revisions: REVISIONS_LINE,
    },
    Template {
        name: "modules",
        about: "a folder of revisions for each module, each with a branch of its own",
        revisions: "revisions = [\n    \"revisions\",\n    # { path = \"accounts/revisions\", branch = \"accounts\" },\n    \
                    # { path = \"records/revisions\", branch = \"records\", recursive = true },\n]\n",
    },
];

impl Context<'_> {
    pub(super) fn init(&mut self, options: &Init) -> Result<Outcome, CliError> {
        let found = TEMPLATES.iter().find(|it| it.name == options.template);
        let template = found.ok_or_else(|| CliError::Template {
            name: options.template.clone(),
        })?;
        let config = options.dir.join(FILE_NAME);
        let folder = options.dir.join(REVISIONS);
        let readme = folder.join("README.md");
        // Both are looked for before either is written, so that a refusal leaves nothing behind.
        if let Some(path) = [&config, &readme].into_iter().find(|it| it.exists()) {
            return Err(CliError::Exists(path.clone()));
        }
        create(&folder)?;
        write_new(&readme, README)?;
        write_new(&config, &CONFIG.replace(REVISIONS_LINE, template.revisions))?;
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

    pub(super) fn list_templates(&mut self) -> Result<Outcome, CliError> {
        if self.output.json {
            let list =
                TEMPLATES.map(|it| serde_json::json!({ "name": it.name, "about": it.about }));
            self.output.json(&list)?;
            return Ok(Outcome::Agree);
        }
        self.output.block("Available templates:\n");
        for it in TEMPLATES {
            self.output.line(&format!("{} - {}", it.name, it.about));
        }
        self.output.block(
            "\nTemplates are used by `limbeck init`, as in\n\n  limbeck init --template modules",
        );
        Ok(Outcome::Agree)
    }

    pub(super) fn mkdir(&mut self, options: &Mkdir) -> Result<Outcome, CliError> {
        let locations = self.locations();
        let mut wanted: Vec<&Location> = Vec::new();
        for name in &options.folders {
            let is_it = |it: &&Location| {
                it.branch.as_deref() == Some(name) || same(&it.path, Path::new(name))
            };
            let found = locations.iter().find(is_it);
            wanted.push(found.ok_or_else(|| CliError::UnknownFolder {
                name: name.clone(),
                known: shown(&locations),
            })?);
        }
        if options.folders.is_empty() {
            wanted = locations.iter().collect();
        }
        wanted.retain(|it| !it.path.is_dir());
        for it in &wanted {
            create(&it.path)?;
        }
        if self.output.json {
            let paths: Vec<_> = wanted.iter().map(|it| &it.path).collect();
            self.output.json(&paths)?;
        } else {
            for it in &wanted {
                self.output.line(&it.path.display().to_string());
            }
        }
        if wanted.is_empty() {
            self.output.say("nothing to do: the folders are there");
        }
        Ok(Outcome::Agree)
    }
}

/// The folders with their branches.
fn shown(locations: &[Location]) -> String {
    let each = locations.iter().map(|it| match &it.branch {
        Some(branch) => format!("{} of branch {branch}", it.path.display()),
        None => it.path.display().to_string(),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn create(folder: &Path) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|source| CliError::Folder {
        path: folder.to_owned(),
        source,
    })
}
