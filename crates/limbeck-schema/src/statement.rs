//! Statements as data: the SQL with its lock, its place in transactions and its hazards.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::facts::{self, Holder};

/// The strongest lock that a statement takes on a table that others use
/// (PostgreSQL documentation, "Explicit Locking", table-level locks).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// No lock that anybody waits for.
    None,
    /// Only other schema changes wait.
    ShareUpdateExclusive,
    /// Writes wait.
    Share,
    /// Writes wait, on both tables of a foreign key.
    ShareRowExclusive,
    /// Reads and writes wait.
    AccessExclusive,
}

/// How a statement stands to transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tx {
    /// Runs inside a transaction.
    Inside,
    /// Runs inside one, and what it made can be used only after its commit (`ALTER TYPE … ADD VALUE`).
    CommitAfter,
    /// Cannot run inside a transaction block.
    Outside,
}

/// What a person should know before running a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// Rows or values are gone afterwards.
    DeletesData,
    /// Fails if the rows that are there do not fit.
    MayFail,
    /// Every row is written anew while nobody can read or write.
    RewritesTable,
    /// Every row is read while nobody can read or write, or while writes wait.
    BlocksWrites,
    /// Values are converted; some may lose precision or change their meaning.
    ChangesValues,
    /// What hangs on an object goes with it and does not come back: owner, grants, triggers and the like.
    LosesAttachments,
}

impl Hazard {
    /// The name in files and options, `deletes-data`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeletesData => "deletes-data",
            Self::MayFail => "may-fail",
            Self::RewritesTable => "rewrites-table",
            Self::BlocksWrites => "blocks-writes",
            Self::ChangesValues => "changes-values",
            Self::LosesAttachments => "loses-attachments",
        }
    }
}

impl Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A hazard with the sentence that says what it means here and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// The hazard.
    pub hazard: Hazard,
    /// What happens and the safer way, one line without a full stop.
    pub advice: String,
}

/// One SQL statement, without its semicolon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The text, laid out over lines where it is long.
    pub sql: String,
    /// The lock it takes.
    pub lock: Lock,
    /// How it stands to transactions.
    pub tx: Tx,
    /// What to know before running it.
    pub warnings: Vec<Warning>,
    /// What holds on to what it drops or changes, so that the server will refuse it: `view public.v`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
}

/// Statements in the order they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The statements.
    pub statements: Vec<Statement>,
}

impl Script {
    /// Adds a statement that takes `lock`; gives it back for warnings to be added.
    pub fn push(&mut self, lock: Lock, sql: impl Into<String>) -> &mut Statement {
        self.statements.push(Statement {
            sql: sql.into(),
            lock,
            tx: Tx::Inside,
            warnings: Vec::new(),
            held_by: Vec::new(),
        });
        let last = self.statements.len() - 1;
        &mut self.statements[last]
    }
}

impl Statement {
    /// Adds a hazard and its advice.
    pub fn warn(&mut self, hazard: Hazard, advice: impl Into<String>) -> &mut Self {
        self.warnings.push(Warning {
            hazard,
            advice: advice.into(),
        });
        self
    }

    /// Adds a hazard that is one only as long as it is not known better.
    pub fn warn_unless(&mut self, known: bool, hazard: Hazard, advice: &str) -> &mut Self {
        if known {
            self
        } else {
            self.warn(hazard, advice)
        }
    }

    /// Names what the server will refuse the statement for, if there is anything: `what` is what they hold on to.
    pub fn held(&mut self, what: impl Display, holders: &[Holder]) -> &mut Self {
        if holders.is_empty() {
            return self;
        }
        for it in holders {
            if !self.held_by.contains(&it.name) {
                self.held_by.push(it.name.clone());
            }
        }
        let names = facts::names(holders);
        let (verb, them) = if holders.len() == 1 {
            ("uses", "it")
        } else {
            ("use", "them")
        };
        self.warn(
            Hazard::MayFail,
            format!(
                "the server will refuse this: {names} {verb} {what}, and Limbeck does not manage {them}; drop {them} before, and \
                 create {them} again after, in this revision"
            ),
        )
    }

    /// Says how the statement stands to transactions.
    pub fn tx(&mut self, tx: Tx) -> &mut Self {
        self.tx = tx;
        self
    }
}
