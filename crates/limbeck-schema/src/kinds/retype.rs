//! Hazards of columns that get another type, or are new: what PostgreSQL writes anew, what it builds anew beside, and
//! what becomes of the values.

use crate::expr::Expr;
use crate::facts::Coercion;
use crate::ident::{Ident, List};
use crate::key::Key;
use crate::kinds::cast::{below, coercion, is_constrained};
use crate::kinds::composite_type::conversion;
use crate::kinds::loss::loss;
use crate::kinds::usage::owner_of;
use crate::kinds::{Column, Context, Kind, KindTag, Object};
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
            VOLATILE.iter().any(|name| words.contains(&Ident::new(name)))
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

