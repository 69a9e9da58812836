//! Collations (`pg_collation`). PostgreSQL can change nothing of one but its name, so it is built anew beside its old
//! self, and columns are given the new one.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Literal, Name};
use crate::key::Key;
use crate::kinds::enum_type::aside;
use crate::kinds::namespace::schema_key;
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Replacement, Shown, Since, Slot, Stage,
    user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// Who knows the rules of a collation (`pg_collation.collprovider`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// The operating system.
    Libc,
    /// The ICU library.
    Icu,
    /// PostgreSQL itself (17).
    Builtin,
}

impl Provider {
    fn from_catalog(code: &str) -> Self {
        match code {
            "i" => Self::Icu,
            "b" => Self::Builtin,
            _ => Self::Libc,
        }
    }
}

impl Shown for Provider {
    fn shown(&self) -> String {
        match self {
            Self::Libc => "libc",
            Self::Icu => "icu",
            Self::Builtin => "builtin",
        }
        .into()
    }
}

/// A collation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collation {
    /// The name.
    pub name: Name,
    /// Who knows its rules.
    pub provider: Provider,
    /// The locale; with libc that of sorting, `LC_COLLATE`.
    pub locale: String,
    /// `LC_CTYPE`, for libc alone.
    pub ctype: Option<String>,
    /// Whether only equal bytes are equal.
    pub deterministic: bool,
    /// Further rules in ICU's own language (PostgreSQL 16).
    pub rules: Option<String>,
}

impl Collation {
    /// The list in parentheses: `provider = icu, locale = 'de-x-icu'`.
    fn definition(&self) -> String {
        let Self {
            name: _,
            provider,
            locale,
            ctype,
            deterministic,
            rules,
        } = self;
        let mut parts = vec![format!("provider = {}", provider.shown())];
        match ctype.as_ref().filter(|it| *it != locale) {
            None => parts.push(format!("locale = {}", Literal(locale))),
            Some(ctype) => {
                parts.push(format!("lc_collate = {}", Literal(locale)));
                parts.push(format!("lc_ctype = {}", Literal(ctype)));
            }
        }
        if !deterministic {
            parts.push("deterministic = false".into());
        }
        parts.extend(rules.as_ref().map(|it| format!("rules = {}", Literal(it))));
        parts.join(", ")
    }
}

impl Kind for Collation {
    const CREATE: Stage = Stage::CreateTypes;
    const DROP: Stage = Stage::DropTypes;
    const REPLACEMENT: Replacement = Replacement::Aside;

    fn catalog_sql(version: u32) -> String {
        // The locale of ICU had a column of its own from 15 on, which serves every other provider since 17.
        let locale = match version {
            170_000.. => "coalesce(c.colllocale, c.collcollate)",
            150_000.. => "coalesce(c.colliculocale, c.collcollate)",
            _ => "c.collcollate",
        };
        let rules = if version >= 160_000 {
            "c.collicurules"
        } else {
            "NULL"
        };
        format!(
            "SELECT n.nspname, c.collname, c.collprovider::text, {locale}, CASE WHEN c.collprovider = 'c' THEN c.collctype \
             END, c.collisdeterministic, {rules} FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE \
             c.collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding())) AND {}",
            user_objects("pg_collation", "c.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            name: fields.name()?,
            provider: Provider::from_catalog(fields.text()?),
            locale: fields.text_or_null()?.unwrap_or_default().to_owned(),
            ctype: fields.text_or_null()?.map(str::to_owned),
            deterministic: fields.boolean()?,
            rules: fields.text_or_null()?.map(str::to_owned),
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Collation, &self.name)
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
    }

    fn newer(&self) -> Vec<Since> {
        let (rules, builtin) = (
            Since {
                what: "rules",
                major: 16,
            },
            Since {
                what: "the provider builtin",
                major: 17,
            },
        );
        let builtin = (self.provider == Provider::Builtin).then_some(builtin);
        self.rules.iter().map(|_| rules).chain(builtin).collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL can change nothing of a collation but its name";
        let Self {
            name,
            provider,
            locale,
            ctype,
            deterministic,
            rules,
        } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it.fixed("provider", provider, &desired.provider, WHY);
        it.fixed("locale", locale, &desired.locale, WHY);
        it.fixed("character classes", ctype, &desired.ctype, WHY);
        it.fixed("deterministic", deterministic, &desired.deterministic, WHY);
        it.fixed("rules", rules, &desired.rules, WHY);
        it
    }

    fn summary(&self) -> String {
        format!("{} ({})", self.key(), self.definition())
    }

    fn address(key: &Key) -> String {
        format!("COLLATION {}", key.qualified())
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!("CREATE COLLATION {} ({})", self.name, self.definition()),
        );
    }

    fn alter(_current: &Self, _desired: &Self, _ctx: &Context<'_>, _acc: &mut Script) {}

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP COLLATION {}", self.name));
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Object(KindTag::Collation, &mut self.name));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Collation(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot {
            space: "collation",
            name: self.name.clone(),
            part: None,
        }]
    }

    fn move_aside(&self, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!(
                "ALTER COLLATION {} RENAME TO {}",
                self.name,
                aside(&self.name).name
            ),
        );
    }

    fn drop_aside(&self, ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP COLLATION {}", aside(&self.name)))
            .warn_unless(
                ctx.facts.knows_holders(),
                Hazard::MayFail,
                "fails if a function or view that is not in this revision still uses the collation",
            );
    }
}

/// The key of a named collation; PostgreSQL's own ones are no objects, and nothing stands under theirs.
pub(crate) fn collation_key(name: &Name) -> Key {
    Key::of(KindTag::Collation, name)
}
