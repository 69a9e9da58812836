#!/usr/bin/env python3
"""Generate the benchmark's schema: the same tables as SQL, as Limbeck's JSON metadata and as SQLAlchemy models.

    python generate.py TABLES FOLDER

Writes to FOLDER

- `schema.sql`: the tables, for psql; a hundred to a transaction
- `models.json`: Limbeck's metadata with every expression as PostgreSQL's catalog prints it
- `models-spelled.json`: the same with every expression as people write it, for the server to judge
- `models.py`: the same as SQLAlchemy's MetaData, for Alembic

Everything follows from the number of a table: two runs write the same bytes. A table has 10 columns, a primary key, a
unique, a foreign key to an earlier table, two or three checks, two or three indexes (plain, expression, partial,
covering, descending), comments, defaults, and by its number a serial, identity or uuid key, an enum, a generated column.
Expressions carry constants of their own, so that no tool gains by remembering texts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOUNS = ("account", "invoice", "shipment", "product", "ticket", "report", "session", "document", "payment", "region")
TABLES_PER_ENUM = 20
TABLES_PER_TRANSACTION = 100


@dataclass(frozen=True)
class Expression:
    """One expression in both spellings."""

    catalog: str
    people: str


def same(text: str) -> Expression:
    """An expression that people and the catalog write alike."""
    return Expression(text, text)


Spelling = Callable[[Expression], str]


@dataclass
class Column:
    name: str
    type: str
    sqlalchemy: str
    nullable: bool = True
    default: Expression | None = None
    generated: Expression | None = None
    identity: str | None = None  # ALWAYS or BY DEFAULT
    serial: bool = False
    comment: str | None = None


@dataclass
class Index:
    name: str | None  # None: the convention's name of an index on one column
    elements: list[str | Expression]
    descending: bool = False  # of the first element
    include: list[str] = field(default_factory=list)
    where: Expression | None = None


@dataclass
class Table:
    name: str
    comment: str
    columns: list[Column]
    unique: list[str]
    parent: str | None
    on_delete: str
    checks: dict[str, Expression]
    indexes: list[Index]


@dataclass(frozen=True)
class Enum:
    name: str
    labels: tuple[str, ...]


def enums(tables: int) -> list[Enum]:
    """One enum type for every 20 tables."""
    return [Enum(f"status_{k:04d}", ("new", f"step_{k}", "done")) for k in range(max(1, tables // TABLES_PER_ENUM))]


def table_name(i: int) -> str:
    return f"{NOUNS[i % len(NOUNS)]}_{i:05d}"


def key_column(i: int) -> Column:
    match i % 5:
        case 0:
            return Column("id", "bigint", "sa.BigInteger", nullable=False, identity="ALWAYS")
        case 1:
            return Column("id", "bigint", "sa.BigInteger", nullable=False, identity="BY DEFAULT")
        case 4:
            return Column("id", "uuid", "sa.Uuid", nullable=False, default=same("gen_random_uuid()"))
    return Column("id", "bigint", "sa.BigInteger", nullable=False, serial=True)


def payload_column(i: int) -> Column:
    """A column whose type and default go round by the number."""
    match i % 6:
        case 0:
            value = f"'{{\"v\": {i}}}'"
            return Column("payload", "jsonb", "pg.JSONB", default=Expression(f"{value}::jsonb", value))
        case 1:
            return Column("payload", "text[]", "sa.ARRAY(sa.Text)", default=Expression("'{}'::text[]", "'{}'"))
        case 2:
            days = Expression(f"'{i + 1} days'::interval", f"interval '{i + 1} days'")
            return Column("payload", "interval", "pg.INTERVAL", default=days)
        case 3:
            day = f"'20{i % 90 + 10}-03-01'"
            return Column("payload", "date", "sa.Date", default=Expression(f"{day}::date", day))
        case 4:
            return Column("payload", "boolean", "sa.Boolean", default=Expression("true", "TRUE"))
    return Column("payload", "double precision", "sa.Double", default=Expression(f"(({i})::numeric + 0.5)", f"{i}+0.5"))


def label_column(i: int) -> Column:
    if i % 4 == 1:
        text = Expression(f"((email || ' #{i} '::text) || lower(email))", f"email||' #{i} '||lower(email)")
        return Column("label", "text", "sa.Text", generated=text)
    return Column("label", "text", "sa.Text", default=Expression(f"'label {i}'::text", f"'label {i}'"))


def build(i: int, all_enums: list[Enum]) -> Table:
    """Table number `i`."""
    name = table_name(i)
    age, price = i % 90, i % 7 + 1
    parent = i * 7919 % i if i else None
    enum = all_enums[(i // TABLES_PER_ENUM) % len(all_enums)] if i % 2 == 0 else None
    if enum:
        default = Expression(f"'new'::{enum.name}", "'new'")
        status = Column("status", enum.name, f"pg.ENUM(*{enum.labels!r}, name={enum.name!r})", False, default)
    else:
        status = Column("status", "text", "sa.Text", False, Expression(f"'a{i}'::text", f"'a{i}'"))
    created = Expression("now()", "NOW()") if i % 2 else Expression("CURRENT_TIMESTAMP", "current_timestamp")
    length = 20 + i % 60
    columns = [
        key_column(i),
        Column("parent_id", "bigint" if parent is None else key_column(parent).type, "sa.BigInteger"),
        Column("code", f"character varying({length})", f"sa.String({length})", False, comment=f"code of {name}, 1{i}"),
        Column("email", "text", "sa.Text", False),
        Column("age", "integer", "sa.Integer", False, Expression(f"(18 + {i})", f"18+{i}")),
        Column("price", "numeric(12,2)", "sa.Numeric(12, 2)", False, same(f"{price}.25")),
        Column("created_at", "timestamp with time zone", "sa.DateTime(timezone=True)", False, created),
        payload_column(i),
        status,
        label_column(i),
    ]
    if columns[1].type == "uuid":
        columns[1].sqlalchemy = "sa.Uuid"
    checks = {
        "age": Expression(f"((age > {age}) AND (age < {i + 200}))", f"age>{age} and age<{i + 200}"),
        "price": Expression(f"(price >= ({price})::numeric)", f"price>={price}"),
    }
    if enum is None:
        words = [f"a{i}", f"b{i}", "c"]
        array = ", ".join(f"'{word}'::text" for word in words)
        listed = ", ".join(f"'{word}'" for word in words)
        checks["status"] = Expression(f"(status = ANY (ARRAY[{array}]))", f"status in ({listed})")
    indexes = [Index(None, ["parent_id"])]
    if i % 2:
        lowered = Expression(f"lower((email || '{i}'::text))", f"lower(email||'{i}')")
        indexes.append(Index(f"ix_{name}_lower", [lowered]))
    match i % 3:
        case 0:
            where = Expression(
                f"((age > {age + 10}) AND (parent_id IS NOT NULL))", f"age>{age + 10} and parent_id is not null"
            )
            indexes.append(Index(f"ix_{name}_recent", ["created_at"], where=where))
        case 1:
            indexes.append(Index(f"ix_{name}_covering", ["age"], include=["price"]))
        case 2:
            indexes.append(Index(f"ix_{name}_latest", ["created_at", "code"], descending=True))
    return Table(
        name=name,
        comment=f"Table {i}: it's one of many",
        columns=columns,
        unique=["code"] if i % 3 else ["code", "created_at"],
        parent=None if parent is None else table_name(parent),
        on_delete="cascade" if i % 4 else "set null",
        checks=checks,
        indexes=indexes,
    )


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# SQL ------------------------------------------------------------------------------------------------------------------


def column_sql(column: Column) -> str:
    parts = [column.name, "bigserial" if column.serial else column.type]
    if column.default:
        parts.append(f"DEFAULT {column.default.people}")
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.generated.people}) STORED")
    if column.identity:
        parts.append(f"GENERATED {column.identity} AS IDENTITY")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def table_sql(table: Table) -> Iterator[str]:
    t = table.name
    parts = [column_sql(column) for column in table.columns]
    parts.append(f"CONSTRAINT pk_{t} PRIMARY KEY (id)")
    parts.append(f"CONSTRAINT uq_{t}_{table.unique[0]} UNIQUE ({', '.join(table.unique)})")
    parts += [f"CONSTRAINT ck_{t}_{name} CHECK ({check.people})" for name, check in table.checks.items()]
    if table.parent:
        parts.append(
            f"CONSTRAINT fk_{t}_parent_id_{table.parent} FOREIGN KEY (parent_id)"
            f" REFERENCES {table.parent} (id) ON DELETE {table.on_delete.upper()}"
        )
    yield f"CREATE TABLE {t} (\n    " + ",\n    ".join(parts) + "\n);"
    for index in table.indexes:
        elements = [f"({e.people})" if isinstance(e, Expression) else e for e in index.elements]
        elements[0] += " DESC" if index.descending else ""
        include = f" INCLUDE ({', '.join(index.include)})" if index.include else ""
        where = f" WHERE {index.where.people}" if index.where else ""
        name = index.name or f"ix_{t}_{index.elements[0]}"
        yield f"CREATE INDEX {name} ON {t} ({', '.join(elements)}){include}{where};"
    yield f"COMMENT ON TABLE {t} IS {literal(table.comment)};"
    for column in table.columns:
        if column.comment:
            yield f"COMMENT ON COLUMN {t}.{column.name} IS {literal(column.comment)};"


def schema_sql(tables: list[Table], all_enums: list[Enum]) -> Iterator[str]:
    for enum in all_enums:
        yield f"CREATE TYPE {enum.name} AS ENUM ({', '.join(map(literal, enum.labels))});"
    for start in range(0, len(tables), TABLES_PER_TRANSACTION):
        yield "BEGIN;"
        for table in tables[start : start + TABLES_PER_TRANSACTION]:
            yield from table_sql(table)
        yield "COMMIT;"


# JSON metadata --------------------------------------------------------------------------------------------------------


def column_json(column: Column, spell: Spelling) -> dict[str, Any]:
    out: dict[str, Any] = {"name": column.name, "type": column.type}
    if not column.nullable:
        out["nullable"] = False
    if column.default:
        out["default"] = spell(column.default)
    if column.generated:
        out["generated"] = spell(column.generated)
    if column.identity:
        out["identity"] = {"always": column.identity == "ALWAYS"}
    if column.serial:
        out["serial"] = True
    if column.comment:
        out["comment"] = column.comment
    return out


def index_json(index: Index, spell: Spelling) -> dict[str, Any]:
    elements: list[Any] = [{"expression": spell(e)} if isinstance(e, Expression) else e for e in index.elements]
    if index.descending:
        elements[0] = {"column": elements[0], "order": "desc"}
    out: dict[str, Any] = {"elements": elements}
    if index.name:
        out["name"] = index.name
    if index.include:
        out["include"] = index.include
    if index.where:
        out["where"] = spell(index.where)
    return out


def table_json(table: Table, spell: Spelling) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": table.name,
        "comment": table.comment,
        "columns": [column_json(column, spell) for column in table.columns],
        "primary_key": {"columns": ["id"]},
        "uniques": [{"columns": table.unique}],
        "checks": [{"name": name, "expression": spell(check)} for name, check in table.checks.items()],
        "indexes": [index_json(index, spell) for index in table.indexes],
    }
    if table.parent:
        reference = {"table": table.parent, "columns": ["id"]}
        out["foreign_keys"] = [{"columns": ["parent_id"], "references": reference, "on_delete": table.on_delete}]
    return out


def metadata_json(tables: list[Table], all_enums: list[Enum], spell: Spelling) -> str:
    document = {
        "limbeck": 1,
        "naming_convention": "invenio",
        "enums": [{"name": enum.name, "labels": enum.labels} for enum in all_enums],
        "tables": [table_json(table, spell) for table in tables],
    }
    return json.dumps(document, indent=1) + "\n"


# SQLAlchemy models ----------------------------------------------------------------------------------------------------

MODELS_HEAD = '''"""Generated by generate.py: the benchmark's tables as SQLAlchemy metadata."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
'''


def column_models(column: Column, parent: str | None, on_delete: str) -> str:
    parts = [repr(column.name), column.sqlalchemy]
    if column.name == "parent_id" and parent:
        parts.append(f"sa.ForeignKey('{parent}.id', ondelete={on_delete.upper()!r})")
    if column.identity:
        parts.append(f"sa.Identity(always={column.identity == 'ALWAYS'})")
    if column.generated:
        parts.append(f"sa.Computed({column.generated.people!r}, persisted=True)")
    if column.name == "id":
        parts.append("primary_key=True")
    else:
        parts.append(f"nullable={column.nullable}")
    if column.default:
        parts.append(f"server_default=sa.text({column.default.people.replace(':', chr(92) + ':')!r})")
    if column.comment:
        parts.append(f"comment={column.comment!r}")
    return f"sa.Column({', '.join(parts)})"


def index_models(index: Index) -> str:
    elements = [f"sa.text({e.people!r})" if isinstance(e, Expression) else f"t.c.{e}" for e in index.elements]
    elements[0] += ".desc()" if index.descending else ""
    include = f", postgresql_include={index.include!r}" if index.include else ""
    where = f", postgresql_where=sa.text({index.where.people!r})" if index.where else ""
    # An index on text alone has no column to find its table by.
    table = ", _table=t" if isinstance(index.elements[0], Expression) else ""
    return f"sa.Index({index.name!r}, {', '.join(elements)}{include}{where}{table})"


def models_py(tables: list[Table]) -> Iterator[str]:
    yield MODELS_HEAD
    for table in tables:
        parts = [column_models(column, table.parent, table.on_delete) for column in table.columns]
        parts.append(f"sa.UniqueConstraint({', '.join(map(repr, table.unique))})")
        parts += [f"sa.CheckConstraint({check.people!r}, name={name!r})" for name, check in table.checks.items()]
        parts.append(f"comment={table.comment!r}")
        body = "".join(f"    {part},\n" for part in parts)
        yield f"t = sa.Table(\n    {table.name!r},\n    metadata,\n{body})"
        for index in table.indexes:
            yield index_models(index)


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    all_enums = enums(count)
    tables = [build(i, all_enums) for i in range(count)]
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    write("schema.sql", "\n".join(schema_sql(tables, all_enums)) + "\n")
    write("models.json", metadata_json(tables, all_enums, lambda expression: expression.catalog))
    write("models-spelled.json", metadata_json(tables, all_enums, lambda expression: expression.people))
    write("models.py", "\n".join(models_py(tables)) + "\n")


if __name__ == "__main__":
    main()
