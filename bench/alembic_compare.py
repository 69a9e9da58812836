#!/usr/bin/env python3
"""Compare generated models with a database by Alembic's compare_metadata, with its default options.

    python alembic_compare.py SQLALCHEMY_URL MODELS_PY

Prints how many differences it found and the seconds of the comparison alone, without imports; status 0 either way.
"""

from __future__ import annotations

import runpy
import sys
import time

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext


def main() -> None:
    url, models = sys.argv[1:]
    metadata = runpy.run_path(models)["metadata"]
    started = time.perf_counter()
    with sa.create_engine(url).connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    print(len(differences), f"{time.perf_counter() - started:.3f}")
    for difference in differences[:5]:
        print(difference, file=sys.stderr)


if __name__ == "__main__":
    main()
