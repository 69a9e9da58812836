//! The little of Python that an Alembic revision's header needs: logical lines and literals. Nothing is run.
//!
//! The rules are those of the language reference's "Lexical analysis": strings with their prefixes and triple quotes,
//! comments, lines that go on inside brackets or behind a backslash.

/// Something of a Python file that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line, counted from 1.
    pub(super) line: usize,
    pub(super) problem: String,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// A plain string, its escapes resolved.
    Text(String),
    /// A string whose value only Python knows: an f-string, or bytes.
    Computed,
    /// Any other character.
    Symbol(char),
}

/// One token, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
}

impl Token {
    pub(super) fn is_symbol(&self, symbol: char) -> bool {
        self.kind == Kind::Symbol(symbol)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(it) if it == word)
    }
}

/// A logical line: all tokens up to a line end outside of brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether it begins in the first column.
    pub(super) outermost: bool,
    /// At least one.
    pub(super) tokens: Vec<Token>,
}

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `None`.
    None,
    /// A string.
    Text(String),
    /// A tuple, a list or a set of strings.
    Texts(Vec<String>),
}

/// The logical lines of a file.
///
/// # Errors
/// A string or a bracket that is not closed.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, Fault> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut lines = Vec::new();
    while let Some(line) = reader.logical_line()? {
        lines.push(line);
    }
    Ok(lines)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let it = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(it == '\n');
        Some(it)
    }

    fn logical_line(&mut self) -> Result<Option<Line>, Fault> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut outermost = true;
        let mut open = Vec::new();
        let mut column = 0;
        while let Some(it) = self.peek(0) {
            if tokens.is_empty() {
                outermost = column == 0;
            }
            column += 1;
            let line = self.line;
            match it {
                '\n' => {
                    self.next();
                    column = 0;
                    if open.is_empty() && !tokens.is_empty() {
                        return Ok(Some(Line { outermost, tokens }));
                    }
                }
                '#' => {
                    while self.peek(0).is_some_and(|it| it != '\n') {
                        self.next();
                    }
                }
                '\\' if matches!(self.peek(1), Some('\n' | '\r')) => {
                    self.next();
                    while self.next().is_some_and(|it| it == '\r') {}
                }
                it if it.is_whitespace() => {
                    self.next();
                }
                '\'' | '"' => tokens.push(self.string("")?),
                it if it.is_alphanumeric() || it == '_' => tokens.push(self.word()?),
                it => {
                    self.next();
                    match it {
                        '(' | '[' | '{' => open.push(line),
                        ')' | ']' | '}' => {
                            open.pop();
                        }
                        _ => {}
                    }
                    tokens.push(Token {
                        kind: Kind::Symbol(it),
                        line,
                    });
                }
            }
        }
        match open.first() {
            Some(line) => Err(fault(*line, "the bracket that opens here is not closed")),
            None if tokens.is_empty() => Ok(None),
            None => Ok(Some(Line { outermost, tokens })),
        }
    }

    /// A word, or the string that it is the prefix of.
    fn word(&mut self) -> Result<Token, Fault> {
        let line = self.line;
        let mut word = String::new();
        while let Some(it) = self.peek(0).filter(|it| it.is_alphanumeric() || *it == '_') {
            word.push(it);
            self.next();
        }
        let prefix = word.to_ascii_lowercase();
        let is_prefix = prefix.len() <= 2 && prefix.chars().all(|it| "rbfut".contains(it));
        if is_prefix && matches!(self.peek(0), Some('\'' | '"')) {
            return self.string(&prefix);
        }
        Ok(Token {
            kind: Kind::Word(word),
            line,
        })
    }

    fn string(&mut self, prefix: &str) -> Result<Token, Fault> {
        let line = self.line;
        let Some(quote) = self.next() else {
            return Err(fault(line, "a string is expected here"));
        };
        let triple = self.peek(0) == Some(quote) && self.peek(1) == Some(quote);
        if triple {
            self.next();
            self.next();
        }
        let mut text = String::new();
        loop {
            let Some(it) = self.next() else {
                return Err(fault(line, "the string that starts here is not closed"));
            };
            match it {
                '\n' if !triple => {
                    return Err(fault(line, "the string that starts here is not closed"));
                }
                '\\' => self.escape(prefix.contains('r'), &mut text),
                it if it == quote && !triple => break,
                it if it == quote && self.peek(0) == Some(quote) && self.peek(1) == Some(quote) => {
                    self.next();
                    self.next();
                    break;
                }
                it => text.push(it),
            }
        }
        let computed = prefix.contains(['f', 'b', 't']);
        let kind = if computed {
            Kind::Computed
        } else {
            Kind::Text(text)
        };
        Ok(Token { kind, line })
    }

    /// What stands behind a backslash. Escapes by number or name are kept as they are: ids and labels have none, and in a
    /// message they can be read.
    fn escape(&mut self, raw: bool, text: &mut String) {
        let Some(it) = self.next() else { return };
        match it {
            _ if raw => text.extend(['\\', it]),
            '\n' => {}
            'n' => text.push('\n'),
            't' => text.push('\t'),
            '\\' | '\'' | '"' => text.push(it),
            _ => text.extend(['\\', it]),
        }
    }
}

fn fault(line: usize, problem: impl Into<String>) -> Fault {
    Fault {
        line,
        problem: problem.into(),
    }
}

/// The name and the value of an assignment (`a = …`, `a: type = …`) on a line of the outermost level.
pub(super) fn assignment(line: &Line) -> Option<(&str, &[Token])> {
    let (first, rest) = line.tokens.split_first()?;
    let Kind::Word(name) = &first.kind else {
        return None;
    };
    let annotated = rest.first()?.is_symbol(':');
    let mut depth = 0_usize;
    for (at, it) in rest.iter().enumerate() {
        match it.kind {
            Kind::Symbol('(' | '[' | '{') => depth += 1,
            Kind::Symbol(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Kind::Symbol('=') if depth == 0 => {
                let plain =
                    (at == 0 || annotated) && !rest.get(at + 1).is_some_and(|it| it.is_symbol('='));
                return (line.outermost && plain).then_some((name, &rest[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

/// The literal that an expression is: `None`, a string, or a tuple, list or set of strings. None for anything else.
pub(super) fn literal(tokens: &[Token]) -> Option<Value> {
    let (first, rest) = tokens.split_first()?;
    match &first.kind {
        Kind::Word(word) if word == "None" && rest.is_empty() => Some(Value::None),
        Kind::Symbol(open @ ('(' | '[' | '{')) => {
            let (last, inner) = rest.split_last()?;
            let close = match open {
                '(' => ')',
                '[' => ']',
                _ => '}',
            };
            if !last.is_symbol(close) {
                return None;
            }
            let commas = inner.iter().any(|it| it.is_symbol(','));
            if *open == '(' && !commas && !inner.is_empty() {
                return literal(inner);
            }
            texts(inner).map(Value::Texts)
        }
        _ if tokens.iter().any(|it| it.is_symbol(',')) => texts(tokens).map(Value::Texts),
        _ => joined(tokens).map(Value::Text),
    }
}

/// Strings with commas between them.
fn texts(tokens: &[Token]) -> Option<Vec<String>> {
    let mut items: Vec<&[Token]> = tokens.split(|it| it.is_symbol(',')).collect();
    // A comma may follow the last item.
    if items.last().is_some_and(|it| it.is_empty()) {
        items.pop();
    }
    items.into_iter().map(joined).collect()
}

/// Strings that stand side by side are one.
fn joined(tokens: &[Token]) -> Option<String> {
    if tokens.is_empty() {
        return None;
    }
    let text = |it: &Token| match &it.kind {
        Kind::Text(text) => Some(text.clone()),
        _ => None,
    };
    tokens.iter().map(text).collect()
}
