#!/usr/bin/env python3
"""Hold Limbeck's differences against a list of expected ones, and each of those against PostgreSQL's catalog.

    python verify_differences.py URL FOUND EXPECTED

FOUND is the output of `limbeck check`, one difference per line. EXPECTED has the same lines in the same order, each
followed by queries that show it to be true, with every row they return:

    drop sequence some_id_seq
      sql: SELECT relname, relkind FROM pg_class WHERE relname = 'some_id_seq'
      row: some_id_seq | S

Lines that begin with `#` are comments. Exit status 1 if a line is missing or unexpected, has no query, or its query
returns something else.
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2


@dataclass
class Query:
    """A catalog query and the rows it must return, columns joined by ` | `."""

    sql: str
    rows: list[str] = field(default_factory=list)


@dataclass
class Difference:
    """One line of `limbeck check` with its evidence."""

    line: str
    queries: list[Query] = field(default_factory=list)


def parse(text: str) -> list[Difference]:
    """Read the expected file."""
    differences: list[Difference] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("  sql: "):
            differences[-1].queries.append(Query(line.removeprefix("  sql: ")))
        elif line.startswith("  row: "):
            differences[-1].queries[-1].rows.append(line.removeprefix("  row: "))
        else:
            differences.append(Difference(line))
    return differences


def returned(cursor: psycopg2.extensions.cursor, sql: str) -> list[str]:
    """The rows of a query as text; NULL is written as such."""
    cursor.execute(sql)
    return [" | ".join("NULL" if value is None else str(value) for value in row) for row in cursor.fetchall()]


def main() -> int:
    url, found_path, expected_path = sys.argv[1:]
    expected = parse(Path(expected_path).read_text(encoding="utf-8"))
    found = [line for line in Path(found_path).read_text(encoding="utf-8").splitlines() if line.strip()]
    failures = list(difflib.unified_diff([d.line for d in expected], found, "expected", "found", lineterm="", n=0))
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for difference in expected:
            if not difference.queries:
                failures.append(f"no query shows: {difference.line}")
            for query in difference.queries:
                rows = returned(cursor, query.sql)
                if rows != query.rows:
                    failures.append(f"{query.sql}\n  expected {query.rows}\n  returned {rows}")
    print("\n".join(failures) or f"{len(expected)} differences, each true by PostgreSQL's catalog")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
