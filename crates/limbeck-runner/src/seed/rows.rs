//! The rows of one table, and how they go in.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::Literal;
use sqlx::Row;

use super::facts::{Reference, Table, rows};
use super::search::{NULL, Solved, served, solve};
use super::{Known, Seeder, run};
use crate::error::{ServerError, one_line};

/// How many rows with unjudged values are tried before a table is given up.
const TRIES: usize = 24;

/// What a row is there to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A value in every column.
    Full,
    /// The same values again, but where they have to differ.
    Alike,
    /// NULL wherever it is allowed.
    Nulls,
}

const SHAPES: [Shape; 3] = [Shape::Full, Shape::Alike, Shape::Nulls];

/// How a row is made.
#[derive(Clone, Copy)]
struct Recipe<'a> {
    shape: Shape,
    /// Which row it is, from 0.
    n: usize,
    solved: &'a [Solved],
    /// Whether a reference to its own table points to nothing rather than to itself.
    self_open: bool,
    /// Which of the unjudged values to take.
    unjudged: Option<usize>,
}

impl Seeder<'_> {
    /// Fills a table whose references are filled or can be left open.
    pub(super) async fn fill(&mut self, oid: i64) -> Result<(), sqlx::Error> {
        let reason = self.try_fill(oid).await?;
        let filled = self.known.get(&oid).is_some_and(|it| !it.is_empty());
        if filled || self.take_rows(oid).await? {
            self.seeded.n_tables += 1;
        } else {
            let name = self.facts.tables[&oid].shown.clone();
            self.seeded.empty.push((name, reason));
        }
        Ok(())
    }

    /// Tries rows; gives what the server said last.
    async fn try_fill(&mut self, oid: i64) -> Result<String, sqlx::Error> {
        let solved = if self.facts.tables[&oid].checks.is_empty() {
            Vec::new()
        } else {
            self.solve(oid).await?
        };
        let solved = solved.as_slice();
        let recipe = |(n, shape): (usize, &Shape)| Recipe {
            shape: *shape,
            n,
            solved,
            self_open: false,
            unjudged: None,
        };
        let recipes = || SHAPES.iter().enumerate().map(recipe);
        let mut reason = match self.insert(oid, recipes()).await? {
            Ok(()) => return Ok(String::new()),
            Err(reason) => reason,
        };
        for recipe in recipes() {
            for self_open in [false, true] {
                let recipe = Recipe {
                    self_open,
                    ..recipe
                };
                match self.insert(oid, std::iter::once(recipe)).await? {
                    Ok(()) => break,
                    Err(it) => reason = it,
                }
            }
        }
        let unsolved = solved.iter().any(|it| it.solutions.is_empty());
        if !unsolved || self.known.contains_key(&oid) {
            return Ok(reason);
        }
        for at in 0..TRIES {
            let recipe = Recipe {
                unjudged: Some(at),
                self_open: true,
                ..recipe((0, &Shape::Full))
            };
            match self.insert(oid, std::iter::once(recipe)).await? {
                Ok(()) => break,
                Err(it) => reason = it,
            }
        }
        Ok(reason)
    }

    /// Inserts rows with one statement, all or none; the reason if they do not go in.
    async fn insert(
        &mut self,
        oid: i64,
        recipes: impl Iterator<Item = Recipe<'_>>,
    ) -> Result<Result<(), String>, sqlx::Error> {
        let table = &self.facts.tables[&oid];
        let made: Result<Vec<Vec<String>>, String> =
            recipes.map(|it| self.row(oid, table, it)).collect();
        let made = match made {
            Ok(made) => made,
            Err(reason) => return Ok(Err(reason)),
        };
        let sql = insertion(table, &made);
        match run(self.conn, &sql).await {
            Ok(()) => {
                let known = made.into_iter().map(|values| known(table, values));
                self.known.entry(oid).or_default().extend(known);
                Ok(Ok(()))
            }
            Err(error) => {
                let reason = ServerError::of(&error).map(|it| one_line(&it.message));
                served(Err::<(), _>(error))?;
                Ok(Err(reason.unwrap_or_default()))
            }
        }
    }

    /// The values of a row, in the order of the columns.
    fn row(&self, oid: i64, table: &Table, recipe: Recipe<'_>) -> Result<Vec<String>, String> {
        let Recipe { shape, n, .. } = recipe;
        let mut values: Vec<Option<String>> = vec![None; table.columns.len()];
        self.refer(oid, table, recipe, &mut values)?;
        for it in recipe.solved {
            take_solution(table, it, recipe, &mut values);
        }
        for (column, value) in table.columns.iter().zip(&mut values) {
            if value.is_some() {
                continue;
            }
            if shape == Shape::Nulls && column.nullable {
                *value = Some(NULL.to_owned());
                continue;
            }
            let n = match shape {
                _ if column.distinct => n,
                Shape::Nulls => 2,
                Shape::Full | Shape::Alike => 0,
            };
            let made = self.values.of(&self.facts, column, n);
            *value = made.or_else(|| column.nullable.then(|| NULL.to_owned()));
            if value.is_none() {
                return Err(format!(
                    "no value of type {} is known for {}",
                    column.type_text, column.name
                ));
            }
        }
        let mut values: Vec<String> = values.into_iter().flatten().collect();
        for reference in table.references.iter().filter(|it| it.table == oid) {
            refer_to_itself(table, reference, recipe, &mut values);
        }
        Ok(values)
    }

    /// Gives the columns of references to other tables their values.
    fn refer(
        &self,
        oid: i64,
        table: &Table,
        recipe: Recipe<'_>,
        values: &mut [Option<String>],
    ) -> Result<(), String> {
        // What the table's checks say about a column of a reference was judged with the values that it can have.
        let is_solved = |it: &Reference| {
            let [column] = it.columns[..] else {
                return false;
            };
            let place = table.place(column);
            let mut found = recipe.solved.iter().filter(|it| !it.solutions.is_empty());
            place.is_some_and(|place| found.any(|it| it.places.contains(&place)))
        };
        let others = table
            .references
            .iter()
            .filter(|it| it.table != oid && !is_solved(it));
        let mut references: Vec<&Reference> = others.collect();
        // One of several columns decides more than those that share some of these.
        references.sort_by_key(|it| std::cmp::Reverse(it.columns.len()));
        for reference in references {
            let can_be_open = table.can_be_open(reference);
            let places: Vec<usize> = reference
                .columns
                .iter()
                .filter_map(|it| table.place(*it))
                .collect();
            let parents = self
                .known
                .get(&reference.table)
                .map_or(&[][..], Vec::as_slice);
            let fitting: Vec<Vec<&String>> = parents
                .iter()
                .filter_map(|row| reference.targets.iter().map(|it| row.get(it)).collect())
                .filter(|row: &Vec<&String>| {
                    row.iter().all(|it| *it != NULL)
                        && places
                            .iter()
                            .zip(row)
                            .all(|(place, it)| values[*place].as_ref().is_none_or(|set| set == *it))
                })
                .collect();
            let wants_null = recipe.shape == Shape::Nulls && can_be_open;
            match fitting.get(recipe.n % fitting.len().max(1)) {
                Some(row) if !wants_null && places.len() == row.len() => {
                    for (place, it) in places.iter().zip(row) {
                        values[*place] = Some((*it).clone());
                    }
                }
                _ if can_be_open => {
                    for place in places.iter().filter(|it| table.columns[**it].nullable) {
                        values[*place] = Some(NULL.to_owned());
                    }
                }
                _ => {
                    let parent = self.facts.tables.get(&reference.table);
                    let parent = parent.map_or("another table", |it| it.shown.as_str());
                    return Err(format!("no row of {parent} fits its reference"));
                }
            }
        }
        Ok(())
    }

    /// Finds values that satisfy the table's checks.
    async fn solve(&mut self, oid: i64) -> Result<Vec<Solved>, sqlx::Error> {
        let table = &self.facts.tables[&oid];
        let mut referred: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for reference in table.references.iter().filter(|it| it.table != oid) {
            let parents = self
                .known
                .get(&reference.table)
                .map_or(&[][..], Vec::as_slice);
            for (column, target) in reference.columns.iter().zip(&reference.targets) {
                let Some(place) = table.place(*column) else {
                    continue;
                };
                let known: BTreeSet<&String> =
                    parents.iter().filter_map(|it| it.get(target)).collect();
                referred.insert(place, known.into_iter().take(6).cloned().collect());
            }
        }
        solve(self.conn, &self.facts, table, &self.values, &referred).await
    }

    /// Takes note of rows that are there although none could be added.
    async fn take_rows(&mut self, oid: i64) -> Result<bool, sqlx::Error> {
        let table = &self.facts.tables[&oid];
        let names: Vec<String> = table
            .columns
            .iter()
            .map(|it| format!("{}::pg_catalog.text", it.name))
            .collect();
        let sql = format!(
            "SELECT ARRAY[{}]::pg_catalog.text[] FROM ONLY {} LIMIT 5",
            names.join(", "),
            table.name
        );
        let found = served(rows(self.conn, &sql).await)?.unwrap_or_default();
        let mut acc = Vec::new();
        for row in &found {
            let values: Vec<Option<String>> = row.try_get(0)?;
            let quoted =
                |it: Option<String>| it.map_or(NULL.to_owned(), |it| Literal(&it).to_string());
            acc.push(known(table, values.into_iter().map(quoted).collect()));
        }
        let any = !acc.is_empty();
        self.known.entry(oid).or_default().extend(acc);
        Ok(any)
    }

    /// Fills tables that refer to each other in a circle where none can wait: two times one row of each with a single
    /// statement. Gives the tables that are done with.
    pub(super) async fn fill_circle(
        &mut self,
        waiting: &BTreeSet<i64>,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let mut path: Vec<i64> = waiting.iter().take(1).copied().collect();
        // A reference that cannot be left open leads from each waiting table to the next, so the path meets itself.
        while let Some(last) = path.last() {
            let table = &self.facts.tables[last];
            let next = self
                .awaited(*last, waiting)
                .find(|it| !table.can_be_open(it));
            let Some(next) = next.map(|it| it.table) else {
                break;
            };
            if let Some(at) = path.iter().position(|it| *it == next) {
                path.drain(..at);
                break;
            }
            path.push(next);
        }
        let mut reason = String::new();
        for n in 0..2 {
            match self.circle(&path, n) {
                Ok((sql, rows)) => match run(self.conn, &sql).await {
                    Ok(()) => {
                        for (oid, values) in path.iter().zip(rows) {
                            let row = known(&self.facts.tables[oid], values);
                            self.known.entry(*oid).or_default().push(row);
                        }
                    }
                    Err(error) => {
                        reason = ServerError::of(&error)
                            .map(|it| one_line(&it.message))
                            .unwrap_or_default();
                        served(Err::<(), _>(error))?;
                    }
                },
                Err(it) => reason = it,
            }
        }
        for oid in &path {
            if self.known.get(oid).is_some_and(|it| !it.is_empty()) {
                self.seeded.n_tables += 1;
            } else {
                let name = self.facts.tables[oid].shown.clone();
                self.seeded.empty.push((name, reason.clone()));
            }
        }
        Ok(path)
    }

    /// The statement that inserts one row into each table of a circle, with the rows.
    fn circle(&self, path: &[i64], n: usize) -> Result<(String, Vec<Vec<String>>), String> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for oid in path {
            let table = &self.facts.tables[oid];
            let value = |it| {
                self.values
                    .of(&self.facts, it, n)
                    .ok_or_else(|| format!("no value is known for {}", it.name))
            };
            rows.push(table.columns.iter().map(value).collect::<Result<_, _>>()?);
        }
        // What a reference points to may itself be part of a reference, so this goes round as often as there are tables.
        for _ in path {
            for (at, oid) in path.iter().enumerate() {
                let table = &self.facts.tables[oid];
                for reference in &table.references {
                    let inside = path.iter().position(|it| *it == reference.table);
                    for (column, target) in reference.columns.iter().zip(&reference.targets) {
                        let Some(place) = table.place(*column) else {
                            continue;
                        };
                        let value = match inside {
                            Some(parent) => self.facts.tables[&path[parent]]
                                .place(*target)
                                .map(|it| rows[parent][it].clone()),
                            None => self
                                .known
                                .get(&reference.table)
                                .and_then(|it| it.get(n).or(it.first())?.get(target).cloned()),
                        };
                        rows[at][place] = value.unwrap_or_else(|| NULL.to_owned());
                    }
                }
            }
        }
        let parts: Vec<String> = path
            .iter()
            .zip(&rows)
            .enumerate()
            .map(|(at, (oid, row))| {
                let sql = insertion(&self.facts.tables[oid], std::slice::from_ref(row));
                format!("limbeck_{at} AS ({sql} RETURNING 1)")
            })
            .collect();
        Ok((format!("WITH {} SELECT 1", parts.join(", ")), rows))
    }
}

/// Takes values for columns of a table that its checks hold together.
fn take_solution(
    table: &Table,
    solved: &Solved,
    recipe: Recipe<'_>,
    values: &mut [Option<String>],
) {
    let Solved {
        places,
        solutions,
        candidates,
    } = solved;
    if let Some(at) = recipe.unjudged {
        for (place, list) in places.iter().zip(candidates) {
            if let (None, Some(it)) = (&values[*place], list.get(at % list.len().max(1))) {
                values[*place] = Some(it.clone());
            }
        }
        return;
    }
    let agrees = |it: &&Vec<String>| {
        places
            .iter()
            .zip(it.iter())
            .all(|(place, it)| values[*place].as_ref().is_none_or(|set| set == it))
    };
    let fitting: Vec<&Vec<String>> = solutions.iter().filter(agrees).collect();
    let distinct = |it: &usize| table.columns[places[*it]].distinct;
    let keys: Vec<usize> = (0..places.len()).filter(distinct).collect();
    let chosen = if keys.is_empty() {
        match recipe.shape {
            Shape::Full | Shape::Alike => fitting.first(),
            // Those with the most NULLs come last.
            Shape::Nulls => fitting.last(),
        }
    } else {
        let mut apart: Vec<&Vec<String>> = Vec::new();
        for it in &fitting {
            if apart
                .iter()
                .all(|other| keys.iter().all(|key| other[*key] != it[*key]))
            {
                apart.push(it);
            }
        }
        let at = recipe.n % apart.len().max(1);
        fitting
            .iter()
            .find(|it| apart.get(at).is_some_and(|other| other == *it))
    };
    if let Some(chosen) = chosen {
        for (place, it) in places.iter().zip(chosen.iter()) {
            values[*place] = Some(it.clone());
        }
    }
}

/// Lets a row refer to itself, or to nothing.
fn refer_to_itself(
    table: &Table,
    reference: &Reference,
    recipe: Recipe<'_>,
    values: &mut [String],
) {
    let open = table.can_be_open(reference) && (recipe.self_open || recipe.shape == Shape::Nulls);
    for (column, target) in reference.columns.iter().zip(&reference.targets) {
        let (Some(place), Some(target)) = (table.place(*column), table.place(*target)) else {
            continue;
        };
        if !open {
            values[place] = values[target].clone();
        } else if table.columns[place].nullable {
            values[place] = NULL.to_owned();
        }
    }
}

/// The statement that inserts rows. Keys that are generated get values as well, so that rows can refer to them.
fn insertion(table: &Table, rows: &[Vec<String>]) -> String {
    if table.columns.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", table.name);
    }
    let names: Vec<&str> = table.columns.iter().map(|it| it.name.as_str()).collect();
    let rows: Vec<String> = rows
        .iter()
        .map(|it| format!("({})", it.join(", ")))
        .collect();
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}",
        table.name,
        names.join(", "),
        rows.join(", ")
    )
}

fn known(table: &Table, values: Vec<String>) -> Known {
    table
        .columns
        .iter()
        .map(|it| it.number)
        .zip(values)
        .collect()
}
