#!/usr/bin/env bash
# Runs the case pairs of CASES (default ../shared/cases) through the release build of limbeck, judged by their own runner.
#
# usage: scripts/conformance.sh [OPTION OF run.py]...        (default: --relational)
#
# The pairs are split into SHARDS (default 2), each with a server of its own, since cases create roles. At least FLOOR
# percent of the pairs must hold (default: the number below, which only ever rises). MAJOR chooses the version of the
# servers, and SAMPLE runs one in so many of the pairs.
set -euo pipefail

floor=${FLOOR:-99}
shards=${SHARDS:-2}
sample=${SAMPLE:-1}
major=${MAJOR:-}
root=$(cd "$(dirname "$0")/.." && pwd)
cases=${CASES:-$root/../shared/cases}
[ $# -gt 0 ] || set -- --relational

if [ ! -f "$cases/run.py" ]; then
    echo "conformance: no cases in $cases; set CASES to their folder. Nothing was run."
    exit 0
fi
command -v python3 >/dev/null || { echo "conformance: python3 is needed to run the judge" >&2; exit 2; }

cd "$root"
scripts/install-postgres.sh ${major:+"$major"}
cargo build --quiet --release -p limbeck-cli
cargo build --quiet --workspace --bin limbeck-cluster
target=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
# The newest pg_dump serves every server; the one that install-postgres.sh fetches is there where none other is new enough.
pgbin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/pg_dump 2>/dev/null | sort -V | tail -n 1 || true)")
for fetched in "$root/.limbeck/pg/client/bin" /var/cache/limbeck/pg/client/bin; do
    [ -z "$major" ] || [ ! -x "$fetched/pg_dump" ] || pgbin=$fetched
done
[ "$pgbin" != . ] || pgbin=$(dirname "$(command -v pg_dump)")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pids=()
for ((shard = 0; shard < shards; shard++)); do
    "$target/debug/limbeck-cluster" run ${major:+--major "$major"} -- python3 "$cases/run.py" --limbeck "$target/release/limbeck" \
        --cases "$cases" --pgbin "$pgbin" --shard "$shard/$((shards * sample))" --out "$work/$shard.json" --show "$@" \
        >"$work/$shard.log" 2>&1 &
    pids+=($!)
done
# The judge's status is 1 as soon as one pair fails; the floor below decides, and needs every shard's last line.
for pid in "${pids[@]}"; do wait "$pid" || true; done

held=0 ran=0
for ((shard = 0; shard < shards; shard++)); do
    sed "s/^/[$shard] /" "$work/$shard.log"
    if ! last=$(grep -E '^[0-9]+ of [0-9]+ held$' "$work/$shard.log"); then
        echo "conformance: shard $shard did not finish" >&2
        exit 1
    fi
    read -r n _ of _ <<<"$last"
    held=$((held + n)) ran=$((ran + of))
done
[ -z "${OUT:-}" ] || { mkdir -p "$OUT" && cp "$work"/*.json "$OUT"; }
echo "conformance: $held of $ran pairs held (floor: $floor %)"

enough() { [ "$ran" -gt 0 ] && [ $((held * 100)) -ge $((floor * ran)) ]; }

# Alembic's recorded comparisons and graph calls, of the version that they were recorded on.
if [ -n "$major" ]; then
    enough
    exit
fi
cases=$(cd "$cases" && pwd)
LIMBECK_CASES=$cases scripts/with-cluster.sh -- cargo test --quiet -p limbeck-tests --test autogenerate
LIMBECK_CASES=$cases cargo test --quiet -p limbeck-revision --test graph_records

enough
