#!/usr/bin/env python3
"""Time `limbeck revision --autogenerate` with its proof next to `pg_dump -s | psql` into a fresh database.

    python proof.py --folder DIR --url URL --limbeck PROGRAM [--pairs P]

The database of URL holds schema.sql of DIR; the models get one more column. Runs alternate after one unmeasured run of
each, as in measure.py; the target is printed beside the ratio and never asserted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import measure

TARGET = 3.0
COPY = "limbeck_bench_copy"


def edited(folder: Path) -> Path:
    """The models with one more column in one table."""
    models = json.loads((folder / "models.json").read_text(encoding="utf-8"))
    models["tables"][len(models["tables"]) // 2]["columns"].append({"name": "extra", "type": "text"})
    path = folder / "models-edited.json"
    path.write_text(json.dumps(models), encoding="utf-8")
    return path


def copy(url: str) -> list[str]:
    """`pg_dump -s | psql` into a fresh database of the same server."""
    server = url.rsplit("/", 1)[0]
    script = (
        f"psql -qX -d {server}/postgres -c 'CREATE DATABASE {COPY} TEMPLATE template0'"
        f" && pg_dump --schema-only --dbname {url} | psql -qX -v ON_ERROR_STOP=1 -d {server}/{COPY} > /dev/null"
    )
    return ["sh", "-c", script]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a proven revision next to pg_dump -s | psql.")
    parser.add_argument("--folder", required=True, type=Path, help="what generate.py wrote")
    parser.add_argument("--url", required=True, help="the database with schema.sql loaded")
    parser.add_argument("--limbeck", required=True)
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    models = edited(args.folder)
    server = args.url.rsplit("/", 1)[0]

    def revision() -> float:
        with tempfile.TemporaryDirectory() as folder:
            # The history is empty, so the database itself is named as what to compare with.
            argv = [args.limbeck, "--url", args.url, "--revisions", folder, "revision", "--autogenerate", "-m", "extra"]
            seconds = measure([*argv, "--from", args.url, "--target", str(models)]).seconds
            text = "".join(it.read_text(encoding="utf-8") for it in Path(folder).iterdir())
            if "proof: upgraded, empty diff, downgraded, equal" not in text:
                sys.exit(f"bench: the revision is not proven\n{text[:1000]}")
        return seconds

    def dump() -> float:
        seconds = measure(copy(args.url), keep_output=False).seconds
        drop = f"DROP DATABASE {COPY} WITH (FORCE)"
        subprocess.run(["psql", "-qX", "-d", f"{server}/postgres", "-c", drop], check=True)
        return seconds

    revision()
    dump()
    taken = [(revision(), dump()) for _ in range(args.pairs)]
    ratio = statistics.median(ours / theirs for ours, theirs in taken)
    ours, theirs = (statistics.median(side) for side in zip(*taken, strict=True))
    print(f"proven revision {ours:.3f} s   pg_dump -s | psql {theirs:.3f} s   ratio {ratio:.2f}   target <= {TARGET:g}")


if __name__ == "__main__":
    main()
