#!/usr/bin/env python3
"""Write SQLAlchemy metadata as Limbeck's JSON metadata.

`to_limbeck(metadata)` returns the JSON document as a dict; as a program:

    python sqlalchemy_to_limbeck.py myapp.models:Base -o models.json --ignore-table alembic_version

The document says what `metadata.create_all()` would create with the PostgreSQL dialect. A name that the metadata's naming
convention made is left out, and the convention itself is written instead, so that Limbeck applies it; names given by
hand are kept. What Limbeck's metadata cannot say (partitions, inheritance, domains, tablespaces) is left out with a
warning.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import warnings
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import elements, operators
from sqlalchemy.sql.base import _NONE_NAME
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.naming import ConventionDict, _get_convention

Json = dict[str, Any]

# The kinds of a naming convention and SQLAlchemy's class for each.
_KINDS: dict[str, type] = {
    "ix": sa.Index,
    "uq": sa.UniqueConstraint,
    "ck": sa.CheckConstraint,
    "fk": sa.ForeignKeyConstraint,
    "pk": sa.PrimaryKeyConstraint,
    "ex": postgresql.ExcludeConstraint,
}
_TOKEN = re.compile(r"%\((\w+)\)s")
_COLLATE = re.compile(r' COLLATE ("(?:[^"]|"")+"|[\w.]+)')
_TEXT_ORDER = re.compile(r"^(?P<rest>.*?)(?:\s+(?P<order>ASC|DESC))?(?:\s+NULLS\s+(?P<nulls>FIRST|LAST))?$", re.I | re.S)
_ON_DELETE_COLUMNS = re.compile(r"^(SET NULL|SET DEFAULT)\s*\((.*)\)$", re.I)
_MODIFIERS = {
    operators.desc_op: ("order", "desc"),
    operators.asc_op: ("order", "asc"),
    operators.nulls_first_op: ("nulls", "first"),
    operators.nulls_last_op: ("nulls", "last"),
}


def to_limbeck(metadata: sa.MetaData, *, ignore_tables: Iterable[str] = ()) -> Json:
    """Return `metadata` as a document of Limbeck's JSON metadata, version 1.

    `ignore_tables` are globs of tables that the comparison leaves alone on both sides, such as another tool's version
    table. Every schema is written on its object, so the document holds whatever the connection's default schema is,
    as SQLAlchemy's does. Raises what SQLAlchemy raises for metadata that it could not create: a foreign key to an
    unknown table, a type without a PostgreSQL spelling.
    """
    return _Writer(metadata).document(sorted(ignore_tables))


class _Naming:
    """Which names the convention of some metadata gave, and what is left of it to write."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.convention = metadata.naming_convention
        found = {kind: _get_convention(self.convention, cls) for kind, cls in _KINDS.items()}
        self.templates = {kind: text for kind, text in found.items() if text and self._portable(kind, text)}
        # The template of checks applies to given names too, so one name that did not come from it rules it out.
        checks = [c for t in metadata.tables.values() for c in _constraints(t) if isinstance(c, sa.CheckConstraint)]
        if "ck" in self.templates and any(self._given_check_name(c) is None for c in checks if _name(c)):
            del self.templates["ck"]

    def _portable(self, kind: str, template: str) -> bool:
        """Whether Limbeck knows every token: Python functions are not, nor `constraint_name` but on checks."""
        tokens = _TOKEN.findall(template)
        known = not any(token in self.convention for token in tokens)
        return known and (kind == "ck" or "constraint_name" not in tokens)

    def as_json(self) -> Json | str:
        """The preset or the object of templates; kinds without a template are named by PostgreSQL."""
        if self.templates == {"ix": "ix_%(column_0_label)s"}:
            return "sqlalchemy"
        return {kind: self.templates[kind] for kind in sorted(self.templates)} or "postgresql"

    def name(self, item: sa.Constraint | sa.Index) -> str | None:
        """The name to write: none where the convention gives it, the raw one for a check."""
        given = _name(item)
        kind = next(kind for kind, cls in _KINDS.items() if isinstance(item, cls))
        template = self.templates.get(kind)
        if given is None or template is None or not isinstance(given, conv):
            return _shortened(given)
        if "%(constraint_name)s" in template:
            return self._given_check_name(item)
        if "_key)s" in template and any(column.key != column.name for column in item.columns):
            return _shortened(given)  # Limbeck's columns have no key besides their name.
        generated = template % ConventionDict(item, _table(item), self.convention)
        return None if given == generated else _shortened(given)

    def _given_check_name(self, check: sa.CheckConstraint) -> str | None:
        """What the user called a check before the template was applied; None if the template did not make the name."""
        template = self.templates["ck"]
        if "%(constraint_name)s" not in template:
            return str(check.name)
        # The mark has to be a `conv`, or SQLAlchemy resets the constraint's own name on reading it.
        tokens = ConventionDict(check, _table(check), self.convention)
        tokens._const_name = conv("\0")
        before, _, after = (template % tokens).partition("\0")
        name = str(check.name)
        fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
        return name[len(before) : len(name) - len(after)] if fits else None


class _Writer:
    """One pass over the tables; enum types are collected where columns use them."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.metadata = metadata
        # Any named style keeps `%` as it is, which psycopg's own style would double.
        self.dialect = postgresql.dialect(paramstyle="named")
        self.ddl = self.dialect.ddl_compiler(self.dialect, None)
        self.types = self.dialect.type_compiler_instance
        self.naming = _Naming(metadata)
        self.enums: dict[tuple[str, str], Json] = {}

    def document(self, ignore_tables: list[str]) -> Json:
        tables = [self.table(t) for t in _by_name(self.metadata.tables.values())]
        sequences = [s for s in self.metadata._sequences.values() if not s.optional]
        return _slim(
            {
                "limbeck": 1,
                "naming_convention": self.naming.as_json(),
                "ignore": _slim({"tables": ignore_tables}),
                "enums": [self.enums[key] for key in sorted(self.enums)],
                "sequences": [self.sequence(s) for s in _by_name(sequences)],
                "tables": tables,
            }
        )

    def sequence(self, sequence: sa.Sequence) -> Json:
        return _slim(
            {
                "name": sequence.name,
                "schema": sequence.schema,
                "type": self.types.process(sequence.data_type).lower() if sequence.data_type else None,
                **_sequence_options(sequence),
            }
        )

    def table(self, table: sa.Table) -> Json:
        options = table.dialect_options["postgresql"]
        for option in ("inherits", "partition_by", "with", "tablespace", "using"):
            if options.get(option):
                warnings.warn(f"table {table.fullname}: postgresql_{option} is left out", stacklevel=2)

        def of_kind(cls: type) -> list[Any]:
            return [c for c in _constraints(table) if type(c) is cls and self._creates(c)]

        key = table.primary_key
        return _slim(
            {
                "name": table.name,
                "schema": table.schema,
                "comment": table.comment,
                "columns": [self.column(c) for c in table.columns],
                "primary_key": self.key(key) if len(key.columns) else None,
                "uniques": _sorted(self.key(c) for c in of_kind(sa.UniqueConstraint)),
                "foreign_keys": _sorted(self.foreign_key(c) for c in of_kind(sa.ForeignKeyConstraint)),
                "checks": _sorted(self.check(c) for c in of_kind(sa.CheckConstraint)),
                "exclusions": _sorted(self.exclusion(c) for c in of_kind(postgresql.ExcludeConstraint)),
                "indexes": _sorted(self.index(i) for i in table.indexes),
            }
        )

    def column(self, column: sa.Column) -> Json:
        serial = self._serial_type(column)
        type_, collation = (serial, None) if serial else self._type(column)
        identity, computed = column.identity, column.computed
        if computed is not None and computed.persisted is False:
            warnings.warn(f"column {column}: a virtual generated column is written as a stored one", stacklevel=2)
        default = None if serial or identity or computed is not None else self.ddl.get_column_default_string(column)
        return {
            "name": column.name,
            "type": type_,
            **({} if column.nullable else {"nullable": False}),
            **_slim(
                {
                    "collation": collation,
                    "default": default,
                    "generated": computed is not None and self._sql(computed.sqltext),
                    "serial": bool(serial),
                    "comment": column.comment,
                }
            ),
            **({} if identity is None else {"identity": _identity(identity)}),
        }

    def key(self, constraint: sa.PrimaryKeyConstraint | sa.UniqueConstraint) -> Json:
        options = constraint.dialect_options["postgresql"]
        return self._constraint(
            constraint,
            columns=[c.name for c in constraint.columns],
            include=[_column_name(c) for c in options.get("include") or ()],
            nulls_not_distinct=bool(options.get("nulls_not_distinct")),
        )

    def foreign_key(self, constraint: sa.ForeignKeyConstraint) -> Json:
        referred = constraint.referred_table
        on_delete = constraint.ondelete
        some = _ON_DELETE_COLUMNS.match(on_delete or "")
        return self._constraint(
            constraint,
            columns=[e.parent.name for e in constraint.elements],
            references=_slim(
                {
                    "schema": referred.schema,
                    "table": referred.name,
                    "columns": [e.column.name for e in constraint.elements],
                }
            ),
            on_delete=(some.group(1) if some else on_delete or "").lower(),
            on_delete_columns=[name.strip().strip('"') for name in some.group(2).split(",")] if some else [],
            on_update=(constraint.onupdate or "").lower(),
            match=(constraint.match or "").lower(),
            not_valid=bool(constraint.dialect_options["postgresql"].get("not_valid")),
        )

    def check(self, constraint: sa.CheckConstraint) -> Json:
        return self._constraint(
            constraint,
            expression=self._sql(constraint.sqltext),
            not_valid=bool(constraint.dialect_options["postgresql"].get("not_valid")),
        )

    def exclusion(self, constraint: postgresql.ExcludeConstraint) -> Json:
        return self._constraint(
            constraint,
            method=constraint.using,
            elements=[
                {**self._element(expression, constraint.ops, named=True), "operator": operator}
                for expression, _, operator in constraint._render_exprs
            ],
            where=constraint.where is not None and self._sql(constraint.where),
        )

    def index(self, index: sa.Index) -> Json:
        options = index.dialect_options["postgresql"]
        where = options["where"]
        if options["tablespace"]:
            warnings.warn(f"index {index.name}: postgresql_tablespace is left out", stacklevel=2)
        return _slim(
            {
                "name": self.naming.name(index),
                "unique": bool(index.unique),
                "method": (options["using"] or "").lower(),
                "elements": [self._element(e, options["ops"]) for e in index.expressions],
                "include": [_column_name(c) for c in options["include"] or ()],
                "where": where is not None and self._sql(where),
                "nulls_not_distinct": bool(options["nulls_not_distinct"]),
                "with": {name: str(value) for name, value in (options["with"] or {}).items()},
            }
        )

    def _constraint(self, constraint: sa.Constraint, **parts: Any) -> Json:
        deferred = (constraint.initially or "").upper() == "DEFERRED"
        return _slim(
            {
                "name": self.naming.name(constraint),
                **parts,
                "deferrable": bool(constraint.deferrable) or deferred,
                "initially_deferred": deferred,
                "comment": constraint.comment,
            }
        )

    def _creates(self, constraint: sa.Constraint) -> bool:
        """Boolean and Enum attach checks that they create only where the database has no such type."""
        rule = constraint._create_rule
        return rule is None or bool(rule(self.ddl))

    def _element(self, expression: Any, opclasses: Json, named: bool = False) -> Json | str:
        """One element of an index or exclusion: a column's bare name unless it needs more (or `named` wants an object)."""
        opclass = opclasses.get(getattr(expression, "key", None))
        parts: Json = {"opclass": opclass} if opclass else {}
        while True:
            if isinstance(expression, elements.UnaryExpression) and expression.modifier in _MODIFIERS:
                part, value = _MODIFIERS[expression.modifier]
                parts[part] = value
                expression = expression.element
            elif isinstance(expression, (elements.Label, elements.Grouping)):
                expression = expression.element
            elif getattr(expression, "operator", None) is operators.collate:
                parts["collation"] = self._sql(expression.right)
                expression = expression.left
            else:
                break
        if isinstance(expression, elements.ColumnClause) and not expression.is_literal:
            return {"column": expression.name, **parts} if parts or named else expression.name
        text = self._sql(expression)
        if isinstance(expression, elements.TextClause):
            found = _TEXT_ORDER.match(text)
            text = found["rest"]
            parts.update({k: found[k].lower() for k in ("order", "nulls") if found[k]})
        return {"expression": text, **parts}

    def _serial_type(self, column: sa.Column) -> str | None:
        """The integer type of a column that SQLAlchemy creates as SERIAL (see PGDDLCompiler.get_column_specification)."""
        optional = isinstance(column.default, sa.Sequence) and column.default.optional
        automatic = column.primary_key and column is column.table._autoincrement_column
        if not automatic or column.identity is not None or not (column.default is None or optional):
            return None
        impl = self._impl(column.type)
        if isinstance(impl, sqltypes.BigInteger):
            return "bigint"
        return "smallint" if isinstance(impl, sqltypes.SmallInteger) else "integer"

    def _type(self, column: sa.Column) -> tuple[str, str | None]:
        """The spelling of a column's type and its collation; an enum type below it is collected."""
        item = self._impl(column.type)
        if isinstance(item, sqltypes.ARRAY):
            item = self._impl(item.item_type)
        if isinstance(item, postgresql.DOMAIN):
            warnings.warn(f"column {column}: domain {item.name} is not written, it has to exist", stacklevel=2)
        elif isinstance(item, sqltypes.Enum) and item.native_enum:
            enum = _slim({"name": item.name, "schema": item.schema, "labels": list(item.enums)})
            self.enums.setdefault((item.schema or "", item.name), enum)
        text = self.types.process(column.type, type_expression=column, identifier_preparer=self.dialect.identifier_preparer)
        collation = _COLLATE.search(text)
        text = _COLLATE.sub("", text)
        # SQLAlchemy shouts its own types; what has quotes is a name or literal and stays as it is.
        return text if set(text) & set("\"'") else text.lower(), collation and collation.group(1)

    def _impl(self, type_: sqltypes.TypeEngine) -> sqltypes.TypeEngine:
        """What a type is on PostgreSQL, below variants and decorators."""
        impl = type_.dialect_impl(self.dialect)
        while isinstance(impl, sqltypes.TypeDecorator):
            impl = impl.impl_instance.dialect_impl(self.dialect)
        return impl

    def _sql(self, expression: Any) -> str:
        clause = sa.text(expression) if isinstance(expression, str) else expression
        return self.ddl.sql_compiler.process(clause, include_table=False, literal_binds=True)


def _constraints(table: sa.Table) -> list[sa.Constraint]:
    """The constraints of a table, with the checks that SQLAlchemy keeps on the column they were written at."""
    return [*table.constraints, *(c for column in table.columns for c in column.constraints)]


def _table(item: sa.Constraint | sa.Index) -> sa.Table:
    parent = item.table if isinstance(item, sa.Index) else item.parent
    return parent.table if isinstance(parent, sa.Column) else parent


def _name(item: sa.Constraint | sa.Index) -> str | None:
    return None if item.name is _NONE_NAME else item.name


def _shortened(name: str | None) -> str | None:
    """A given name as SQLAlchemy writes it: only one marked `conv` (Alembic's `op.f`) is cut to PostgreSQL's limit."""
    if not isinstance(name, conv):
        return None if name is None else str(name)
    return postgresql.dialect().identifier_preparer.truncate_and_render_constraint_name(name, _alembic_quote=False)


def _column_name(column: str | sa.Column) -> str:
    return column if isinstance(column, str) else column.name


def _sequence_options(item: sa.Sequence | sa.Identity) -> Json:
    return {
        "start": item.start,
        "increment": item.increment,
        "min": item.minvalue,
        "max": item.maxvalue,
        "cache": item.cache,
        "cycle": item.cycle,
    }


def _identity(identity: sa.Identity) -> Json:
    return _slim({"always": bool(identity.always), **_sequence_options(identity)})


def _by_name(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: (item.schema or "", item.name))


def _sorted(items: Iterable[Json]) -> list[Json]:
    """SQLAlchemy keeps constraints and indexes in sets; the document's order must not depend on hashing."""
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _slim(values: Json) -> Json:
    """`values` without what is absent or at its default: None, False, empty text and empty containers (0 stays)."""
    return {key: value for key, value in values.items() if value or (value == 0 and value is not False)}


def _load(source: str) -> sa.MetaData:
    """The metadata at `module:attribute`: MetaData, something that has `.metadata`, or a function returning either."""
    module, _, attribute = source.partition(":")
    found: Any = importlib.import_module(module)
    for part in (attribute or "metadata").split("."):
        found = getattr(found, part)
    if callable(found) and not hasattr(found, "metadata"):
        found = found()
    metadata = getattr(found, "metadata", found)
    if not isinstance(metadata, sa.MetaData):
        raise SystemExit(f"{source} is {type(metadata).__name__}, not SQLAlchemy metadata")
    return metadata


def main() -> None:
    parser = argparse.ArgumentParser(description="Write SQLAlchemy metadata as Limbeck's JSON metadata.")
    parser.add_argument("source", help="module:attribute of the MetaData or declarative base")
    parser.add_argument("-o", "--output", help="file to write; standard output if absent")
    parser.add_argument("--ignore-table", action="append", default=[], metavar="GLOB", help="table left alone by compare")
    args = parser.parse_args()
    sys.path.insert(0, ".")
    text = json.dumps(to_limbeck(_load(args.source), ignore_tables=args.ignore_table), indent=2) + "\n"
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
