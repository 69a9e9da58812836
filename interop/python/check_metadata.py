#!/usr/bin/env python3
"""Check documents against Limbeck's JSON metadata, version 1: every key known, every value of its type.

    python check_metadata.py FILE...

An independent reading of the format, so that a mistake in an emitter is told apart from one in Limbeck.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# A shape is a Python type, a tuple of allowed words, [shape] for a list, {"key": shape} for an object ("!" marks a
# required key), {"*": shape} for an object with free keys, or Any of several shapes.
Shape = Any


class AnyOf:
    """One of several shapes."""

    def __init__(self, *shapes: Shape) -> None:
        self.shapes = shapes


NAMES = [str]
DEFER = {"deferrable": bool, "initially_deferred": bool, "comment": str}
COUNTING = {"start": int, "increment": int, "min": int, "max": int, "cache": int, "cycle": bool}
ACTION = ("no action", "restrict", "cascade", "set null", "set default")
ELEMENT = {
    "column": str,
    "expression": str,
    "opclass": str,
    "collation": str,
    "order": ("asc", "desc"),
    "nulls": ("first", "last"),
}
COLUMN = {
    "name!": str,
    "type!": str,
    "nullable": bool,
    "default": str,
    "generated": str,
    "identity": {"always": bool, **COUNTING},
    "serial": bool,
    "collation": str,
    "comment": str,
}
TABLE = {
    "name!": str,
    "schema": str,
    "comment": str,
    "columns": [COLUMN],
    "primary_key": {"name": str, "columns!": NAMES, "include": NAMES, **DEFER},
    "uniques": [{"name": str, "columns!": NAMES, "include": NAMES, "nulls_not_distinct": bool, **DEFER}],
    "foreign_keys": [
        {
            "name": str,
            "columns!": NAMES,
            "references!": {"schema": str, "table!": str, "columns": NAMES},
            "on_delete": ACTION,
            "on_update": ACTION,
            "on_delete_columns": NAMES,
            "match": ("simple", "full"),
            "not_valid": bool,
            **DEFER,
        }
    ],
    "checks": [{"name": str, "expression!": str, "no_inherit": bool, "not_valid": bool, "comment": str}],
    "exclusions": [
        {
            "name": str,
            "method": str,
            "elements!": [{**ELEMENT, "operator!": str}],
            "include": NAMES,
            "where": str,
            **DEFER,
        }
    ],
    "indexes": [
        {
            "name": str,
            "unique": bool,
            "method": str,
            "elements!": [AnyOf(str, ELEMENT)],
            "include": NAMES,
            "where": str,
            "nulls_not_distinct": bool,
            "with": {"*": str},
            "comment": str,
        }
    ],
}
CONVENTION = {kind: str for kind in ("ix", "uq", "ck", "fk", "pk", "ex")}
DOCUMENT = {
    "limbeck!": int,
    "schema": str,
    "naming_convention": AnyOf(str, {**CONVENTION, "truncate": ("hash", "cut")}),
    "manages": NAMES,
    "ignore": {"*": NAMES},
    "schemas": [{"name!": str, "comment": str}],
    "enums": [{"name!": str, "schema": str, "labels!": NAMES, "comment": str}],
    "sequences": [
        {
            "name!": str,
            "schema": str,
            "type": str,
            "owned_by": {"table!": str, "schema": str, "column!": str},
            "comment": str,
            **COUNTING,
        }
    ],
    "tables": [TABLE],
}


def problems(value: Any, shape: Shape = DOCUMENT, at: str = "$") -> list[str]:
    """Every place where `value` is not of `shape`, as `path: what is wrong`; null stands for an absent key."""
    match shape:
        case AnyOf():
            tried = [problems(value, one, at) for one in shape.shapes]
            return [] if [] in tried else min(tried, key=len)
        case tuple():
            return [] if value in shape else [f"{at}: {value!r} is none of {', '.join(shape)}"]
        case [item]:
            if not isinstance(value, list):
                return [f"{at}: not a list"]
            return [p for i, one in enumerate(value) for p in problems(one, item, f"{at}[{i}]")]
        case dict():
            if not isinstance(value, dict):
                return [f"{at}: not an object"]
            known = {key.rstrip("!"): one for key, one in shape.items()}
            missing = [key[:-1] for key in shape if key.endswith("!") and value.get(key[:-1]) is None]
            found = [f"{at}: {key} is missing" for key in missing]
            for key, one in value.items():
                inner = known.get(key, known.get("*"))
                if inner is None:
                    found.append(f"{at}: unknown key {key}")
                elif one is not None:
                    found += problems(one, inner, f"{at}.{key}")
            return found
    # JSON's true is an int in Python, but not in the format.
    right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return [] if right else [f"{at}: {value!r} is not {shape.__name__}"]


def main() -> int:
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            found = problems(json.load(file))
        failed |= bool(found)
        for problem in found:
            print(f"{path}: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
