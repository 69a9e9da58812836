//! Hazards of columns that get another type, or are new: what PostgreSQL writes anew, what it builds anew beside, and
//! what becomes of the values.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{Expr, ExprSlot, Role};
use crate::facts::{Coercion, Expressions, Questions, Recast};
use crate::ident::{Ident, List, Name};
use crate::key::Key;
use crate::kinds::cast::{below, coercion, is_constrained};
use crate::kinds::collation::collation_key;
use crate::kinds::composite_type::conversion;
use crate::kinds::loss::loss;
use crate::kinds::usage::{operands_of, owner_of};
use crate::kinds::{Column, Context, Kind, KindTag, Object};
use crate::op::Op;
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script, Statement};

/// Functions that give each row a value of its own, where no server was asked (`pg_proc.provolatile`).
const VOLATILE: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "nextval",
    "random",
    "random_normal",
    "setval",
    "timeofday",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
];

/// Whether each row gets a value of its own when it is added, so that all are written anew: where its default is
/// volatile, where a domain has constraints, where it numbers or computes (`ATExecAddColumn`).
pub(crate) fn fills_rows(column: &Column, ctx: &Context<'_>) -> bool {
    if column.generated.is_some() {
        return !column.is_virtual;
    }
    let volatile = |it: &Expr| {
        ctx.facts.volatile(&column.ty, it).unwrap_or_else(|| {
            let words = it.words();
            VOLATILE
                .iter()
                .any(|name| words.contains(&Ident::new(name)))
        })
    };
    column.identity.is_some()
        || is_constrained(ctx.desired, &column.ty)
        || ctx.facts.constrained(&column.ty) == Some(true)
        || column.default.as_ref().is_some_and(volatile)
}

/// Writes what gives a column its type and collation.
pub(crate) fn write_type(current: &Column, desired: &Column, ctx: &Context<'_>, acc: &mut Script) {
    let Column { table, name, .. } = current;
    let mut sql = format!("{} TYPE {}", current.alter_prefix(), desired.ty);
    if let Some(collation) = &desired.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(expr) = conversion(&name.to_string(), &current.ty, &desired.ty, ctx) {
        sql.push_str(&format!(" USING {expr}"));
    }
    let statement = acc.push(Lock::AccessExclusive, sql);
    let is_swapped = ctx.swapped && {
        let asides = |schema, ty| owner_of(schema, ty).is_some_and(|it| ctx.asides.contains(&it));
        asides(ctx.current, &current.ty) || asides(ctx.desired, &desired.ty)
    };
    let how = coercion(&current.typed(), &desired.typed(), ctx);
    if is_swapped || how.rewrites {
        statement.warn(
            Hazard::RewritesTable,
            "every row is written anew while nobody can use the table",
        );
    } else {
        let rebuilt = rebuilt_with(current, how.reindexes || ctx.swapped, ctx);
        if !rebuilt.is_empty() {
            statement.warn(
                Hazard::BlocksWrites,
                format!(
                    "the rows stay, but while nobody can use {table} these are built or checked anew: {}",
                    List(&rebuilt)
                ),
            );
        }
    }
    if is_swapped {
        statement.warn(
            Hazard::MayFail,
            "fails if a row holds a value that the new type does not have",
        );
    } else {
        warn_of_loss(current, desired, how, ctx, statement);
    }
    statement.held(format_args!("{table}.{name}"), &current.holders(ctx.facts));
}

/// What becomes of the values. Where no row is written anew none is looked at, so nothing can fail.
fn warn_of_loss(
    current: &Column,
    desired: &Column,
    how: Coercion,
    ctx: &Context<'_>,
    statement: &mut Statement,
) {
    let (was, is) = (&current.ty, &desired.ty);
    let loss = loss(&below(ctx.current, was), &below(ctx.desired, is));
    if let Some(why) = loss.fails.filter(|_| how.rewrites) {
        statement.warn(Hazard::MayFail, format!("{was} to {is}: fails if {why}"));
    }
    let constrained = is_constrained(ctx.desired, is) || ctx.facts.constrained(is) == Some(true);
    if was != is && constrained {
        statement.warn(
            Hazard::MayFail,
            format!("fails if a value is none of the domain {is}"),
        );
    }
    if let Some(what) = loss.changes {
        statement.warn(Hazard::ChangesValues, format!("{was} to {is}: {what}"));
    }
}

/// Indexes and checks that PostgreSQL makes anew although the rows stay: those with expressions on the column in any
/// case, those on the column itself where its type sorts otherwise (`CheckIndexCompatible`).
fn rebuilt_with(column: &Column, reindexes: bool, ctx: &Context<'_>) -> Vec<String> {
    let kinds = [
        KindTag::PrimaryKey,
        KindTag::Unique,
        KindTag::Check,
        KindTag::Exclusion,
        KindTag::Index,
    ];
    let own = column.key();
    let parts = kinds
        .into_iter()
        .flat_map(|kind| ctx.current.parts(kind, &column.table));
    let is_remade = |(key, object): &(&Key, &Object)| {
        let computes = !(*object).clone().expressions().is_empty();
        (computes || reindexes)
            && ctx.desired.contains(key)
            && object.depends_on(ctx.current).contains(&own)
    };
    parts
        .filter(is_remade)
        .map(|(key, _)| format!("{} {}", key.kind, key.own_name()))
        .collect()
}

/// What a server is to be asked before a plan is made of operations.
pub fn questions(ops: &[Op], current: &Schema, desired: &Schema) -> Questions {
    let mut acc = Questions::default();
    let mut retyped: BTreeMap<&Name, BTreeSet<Key>> = BTreeMap::new();
    for op in ops {
        match (op.current(), op.desired()) {
            (Some(Object::Column(was)), Some(Object::Column(is))) if !is_rebuilt(op) => {
                if was.typed() != is.typed() {
                    ask_coercions(was, is, current, desired, &mut acc);
                    retyped.entry(&is.table).or_default().insert(is.key());
                }
            }
            (was, is) => {
                for (object, other) in [(is, current), (was, desired)] {
                    if let Some(Object::Column(it)) = object
                        && other.contains(&Key::of(KindTag::Table, &it.table))
                    {
                        ask_new(it, current, desired, &mut acc);
                    }
                }
            }
        }
        acc.holders |= !matches!(op, Op::Create(_) | Op::Rename { .. });
    }
    let replaced: BTreeSet<Key> = ops
        .iter()
        .filter(|it| is_rebuilt(it))
        .map(Op::key)
        .collect();
    for (table, columns) in retyped {
        acc.recasts
            .extend(recast(table, columns, &replaced, current, desired));
    }
    acc
}

fn is_rebuilt(op: &Op) -> bool {
    !matches!(op, Op::Alter { .. } | Op::Rename { .. })
}

/// Both ways, and between what the domains stand on, for a domain that is not there yet.
fn ask_coercions(
    was: &Column,
    is: &Column,
    current: &Schema,
    desired: &Schema,
    acc: &mut Questions,
) {
    let (from, to) = (was.typed(), is.typed());
    let bare = (
        (below(current, &from.0), from.1.clone()),
        (below(desired, &to.0), to.1.clone()),
    );
    for (from, to) in [(from, to), bare] {
        if from != to {
            acc.coercions.insert((to.clone(), from.clone()));
            acc.coercions.insert((from, to));
        }
    }
    for ty in [&was.ty, &is.ty] {
        ask_domain(ty, current, desired, acc);
    }
}

/// A type that no state knows, an extension's or one of PostgreSQL's own, may be a domain.
fn ask_domain(ty: &crate::SqlType, current: &Schema, desired: &Schema, acc: &mut Questions) {
    let unknown = [current, desired]
        .iter()
        .all(|it| owner_of(it, ty).is_none());
    if ty.user_defined().is_some() && unknown && !ty.is_array() {
        acc.domains.insert(ty.clone());
    }
}

fn ask_new(column: &Column, current: &Schema, desired: &Schema, acc: &mut Questions) {
    if let Some(default) = &column.default {
        acc.defaults.insert((column.ty.clone(), default.clone()));
    }
    ask_domain(&column.ty, current, desired, acc);
}

/// The expressions over columns that change their types, in objects that stay; none where there are none.
fn recast(
    table: &Name,
    columns: BTreeSet<Key>,
    replaced: &BTreeSet<Key>,
    current: &Schema,
    desired: &Schema,
) -> Option<Recast> {
    let mut acc = Recast {
        columns: Vec::new(),
        expressions: Vec::new(),
        before: operands_of(current, table),
        after: operands_of(desired, table),
    };
    let computing = KindTag::ALL
        .iter()
        .filter(|it| **it != KindTag::Column)
        .flat_map(|kind| current.parts(*kind, table));
    for (key, object) in computing.filter(|(key, _)| !replaced.contains(*key)) {
        let Some(after) = desired.get(key) else {
            continue;
        };
        let mentions = !object.depends_on(current).is_disjoint(&columns);
        let (was, is) = (expressions(object), expressions(after));
        if mentions && !was.is_empty() && was.len() == is.len() {
            let pairs = was.into_iter().zip(is);
            acc.expressions
                .extend(pairs.map(|((role, before), (_, after))| Expressions {
                    key: key.clone(),
                    role,
                    before,
                    after,
                }));
        }
    }
    acc.columns = columns.into_iter().filter_map(|it| it.part).collect();
    (!acc.expressions.is_empty()).then_some(acc)
}

fn expressions(object: &Object) -> Vec<(Role, Expr)> {
    let mut object = object.clone();
    let slots = object.expressions().into_iter();
    slots
        .map(|ExprSlot { role, expr }| (role, expr.clone()))
        .collect()
}

/// Whether another expression can be given to a stored generated column where it stands. Its type has to stay, since each
/// of the two expressions fits only its own. A virtual column is built anew, which costs nothing: PostgreSQL refuses to
/// set its expression where the table has checks.
pub(crate) fn sets_expression(current: &Column, desired: &Column) -> bool {
    (current.can_set_expression || desired.can_set_expression)
        && current.generated.is_some()
        && !current.is_virtual
        && current.ty == desired.ty
        && current.collation == desired.collation
}

/// Whether the column has to be given its type or collation anew because an old self of it stands aside.
pub(crate) fn is_converted(current: &Column, desired: &Column, ctx: &Context<'_>) -> bool {
    let sides = [(current, ctx.current), (desired, ctx.desired)];
    let keys = |(column, schema): &(&Column, &Schema)| {
        let collation = column.collation.as_deref().map(collation_key);
        [owner_of(schema, &column.ty), collation]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    sides
        .iter()
        .flat_map(keys)
        .any(|it| ctx.asides.contains(&it))
}

/// The default, unless it is a null that PostgreSQL keeps only because it has been cast to the length of the type: it is
/// what a column without a default has. A null in a domain's column stays, since it hides the domain's own default
/// (`AddRelationNewConstraints`).
pub(crate) fn said_default<'a>(default: &'a Option<Expr>, ty: &SqlType) -> Option<&'a Expr> {
    let is_domain = ty.user_defined().is_some() && !ty.as_str().contains('(');
    default.as_ref().filter(|it| is_domain || !it.is_null())
}
