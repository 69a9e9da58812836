#!/usr/bin/env bash
# No-op `limbeck check` next to `pg_dump -s` and Alembic's compare_metadata; a proven revision next to `pg_dump -s | psql`;
# then `limbeck heads` over large histories.
#
#   limbeck-cluster run -- bench/run.sh [--alembic-at-10000] [TABLES...]
#
# TABLES default to 100 1000 10000. The server comes by PGHOST, PGPORT and PGUSER (a superuser without password); Limbeck
# by $LIMBECK, by default the release build, made if needed. Alembic's rows need python3 with venv and PyPI for the first
# run and are left out otherwise; at 10,000 tables it takes minutes, so it runs there only when asked, once. The revision
# adds a column to a schema of 200 tables.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
venv=$root/.venv/bench
: "${PGHOST:?call it through: limbeck-cluster run -- bench/run.sh}" "${PGPORT:?}" "${PGUSER:=postgres}"
export PGHOST PGPORT PGUSER PGOPTIONS='-c client_min_messages=warning'
work=$(mktemp -d)

die() { printf 'bench: %s\n' "$*" >&2; exit 2; }
sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "${2:-postgres}" -c "$1"; }
finish() { for it in limbeck_bench limbeck_bench_copy; do sql "DROP DATABASE IF EXISTS $it WITH (FORCE)" 2>/dev/null || true; done; rm -rf "$work"; }
trap finish EXIT

alembic_at_10000=no sizes=()
for argument; do
  case $argument in
    --alembic-at-10000) alembic_at_10000=yes ;;
    *[!0-9]* | '') die "TABLES is a number, not '$argument'" ;;
    *) sizes+=("$argument") ;;
  esac
done
[ ${#sizes[@]} -gt 0 ] || sizes=(100 1000 10000)

# The server's own programs first: pg_dump refuses a server that is newer than itself.
PATH=${LIMBECK_PG_BIN:+$LIMBECK_PG_BIN:}$PATH
for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do PATH=$PATH:$folder; done
for tool in python3 psql pg_dump; do
  command -v "$tool" >/dev/null || die "$tool is not in PATH; on Debian: apt-get install python3 postgresql-client"
done

if [ -z "${LIMBECK:-}" ]; then
  (cd "$root" && cargo build --release -p limbeck-cli)
  LIMBECK=${CARGO_TARGET_DIR:-$root/target}/release/limbeck
fi
[ -x "$LIMBECK" ] || die "$LIMBECK is not a program; build it by: cargo build --release -p limbeck-cli"

make_venv() {
  cmp -s "$here/requirements.txt" "$venv/requirements.txt" && return
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" &&
    cp "$here/requirements.txt" "$venv/requirements.txt"
}
alembic=$venv/bin/python
if ! make_venv > "$work/venv.log" 2>&1; then
  tail -n 3 "$work/venv.log"
  echo "no rows for Alembic: it could not be installed (python3-venv and PyPI are needed)"
  alembic=
fi

load() {
  python3 "$here/generate.py" "$1" "$work/$1"
  sql 'DROP DATABASE IF EXISTS limbeck_bench WITH (FORCE)'
  sql 'CREATE DATABASE limbeck_bench TEMPLATE template0'
  PGOPTIONS="$PGOPTIONS -c synchronous_commit=off" psql -qX -v ON_ERROR_STOP=1 -d limbeck_bench -f "$work/$1/schema.sql"
  sql 'VACUUM ANALYZE' limbeck_bench
}

# pg_dump locks every table in one transaction.
slots=$(sql "SELECT current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int")
sql "SELECT 'PostgreSQL ' || current_setting('server_version')"
header=--header
for tables in "${sizes[@]}"; do
  [ "$slots" -ge "$tables" ] || die "pg_dump needs $tables locks, the server has $slots; raise max_locks_per_transaction"
  load "$tables"
  options=(--pairs 5)
  [ "$tables" -le 1000 ] || options=(--pairs 3 --alembic-pairs 1)
  if [ -n "$alembic" ] && { [ "$tables" -lt 10000 ] || [ "$alembic_at_10000" = yes ]; }; then
    options+=(--alembic "$alembic")
  fi
  python3 "$here/measure.py" --tables "$tables" --folder "$work/$tables" --limbeck "$LIMBECK" \
    --url "postgresql://$PGUSER@$PGHOST:$PGPORT/limbeck_bench" ${header:+$header} "${options[@]}"
  header=
  rm -rf "${work:?}/$tables"
done

load 200
python3 "$here/proof.py" --folder "$work/200" --limbeck "$LIMBECK" --url "postgresql://$PGUSER@$PGHOST:$PGPORT/limbeck_bench"

echo
python3 "$here/history.py" --limbeck "$LIMBECK"
