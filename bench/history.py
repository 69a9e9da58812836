#!/usr/bin/env python3
"""Time `limbeck heads` over large histories, which needs no server.

    python history.py --limbeck PROGRAM [--runs N] [REVISIONS...]

REVISIONS default to 1000 10000. The histories are of twelve branches, each in a folder of its own, with dependencies
between them and now and then a fork and its merge. A row holds the median wall seconds and the median processor seconds
of whole processes (start, reading every header, linking, printing) after one unmeasured run, and the target beside, which
is never asserted: the machine decides.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BRANCHES = 12
TARGETS = {1000: 0.05, 10000: 0.5}
BODY = "".join(f"ALTER TABLE wide ADD COLUMN column_{n} bigint NOT NULL DEFAULT 0;\n" for n in range(20))


def write(path: Path, revision: str, revises: list[str], label: str | None, needs: str | None) -> None:
    header = [f"-- Change number {revision}", "--", f"-- revision:      {revision}"]
    header.append(f"-- revises:       {', '.join(revises) or '<base>'}")
    if label:
        header.append(f"-- branch labels: {label}")
    if needs:
        header.append(f"-- depends on:    {needs}")
    header += ["-- created:       2026-01-01 00:00:00 UTC", "", "-- upgrade", BODY, "-- downgrade", BODY]
    path.write_text("\n".join(header))


def generate(folder: Path, revisions: int) -> list[Path]:
    """Write a history and return its folders."""
    heads: list[list[str]] = [[] for _ in range(BRANCHES)]
    folders = [folder / f"module{n:02}" for n in range(BRANCHES)]
    for it in folders:
        it.mkdir(parents=True)
    for number in range(revisions):
        branch, turn = number % BRANCHES, number // BRANCHES
        revision = f"{number * 7919 % 16**6:06x}{number:06x}"
        revises = heads[branch]
        # Every twentieth revision of a branch forks from its parent, and the next one merges both.
        forks = turn > 1 and turn % 20 == 0
        label = f"module{branch:02}" if turn == 0 else None
        needs = heads[branch - 1][0] if branch and turn % 5 == 0 else None
        write(folders[branch] / f"{revision}.sql", revision, revises[:1] if forks else revises, label, needs)
        heads[branch] = [revision]
        if forks:
            side = f"f{revision[1:]}"
            write(folders[branch] / f"{side}.sql", side, revises[:1], None, None)
            heads[branch] = [revision, side]
    return folders


def seconds(command: list[str]) -> tuple[float, float]:
    """Run a command; give its wall seconds, and its processor seconds by wait4."""
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        taken = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            sys.exit(f"bench: `{' '.join(command[:3])} …` ended with status {child.returncode}\n{said}")
    return taken, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description="Time limbeck heads over large histories.")
    parser.add_argument("--limbeck", required=True)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("revisions", type=int, nargs="*", default=[1000, 10000])
    args = parser.parse_args()
    print(f"{'revisions':>9}  {'command':<24} {'wall s':>9} {'cpu s':>9}   target")
    for revisions in args.revisions:
        with tempfile.TemporaryDirectory() as folder:
            options = [word for it in generate(Path(folder), revisions) for word in ("--revisions", str(it))]
            for words in (["heads"], ["history", "-r", "module01@base:module01@head"]):
                command = [args.limbeck, *options, *words]
                seconds(command)
                taken = [seconds(command) for _ in range(args.runs)]
                wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
                target = f"<= {TARGETS[revisions]:g} s" if words == ["heads"] and revisions in TARGETS else ""
                print(
                    f"{revisions:>9}  {' '.join(words)[:24]:<24} {wall:>9.3f} {cpu:>9.3f}   {target}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
