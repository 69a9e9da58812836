#!/usr/bin/env python3
"""Invenio's own view of its models, for the interoperability run.

    python invenio_models.py compare          # Alembic's compare of the models and the database; status 1 if it finds any
    python invenio_models.py metadata FILE    # the models as Limbeck's JSON metadata

The database is that of INVENIO_SQLALCHEMY_DATABASE_URI.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from invenio_app.factory import create_app
from invenio_db import db
from sqlalchemy_to_limbeck import to_limbeck


def compare() -> int:
    """Print each difference that Alembic finds, as Invenio configures it."""
    from flask import current_app

    differences = current_app.extensions["invenio-db"].alembic.compare_metadata()
    for difference in differences:
        print(difference)
    print(f"Alembic finds {len(differences)} differences")
    return 1 if differences else 0


def write_metadata(path: Path) -> int:
    """Write the metadata of every installed Invenio module; Alembic's version table is not Limbeck's business."""
    document = to_limbeck(db.metadata, ignore_tables=["alembic_version"])
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{len(document['tables'])} tables written")
    return 0


def main() -> int:
    with create_app().app_context():
        match sys.argv[1:]:
            case ["compare"]:
                return compare()
            case ["metadata", path]:
                return write_metadata(Path(path))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
