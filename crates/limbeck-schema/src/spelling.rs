//! The same objects under the names that they have with placeholders for the values of variables.
//!
//! A database holds `irma_file`, and a revision file shall say `${prefix}file`. So the declared state is made twice, with
//! values and with placeholders ([`crate::variables`]); the second tells how each name is written, and both states of a
//! comparison are then spelled so before they are planned.

use std::collections::BTreeMap;

use crate::expr::Expr;
use crate::facts::Held;
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::{KindTag, Named, Object};
use crate::schema::{Desired, Schema, Scope};
use crate::sql_type::SqlType;
use crate::truncation::Truncation;
use crate::variables::{
    Misuse, Piece, PieceKind, VariableError, Variables, is_placed, pieces, referring, restore,
};

/// How names with variables are written: what stands in the database, and what stands for it.
#[derive(Clone, Debug, Default)]
pub struct Spelling {
    objects: BTreeMap<(KindTag, Name), Name>,
    parts: BTreeMap<(KindTag, Name, Ident), (Name, Ident)>,
    columns: BTreeMap<(Name, Ident), (Name, Ident)>,
    expressions: BTreeMap<String, Expr>,
    /// Names of objects that are declared no more, by what earlier revisions wrote.
    words: BTreeMap<Ident, Ident>,
}

/// What makes the names in a database of those with placeholders.
struct Values<'a> {
    variables: &'a Variables,
    policy: Truncation,
    default_schema: &'a Ident,
}

impl Values<'_> {
    fn ident(&self, placed: &Ident) -> Result<Ident, VariableError> {
        let text = referring(placed.as_str());
        let name = self.variables.expand_name(&text)?.into_owned();
        Ok(self.policy.apply(name).into())
    }

    fn name(&self, placed: &Name) -> Result<Name, VariableError> {
        let schema = placed.schema.as_ref().map(|it| self.ident(it));
        let name = Name::qualified(schema.transpose()?, self.ident(&placed.name)?);
        Ok(name.in_default(self.default_schema))
    }
}

fn is_placed_name(name: &Name) -> bool {
    is_placed(name.name.as_str())
        || name
            .schema
            .as_ref()
            .is_some_and(|it| is_placed(it.as_str()))
}

impl Spelling {
    /// Reads off a state that was declared with placeholders how its names are written. `variables` have their values,
    /// `policy` shortens long names, and `default_schema` is the connection's.
    ///
    /// # Errors
    /// If a variable has no value.
    pub fn new(
        placed: &Schema,
        variables: &Variables,
        policy: Truncation,
        default_schema: &Ident,
    ) -> Result<Self, Misuse> {
        let values = Values {
            variables,
            policy,
            default_schema,
        };
        let mut it = Self::default();
        for object in placed.objects() {
            let mut object = object.clone();
            let mut done = Ok(());
            object.names(&mut |named| {
                if done.is_ok() {
                    done = it.learn(named, &values);
                }
            });
            done.map_err(|problem| Misuse { at: 0, problem })?;
            for slot in object.expressions() {
                let text = slot.expr.as_str();
                if is_placed(text) {
                    let real = variables.expand_sql(&restore(text, policy))?.into_owned();
                    it.expressions
                        .insert(Expr::new(real).as_str().to_owned(), slot.expr.clone());
                }
            }
        }
        Ok(it)
    }

    fn learn(&mut self, named: Named<'_>, values: &Values<'_>) -> Result<(), VariableError> {
        match named {
            Named::Object(kind, name) if is_placed_name(name) => {
                self.objects
                    .insert((kind, values.name(name)?), name.clone());
            }
            Named::Part(kind, of, name) if is_placed_name(of) || is_placed(name.as_str()) => {
                let key = (kind, values.name(of)?, values.ident(name)?);
                self.parts.insert(key, (of.clone(), name.clone()));
            }
            Named::Column(table, name) if is_placed_name(table) || is_placed(name.as_str()) => {
                let key = (values.name(table)?, values.ident(name)?);
                self.columns.insert(key, (table.clone(), name.clone()));
            }
            Named::Object(..) | Named::Part(..) | Named::Column(..) => {}
        }
        Ok(())
    }

    /// Notes how a name was written before, for objects that are declared no more: `written` is the name with references,
    /// `${prefix}file`.
    pub fn note(&mut self, written: &str, variables: &Variables) {
        let placed = variables.placeholders();
        if let (Ok(name), Ok(placed)) =
            (variables.expand_name(written), placed.expand_name(written))
        {
            self.words.insert(Ident::new(&name), Ident::new(&placed));
        }
    }

    /// Names with variables that `real`, the same state with values, does not have: PostgreSQL shortens names that it
    /// makes itself in a way that only the value decides. They are written with the value.
    #[must_use]
    pub fn left_out(&self, real: &Schema) -> Vec<String> {
        let Self {
            objects,
            parts,
            columns,
            expressions: _,
            words: _,
        } = self;
        let (mut objects, mut parts, mut columns) =
            (objects.clone(), parts.clone(), columns.clone());
        for object in real.objects() {
            object.clone().names(&mut |named| match named {
                Named::Object(kind, name) => drop(objects.remove(&(kind, name.clone()))),
                Named::Part(kind, of, name) => {
                    drop(parts.remove(&(kind, of.clone(), name.clone())));
                }
                Named::Column(table, name) => {
                    drop(columns.remove(&(table.clone(), name.clone())));
                }
            });
        }
        let objects = objects.into_values().map(|it| it.name);
        let parts = parts.into_values().chain(columns.into_values());
        let names = objects.chain(parts.map(|(_, it)| it));
        names.map(|it| referring(it.as_str())).collect()
    }

    /// Whether no name has a variable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            objects,
            parts,
            columns,
            expressions,
            words: _,
        } = self;
        objects.is_empty() && parts.is_empty() && columns.is_empty() && expressions.is_empty()
    }

    /// A state with names as they are written. What the scope leaves alone keeps its names, which its globs match.
    #[must_use]
    pub fn schema(&self, schema: &Schema, scope: &Scope) -> Schema {
        let spelled = schema.iter().map(|(key, object)| {
            let mut object = object.clone();
            if !scope.ignores(key) {
                self.object(&mut object, key);
            }
            object
        });
        spelled.collect()
    }

    /// As [`Self::schema`], with all that is known of a desired state.
    #[must_use]
    pub fn desired(&self, desired: &Desired) -> Desired {
        let Desired {
            schema,
            scope,
            unnamed,
            places: _,
            facts,
        } = desired;
        let spelled = |key: &Key| {
            let mut object = schema.get(key)?.clone();
            if !scope.ignores(key) {
                self.object(&mut object, key);
            }
            Some(object.key())
        };
        let namespace = |it: &Ident| {
            let name = Name::plain(it.clone());
            self.any(&name).map_or_else(|| it.clone(), |it| it.name)
        };
        let schemas = scope
            .schemas
            .as_ref()
            .map(|it| it.iter().map(|it| it.as_ref().map(namespace)).collect());
        Desired {
            schema: self.schema(schema, scope),
            scope: Scope {
                schemas,
                ..scope.clone()
            },
            unnamed: unnamed.iter().filter_map(spelled).collect(),
            facts: facts.spelled(
                |it| self.held(it),
                |it| it.user_defined().and_then(|name| self.ty(it, &name)),
                |it| {
                    let known = self.expressions.get(it.as_str()).cloned();
                    known.or_else(|| self.expression(it.as_str()))
                },
                spelled,
            ),
            ..Desired::default()
        }
    }

    /// How what others hold on to is written.
    fn held(&self, held: &Held) -> Option<Held> {
        let relation = |it: &Name| self.any(it).or_else(|| self.word_for(it));
        Some(match held {
            Held::Relation(it) => Held::Relation(relation(it)?),
            Held::Type(it) => Held::Type(relation(it)?),
            Held::Collation(it) => Held::Collation(relation(it)?),
            Held::Schema(it) => Held::Schema(relation(&Name::plain(it.clone()))?.name),
            Held::Column(table, it) => match self.columns.get(&(table.clone(), it.clone())) {
                Some((table, it)) => Held::Column(table.clone(), it.clone()),
                None => Held::Column(relation(table)?, it.clone()),
            },
            Held::Constraint(table, it) => {
                let mut parts = KindTag::ALL.iter();
                let known = parts
                    .find_map(|kind| self.parts.get(&(*kind, table.clone(), it.clone())).cloned());
                let (table, it) = match known {
                    Some(it) => it,
                    None => (relation(table)?, it.clone()),
                };
                Held::Constraint(table, it)
            }
        })
    }

    fn object(&self, object: &mut Object, key: &Key) {
        let parent = object.parent().map(|it| (it.kind, it.qualified()));
        object.names(&mut |named| match named {
            Named::Object(kind, name) => {
                let known = self.objects.get(&(kind, name.clone()));
                if let Some(it) = known.cloned().or_else(|| self.word_for(name)) {
                    *name = it;
                }
            }
            Named::Part(kind, of, name) => {
                let known = self.parts.get(&(kind, of.clone(), name.clone()));
                if let Some((spelled_of, spelled)) = known {
                    (*of, *name) = (spelled_of.clone(), spelled.clone());
                    return;
                }
                self.whole(of, parent.as_ref());
                if let Some(it) = self.words.get(name) {
                    *name = it.clone();
                }
            }
            Named::Column(table, name) => {
                let known = self.columns.get(&(table.clone(), name.clone()));
                match known {
                    Some((spelled_table, spelled)) => {
                        (*table, *name) = (spelled_table.clone(), spelled.clone());
                    }
                    None => self.whole(table, parent.as_ref()),
                }
            }
        });
        for ty in object.types() {
            if let Some(it) = ty.user_defined().and_then(|name| self.ty(ty, &name)) {
                *ty = it;
            }
        }
        for slot in object.expressions() {
            let text = slot.expr.as_str();
            let known = self.expressions.get(text).cloned();
            if let Some(it) = known.or_else(|| self.expression(text)) {
                *slot.expr = it;
            }
        }
        debug_assert_eq!(object.kind(), key.kind);
    }

    /// What something is part of.
    fn whole(&self, name: &mut Name, parent: Option<&(KindTag, Name)>) {
        let of_parent = parent.filter(|(_, it)| it == name);
        let known = match of_parent {
            Some(it) => self.objects.get(it).cloned(),
            None => self.any(name),
        };
        if let Some(it) = known.or_else(|| self.word_for(name)) {
            *name = it;
        }
    }

    /// How an object is written, whichever kind it is of.
    fn any(&self, name: &Name) -> Option<Name> {
        let mut kinds = KindTag::ALL.iter();
        kinds.find_map(|kind| self.objects.get(&(*kind, name.clone())).cloned())
    }

    fn word_for(&self, name: &Name) -> Option<Name> {
        self.words
            .get(&name.name)
            .map(|it| name.sibling(it.clone()))
    }

    fn type_name(&self, name: &Name) -> Option<Name> {
        let mut kinds = KindTag::TYPES.iter();
        let known = kinds.find_map(|kind| self.objects.get(&(*kind, name.clone())).cloned());
        known.or_else(|| self.word_for(name))
    }

    fn ty(&self, ty: &SqlType, name: &Name) -> Option<SqlType> {
        let spelled = self.type_name(name)?;
        let rest = ty.as_str().strip_prefix(&name.to_string())?;
        Some(SqlType::from_catalog(format!("{spelled}{rest}")))
    }

    /// An expression of the catalog's: what it says by `'…'::regclass`, and the types that it casts to.
    fn expression(&self, text: &str) -> Option<Expr> {
        let pieces: Vec<Piece<'_>> = pieces(text).collect();
        let is = |at: usize, text: &str| pieces.get(at).is_some_and(|it| it.text == text);
        let is_cast = |at: usize| is(at, "::");
        let mut out = String::new();
        let mut changed = false;
        let mut at = 0;
        while at < pieces.len() {
            let Piece { kind, text, .. } = pieces[at];
            let spelled = match kind {
                PieceKind::Text if is_cast(at + 1) && is(at + 2, "regclass") => {
                    let inner = text.trim_matches('\'').replace("''", "'");
                    let name = Name::parse(&inner);
                    let spelled = name.and_then(|it| self.any(&it).or_else(|| self.word_for(&it)));
                    spelled.map(|it| (format!("'{}'", it.to_string().replace('\'', "''")), 1))
                }
                PieceKind::Word | PieceKind::Quoted if at >= 1 && is_cast(at - 1) => {
                    let qualified = is(at + 1, ".").then(|| pieces.get(at + 2)).flatten();
                    let (whole, length) = match qualified {
                        Some(it) => (format!("{text}.{}", it.text), 3),
                        None => (text.to_owned(), 1),
                    };
                    let name = Name::parse(&whole);
                    let spelled = name.and_then(|it| self.type_name(&it));
                    spelled.map(|it| (it.to_string(), length))
                }
                _ => None,
            };
            let (text, length) = spelled.map_or((None, 1), |(text, length)| (Some(text), length));
            changed |= text.is_some();
            out.push_str(text.as_deref().unwrap_or(pieces[at].text));
            at += length;
        }
        changed.then(|| Expr::new(out))
    }
}
