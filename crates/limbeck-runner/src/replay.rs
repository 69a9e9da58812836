//! What a history may do in a scratch database: nothing that reaches beyond it.

use limbeck_revision::graph::{Direction, Step};
use limbeck_revision::{Revision, RevisionError, Segment};
use sqlx::PgConnection;

use crate::error::{Place, RunnerError};
use crate::history::History;
use crate::load::{cluster_wide, missing_role};
use crate::work::{segments, shown};

/// Refuses revisions that change the whole server, such as by `CREATE ROLE`, before they are run in a scratch database:
/// dropping that would not undo it. A `DO` block may name a role that is there already. `conn` is a connection to the
/// scratch database's server.
///
/// # Errors
/// [`RunnerError::ClusterWide`] with the statement, and if a file cannot be read.
pub async fn check_replay(
    conn: &mut PgConnection,
    history: &History,
    steps: &[Step],
    directions: &[Direction],
) -> Result<(), RunnerError> {
    for step in steps {
        let revision = history.read(&step.revision)?;
        for direction in directions {
            check(conn, history, &revision, *direction).await?;
        }
    }
    Ok(())
}

async fn check(
    conn: &mut PgConnection,
    history: &History,
    revision: &Revision,
    direction: Direction,
) -> Result<(), RunnerError> {
    let id = &revision.header.revision;
    let path = history
        .directory
        .get(id)
        .map(|it| it.path.clone())
        .unwrap_or_default();
    let statements = segments(revision, direction)
        .iter()
        .map(Segment::statements);
    for statement in statements
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| RevisionError::Syntax {
            path: path.clone(),
            line: error.line,
            problem: error.problem.into(),
        })?
        .into_iter()
        .flatten()
    {
        let what = match cluster_wide(&statement.sql) {
            Some(_) => "changes the whole server".to_owned(),
            None => match missing_role(conn, &statement.sql).await {
                Some(Some(role)) => format!("creates the role {role}, which belongs to the whole server"),
                Some(None) => "creates roles whose names are not written out, and roles belong to the whole server".to_owned(),
                None => continue,
            },
        };
        return Err(RunnerError::ClusterWide {
            place: Box::new(Place {
                revision: id.to_string(),
                direction,
                path,
                line: statement.line,
                statement: shown(&statement.sql),
            }),
            what,
        });
    }
    Ok(())
}
