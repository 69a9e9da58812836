//! Bringing declared types and expressions to the spelling of the catalog, wherever PostgreSQL takes both for one.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::kinds::{operands_of, type_owner};
use limbeck_schema::{Desired, Expr, Ident, Key, Name, Object, Role, Schema, SqlType};
use limbeck_sql::excerpt;
use sqlx::PgConnection;

use crate::judge::{Answer, Judge, Question};
use crate::read::Session;
use crate::{Catalog, CompareError, Unresolved};

/// How much of an expression a message shows.
const SHOWN_CHARS: usize = 200;

/// Where a question came from.
struct Asked {
    key: Key,
    slot: usize,
    /// The catalog's texts that it may be equal to.
    against: Vec<Expr>,
}

pub(crate) async fn canonicalise(
    conn: &mut PgConnection,
    catalog: &Catalog,
    desired: &mut Desired,
    session: &Session,
) -> Result<Vec<Unresolved>, CompareError> {
    let types = unknown_types(&catalog.schema, desired);
    let (asked, questions) = questions(&catalog.schema, desired);
    if types.is_empty() && questions.is_empty() {
        return Ok(Vec::new());
    }
    let count = types.len() + questions.len();
    let unjudged = |message: String, asked: &[Asked]| {
        let keys: BTreeSet<&Key> = asked.iter().map(|it| &it.key).collect();
        vec![Unresolved {
            keys: keys.into_iter().cloned().collect(),
            error: CompareError::Judge { count, message },
        }]
    };
    if session.in_recovery {
        return Ok(unjudged("the server is a read-only standby".into(), &asked));
    }
    let mut judge = match Judge::begin(conn, session).await {
        Ok(it) => it,
        Err(message) => return Ok(unjudged(message, &asked)),
    };
    let types = judge.types(&types).await;
    let mut unresolved = Vec::new();
    let renamed = adopt_types(desired, types?, &mut unresolved);
    // Questions carry types, so those that the server spells otherwise are put in first.
    let (asked, questions) = if renamed {
        self::questions(&catalog.schema, desired)
    } else {
        (asked, questions)
    };
    let answers = judge.answer(&questions).await;
    judge.end().await;
    let answers = match answers {
        Ok(it) => it,
        // What the role may not do, it may do for none of them.
        Err(CompareError::Judge { count, message }) if count > 0 => {
            unresolved.extend(unjudged(message, &asked));
            return Ok(unresolved);
        }
        Err(error) => return Err(error),
    };
    adopt_expressions(
        desired,
        &catalog.schema,
        asked,
        questions,
        answers,
        &mut unresolved,
    );
    Ok(unresolved)
}

/// Declared types that neither the catalog's columns nor the declared types explain.
fn unknown_types(current: &Schema, desired: &mut Desired) -> BTreeSet<SqlType> {
    let whole = desired
        .schema
        .iter()
        .filter(|(key, _)| key.part.is_none() && key.about.is_none());
    let slots = whole.flat_map(|(_, object)| object.slots());
    let declared: BTreeSet<Name> = slots
        .filter(|it| it.space == "type")
        .map(|it| it.name)
        .collect();
    let mut acc = BTreeSet::new();
    for (_, object) in desired.schema.iter_mut() {
        for ty in object.types() {
            let own = ty.user_defined();
            if own.is_some_and(|it| {
                type_owner(current, &it).is_none() && !declared.contains(&it.place())
            }) {
                acc.insert(ty.clone());
            }
        }
    }
    acc
}

fn is_type(key: &Key) -> bool {
    key.about.is_none() && limbeck_schema::KindTag::TYPES.contains(&key.kind)
}

/// Puts the server's spelling of types in; says whether any changed.
fn adopt_types(
    desired: &mut Desired,
    types: BTreeMap<SqlType, Result<SqlType, String>>,
    unresolved: &mut Vec<Unresolved>,
) -> bool {
    if types.is_empty() {
        return false;
    }
    let mut changed = false;
    let places = &desired.places;
    for (key, object) in desired.schema.iter_mut() {
        for ty in object.types() {
            match types.get(ty) {
                None => {}
                Some(Ok(text)) => {
                    changed |= text != ty;
                    *ty = text.clone();
                }
                Some(Err(message)) => {
                    let error = CompareError::UnknownType {
                        place: place(places, key),
                        key: Box::new(key.clone()),
                        ty: ty.to_string(),
                        message: message.clone(),
                    };
                    unresolved.push(Unresolved::one(key, error));
                }
            }
        }
    }
    changed
}

/// Where an object was declared, or where its table was.
pub(crate) fn place(places: &BTreeMap<Key, String>, key: &Key) -> Option<String> {
    let table = |it: &&Key| it.part.is_none() && it.qualified() == key.qualified();
    places
        .get(key)
        .or_else(|| places.keys().find(table).and_then(|it| places.get(it)))
        .cloned()
}

/// Adopts the catalog's text where the tokens agree, and makes a question of every expression that is left.
fn questions(current: &Schema, desired: &mut Desired) -> (Vec<Asked>, Vec<Question>) {
    let unmatched = desired.unmatched(current);
    let (mut asked, mut open) = (Vec::new(), Vec::new());
    for (key, object) in desired.schema.iter_mut() {
        if desired.scope.ignores(key) {
            continue;
        }
        let mut slots = object.expressions();
        if slots.is_empty() {
            continue;
        }
        let candidates: Vec<&Object> =
            match current.get(key).filter(|_| !desired.unnamed.contains(key)) {
                Some(it) => vec![it],
                None => {
                    let group = unmatched.get(&Desired::group(key)).into_iter().flatten();
                    group
                        .chain(current.contains(key).then_some(key))
                        .filter_map(|it| current.get(it))
                        .collect()
                }
            };
        let mut known: Vec<Vec<Expr>> = vec![Vec::new(); slots.len()];
        for candidate in candidates {
            let mut candidate = candidate.clone();
            let theirs = candidate.expressions();
            if theirs.len() == slots.len() {
                theirs
                    .into_iter()
                    .enumerate()
                    .for_each(|(at, it)| known[at].push(it.expr.clone()));
            }
        }
        for (at, (slot, texts)) in slots.iter_mut().zip(known).enumerate() {
            let is_same = |it: &&Expr| match &slot.role {
                Role::Default(ty) => slot.expr.is_literal_in(it, ty) || slot.expr.same_tokens(it),
                _ => slot.expr.same_tokens(it),
            };
            if let Some(same) = texts.iter().find(is_same) {
                *slot.expr = same.clone();
                continue;
            }
            asked.push(Asked {
                key: key.clone(),
                slot: at,
                against: texts,
            });
            open.push((slot.role.clone(), slot.expr.clone()));
        }
    }
    let tables = columns(&desired.schema, &asked);
    let questions = asked
        .iter()
        .zip(open)
        .map(|(it, (role, expr))| {
            let table = it.key.qualified();
            let own = tables.get(&table);
            let mut words = expr.words();
            it.against
                .iter()
                .for_each(|text| words.extend(text.words()));
            let columns = words
                .into_iter()
                .filter_map(|word| {
                    own.and_then(|it| it.get(&word))
                        .map(|(ty, collation)| (word, ty.clone(), collation.clone()))
                })
                .collect();
            let uses_new_type = |ty: &SqlType| is_new_type(ty, current, &desired.schema);
            Question::new(
                table,
                role,
                expr,
                it.against.clone(),
                columns,
                uses_new_type,
            )
        })
        .collect();
    (asked, questions)
}

/// Whether a type, or one that it is made of, is not there yet; one of another kind may have its name.
fn is_new_type(ty: &SqlType, current: &Schema, desired: &Schema) -> bool {
    let owner = ty.user_defined().and_then(|it| type_owner(desired, &it));
    let mut todo: Vec<Key> = owner.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(key) = todo.pop() {
        if !current.contains(&key) {
            return true;
        }
        if let Some(object) = desired.get(&key).filter(|_| seen.insert(key)) {
            todo.extend(object.depends_on(desired).into_iter().filter(is_type));
        }
    }
    false
}

type Columns = BTreeMap<Ident, (SqlType, Option<Name>)>;

/// The columns of the tables that questions are about.
fn columns(desired: &Schema, asked: &[Asked]) -> BTreeMap<Name, Columns> {
    let mut acc: BTreeMap<Name, Columns> = BTreeMap::new();
    for it in asked {
        let table = it.key.qualified();
        if acc.contains_key(&table) {
            continue;
        }
        let columns = operands_of(desired, &table)
            .into_iter()
            .map(|(name, ty, collation)| (name, (ty, collation)))
            .collect();
        acc.insert(table, columns);
    }
    acc
}

/// Puts the catalog's text in where the server finds both equal; an expression that it rejects is an error, unless it
/// needs what this very comparison adds.
fn adopt_expressions(
    desired: &mut Desired,
    current: &Schema,
    asked: Vec<Asked>,
    questions: Vec<Question>,
    answers: Vec<Answer>,
    unresolved: &mut Vec<Unresolved>,
) {
    // What stands on a type that is unknown has been told with it.
    let unknown: BTreeSet<String> = unresolved
        .iter()
        .filter_map(|it| match &it.error {
            CompareError::UnknownType { ty, .. } => Some(ty.clone()),
            _ => None,
        })
        .collect();
    let mut added: Option<Added> = None;
    for ((it, question), answer) in asked.into_iter().zip(questions).zip(answers) {
        match answer {
            Answer::Different => {}
            Answer::Same(text) => {
                if let Some(object) = desired.schema.get_mut(&it.key)
                    && let Some(slot) = object.expressions().into_iter().nth(it.slot)
                {
                    *slot.expr = text;
                }
            }
            Answer::Rejected { code, message } => {
                let added = added.get_or_insert_with(|| Added::new(current, &desired.schema));
                let stands_on_unknown = question.types().any(|it| unknown.contains(it.as_str()));
                if stands_on_unknown || added.excuses(&question, &code, &desired.schema) {
                    continue;
                }
                let error = CompareError::Expression {
                    place: place(&desired.places, &it.key),
                    key: Box::new(it.key.clone()),
                    expression: excerpt(question.expr.as_str(), SHOWN_CHARS),
                    remedy: remedy(&code),
                    message,
                };
                unresolved.push(Unresolved::one(&it.key, error));
            }
        }
    }
}

/// What to do about an expression that the server rejects, by its SQLSTATE.
fn remedy(code: &str) -> &'static str {
    match code {
        "42883" => {
            "; create the function first, in a revision written by hand, or mend the expression"
        }
        "42704" | "42P01" | "3F000" => "; create what it names first, or mend the expression",
        "42501" => "; grant the role what it needs",
        _ => "; mend the expression",
    }
}

/// What this comparison adds, as far as an expression may need it.
struct Added {
    names: BTreeSet<Ident>,
    /// Types that change, themselves or in what they are made of.
    types: BTreeSet<Key>,
}

impl Added {
    fn new(current: &Schema, desired: &Schema) -> Self {
        let mut it = Self {
            names: BTreeSet::new(),
            types: BTreeSet::new(),
        };
        for (key, object) in desired.iter().filter(|(key, _)| key.part.is_none()) {
            let known = current.get(key);
            if known.is_none() {
                it.names.insert(key.own_name().clone());
            }
            if is_type(key) && known != Some(object) {
                it.types.insert(key.clone());
            }
        }
        loop {
            let made_of = |(key, object): &(&Key, &Object)| {
                is_type(key)
                    && !it.types.contains(*key)
                    && !object.depends_on(desired).is_disjoint(&it.types)
            };
            let more: Vec<Key> = desired
                .iter()
                .filter(made_of)
                .map(|(key, _)| key.clone())
                .collect();
            if it.types.is_empty() || more.is_empty() {
                return it;
            }
            it.types.extend(more);
        }
    }

    /// `22P02` is a value that an enum does not have yet; what is made of a type that changes may fail in other ways.
    fn excuses(&self, question: &Question, code: &str, desired: &Schema) -> bool {
        let changes = |ty: &SqlType| {
            let owner = ty.user_defined().and_then(|it| type_owner(desired, &it));
            owner.is_some_and(|it| self.types.contains(&it))
        };
        let words = question.expr.words();
        (code == "22P02" && !self.types.is_empty())
            || words.iter().any(|it| self.names.contains(it))
            || self.types.iter().any(|it| words.contains(&it.name))
            || question.types().any(changes)
            || question
                .collations()
                .any(|it| self.names.contains(&it.name))
    }
}

/// The part of a role that decides which door an expression goes through, as a key for pooling.
pub(crate) fn door(role: &Role) -> (u8, Option<SqlType>) {
    match role {
        Role::Condition => (0, None),
        Role::Value => (1, None),
        Role::Default(ty) => (2, Some(ty.clone())),
        Role::Generated(ty) => (3, Some(ty.clone())),
    }
}
