//! The server as judge: expressions go through PostgreSQL's own parser and come back in its own words.
//!
//! Many questions share one temporary table: it has the columns that they mention, and each expression is a check or a
//! default of it. A table is dear and an expression in it is cheap, so thousands of expressions take tens of statements.
//! All of it is rolled back.
//!
//! The expressions are other people's, so nothing of them may run. PostgreSQL parses a check or a default and stores it;
//! the expression of a generated column or of an index it plans as well, and planning calls every immutable function that
//! has constants for arguments. Such expressions are therefore asked as checks too.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::{Expr, Ident, Literal, Name, Role, SqlType, own_sql};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::CompareError;
use crate::canonical::door;
use crate::read::Session;
use crate::strangers::{Strangers, has_literal};

/// Expressions in one table; a table can have 1,600 columns.
const ITEMS_PER_TABLE: usize = 300;
/// Columns in one table, besides the expressions' own.
const COLUMNS_PER_TABLE: usize = 600;
/// How many of the last tables are tried before a new one is begun.
const OPEN_TABLES: usize = 8;

/// A declared expression and the catalog's texts that it may be equal to.
#[derive(Debug)]
pub(crate) struct Question {
    pub expr: Expr,
    table: Name,
    role: Role,
    against: Vec<Expr>,
    columns: Vec<(Ident, SqlType, Option<Name>)>,
    /// Whether a column that it mentions has a type that is not there yet.
    premature: bool,
}

impl Question {
    pub(crate) fn new(
        table: Name,
        role: Role,
        expr: Expr,
        against: Vec<Expr>,
        columns: Vec<(Ident, SqlType, Option<Name>)>,
        is_new: impl Fn(&SqlType) -> bool,
    ) -> Self {
        let own = match &role {
            Role::Default(ty) | Role::Generated(ty) => is_new(ty),
            Role::Condition | Role::Value => false,
        };
        let premature = own || columns.iter().any(|(_, ty, _)| is_new(ty));
        Self {
            expr,
            table,
            role,
            against,
            columns,
            premature,
        }
    }

    /// The types that it stands on.
    pub(crate) fn types(&self) -> impl Iterator<Item = &SqlType> {
        let own = match &self.role {
            Role::Default(ty) | Role::Generated(ty) => Some(ty),
            Role::Condition | Role::Value => None,
        };
        own.into_iter()
            .chain(self.columns.iter().map(|(_, ty, _)| ty))
    }

    /// The collations of the columns that it mentions.
    pub(crate) fn collations(&self) -> impl Iterator<Item = &Name> {
        self.columns.iter().filter_map(|(.., it)| it.as_ref())
    }
}

/// What the server says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Equal to this text of the catalog.
    Same(Expr),
    /// Equal to none of them.
    Different,
    /// No expression at all, as things stand.
    Rejected { code: String, message: String },
}

/// A text as the server prints it, or its refusal.
type Printed = Result<String, (String, String)>;

/// A transaction in which the server judges.
pub(crate) struct Judge<'a> {
    conn: &'a mut PgConnection,
    session: &'a Session,
    n_tables: usize,
}

/// One temporary table being filled.
#[derive(Default)]
struct Pool {
    columns: BTreeMap<Ident, (SqlType, Option<Name>)>,
    items: Vec<Item>,
    places: BTreeMap<((u8, Option<SqlType>), Expr), usize>,
    /// Set for a question that has to stand in a table of its own name.
    name: Option<Ident>,
}

#[derive(Clone)]
struct Item {
    role: Role,
    expr: Expr,
}

impl Pool {
    fn takes(&self, question: &Question) -> bool {
        let fits = |(name, ty, collation): &(Ident, SqlType, Option<Name>)| {
            self.columns
                .get(name)
                .is_none_or(|(known, with)| known == ty && with == collation)
        };
        self.items.len() < ITEMS_PER_TABLE
            && self.columns.len() + question.columns.len() < COLUMNS_PER_TABLE
            && question.columns.iter().all(fits)
    }

    fn add(&mut self, question: &Question, texts: &[&Expr]) -> Vec<usize> {
        for (name, ty, collation) in &question.columns {
            self.columns
                .insert(name.clone(), (ty.clone(), collation.clone()));
        }
        texts
            .iter()
            .map(|it| self.item(&question.role, it))
            .collect()
    }

    fn item(&mut self, role: &Role, expr: &Expr) -> usize {
        let next = self.items.len();
        let at = *self
            .places
            .entry((door(role), expr.clone()))
            .or_insert(next);
        if at == next {
            self.items.push(Item {
                role: role.clone(),
                expr: expr.clone(),
            });
        }
        at
    }

    /// The statement that puts these items before the parser.
    fn sql(&self, table: &Ident, items: &[usize]) -> String {
        let columns = self.columns.iter().map(|(name, (ty, collation))| {
            let collation = collation
                .as_ref()
                .map_or_else(String::new, |it| format!(" COLLATE {it}"));
            format!("{name} {ty}{collation}")
        });
        let items = items.iter().map(|at| {
            let Item { role, expr } = &self.items[*at];
            match role {
                Role::Condition => format!("CONSTRAINT limbeck_{at} CHECK ({expr}\n)"),
                // The value is wrapped so that it is a condition, and unwrapped when it is read back.
                Role::Value => format!("CONSTRAINT limbeck_{at} CHECK (({expr}\n) IS NOT NULL)"),
                Role::Default(ty) => format!("limbeck_{at} {ty} DEFAULT ({expr}\n)"),
                Role::Generated(ty) => format!(
                    "CONSTRAINT limbeck_{at} CHECK (CAST(({expr}\n) AS {}) IS NOT NULL)",
                    without_modifiers(ty)
                ),
            }
        });
        let body: Vec<String> = columns.chain(items).collect();
        format!(
            "CREATE TEMPORARY TABLE pg_temp.{table} ({}) ON COMMIT DROP",
            body.join(", ")
        )
    }
}

impl<'a> Judge<'a> {
    pub(crate) async fn begin(
        conn: &'a mut PgConnection,
        session: &'a Session,
    ) -> Result<Self, String> {
        // Event triggers are about the changes that people make.
        let begin = if session.is_superuser && session.version >= 170_000 {
            "BEGIN READ WRITE; SET LOCAL event_triggers = off"
        } else {
            "BEGIN READ WRITE"
        };
        conn.execute(sqlx::raw_sql(begin))
            .await
            .map_err(|it| message(&it).1)?;
        Ok(Self {
            conn,
            session,
            n_tables: 0,
        })
    }

    pub(crate) async fn end(self) {
        // Nothing was to stay; if the connection is gone, nothing did.
        let _ = self.conn.execute("ROLLBACK").await;
    }

    /// The server's spelling of types that nothing here explains.
    pub(crate) async fn types(
        &mut self,
        types: &BTreeSet<SqlType>,
    ) -> Result<BTreeMap<SqlType, Result<SqlType, String>>, CompareError> {
        let mut acc = BTreeMap::new();
        for ty in types {
            self.n_tables += 1;
            let table = format!("limbeck_type_{}", self.n_tables);
            let made = self
                .attempt(format!(
                    "CREATE TEMPORARY TABLE pg_temp.{table} (c {ty}) ON COMMIT DROP"
                ))
                .await?;
            let text = match made {
                Err((_, message)) => Err(message),
                Ok(()) => Ok(SqlType::from_catalog(self.printed_type(&table).await?)),
            };
            acc.insert(ty.clone(), text);
        }
        Ok(acc)
    }

    async fn printed_type(&mut self, table: &str) -> Result<String, CompareError> {
        let sql = format!(
            "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE \
             c.relnamespace = pg_my_temp_schema() AND c.relname = {} AND a.attnum = 1 AND {}",
            Literal(table),
            own_sql::PRINTS
        );
        let rows = self.read(&sql).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound);
        row.and_then(|it| it.try_get(0)).map_err(|it| broken(&it))
    }

    /// Reads what was made. Names are printed relative to the default schema, but what is judged has to be read under the
    /// connection's own settings.
    async fn read(&mut self, sql: &str) -> Result<Vec<PgRow>, CompareError> {
        let sql = own_sql::enclosed_read(sql, &self.session.narrow_path);
        let rows = self.conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        rows.map_err(|it| broken(&it))
    }

    /// Answers all questions, in their order. The catalog's own texts are read again only where the declared one does
    /// not come back as one of them.
    pub(crate) async fn answer(
        &mut self,
        questions: &[Question],
    ) -> Result<Vec<Answer>, CompareError> {
        let refusals = self.refusals(questions).await?;
        let is_open = |at: usize| !questions[at].premature && refusals[at].is_none();
        let ready: Vec<&Question> = (0..questions.len())
            .filter(|at| is_open(*at))
            .map(|at| &questions[at])
            .collect();
        let declared: Vec<Vec<&Expr>> = ready.iter().map(|it| vec![&it.expr]).collect();
        let mut first = self.print_all(&ready, &declared).await?.into_iter();
        let mut answers = Vec::with_capacity(questions.len());
        let mut open = Vec::new();
        for (at, question) in questions.iter().enumerate() {
            let printed = match &refusals[at] {
                Some(refusal) => Some(Err((String::new(), refusal.clone()))),
                None if question.premature => None,
                None => first.next().and_then(|it| it.into_iter().next()),
            };
            let answer = match printed {
                None => Answer::Different,
                Some(Err((code, message))) => Answer::Rejected { code, message },
                Some(Ok(text)) => match question
                    .against
                    .iter()
                    .find(|it| it.as_str() == Expr::new(&text).as_str())
                {
                    Some(same) => Answer::Same(same.clone()),
                    None => {
                        open.push((at, text));
                        Answer::Different
                    }
                },
            };
            answers.push(answer);
        }
        let again: Vec<&Question> = open.iter().map(|(at, _)| &questions[*at]).collect();
        let texts: Vec<Vec<&Expr>> = again.iter().map(|it| it.against.iter().collect()).collect();
        let second = self.print_all(&again, &texts).await?;
        for ((at, text), printed) in open.into_iter().zip(second) {
            // PostgreSQL's text is not always a fixed point of its own parser, so equality of either form is equality.
            let same = questions[at]
                .against
                .iter()
                .zip(printed)
                .find(|(_, it)| it.as_ref().is_ok_and(|it| *it == text));
            if let Some((same, _)) = same {
                answers[at] = Answer::Same(same.clone());
            }
        }
        Ok(answers)
    }

    /// Why the server must not be asked, for each question of which that is so.
    async fn refusals(
        &mut self,
        questions: &[Question],
    ) -> Result<Vec<Option<String>>, CompareError> {
        let texts =
            |it: &Question| -> Vec<Expr> { it.against.iter().chain([&it.expr]).cloned().collect() };
        let mut all = questions.iter().flat_map(texts);
        if !all.any(|it| has_literal(&it.normal())) {
            return Ok(vec![None; questions.len()]);
        }
        let rows = self.read(Strangers::SQL).await?;
        let strangers = Strangers::decode(&rows).map_err(|it| broken(&it))?;
        let refusal = |it: &Question| {
            let texts = texts(it);
            let culprit = texts
                .iter()
                .find_map(|text| strangers.would_run(text, it.types()))?;
            Some(format!(
                "reading it would run the {culprit} with the rights of this role; compare as that role, or have the object \
                 belong to a superuser"
            ))
        };
        Ok(questions.iter().map(refusal).collect())
    }

    /// Prints texts of each question, as many tables as they need.
    async fn print_all(
        &mut self,
        questions: &[&Question],
        texts: &[Vec<&Expr>],
    ) -> Result<Vec<Vec<Printed>>, CompareError> {
        let mut pools: Vec<Pool> = Vec::new();
        let mut places = Vec::with_capacity(questions.len());
        for (question, texts) in questions.iter().zip(texts) {
            let first = pools.len().saturating_sub(OPEN_TABLES);
            let pool = (first..pools.len())
                .find(|it| pools[*it].takes(question))
                .unwrap_or_else(|| {
                    pools.push(Pool::default());
                    pools.len() - 1
                });
            places.push((pool, pools[pool].add(question, texts)));
        }
        let mut printed = Vec::with_capacity(pools.len());
        for pool in &pools {
            printed.push(self.print(pool).await?);
        }
        let mut acc = Vec::with_capacity(questions.len());
        for ((question, texts), (pool, items)) in questions.iter().zip(texts).zip(places) {
            let own: Vec<Printed> = items.iter().map(|it| printed[pool][*it].clone()).collect();
            let refused = own.iter().any(Result::is_err);
            acc.push(if refused {
                self.alone(question, texts).await?
            } else {
                own
            });
        }
        Ok(acc)
    }

    /// A question by itself, in a table of its table's own name with all it mentions: `account.balance > 0` can be
    /// read only there.
    async fn alone(
        &mut self,
        question: &Question,
        texts: &[&Expr],
    ) -> Result<Vec<Printed>, CompareError> {
        let mut pool = Pool {
            name: Some(question.table.name.clone()),
            ..Pool::default()
        };
        let items = pool.add(question, texts);
        let printed = self.print(&pool).await?;
        Ok(items.into_iter().map(|it| printed[it].clone()).collect())
    }

    /// Puts a pool before the parser; what it refuses is found by halving.
    async fn print(&mut self, pool: &Pool) -> Result<Vec<Printed>, CompareError> {
        let mut acc: Vec<Printed> = vec![Err((String::new(), String::new())); pool.items.len()];
        let mut todo: Vec<Vec<usize>> = vec![(0..pool.items.len()).collect()];
        while let Some(items) = todo.pop() {
            if items.is_empty() {
                continue;
            }
            self.n_tables += 1;
            let table = pool
                .name
                .clone()
                .unwrap_or_else(|| Ident::from(format!("limbeck_judge_{}", self.n_tables)));
            if pool.name.is_some() {
                let gone = self
                    .attempt(format!("DROP TABLE IF EXISTS pg_temp.{table}"))
                    .await?;
                gone.map_err(|(_, message)| CompareError::Judge {
                    count: items.len(),
                    message,
                })?;
            }
            match self.attempt(pool.sql(&table, &items)).await? {
                Ok(()) => self.read_back(pool, &table, &mut acc).await?,
                Err(refusal) if items.len() == 1 => acc[items[0]] = Err(refusal),
                Err((code, message)) if code == "42501" => {
                    return Err(CompareError::Judge {
                        count: items.len(),
                        message,
                    });
                }
                Err(_) => {
                    let (left, right) = items.split_at(items.len() / 2);
                    todo.push(right.to_vec());
                    todo.push(left.to_vec());
                }
            }
        }
        Ok(acc)
    }

    async fn read_back(
        &mut self,
        pool: &Pool,
        table: &Ident,
        acc: &mut [Printed],
    ) -> Result<(), CompareError> {
        let sql = format!(
            "WITH t AS (SELECT oid FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relname = {}) SELECT o.conname, \
             pg_get_expr(o.conbin, o.conrelid) FROM pg_constraint o JOIN t ON t.oid = o.conrelid WHERE o.contype = 'c' AND \
             {prints} UNION ALL SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN t ON t.oid = \
             d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE {prints}",
            Literal(table.as_str()),
            prints = own_sql::PRINTS
        );
        let rows = self.read(&sql).await?;
        for row in rows {
            let name: String = row.try_get(0).map_err(|it| broken(&it))?;
            let text: Option<String> = row.try_get(1).map_err(|it| broken(&it))?;
            if let Some(at) = name
                .strip_prefix("limbeck_")
                .and_then(|it| it.parse::<usize>().ok())
                && let Some(place) = acc.get_mut(at)
            {
                let text = text.unwrap_or_default();
                let is_value = matches!(pool.items[at].role, Role::Value | Role::Generated(_));
                *place = Ok(unwrapped(&text)
                    .filter(|_| is_value)
                    .map_or_else(|| text.clone(), str::to_owned));
            }
        }
        Ok(())
    }

    /// Runs a statement so that its failure leaves the transaction alive.
    async fn attempt(&mut self, sql: String) -> Result<Result<(), (String, String)>, CompareError> {
        self.conn
            .execute("SAVEPOINT limbeck_try")
            .await
            .map_err(|it| broken(&it))?;
        match sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .execute(&mut *self.conn)
            .await
        {
            Ok(_) => {
                self.conn
                    .execute("RELEASE limbeck_try")
                    .await
                    .map_err(|it| broken(&it))?;
                Ok(Ok(()))
            }
            Err(it @ sqlx::Error::Database(_)) => {
                self.conn
                    .execute("ROLLBACK TO limbeck_try")
                    .await
                    .map_err(|it| broken(&it))?;
                Ok(Err(message(&it)))
            }
            Err(it) => Err(broken(&it)),
        }
    }
}

/// The type that the value of a generated column is brought to by an implicit cast. One to a type with modifiers is left
/// out, as an explicit cast would cut what an implicit one refuses; `bit` and `character` have a modifier even if none is
/// written, but for their names in the catalog.
fn without_modifiers(ty: &SqlType) -> String {
    let base = match ty.base().as_str() {
        "bit" => "pg_catalog.\"bit\"".to_owned(),
        "character" => "pg_catalog.bpchar".to_owned(),
        other => other.to_owned(),
    };
    let brackets = if ty.is_array() { "[]" } else { "" };
    format!("{base}{brackets}")
}

/// A value's text without the condition it was wrapped in.
fn unwrapped(text: &str) -> Option<&str> {
    text.strip_prefix('(')?.strip_suffix(" IS NOT NULL)")
}

/// SQLSTATE and message of a failure.
fn message(error: &sqlx::Error) -> (String, String) {
    match error {
        sqlx::Error::Database(it) => (
            it.code().unwrap_or_default().into_owned(),
            it.message().to_owned(),
        ),
        it => (String::new(), it.to_string()),
    }
}

fn broken(error: &sqlx::Error) -> CompareError {
    CompareError::Judge {
        count: 0,
        message: message(error).1,
    }
}
