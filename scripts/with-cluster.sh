#!/bin/sh
# Runs a command with a throwaway PostgreSQL server of its own; `limbeck-cluster --help` says what the command finds.
#
# usage: scripts/with-cluster.sh [--major N] -- COMMAND [ARGUMENT]...
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
major=
[ "${1:-}" != --major ] || major=${2:-}
"$root/scripts/install-postgres.sh" ${major:+"$major"}
cd "$root"
# With the workspace's features, so that a build of the whole workspace has nothing to compile again.
cargo build --quiet --workspace --bin limbeck-cluster
target=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
exec "$target/debug/limbeck-cluster" run "$@"
