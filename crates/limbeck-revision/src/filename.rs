//! Names of new revision files: Alembic's `file_template`, `truncate_slug_length` and `timezone`.

use std::path::{Component, Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::RevisionError;
use crate::header::Header;

/// Alembic's default template.
pub const DEFAULT_TEMPLATE: &str = "%(rev)s_%(slug)s";
/// Alembic's default for the longest slug, in characters.
pub const DEFAULT_SLUG_LENGTH: usize = 40;
/// The default time zone of names and of the `created:` field.
pub const DEFAULT_TIME_ZONE: &str = "utc";

const TOKENS: [&str; 9] = [
    "rev", "slug", "epoch", "year", "month", "day", "hour", "minute", "second",
];

/// How new revision files are named and dated.
#[derive(Clone, Debug)]
pub struct FileNaming {
    template: String,
    parts: Vec<Part>,
    slug_length: usize,
    zone: TimeZone,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Token { name: &'static str, format: Format },
}

/// A conversion of Python's `%` operator: `%(name)[-0][width][.precision]s|d`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Format {
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    number: bool,
}

impl Default for FileNaming {
    fn default() -> Self {
        let token = |name| Part::Token {
            name,
            format: Format::default(),
        };
        Self {
            template: DEFAULT_TEMPLATE.to_owned(),
            parts: vec![token("rev"), Part::Text("_".to_owned()), token("slug")],
            slug_length: DEFAULT_SLUG_LENGTH,
            zone: TimeZone::UTC,
        }
    }
}

impl FileNaming {
    /// Takes the three settings.
    ///
    /// - `template`: text with the tokens `%(rev)s`, `%(slug)s`, `%(epoch)s`, and `%(year)d`, `%(month).2d`,
    ///   `%(day).2d`, `%(hour).2d`, `%(minute).2d`, `%(second).2d`; `/` begins a subfolder. A template as an ini file
    ///   has it, with doubled percent signs, is understood too.
    /// - `slug_length`: the longest slug, in characters; a longer one is cut after its last whole word, and an
    ///   underscore says so.
    /// - `time_zone`: `utc`, `local` (or nothing, as in Alembic), or an IANA name.
    ///
    /// # Errors
    ///
    /// [`RevisionError::Template`] for a template that cannot be understood, is empty, or leads out of the revision
    /// folder; [`RevisionError::TimeZone`] for an unknown time zone.
    pub fn new(template: &str, slug_length: usize, time_zone: &str) -> Result<Self, RevisionError> {
        let fault = |problem| RevisionError::Template {
            template: template.to_owned(),
            problem,
        };
        // `%%(` would put a literal `%(` into a file name, which nobody wants; it comes from an ini file.
        let single = if template.contains("%%(") {
            template.replace("%%", "%")
        } else {
            template.to_owned()
        };
        let parts = parse_template(&single).map_err(fault)?;
        let inside = Path::new(&single)
            .components()
            .all(|it| matches!(it, Component::Normal(_)));
        if parts.is_empty() || !inside || single.ends_with('/') {
            return Err(fault(
                "has to be a file name, or a path below the revision folder".to_owned(),
            ));
        }
        let zone = find_zone(time_zone).ok_or_else(|| RevisionError::TimeZone {
            name: time_zone.to_owned(),
        })?;
        Ok(Self {
            template: template.to_owned(),
            parts,
            slug_length,
            zone,
        })
    }

    /// The template as it was given.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// What the `created:` field says of a revision written `at` this time: `2026-11-21 18:09:04 UTC`.
    #[must_use]
    pub fn created(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// The path of a revision's file, relative to its folder and with `.sql`, when it is written `at` this time.
    ///
    /// # Errors
    ///
    /// [`RevisionError::Template`] if the name or a folder in it comes out empty or begins with a dot, which the
    /// revision folder passes over.
    pub fn path(&self, header: &Header, at: Timestamp) -> Result<PathBuf, RevisionError> {
        let when = self.zoned(at);
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Token {
                    name: token,
                    format,
                } => name.push_str(&format.apply(&self.value(token, header, &when))),
            }
        }
        if name
            .split('/')
            .any(|it| it.is_empty() || it.starts_with('.'))
        {
            let problem = format!(
                "makes the file name {name:?}, which is empty or begins with a dot; add %(rev)s"
            );
            return Err(RevisionError::Template {
                template: self.template.clone(),
                problem,
            });
        }
        Ok(PathBuf::from(format!("{name}.sql")))
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    fn value(&self, token: &str, header: &Header, when: &Zoned) -> String {
        match token {
            "rev" => header.revision.to_string(),
            "slug" => slug(&header.message, self.slug_length),
            "epoch" => when.timestamp().as_second().to_string(),
            "year" => when.year().to_string(),
            "month" => when.month().to_string(),
            "day" => when.day().to_string(),
            "hour" => when.hour().to_string(),
            "minute" => when.minute().to_string(),
            _ => when.second().to_string(),
        }
    }
}

fn find_zone(name: &str) -> Option<TimeZone> {
    match name.trim().to_ascii_lowercase().as_str() {
        "utc" => Some(TimeZone::UTC),
        "" | "local" => Some(TimeZone::system()),
        other => TimeZone::get(other).ok(),
    }
}

/// The message as part of a file name: its words in lower case, joined by underscores; a word is what Python's `\w+`
/// matches. Over `length` characters it is cut after its last whole word and ends with an underscore, as in Alembic.
#[must_use]
pub fn slug(message: &str, length: usize) -> String {
    let words = message
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .filter(|it| !it.is_empty());
    let slug = words.collect::<Vec<_>>().join("_").to_lowercase();
    match slug.char_indices().nth(length) {
        None => slug,
        Some((end, _)) => {
            let cut = &slug[..end];
            format!("{}_", cut.rsplit_once('_').map_or(cut, |it| it.0))
        }
    }
}

fn parse_template(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(percent) = rest.find('%') {
        if percent > 0 {
            parts.push(Part::Text(rest[..percent].to_owned()));
        }
        rest = &rest[percent + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            parts.push(Part::Text("%".to_owned()));
            rest = after;
        } else {
            let (token, after) = parse_token(rest)?;
            parts.push(token);
            rest = after;
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// Reads `(name)format` and returns what follows it.
fn parse_token(text: &str) -> Result<(Part, &str), String> {
    let (name, rest) = text
        .strip_prefix('(')
        .and_then(|it| it.split_once(')'))
        .ok_or(
            "a percent sign has to begin a token such as %(rev)s; write %% for the sign itself",
        )?;
    let Some(name) = TOKENS.into_iter().find(|&it| it == name) else {
        return Err(format!(
            "unknown token %({name}); there are {}",
            TOKENS.join(", ")
        ));
    };
    let end = rest.find(|it: char| it.is_ascii_alphabetic());
    let conversion = end.map(|it| &rest[it..=it]);
    let number = match conversion {
        Some("s") => false,
        Some("d" | "i") if !matches!(name, "rev" | "slug") => true,
        _ => return Err(format!("%({name}) has to end with {}", ending(name))),
    };
    let end = end.unwrap_or_default();
    let format = Format {
        number,
        ..parse_flags(name, &rest[..end])?
    };
    Ok((Part::Token { name, format }, &rest[end + 1..]))
}

fn ending(name: &str) -> &'static str {
    if matches!(name, "rev" | "slug") {
        "s"
    } else {
        "d, .2d or s"
    }
}

/// Reads what stands between a token and its `s` or `d`: flags, width, precision.
fn parse_flags(name: &str, flags: &str) -> Result<Format, String> {
    let sizes = flags.trim_start_matches(['-', '0']);
    let set = &flags[..flags.len() - sizes.len()];
    let (width, precision) = match sizes.split_once('.') {
        Some((width, precision)) => (width, Some(precision)),
        None => (sizes, None),
    };
    // Two digits are plenty for a file name, and no number can be too large then.
    let size = |text: &str| match text {
        "" => Some(0),
        _ if text.len() > 2 => None,
        _ => text.parse().ok(),
    };
    let (Some(width), Some(precision)) = (
        size(width),
        precision.map(size).map_or(Some(None), |it| it.map(Some)),
    ) else {
        return Err(format!(
            "%({name}){flags} is no format; write one such as %({name}){}",
            &ending(name)[..1]
        ));
    };
    Ok(Format {
        left: set.contains('-'),
        zeros: set.contains('0'),
        width,
        precision,
        number: false,
    })
}

impl Format {
    fn apply(&self, value: &str) -> String {
        let Self {
            left,
            zeros,
            width,
            precision,
            number,
        } = *self;
        let value = match precision {
            Some(digits) if number => format!("{value:0>digits$}"),
            Some(length) => value.chars().take(length).collect(),
            None => value.to_owned(),
        };
        match (left, zeros && number) {
            (true, _) => format!("{value:<width$}"),
            (false, true) => format!("{value:0>width$}"),
            (false, false) => format!("{value:>width$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RevisionId;

    const MESSAGE: &str = "Add e-mail to account.";

    fn at() -> Timestamp {
        "2026-01-02T23:04:05Z".parse().unwrap()
    }

    fn header(message: &str) -> Header {
        Header::new(RevisionId::new("9e3145d88e64").unwrap(), message)
    }

    #[track_caller]
    fn check(template: &str, time_zone: &str, expect: &str) {
        let naming = FileNaming::new(template, DEFAULT_SLUG_LENGTH, time_zone).unwrap();
        assert_eq!(
            naming
                .path(&header(MESSAGE), at())
                .unwrap()
                .to_str()
                .unwrap(),
            expect,
            "of {template}"
        );
    }

    #[track_caller]
    fn check_error(template: &str, expect: &str) {
        let found = FileNaming::new(template, DEFAULT_SLUG_LENGTH, DEFAULT_TIME_ZONE)
            .unwrap_err()
            .to_string();
        assert_eq!(found, format!("file template {template:?}: {expect}"));
    }

    #[test]
    fn templates_are_filled_in() {
        check(
            DEFAULT_TEMPLATE,
            "utc",
            "9e3145d88e64_add_e_mail_to_account.sql",
        );
        let dated = "%(year)d_%(month).2d_%(day).2d_%(hour).2d%(minute).2d-%(rev)s_%(slug)s";
        check(
            dated,
            "utc",
            "2026_01_02_2304-9e3145d88e64_add_e_mail_to_account.sql",
        );
        check(
            &dated.replace('%', "%%"),
            "utc",
            "2026_01_02_2304-9e3145d88e64_add_e_mail_to_account.sql",
        );
        check(
            "%(year)s/%(month)02d/%(rev)s",
            "utc",
            "2026/01/9e3145d88e64.sql",
        );
        check("%(epoch)s_%(second)d", "utc", "1767395045_5.sql");
        check(
            "%(rev).4s%%_%(minute)3d_%(minute)-3d_",
            "utc",
            "9e31%_  4_4  _.sql",
        );
        check("V%(epoch)d", "utc", "V1767395045.sql");
    }

    #[test]
    fn dates_are_of_the_time_zone() {
        check("%(day)d-%(hour)d", "UTC", "2-23.sql");
        check("%(day)d-%(hour)d", "Europe/Vienna", "3-0.sql");
        check("%(day)d-%(hour)d", "america/new_york", "2-18.sql");
        let created = |zone| {
            FileNaming::new(DEFAULT_TEMPLATE, 40, zone)
                .unwrap()
                .created(at())
        };
        assert_eq!(created("utc"), "2026-01-02 23:04:05 UTC");
        assert_eq!(created("Europe/Vienna"), "2026-01-03 00:04:05 CET");
        assert!(FileNaming::new(DEFAULT_TEMPLATE, 40, "local").is_ok());
        assert!(FileNaming::new(DEFAULT_TEMPLATE, 40, "").is_ok());
        assert_eq!(
            FileNaming::new(DEFAULT_TEMPLATE, 40, "Middle/Earth")
                .unwrap_err()
                .to_string(),
            "unknown time zone \"Middle/Earth\"; use `utc`, `local`, or an IANA name such as Europe/Vienna",
        );
    }

    #[test]
    fn slugs_are_alembics() {
        let cases = [
            ("", 40, ""),
            ("Add Email!", 40, "add_email"),
            ("__init__ x", 40, "__init___x"),
            ("Größe ändern, 表", 40, "größe_ändern_表"),
            ("exactly ten", 11, "exactly_ten"),
            ("exactly ten", 10, "exactly_"),
            ("abcdefgh", 4, "abcd_"),
            ("größere tür", 8, "größere_"),
        ];
        for (message, length, expect) in cases {
            assert_eq!(slug(message, length), expect, "of {message:?}");
        }
    }

    #[test]
    fn bad_templates_are_errors() {
        check_error("%(rev)", "%(rev) has to end with s");
        check_error("%(rev)d", "%(rev) has to end with s");
        check_error("%(year)x", "%(year) has to end with d, .2d or s");
        check_error(
            "%(year)#2d",
            "%(year)#2 is no format; write one such as %(year)d",
        );
        check_error(
            "%(year)900d",
            "%(year)900 is no format; write one such as %(year)d",
        );
        check_error(
            "%(date)s",
            "unknown token %(date); there are rev, slug, epoch, year, month, day, hour, minute, second",
        );
        let percent =
            "a percent sign has to begin a token such as %(rev)s; write %% for the sign itself";
        for template in ["%", "100%_%(rev)s", "%(rev"] {
            check_error(template, percent);
        }
        let path = "has to be a file name, or a path below the revision folder";
        for template in ["", "/%(rev)s", "../%(rev)s", "%(rev)s/"] {
            check_error(template, path);
        }
        let naming = FileNaming::new("%(slug)s", 40, "utc").unwrap();
        let found = naming.path(&header("!"), at()).unwrap_err().to_string();
        assert!(
            found.contains("makes the file name \"\", which is empty"),
            "{found}"
        );
    }

    #[test]
    fn the_default_is_what_its_settings_say() {
        let explicit =
            FileNaming::new(DEFAULT_TEMPLATE, DEFAULT_SLUG_LENGTH, DEFAULT_TIME_ZONE).unwrap();
        let default = FileNaming::default();
        assert_eq!(
            (default.parts, default.slug_length),
            (explicit.parts, explicit.slug_length)
        );
        assert_eq!(
            (default.template, default.zone),
            (explicit.template, explicit.zone)
        );
    }
}
