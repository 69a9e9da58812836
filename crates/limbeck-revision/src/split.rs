//! Where one SQL statement ends and the next begins, by PostgreSQL's lexical rules.
//!
//! The rules are those of the documentation's "Lexical Structure" page, with `standard_conforming_strings` on. Nothing
//! is known of the grammar but what a semicolon needs: parentheses (`CREATE RULE … DO (a; b)`) and the bodies of
//! `BEGIN ATOMIC … END`. What only psql understands (a meta-command, the data of `COPY … FROM stdin`) is an error,
//! since a server would read it as something else.

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL from its first word to its last, without the semicolon and without comments around it.
    pub sql: String,
    /// The line where its SQL starts, counted from 1.
    pub line: usize,
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

/// Splits `sql` into its statements. Empty statements and comments between statements are left out; the last statement
/// may lack its semicolon. A byte order mark at the start is passed over.
///
/// # Errors
///
/// [`SplitError`] with the line where an unclosed string, identifier, comment, parenthesis or `BEGIN ATOMIC` body
/// opens, or where a psql meta-command or a `COPY … FROM stdin` stands.
pub fn split(sql: &str) -> Result<Vec<Statement>, SplitError> {
    let mut splitter = Splitter::new(sql);
    for token in Lexer::new(sql) {
        splitter.take(token?)?;
    }
    splitter.finish()
}

/// Collects tokens until a semicolon ends the statement.
struct Splitter<'a> {
    sql: &'a str,
    statements: Vec<Statement>,
    /// The first token of the statement under way.
    first: Option<Token<'a>>,
    /// The last token of the statement under way.
    last: Option<Token<'a>>,
    /// The lines of the parentheses that are open.
    parentheses: Vec<usize>,
    /// How many END are due in a `BEGIN ATOMIC` body, its own included.
    ends_due: usize,
    /// The line of that `BEGIN ATOMIC`.
    body_line: usize,
}

impl<'a> Splitter<'a> {
    fn new(sql: &'a str) -> Self {
        Self {
            sql,
            statements: Vec::new(),
            first: None,
            last: None,
            parentheses: Vec::new(),
            ends_due: 0,
            body_line: 0,
        }
    }

    fn take(&mut self, token: Token<'a>) -> Result<(), SplitError> {
        match token.kind {
            Kind::LineComment | Kind::BlockComment => return Ok(()),
            Kind::Word => self.word(token)?,
            Kind::Quoted => {}
            Kind::Symbol => match token.text {
                ";" if self.parentheses.is_empty() && self.ends_due == 0 => {
                    self.end_statement();
                    return Ok(());
                }
                "(" => self.parentheses.push(token.line),
                ")" => {
                    self.parentheses.pop();
                }
                "\\" => {
                    let rest = &self.sql[token.start..];
                    let command = rest.split_whitespace().next().unwrap_or(rest).to_owned();
                    return Err(SplitError {
                        line: token.line,
                        problem: SplitProblem::MetaCommand { command },
                    });
                }
                _ => {}
            },
        }
        self.first.get_or_insert(token);
        self.last = Some(token);
        Ok(())
    }

    fn word(&mut self, token: Token<'a>) -> Result<(), SplitError> {
        let follows = |text: &str| {
            self.last
                .is_some_and(|it| it.text.eq_ignore_ascii_case(text))
        };
        let is = |text: &str| token.text.eq_ignore_ascii_case(text);
        if self.ends_due > 0 {
            // After AS and after a dot any keyword is a plain name.
            if !follows("AS") && !follows(".") {
                if is("CASE") {
                    self.ends_due += 1;
                } else if is("END") {
                    self.ends_due -= 1;
                }
            }
        } else if is("ATOMIC") && follows("BEGIN") && self.parentheses.is_empty() {
            self.ends_due = 1;
            self.body_line = token.line;
        } else if is("STDIN") && follows("FROM") && self.parentheses.is_empty() {
            let copy = self.first.filter(|it| it.text.eq_ignore_ascii_case("COPY"));
            if let Some(copy) = copy {
                return Err(SplitError {
                    line: copy.line,
                    problem: SplitProblem::CopyFromStdin,
                });
            }
        }
        Ok(())
    }

    fn end_statement(&mut self) {
        if let (Some(first), Some(last)) = (self.first.take(), self.last.take()) {
            let sql = self.sql[first.start..last.start + last.text.len()].to_owned();
            self.statements.push(Statement {
                sql,
                line: first.line,
            });
        }
    }

    fn finish(mut self) -> Result<Vec<Statement>, SplitError> {
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

/// What a token is, as far as splitting needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `-- …`, without its line end.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// A string or a quoted identifier.
    Quoted,
    /// A keyword, a name, or a number.
    Word,
    /// Any other single character.
    Symbol,
}

/// One token of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Its first byte in the whole text.
    pub(crate) start: usize,
    /// The line of its first byte, counted from 1.
    pub(crate) line: usize,
}

/// Cuts a text into tokens; white space is between them. After an error it ends.
pub(crate) struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(sql: &'a str) -> Self {
        let at = if sql.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        Self { sql, at, line: 1 }
    }

    fn byte(&self, at: usize) -> u8 {
        // A NUL cannot be part of SQL text, so it can stand for the end.
        self.sql.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// The first place from `at` on where `test` does not hold.
    fn after_all(&self, mut at: usize, test: impl Fn(u8) -> bool) -> usize {
        while at < self.sql.len() && test(self.byte(at)) {
            at += 1;
        }
        at
    }

    fn move_to(&mut self, end: usize) {
        let passed = &self.sql.as_bytes()[self.at..end];
        self.line += passed.iter().filter(|&&it| it == b'\n').count();
        self.at = end;
    }

    /// The kind and the end of the token that starts at `self.at`.
    fn token_here(&self) -> Result<(Kind, usize), SplitProblem> {
        let start = self.at;
        let next = self.byte(start + 1);
        Ok(match self.byte(start) {
            b'-' if next == b'-' => (
                Kind::LineComment,
                self.after_all(start, |it| it != b'\n' && it != b'\r'),
            ),
            b'/' if next == b'*' => (Kind::BlockComment, self.block_comment(start)?),
            b'\'' => (
                Kind::Quoted,
                self.quoted(start, b'\'').ok_or(SplitProblem::String)?,
            ),
            b'"' => (
                Kind::Quoted,
                self.quoted(start, b'"').ok_or(SplitProblem::Identifier)?,
            ),
            b'e' | b'E' if next == b'\'' => (
                Kind::Quoted,
                self.escape_string(start + 1).ok_or(SplitProblem::String)?,
            ),
            b'$' => self.dollar(start)?,
            it if is_word(it) => (
                Kind::Word,
                self.after_all(start, |it| is_word(it) || it == b'$'),
            ),
            _ => (Kind::Symbol, start + 1),
        })
    }

    fn block_comment(&self, start: usize) -> Result<usize, SplitProblem> {
        let (mut at, mut depth) = (start, 0_usize);
        while at < self.sql.len() {
            match (self.byte(at), self.byte(at + 1)) {
                (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
                (b'*', b'/') => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return Ok(at);
            }
        }
        Err(SplitProblem::Comment)
    }

    /// The end of the quoted text that starts at `start`. A doubled quote reads as the end of one text and the start
    /// of another, so it is looked past here for the sake of identifiers such as `"a""b"`.
    fn quoted(&self, start: usize, quote: u8) -> Option<usize> {
        let mut at = start + 1;
        loop {
            at = self.after_all(at, |it| it != quote) + 1;
            if at > self.sql.len() {
                return None;
            }
            if self.byte(at) != quote {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The end of the `E'…'` string whose quote is at `start`. A string goes on after a line break ("'foo'⏎'bar'"),
    /// and then its second part knows backslashes as well.
    fn escape_string(&self, start: usize) -> Option<usize> {
        let mut at = start + 1;
        while at < self.sql.len() {
            match self.byte(at) {
                b'\\' => at += 2,
                b'\'' if self.byte(at + 1) == b'\'' => at += 2,
                b'\'' => match self.continuation(at + 1) {
                    Some(next) => at = next,
                    None => return Some(at + 1),
                },
                _ => at += 1,
            }
        }
        None
    }

    /// Where a string that closed before `at` goes on: after white space with a line break, and a quote.
    fn continuation(&self, at: usize) -> Option<usize> {
        let mut next = at;
        loop {
            next = self.after_all(next, is_space);
            if self.byte(next) != b'-' || self.byte(next + 1) != b'-' {
                break;
            }
            next = self.after_all(next, |it| it != b'\n' && it != b'\r');
        }
        let broken = self.sql.as_bytes()[at..next.min(self.sql.len())]
            .iter()
            .any(|&it| it == b'\n' || it == b'\r');
        (broken && self.byte(next) == b'\'').then_some(next + 1)
    }

    /// What a dollar sign begins: `$tag$…$tag$`, or a parameter such as `$1`.
    fn dollar(&self, start: usize) -> Result<(Kind, usize), SplitProblem> {
        let tag_end = self.after_all(start + 1, is_word);
        if self.byte(start + 1).is_ascii_digit() || self.byte(tag_end) != b'$' {
            return Ok((Kind::Symbol, start + 1));
        }
        let tag = &self.sql[start..=tag_end];
        match self.sql[tag_end + 1..].find(tag) {
            Some(length) => Ok((Kind::Quoted, tag_end + 1 + length + tag.len())),
            None => Err(SplitProblem::DollarQuote {
                tag: tag.to_owned(),
            }),
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.move_to(self.after_all(self.at, is_space));
        if self.at >= self.sql.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        match self.token_here() {
            Ok((kind, end)) => {
                self.move_to(end);
                Some(Ok(Token {
                    kind,
                    text: &self.sql[start..end],
                    start,
                    line,
                }))
            }
            Err(problem) => {
                self.at = self.sql.len();
                Some(Err(SplitError { line, problem }))
            }
        }
    }
}

/// What PostgreSQL's scanner takes for white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

/// What can be part of a name, a keyword, a number or a dollar tag; every byte outside ASCII can.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests;
