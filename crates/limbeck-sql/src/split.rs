//! Where one SQL statement ends and the next begins.
//!
//! Nothing is known of the grammar but what a semicolon needs: parentheses (`CREATE RULE … DO (a; b)`) and the bodies of
//! `BEGIN ATOMIC … END`. What only psql understands (a meta-command, the data of `COPY … FROM stdin`) is an error, since
//! a server would read it as something else.

use crate::head::Head;
use crate::lexer::{Rules, tokens, tokens_with};
use crate::token::{Token, TokenKind};
use crate::visible::is_line_end;

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL from its first word to its last, without the semicolon and without comments around it.
    pub sql: String,
    /// The line where its SQL starts, counted from 1.
    pub line: usize,
}

impl Statement {
    /// Reads the statement's head; none if it was not made by [`split`] and holds no SQL.
    #[must_use]
    pub fn head(&self) -> Option<Head<'_>> {
        Head::of(&self.sql)
    }
}

/// A text that cannot be split into statements.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SplitError {
    /// The line where the trouble starts (the opening quote, not the end of the file), counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: SplitProblem,
}

/// What can be wrong with a text that should be SQL statements.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitProblem {
    /// A `'…'` or `E'…'` without its end.
    #[error("the string that starts here is not closed; add the closing '")]
    String,
    /// A `"…"` without its end.
    #[error("the quoted identifier that starts here is not closed; add the closing \"")]
    Identifier,
    /// A `$tag$…$tag$` without its end.
    #[error("the string that starts here is not closed; add the closing {tag}")]
    DollarQuote {
        /// The opening delimiter, `$$` or `$tag$`.
        tag: String,
    },
    /// A `/* … */` without its end. Such comments nest in PostgreSQL.
    #[error("the comment that starts here is not closed; add the closing */ (comments nest)")]
    Comment,
    /// A parenthesis without its end.
    #[error("the parenthesis that opens here is not closed; add the closing )")]
    Parenthesis,
    /// A `BEGIN ATOMIC` without its `END`.
    #[error("the body that starts here with BEGIN ATOMIC is not closed; add its END")]
    Body,
    /// A backslash outside quotes: a command to psql, not SQL.
    #[error("{command} is a command to psql, not SQL; remove it")]
    MetaCommand {
        /// The command, with its backslash.
        command: String,
    },
    /// `COPY … FROM stdin`, whose data only psql knows how to send.
    #[error("COPY FROM stdin needs psql to send its data; write INSERT statements instead")]
    CopyFromStdin,
}

impl SplitProblem {
    /// What is wrong with a token that is not closed; none if it is closed.
    #[must_use]
    pub fn unclosed(token: &Token<'_>) -> Option<Self> {
        if token.closed {
            return None;
        }
        Some(match token.kind {
            TokenKind::BlockComment => Self::Comment,
            TokenKind::QuotedIdent | TokenKind::UnicodeIdent => Self::Identifier,
            TokenKind::DollarString => {
                let inner = token.text.strip_prefix('$').unwrap_or(token.text);
                let tag = inner.split('$').next().unwrap_or_default();
                Self::DollarQuote {
                    tag: format!("${tag}$"),
                }
            }
            _ => Self::String,
        })
    }
}

/// Splits `sql` into its statements. Empty statements and comments between statements are left out; the last statement
/// may lack its semicolon. A byte order mark at the start is passed over.
///
/// # Errors
///
/// [`SplitError`] with the line where an unclosed string, identifier, comment, parenthesis or `BEGIN ATOMIC` body
/// opens, or where a psql meta-command or a `COPY … FROM stdin` stands.
pub fn split(sql: &str) -> Result<Vec<Statement>, SplitError> {
    split_with(sql, Rules::default())
}

/// Splits `sql` as a server with other settings does.
///
/// # Errors
///
/// As [`split`].
pub fn split_with(sql: &str, rules: Rules) -> Result<Vec<Statement>, SplitError> {
    // psql passes over it; to the server it would be a letter.
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    let mut splitter = Splitter::new(sql);
    for token in tokens_with(sql, rules) {
        splitter.take(token)?;
    }
    splitter.finish()
}

/// Returns the line comments of `sql` that have their line to themselves and stand outside of parentheses and bodies: those
/// in which a file says something about its statements. It ends at the first thing that [`split`] refuses.
#[must_use]
pub fn own_lines(sql: &str) -> Vec<Token<'_>> {
    let mut splitter = Splitter::new(sql);
    let mut found = Vec::new();
    for token in tokens(sql) {
        if token.kind == TokenKind::LineComment && !splitter.is_nested() {
            let before = sql[..token.start].trim_end_matches([' ', '\t']);
            if before.is_empty() || before.ends_with(is_line_end) {
                found.push(token);
            }
        }
        if splitter.take(token).is_err() {
            break;
        }
    }
    found
}

/// Collects the tokens of a text, and ends a statement at each semicolon outside of parentheses and bodies.
#[derive(Debug)]
pub struct Splitter<'a> {
    sql: &'a str,
    statements: Vec<Statement>,
    /// The first token of the statement under way.
    first: Option<Token<'a>>,
    /// The last token of the statement under way.
    last: Option<Token<'a>>,
    /// How far the statement under way has come towards a body.
    creates: Creates,
    /// The lines of the parentheses that are open.
    parentheses: Vec<usize>,
    /// How many END are due in a `BEGIN ATOMIC` body, its own included.
    ends_due: usize,
    /// The line of that `BEGIN ATOMIC`.
    body_line: usize,
}

/// Whether a statement creates a function or procedure, which alone have bodies: `x.begin atomic` elsewhere is a column
/// and its alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Creates {
    /// No word was read.
    Start,
    /// `CREATE` was read, and `OR REPLACE` perhaps.
    Create,
    /// It creates a function or procedure.
    Routine,
    /// It does something else.
    Else,
}

impl<'a> Splitter<'a> {
    /// A splitter for the tokens of `sql`.
    #[must_use]
    pub fn new(sql: &'a str) -> Self {
        Self {
            sql,
            statements: Vec::new(),
            first: None,
            last: None,
            creates: Creates::Start,
            parentheses: Vec::new(),
            ends_due: 0,
            body_line: 0,
        }
    }

    /// Whether a parenthesis or a `BEGIN ATOMIC` body is open.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        !self.parentheses.is_empty() || self.ends_due > 0
    }

    /// The offset of the first token of the statement under way; none between statements.
    #[must_use]
    pub fn statement_start(&self) -> Option<usize> {
        self.first.map(|it| it.start)
    }

    /// Takes the next token of the text.
    ///
    /// # Errors
    ///
    /// [`SplitError`] for a token that is not closed, a psql meta-command, and a `COPY … FROM stdin`.
    pub fn take(&mut self, token: Token<'a>) -> Result<(), SplitError> {
        let at = |problem| SplitError {
            line: token.line,
            problem,
        };
        if let Some(problem) = SplitProblem::unclosed(&token) {
            return Err(at(problem));
        }
        match token.kind {
            it if it.is_trivia() => return Ok(()),
            TokenKind::Word => self.word(token)?,
            TokenKind::MetaCommand => {
                let command = token.text.split_whitespace().next();
                let command = command.unwrap_or(token.text).to_owned();
                return Err(at(SplitProblem::MetaCommand { command }));
            }
            TokenKind::Punctuation => match token.text {
                ";" if !self.is_nested() => {
                    self.end_statement();
                    return Ok(());
                }
                "(" => self.parentheses.push(token.line),
                ")" => {
                    self.parentheses.pop();
                }
                _ => {}
            },
            _ => {}
        }
        if token.kind != TokenKind::Word && self.creates != Creates::Routine {
            self.creates = Creates::Else;
        }
        self.first.get_or_insert(token);
        self.last = Some(token);
        Ok(())
    }

    fn word(&mut self, token: Token<'a>) -> Result<(), SplitError> {
        let follows = |word: &str| self.last.is_some_and(|it| it.is_word(word));
        let is = |word: &str| token.is_word(word);
        self.creates = match self.creates {
            Creates::Start if is("CREATE") => Creates::Create,
            Creates::Create if is("OR") || is("REPLACE") => Creates::Create,
            Creates::Create if is("FUNCTION") || is("PROCEDURE") => Creates::Routine,
            Creates::Routine => Creates::Routine,
            _ => Creates::Else,
        };
        if self.ends_due > 0 {
            // After AS and after a dot any keyword is a plain name.
            if !follows("AS") && !self.last.is_some_and(|it| it.is_mark(".")) {
                if is("CASE") {
                    self.ends_due += 1;
                } else if is("END") {
                    self.ends_due -= 1;
                }
            }
        } else if is("ATOMIC") && follows("BEGIN") && self.parentheses.is_empty() {
            if self.creates == Creates::Routine {
                self.ends_due = 1;
                self.body_line = token.line;
            }
        } else if is("STDIN") && follows("FROM") && self.parentheses.is_empty() {
            let copy = self.first.filter(|it| it.is_word("COPY"));
            if let Some(copy) = copy {
                return Err(SplitError {
                    line: copy.line,
                    problem: SplitProblem::CopyFromStdin,
                });
            }
        }
        Ok(())
    }

    /// Ends the statement under way, as a semicolon does.
    pub fn end_statement(&mut self) {
        if let (Some(first), Some(last)) = (self.first.take(), self.last.take()) {
            let sql = self.sql[first.start..last.end()].to_owned();
            self.statements.push(Statement {
                sql,
                line: first.line,
            });
        }
        self.creates = Creates::Start;
    }

    /// Returns the statements.
    ///
    /// # Errors
    ///
    /// [`SplitError`] for a parenthesis or a body that is open.
    pub fn finish(mut self) -> Result<Vec<Statement>, SplitError> {
        if let Some(&line) = self.parentheses.first() {
            return Err(SplitError {
                line,
                problem: SplitProblem::Parenthesis,
            });
        }
        if self.ends_due > 0 {
            return Err(SplitError {
                line: self.body_line,
                problem: SplitProblem::Body,
            });
        }
        self.end_statement();
        Ok(self.statements)
    }
}
