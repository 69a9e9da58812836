#!/bin/sh
# The architecture's guards: what the pure crates must not compile, and what tests/tests/architecture.rs checks of the sources.
set -eu
cd "$(dirname "$0")/.."

status=0
# A crate of models must not compile a driver or a runtime, nor may the pure crates (ARCHITECTURE.md).
for crate in limbeck limbeck-codegen limbeck-derive limbeck-metadata limbeck-plan limbeck-revision limbeck-schema limbeck-sql; do
    tree=$(cargo tree --quiet -p "$crate" --no-default-features --edges normal,build --prefix none)
    if banned=$(printf '%s\n' "$tree" | grep -E '^(sqlx(-[a-z]+)?|tokio|mio|socket2) v'); then
        printf 'guards: %s compiles, without a feature that asks for it:\n%s\n' "$crate" "$banned" >&2
        status=1
    fi
done

cargo test --quiet --workspace --test architecture || status=1
exit $status
