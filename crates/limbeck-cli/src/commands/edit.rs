//! `edit`: the files of revisions in the user's editor.

use std::process::Command;

use super::Outcome;
use crate::args::Edit;
use crate::context::Context;
use crate::error::CliError;
use crate::source::words;

impl Context<'_> {
    pub(super) async fn edit(&mut self, options: &Edit) -> Result<Outcome, CliError> {
        let graph = self.history()?.graph;
        let nodes = self.named(&graph, &options.revisions).await?;
        if nodes.is_empty() {
            return Err(CliError::NothingNamed(options.revisions.join(", ")));
        }
        let editor = std::env::var("VISUAL")
            .or_else(|_| std::env::var("EDITOR"))
            .unwrap_or_default();
        let Some((program, arguments)) =
            words(&editor).and_then(|it| it.split_first().map(|(a, b)| (a.clone(), b.to_vec())))
        else {
            return Err(CliError::Editor(
                "no editor is named; set EDITOR, for example to vi".to_owned(),
            ));
        };
        for path in nodes.iter().filter_map(|it| it.path.as_ref()) {
            let fail = |what: String| CliError::Editor(format!("{program} {what}"));
            let status = Command::new(&program).args(&arguments).arg(path).status();
            let status = status.map_err(|error| fail(format!("cannot be run: {error}")))?;
            if !status.success() {
                return Err(fail(format!("failed ({status})")));
            }
        }
        Ok(Outcome::Agree)
    }
}
