#!/usr/bin/env python3
"""Write down the SQL of a real Alembic run, as `alembic upgrade --sql` would print it if it could.

    python record_alembic.py FILE PROGRAM ARGS…
    python record_alembic.py upgrade.sql invenio alembic upgrade
    python record_alembic.py downgrade.sql alembic downgrade base

The program is a Python console script beside this interpreter or in PATH. It runs in this process, on its own database,
which should be an empty one made for the purpose; every statement that Alembic's revisions execute is appended to FILE.
Revisions that look into the database before they act cannot be printed by `--sql`; what they do here is recorded.

What is left out: SELECTs that read tables or catalogs. psycopg2 and psycopg are supported.
"""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from alembic.runtime import migration
from sqlalchemy import event
from sqlalchemy.engine import Engine

# What SQLAlchemy asks of every new connection.
ON_CONNECT = re.compile(r"(?i)\s*(show\s|select\s+(pg_catalog\.version|current_schema|1\b|'test))")
READS = re.compile(r"(?i)\s*select\b.*\bfrom\b", re.DOTALL)
WRITES = re.compile(r"(?i)\b(insert|update|delete|merge|setval|nextval|set_config)\b")
TRANSACTION = re.compile(r"(?i)\s*(begin|commit|rollback|end|start\s+transaction)\s*;?\s*$")


class Recorder:
    """Appends what is executed while a revision runs."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.running = False
        self.outside_transaction = False

    def log_info(self, message: str, *args: Any) -> None:
        """Alembic says `Running <step>` before each revision."""
        if message == "Running %s":
            self.leave_autocommit()
            self.file.write(f"-- Running {args[0].short_log}\n\n")
            self.running = True

    def before_cursor_execute(
        self, _conn: Any, cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> None:
        if not self.running or not is_work(statement):
            return
        if autocommits(cursor):
            if not self.outside_transaction:
                self.file.write("COMMIT;\n\n")
                self.outside_transaction = True
        else:
            self.leave_autocommit()
        for one in parameters if executemany else [parameters]:
            self.file.write(f"{literal(cursor, statement, one).strip().rstrip(';')};\n\n")
        self.file.flush()

    def leave_autocommit(self) -> None:
        if self.outside_transaction:
            self.file.write("BEGIN;\n\n")
            self.outside_transaction = False


def is_work(statement: str) -> bool:
    """Whether a statement does something that a later run has to do too.

    An explicit COMMIT only begins the driver's next transaction, so it separates nothing here.
    """
    if TRANSACTION.match(statement) or ON_CONNECT.match(statement):
        return False
    return not READS.match(statement) or WRITES.search(statement) is not None


def autocommits(cursor: Any) -> bool:
    return bool(getattr(cursor.connection, "autocommit", False))


def literal(cursor: Any, statement: str, parameters: Any) -> str:
    """The statement with its parameters written into it, by the driver's own rules."""
    if not parameters:
        parameters = None
    if hasattr(cursor, "mogrify"):
        text = cursor.mogrify(statement, parameters)
    else:
        from psycopg import ClientCursor

        text = ClientCursor(cursor.connection).mogrify(statement, parameters)
    return text.decode() if isinstance(text, bytes) else text


def runs(program: str) -> Iterator[Path]:
    beside = Path(sys.executable).parent / program
    if beside.is_file():
        yield beside
    if found := shutil.which(program):
        yield Path(found)


def main() -> None:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    _, file, program, *arguments = sys.argv
    script = next(runs(program), None)
    if script is None:
        sys.exit(f"record_alembic: there is no program {program}")
    with Path(file).open("a", encoding="utf-8") as stream:
        recorder = Recorder(stream)
        migration.log.info = recorder.log_info  # type: ignore[method-assign]
        event.listen(Engine, "before_cursor_execute", recorder.before_cursor_execute)
        sys.argv = [str(script), *arguments]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
