//! How attributes are read: comma-separated options, each a word, `word = value` or `word(…)`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitBool, LitInt, LitStr, Result, Token};

/// PostgreSQL keeps this many bytes of a name.
const MAX_NAME: usize = 63;

/// Reads comma-separated items to the end of the input.
pub(crate) fn each(
    input: ParseStream<'_>,
    mut item: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    while !input.is_empty() {
        item(input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Reads comma-separated items in parentheses.
pub(crate) fn each_in_parentheses(
    input: ParseStream<'_>,
    item: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let content;
    syn::parenthesized!(content in input);
    each(&content, item)
}

/// Any word, keywords of Rust among them.
pub(crate) fn word(input: ParseStream<'_>) -> Result<Ident> {
    input.call(Ident::parse_any)
}

/// Words in parentheses.
pub(crate) fn words(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let mut acc = Vec::new();
    each_in_parentheses(input, |input| {
        acc.push(word(input)?);
        Ok(())
    })?;
    Ok(acc)
}

/// `= "text"`.
pub(crate) fn text(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= "name"`, of at most 63 bytes.
pub(crate) fn name(input: ParseStream<'_>) -> Result<LitStr> {
    let name = text(input)?;
    check_name(&name.value(), name.span())?;
    Ok(name)
}

/// Whether PostgreSQL keeps all of a name.
pub(crate) fn check_name(name: &str, span: Span) -> Result<()> {
    match name.len() {
        0 => Err(Error::new(span, "a name cannot be empty")),
        1..=MAX_NAME => Ok(()),
        bytes => {
            let message = format!(
                "the name has {bytes} bytes and PostgreSQL keeps {MAX_NAME}; give it a shorter one"
            );
            Err(Error::new(span, message))
        }
    }
}

/// `= word` or `= "word"`.
pub(crate) fn choice(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        return input.parse();
    }
    let word = word(input)?;
    Ok(LitStr::new(&word.unraw().to_string(), word.span()))
}

/// `= 5`, perhaps negative.
pub(crate) fn integer<T: std::str::FromStr>(input: ParseStream<'_>) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    input.parse::<Token![=]>()?;
    let minus = input.parse::<Option<Token![-]>>()?;
    let digits: LitInt = input.parse()?;
    let sign = if minus.is_some() { "-" } else { "" };
    let text = format!("{sign}{}", digits.base10_digits());
    text.parse()
        .map_err(|error| Error::new(digits.span(), error))
}

/// Nothing for true, or `= true`, `= false`.
pub(crate) fn flag(input: ParseStream<'_>) -> Result<bool> {
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Ok(true);
    }
    Ok(input.parse::<LitBool>()?.value)
}

/// Sets an option once.
pub(crate) fn once<T>(slot: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    match slot.replace(value) {
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
        None => Ok(()),
    }
}

/// The error for a word that is no option.
pub(crate) fn unknown(key: &Ident, what: &str, known: &[&str]) -> Error {
    let nearest = known
        .iter()
        .find(|it| is_near(&key.unraw().to_string(), it));
    let message = match nearest {
        Some(nearest) => format!("unknown {what} `{key}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{key}`; known are {}", known.join(", ")),
    };
    Error::new(key.span(), message)
}

/// Whether two words differ by one slip: a letter too many, too few, wrong, or two swapped.
fn is_near(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (l, r) = (&left[same..], &right[same..]);
    let tail = |a: usize, b: usize| l.get(a..).is_some_and(|l| r.get(b..) == Some(l));
    tail(1, 0)
        || tail(0, 1)
        || tail(1, 1)
        || (l.len() > 1 && r.len() > 1 && l[0] == r[1] && l[1] == r[0] && tail(2, 2))
}

/// Storage parameters, `(fillfactor = 70, fastupdate = "off", "toast.fillfactor" = 80)`.
pub(crate) fn parameters(input: ParseStream<'_>) -> Result<Vec<(String, String)>> {
    let mut acc = Vec::new();
    each_in_parentheses(input, |input| {
        // `"toast.autovacuum_enabled"` is no word.
        let key = if input.peek(LitStr) {
            input.parse::<LitStr>()?.value()
        } else {
            word(input)?.unraw().to_string()
        };
        input.parse::<Token![=]>()?;
        let value = if input.peek(LitStr) {
            input.parse::<LitStr>()?.value()
        } else if input.peek(LitBool) {
            input.parse::<LitBool>()?.value.to_string()
        } else if input.peek(LitInt) {
            input.parse::<LitInt>()?.base10_digits().to_owned()
        } else {
            input.parse::<syn::LitFloat>()?.base10_digits().to_owned()
        };
        acc.push((key, value));
        Ok(())
    })?;
    Ok(acc)
}
