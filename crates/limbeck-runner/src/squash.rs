//! The proof of a squash: one revision does what several did, from the same state to the same one, and to the same rows.

use limbeck_catalog::{ReadOptions, Unmanaged};
use limbeck_revision::Revision;
use limbeck_schema::Name;
use sqlx::Connection;

use crate::keep::Holding;
use crate::proof::{
    ELSEWHERE, Proof, Stop, differences, ended, everything, require_equal, state, try_again,
};
use crate::scratch::{Scratch, ScratchError};
use crate::seed::seed;
use crate::trial::run_plainly;

/// What a squash claims.
#[derive(Clone, Copy, Debug)]
pub struct SquashClaim<'a> {
    /// A database in the state before the first of the revisions; it is copied and left as it is.
    pub before: &'a Scratch,
    /// The database that the revisions made of it; it is left as it is.
    pub after: &'a Scratch,
    /// The revision in their place, as it will be written.
    pub revision: &'a Revision,
    /// How catalogs are read.
    pub read: &'a ReadOptions,
}

/// Tries a squashed revision in a copy of the state before it, with rows in every table: up, down and up again. The
/// upgrade has to lead to the state that the revisions led to, and the downgrade back to the start, what no kind stands
/// for included; the two states are compared from both sides.
///
/// # Errors
/// [`ScratchError`] if a scratch database is lost on the way.
pub async fn prove_squash(claim: &SquashClaim<'_>) -> Result<Proof, ScratchError> {
    let copy = claim.before.copy().await?;
    ended(try_squash(claim, &copy).await)
}

async fn try_squash(claim: &SquashClaim<'_>, copy: &Scratch) -> Result<Proof, Stop> {
    let SquashClaim {
        before: _,
        after,
        revision,
        read,
    } = *claim;
    let mut old = after.connect().await?;
    let wanted = state(&mut old, read, after).await?;
    let mut conn = copy.connect().await?;
    let proof = try_again(copy, &mut conn, revision, read, Some(wanted.clone())).await?;
    let (schema, unmanaged) = state(&mut conn, read, copy).await?;
    let mut differs = differences(&mut old, everything(&schema), read).await?;
    differs.extend(Unmanaged::differences(&wanted.1, &unmanaged));
    require_equal(ELSEWHERE, differs)?;
    for it in [conn, old] {
        let _ = it.close().await;
    }
    Ok(proof)
}

/// Whether a revision leaves the same rows behind as those in whose place it comes: all run in copies of the state before
/// them, `before`, with the same rows in every table, up and down. Gives what differs, if anything does, or why it
/// cannot be told.
///
/// # Errors
/// [`ScratchError`] if a scratch database is lost on the way.
pub async fn same_rows(
    before: &Scratch,
    old: &[Revision],
    new: &Revision,
    own_tables: &[Name],
) -> Result<Option<String>, ScratchError> {
    let filled = before.copy().await?;
    let mut conn = filled.connect().await?;
    let seeded = seed(&mut conn, own_tables).await;
    let _ = conn.close().await;
    match seeded {
        Ok(it) => {
            if let Some((table, _)) = it.empty.first() {
                return Ok(Some(format!("{table} cannot be given rows to try it with")));
            }
        }
        Err(error) => return Ok(Some(format!("the tables cannot be given rows: {error}"))),
    }
    let (one, other) = (filled.copy().await?, filled.copy().await?);
    for upgrade in [true, false] {
        let segments = |it: &Revision| {
            if upgrade {
                it.upgrade.clone()
            } else {
                it.downgrade.clone()
            }
        };
        let mut parts: Vec<_> = old.iter().map(segments).collect();
        if !upgrade {
            parts.reverse();
        }
        if let Some(answer) = run_plainly(&one, &parts.concat()).await? {
            return Ok(Some(format!(
                "the revisions fail on tables that have rows: {answer}"
            )));
        }
        if let Some(answer) = run_plainly(&other, &segments(new)).await? {
            return Ok(Some(format!(
                "the plan fails on tables that have rows: {answer}"
            )));
        }
        let unlike = compare(&one, &other, own_tables).await?;
        if unlike.is_some() {
            return Ok(unlike);
        }
    }
    Ok(None)
}

async fn compare(
    one: &Scratch,
    other: &Scratch,
    own_tables: &[Name],
) -> Result<Option<String>, ScratchError> {
    let mut held = Vec::new();
    for it in [one, other] {
        let mut conn = it.connect().await?;
        let holding = Holding::read(&mut conn, own_tables).await;
        let _ = conn.close().await;
        match holding {
            Ok(it) => held.push(it),
            Err(error) => return Ok(Some(format!("the rows cannot be read: {error}"))),
        }
    }
    match held.as_slice() {
        [one, other] => Ok(one.unlike(other)),
        _ => Ok(None),
    }
}
