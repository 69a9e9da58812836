#!/usr/bin/env python3
"""Edit Invenio's metadata as a developer would: a column, a check, an index, an enum, a foreign key.

python edit_metadata.py metadata.json edited.json
"""

from __future__ import annotations

import json
import sys
from typing import Any


def edit(document: dict[str, Any]) -> None:
    """Change `document` in place."""
    tables = {table["name"]: table for table in document["tables"]}

    def add(table: str, part: str, item: Any) -> None:
        tables[table].setdefault(part, []).append(item)

    # An enum and a column that uses it, on a table that may have rows.
    document.setdefault("enums", []).append({"name": "bucket_state", "labels": ["open", "locked", "it's gone"]})
    add("files_bucket", "columns", {"name": "state", "type": "bucket_state", "nullable": False, "default": "'open'"})
    # A check spelled as people write it.
    add("files_bucket", "checks", {"name": "quota_positive", "expression": "quota_size IS NULL or quota_size>=0"})
    # A plain index under the convention, and a partial one on an expression.
    add("files_files", "indexes", {"elements": ["checksum"]})
    add(
        "accounts_user",
        "indexes",
        {
            "name": "ix_accounts_user_lower_email",
            "unique": True,
            "elements": [{"expression": "lower(email)"}],
            "where": "active",
        },
    )
    # A column with a foreign key.
    add("records_metadata", "columns", {"name": "bucket_id", "type": "uuid", "comment": "where the record's files are"})
    add(
        "records_metadata",
        "foreign_keys",
        {"columns": ["bucket_id"], "references": {"table": "files_bucket", "columns": ["id"]}, "on_delete": "set null"},
    )


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        document = json.load(file)
    edit(document)
    with open(target, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
