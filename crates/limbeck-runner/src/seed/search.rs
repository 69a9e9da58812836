//! Values that satisfy conditions, found by PostgreSQL: it is given candidates for each column and says which go together.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row};

use super::facts::{Column, Facts, Form, Table, rows};
use super::hints::{Hint, hints, values};
use super::values::{Values, beneath};

/// How many candidates a column has at most.
const MOST_CANDIDATES: usize = 40;

/// How many combinations PostgreSQL judges at once.
const MOST_COMBINATIONS: usize = 20_000;

/// How many combinations are taken.
const TAKEN: usize = 24;

/// What a column's value is where it is none.
pub(super) const NULL: &str = "NULL";

/// Columns that conditions hold together, with values that satisfy these.
#[derive(Debug, Default)]
pub(super) struct Solved {
    /// The columns, by their place in the table.
    pub(super) places: Vec<usize>,
    /// Values for them, those with fewer NULLs first.
    pub(super) solutions: Vec<Vec<String>>,
    /// Values for each of them that nobody judged.
    pub(super) candidates: Vec<Vec<String>>,
}

/// Finds out what values each domain allows.
pub(super) async fn solve_domains(
    conn: &mut PgConnection,
    facts: &Facts,
    used: &BTreeSet<i64>,
    values_of: &mut Values,
) -> Result<(), sqlx::Error> {
    for (oid, ty) in &facts.types {
        let Form::Domain { .. } = ty.form else {
            continue;
        };
        let checks = domain_checks(facts, *oid);
        let Some((inner, _)) = beneath(facts, *oid, -1).filter(|_| used.contains(oid)) else {
            continue;
        };
        if checks.is_empty() {
            continue;
        }
        let inner_oid = facts.types.iter().find(|(_, it)| it.name == inner.name);
        let Some((inner_oid, _)) = inner_oid else {
            continue;
        };
        let all_hints: Vec<Hint> = checks.iter().flat_map(|it| hints(it)).collect();
        let mut candidates = values_of.more(facts, *inner_oid, domain_modifier(facts, *oid));
        candidates.extend(values(facts, *inner_oid, -1, &all_hints));
        let condition = conjunction(checks.iter().copied());
        let mut allowed = Vec::new();
        // A condition may fail on a value of the wrong form, so the values are judged one by one if need be.
        let judged = judge_values(conn, &inner.name, &candidates, &condition).await;
        if let Some(places) = served(judged)? {
            allowed.extend(places.into_iter().filter_map(|it| candidates.get(it)));
        } else {
            for it in &candidates {
                let one = std::slice::from_ref(it);
                let judged = judge_values(conn, &inner.name, one, &condition).await;
                if served(judged)?.is_some_and(|it| !it.is_empty()) {
                    allowed.push(it);
                }
            }
        }
        let known = allowed.iter().map(|it| format!("({it})::{}", ty.name));
        values_of.domains.insert(*oid, known.collect());
    }
    Ok(())
}

/// The checks of a domain and of those beneath it.
fn domain_checks(facts: &Facts, mut oid: i64) -> Vec<&str> {
    let mut acc = Vec::new();
    while let Some(Form::Domain { base, checks, .. }) = facts.types.get(&oid).map(|it| &it.form) {
        acc.extend(checks.iter().map(String::as_str));
        oid = *base;
    }
    acc
}

fn domain_modifier(facts: &Facts, oid: i64) -> i32 {
    beneath(facts, oid, -1).map_or(-1, |(_, modifier)| modifier)
}

/// The places of those values that satisfy a domain's condition, where `VALUE` is the name of the value.
async fn judge_values(
    conn: &mut PgConnection,
    type_name: &str,
    candidates: &[String],
    condition: &str,
) -> Result<Vec<usize>, sqlx::Error> {
    let list: Vec<String> = candidates
        .iter()
        .enumerate()
        .map(|(place, it)| format!("({place}, ({it})::{type_name})"))
        .collect();
    let sql = format!(
        "SELECT place FROM (VALUES {}) AS candidates(place, value) WHERE {condition} ORDER BY place LIMIT {TAKEN}",
        list.join(", ")
    );
    let rows = rows(conn, &sql).await?;
    rows.iter()
        .map(|row| {
            let place: i32 = row.try_get(0)?;
            Ok(usize::try_from(place).unwrap_or_default())
        })
        .collect()
}

/// Finds values for those columns of a table that its checks speak about.
pub(super) async fn solve(
    conn: &mut PgConnection,
    facts: &Facts,
    table: &Table,
    values_of: &Values,
    referred: &BTreeMap<usize, Vec<String>>,
) -> Result<Vec<Solved>, sqlx::Error> {
    let mut acc = Vec::new();
    for (places, checks) in components(table) {
        let all_hints: Vec<Hint> = checks.iter().flat_map(|it| hints(it)).collect();
        let mut candidates: Vec<Vec<String>> = places
            .iter()
            .map(|place| {
                let column = &table.columns[*place];
                let mut list = match referred.get(place) {
                    Some(known) => known.clone(),
                    None => candidates(facts, column, values_of, &all_hints),
                };
                if column.nullable {
                    list.push(NULL.to_owned());
                }
                list
            })
            .collect();
        limit(&mut candidates);
        let judged = judge_rows(conn, table, &places, &candidates, &checks).await;
        let solutions = served(judged)?.unwrap_or_default();
        acc.push(Solved {
            places,
            solutions,
            candidates,
        });
    }
    Ok(acc)
}

fn candidates(facts: &Facts, column: &Column, values_of: &Values, hints: &[Hint]) -> Vec<String> {
    let (ty, modifier) = column.made_of;
    let mut acc = values_of.more(facts, ty, modifier);
    // What a domain's checks would refuse must not be among them: the cast would fail.
    if !values_of.domains.contains_key(&ty) {
        let hinted = values(facts, ty, modifier, hints);
        // Enough of what the first values are leaves room for what the condition mentions.
        let n_first = acc.len().min(4);
        acc.splice(n_first..n_first, hinted);
    }
    let mut seen = BTreeSet::new();
    acc.retain(|it| seen.insert(it.clone()));
    acc.truncate(MOST_CANDIDATES);
    acc
}

/// Makes the lists shorter until there are not too many combinations.
fn limit(lists: &mut [Vec<String>]) {
    while lists.iter().map(Vec::len).product::<usize>() > MOST_COMBINATIONS {
        let Some(longest) = lists.iter_mut().max_by_key(|it| it.len()) else {
            return;
        };
        // The last one may be NULL, which has to stay.
        let at = longest.len().saturating_sub(2);
        longest.remove(at);
    }
}

/// The combinations that satisfy the conditions.
async fn judge_rows(
    conn: &mut PgConnection,
    table: &Table,
    places: &[usize],
    candidates: &[Vec<String>],
    checks: &[&str],
) -> Result<Vec<Vec<String>>, sqlx::Error> {
    let mut sources = Vec::new();
    for (n, (place, list)) in places.iter().zip(candidates).enumerate() {
        let column = &table.columns[*place];
        let list: Vec<String> = list
            .iter()
            .enumerate()
            .map(|(at, it)| format!("({at}, CAST({it} AS {}))", column.type_text))
            .collect();
        sources.push(format!(
            "(VALUES {}) AS \"limbeck {n}\"(\"limbeck place {n}\", {})",
            list.join(", "),
            column.name
        ));
    }
    let names: Vec<&str> = places
        .iter()
        .map(|it| table.columns[*it].name.as_str())
        .collect();
    let indexes: Vec<String> = (0..places.len())
        .map(|n| format!("\"limbeck place {n}\""))
        .collect();
    let (from, indexes, nulls) = (
        sources.join(" CROSS JOIN "),
        indexes.join(", "),
        format!("pg_catalog.num_nulls({})", names.join(", ")),
    );
    let condition = conjunction(checks.iter().copied());
    let one = |order: &str, n: usize| {
        format!(
            "(SELECT ARRAY[{indexes}]::pg_catalog.int4[], {nulls} FROM {from} WHERE {condition} ORDER BY {order}, {indexes} LIMIT {n})"
        )
    };
    let sql = format!(
        "{} UNION ALL {}",
        one(&nulls, TAKEN),
        one(&format!("{nulls} DESC"), 2)
    );
    let found = rows(conn, &sql).await?;
    found
        .iter()
        .map(|row| {
            let at: Vec<i32> = row.try_get(0)?;
            let pick = |(list, at): (&Vec<String>, i32)| {
                list.get(usize::try_from(at).unwrap_or_default())
                    .cloned()
                    .unwrap_or_default()
            };
            Ok(candidates.iter().zip(at).map(pick).collect())
        })
        .collect()
}

fn conjunction<'a>(checks: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<String> = checks.map(|it| format!("({it}) IS NOT FALSE")).collect();
    parts.join(" AND ")
}

/// Groups columns that a check mentions together, each group with its checks.
fn components(table: &Table) -> Vec<(Vec<usize>, Vec<&str>)> {
    let mut groups: Vec<(BTreeSet<usize>, Vec<&str>)> = Vec::new();
    for check in &table.checks {
        let mut places: BTreeSet<usize> = match &check.columns {
            Some(numbers) => numbers.iter().filter_map(|it| table.place(*it)).collect(),
            None => mentioned(table, &check.expression),
        };
        if places.is_empty() {
            continue;
        }
        let mut checks = vec![check.expression.as_str()];
        let (joined, apart): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|(others, _)| !others.is_disjoint(&places));
        for (others, their_checks) in joined {
            places.extend(others);
            checks.extend(their_checks);
        }
        groups = apart;
        groups.push((places, checks));
    }
    groups
        .into_iter()
        .map(|(places, checks)| (places.into_iter().collect(), checks))
        .collect()
}

/// The columns whose names stand in a text.
fn mentioned(table: &Table, text: &str) -> BTreeSet<usize> {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
    let stands_in = |name: &str| {
        text.match_indices(name).any(|(at, _)| {
            !text[..at].ends_with(is_inside) && !text[at + name.len()..].starts_with(is_inside)
        })
    };
    (0..table.columns.len())
        .filter(|it| stands_in(&table.columns[*it].name))
        .collect()
}

/// What the server said: none if it refused, an error if it is gone.
pub(super) fn served<T>(result: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match result {
        Ok(it) => Ok(Some(it)),
        Err(error)
            if error.as_database_error().is_some() && crate::error::lost(&error).is_none() =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
