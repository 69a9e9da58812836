#!/usr/bin/env bash
# Runs what meets a server on every version of PostgreSQL that Limbeck supports, each on a throwaway server of its own, and
# ends with a line for each version.
#
# usage: scripts/matrix.sh
#
# MAJORS    the versions (default: 13 to 18)
# SAMPLE    run one in so many of the pairs in fixtures/pairs; those of a version, such as -pg18, all run (default: 1)
# CASES     a folder of case pairs for scripts/conformance.sh (default ../shared/cases), passed over where it is not there
# PART      run one in so many of these (default: 10)
set -uo pipefail

majors=${MAJORS:-13 14 15 16 17 18}
root=$(cd "$(dirname "$0")/.." && pwd)
cases=${CASES:-$root/../shared/cases}
cd "$root"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The tests that ask a server something. With all of the workspace, so that its build serves, whoever made it.
tests=(cargo test --quiet --workspace --all-features --no-fail-fast)
for name in pairs compare versions sea_schema unmanaged runs proof cli drift; do tests+=(--test "$name"); done

# One version: the tests, then the sample of the cases. Sets `said` to what its line says.
version() {
    said="cannot be installed"
    scripts/install-postgres.sh "$1" || return
    LIMBECK_PAIR_SAMPLE=${SAMPLE:-1} scripts/with-cluster.sh --major "$1" -- env -u DATABASE_URL "${tests[@]}" 2>&1 | tee "$log"
    local status=${PIPESTATUS[0]}
    said=$(awk '/^test result: / { passed += $4; failed += $6 } END { printf "%d tests passed, %d failed", passed, failed }' "$log")
    [ "$status" = 0 ] || return
    [ -f "$cases/run.py" ] || return 0
    MAJOR=$1 SAMPLE=${PART:-10} CASES=$cases scripts/conformance.sh 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    said="$said; $(sed -n 's/^conformance: \([0-9]* of [0-9]* pairs held\).*/\1/p' "$log")"
    return "$status"
}

[ -f "$cases/run.py" ] || echo "matrix: no cases in $cases; only the tests are run"
"${tests[@]}" --no-run || exit 1
lines=() broken=0
for major in $majors; do
    since=$SECONDS
    printf '\n== PostgreSQL %s\n' "$major"
    if version "$major"; then verdict=passed; else verdict=FAILED broken=1; fi
    lines+=("PostgreSQL $major: $verdict ($said; $((SECONDS - since)) s)")
done
printf '\n'
printf 'matrix: %s\n' "${lines[@]}"
exit $broken
