#!/usr/bin/env python3
"""Time `limbeck check` on a loaded benchmark database next to pg_dump and Alembic, and print a row for each pair.

    python measure.py --tables N --folder DIR --url URL --limbeck PROGRAM [--alembic PYTHON] [--pairs P] [--header]

Runs alternate (A B A B ...) after one unmeasured run of each, so that a slow minute of the machine hits both sides. A
row holds medians of wall seconds, the largest peak resident memory, and the median of the ratios pair by pair. Whole
processes are measured: start, reading the models, comparing. Time per table should not grow with their number. The
targets are printed beside, never asserted: the machine decides. A command that does not end with status 0 (Limbeck finds
a difference, say) is an error.

Peak memory is the kernel's ru_maxrss of the child, which is never below that of this process (about 15 MB) at the fork.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROW = "{:>7}  {:<20} {:>9} {:>9} {:>7}   {:<14} {:>9} {:>7}   {:>7}  {}"


@dataclass(frozen=True)
class Sample:
    """One run of a command."""

    seconds: float
    megabytes: float
    output: str


@dataclass(frozen=True)
class Target:
    """What a ratio, and Limbeck's peak memory, should reach."""

    ratio: float | None = None
    megabytes: float | None = None


# `check` against pg_dump with the catalog's spelling, and with people's; times slower than `check` for Alembic.
CATALOG = {1000: Target(0.6), 10000: Target(0.4, 200)}
SPELLED = {1000: Target(1.5)}
ALEMBIC = {1000: Target(20)}


def measure(argv: list[str], keep_output: bool = True) -> Sample:
    """Run `argv` and wait for it by wait4, which returns the memory of that one child."""
    with tempfile.TemporaryFile() as kept, tempfile.TemporaryFile() as errors:
        stdout = kept if keep_output else subprocess.DEVNULL
        started = time.perf_counter()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        kept.seek(0)
        output = kept.read().decode(errors="replace")
        if child.returncode != 0:
            errors.seek(0)
            text = (output[:2000] + errors.read().decode(errors="replace")[-2000:]).strip()
            sys.exit(f"bench: `{' '.join(argv)}` ended with status {child.returncode}\n{text}")
    return Sample(seconds, usage.ru_maxrss / 1024, output)


class Bench:
    """The commands for one size and the table they fill."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.folder = Path(args.folder)

    def check(self, models: str) -> list[str]:
        return [self.args.limbeck, "--url", self.args.url, "check", "--target", str(self.folder / models)]

    def pg_dump(self) -> list[str]:
        return ["pg_dump", "--schema-only", "--dbname", self.args.url]

    def alembic(self) -> list[str]:
        url = self.args.url.replace("postgresql://", "postgresql+psycopg2://", 1)
        program = Path(__file__).with_name("alembic_compare.py")
        return [self.args.alembic, str(program), url, str(self.folder / "models.py")]

    def row(self, what: str, models: str, other: str, command: list[str], targets: dict[int, Target], pairs: int) -> None:
        """Measure `pairs` pairs and print them; a target for Alembic is how many times slower it is."""
        slower = other == "Alembic"
        if pairs > 1:
            measure(self.check(models))
            measure(command, keep_output=False)
        taken = [(measure(self.check(models)), measure(command, keep_output=slower)) for _ in range(pairs)]
        ours, theirs = zip(*taken, strict=True)
        seconds = statistics.median(s.seconds for s in ours)
        ratios = [b.seconds / a.seconds if slower else a.seconds / b.seconds for a, b in taken]
        ratio = statistics.median(ratios)
        target = targets.get(self.args.tables, Target())
        wanted = [] if target.ratio is None else [f">= {target.ratio:g}x" if slower else f"<= {target.ratio:.2f}"]
        wanted += [] if target.megabytes is None else [f"<= {target.megabytes:g} MB"]
        print(
            ROW.format(
                self.args.tables,
                what,
                f"{seconds:.3f}",
                f"{seconds / self.args.tables * 1e6:.0f}",
                f"{max(s.megabytes for s in ours):.0f}",
                other,
                f"{statistics.median(s.seconds for s in theirs):.3f}",
                f"{max(s.megabytes for s in theirs):.0f}",
                f"{ratio:.1f}x" if slower else f"{ratio:.2f}",
                ", ".join(wanted),
            ),
            flush=True,
        )
        if slower:
            differences, alone = theirs[0].output.split()
            print(f"         Alembic found {differences} differences; its comparison alone took {alone} s of its first run")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time limbeck check next to pg_dump and Alembic.")
    parser.add_argument("--tables", type=int, required=True)
    parser.add_argument("--folder", required=True, help="what generate.py wrote")
    parser.add_argument("--url", required=True, help="the database with schema.sql loaded")
    parser.add_argument("--limbeck", required=True)
    parser.add_argument("--alembic", help="a python with Alembic; its row is left out if absent")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--alembic-pairs", type=int, help="pairs of the Alembic row, if other than --pairs")
    parser.add_argument("--header", action="store_true")
    args = parser.parse_args()
    bench = Bench(args)
    if args.header:
        print(ROW.format("tables", "declared side", "check s", "us/table", "MB", "next to", "s", "MB", "ratio", "target"))
    bench.row("catalog's spelling", "models.json", "pg_dump -s", bench.pg_dump(), CATALOG, args.pairs)
    bench.row("people's spelling", "models-spelled.json", "pg_dump -s", bench.pg_dump(), SPELLED, args.pairs)
    if args.alembic:
        bench.row("catalog's spelling", "models.json", "Alembic", bench.alembic(), ALEMBIC, args.alembic_pairs or args.pairs)


if __name__ == "__main__":
    main()
