//! `allow`: which config files may name programs and servers.

use std::path::Path;

use super::Outcome;
use crate::allow::{Allowed, wishes};
use crate::args::Allow;
use crate::config::{Config, FILE_NAME};
use crate::context::Context;
use crate::error::CliError;

impl Context<'_> {
    pub(super) fn allow(&mut self, options: &Allow) -> Result<Outcome, CliError> {
        let allowed = Allowed::of_user()?;
        if options.list {
            return self.list_allowed(&allowed);
        }
        let named = options.file.as_deref().or(self.global.config.as_deref());
        let path = named.unwrap_or(Path::new(FILE_NAME)).to_owned();
        if options.revoke {
            let found = allowed.remove(&path)?;
            if self.output.json {
                self.output
                    .json(&serde_json::json!({ "path": path, "revoked": found }))?;
            } else if found {
                self.output.line(&format!("revoked {}", path.display()));
            } else {
                self.output.say(&format!(
                    "nothing to do: {} was not allowed",
                    path.display()
                ));
            }
            return Ok(Outcome::Agree);
        }
        let config = Config::read(Some(&path))?;
        let lines: Vec<String> = wishes(&config).iter().map(|it| it.line()).collect();
        if let Some(file) = &config.file {
            allowed.add(file)?;
        }
        if self.output.json {
            self.output
                .json(&serde_json::json!({ "path": path, "allowed": lines }))?;
            return Ok(Outcome::Agree);
        }
        self.output.line(&format!("allowed {}", path.display()));
        if lines.is_empty() {
            self.output
                .say("it names no program and no server that has to be allowed");
        }
        for line in lines {
            self.output.say(&format!("it may now {line}"));
        }
        Ok(Outcome::Agree)
    }

    fn list_allowed(&mut self, allowed: &Allowed) -> Result<Outcome, CliError> {
        let entries = allowed.entries()?;
        if self.output.json {
            let each = entries
                .iter()
                .map(|it| serde_json::json!({ "path": it.path, "unchanged": it.unchanged }));
            self.output.json(&each.collect::<Vec<_>>())?;
            return Ok(Outcome::Agree);
        }
        for it in entries {
            let edited = if it.unchanged {
                ""
            } else {
                " (edited since, so not allowed now)"
            };
            self.output.line(&format!("{}{edited}", it.path.display()));
        }
        Ok(Outcome::Agree)
    }
}
