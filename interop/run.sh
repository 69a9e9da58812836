#!/usr/bin/env bash
# Limbeck against models and a database that nobody here wrote: Invenio's modules and their own Alembic migrations.
#
#   limbeck-cluster run -- interop/run.sh
#
# The server comes by PGHOST, PGPORT and PGUSER (a superuser without password); Limbeck by $LIMBECK, by default the newest
# build in target/. Needs python3 with venv, access to PyPI for the first run, and psql and pg_dump.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python_dir=$here/python
venv=$root/.venv/interop
python=$venv/bin/python
: "${PGHOST:?call it through: limbeck-cluster run -- interop/run.sh}" "${PGPORT:?}" "${PGUSER:=postgres}"
export PGHOST PGPORT PGUSER PGOPTIONS='-c client_min_messages=warning'
work=$(mktemp -d)
databases=(limbeck_interop limbeck_interop_first limbeck_interop_sink)

say() { printf '\n== %s\n' "$*"; }
die() { printf 'interop: %s\n' "$*" >&2; exit 2; }
url() { printf 'postgresql://%s@%s:%s/%s' "$PGUSER" "$PGHOST" "$PGPORT" "$1"; }
sql() { psql -qXAt -v ON_ERROR_STOP=1 -d postgres -c "$1"; }

finish() {
  local status=$?
  for database in "${databases[@]}"; do sql "DROP DATABASE IF EXISTS $database WITH (FORCE)" 2>/dev/null || true; done
  [ "$status" -eq 0 ] || echo "interop: failed" >&2
  rm -rf "$work"
}
trap finish EXIT

find_tools() {
  local folder
  # The server's own programs first: pg_dump refuses a server that is newer than itself.
  PATH=${LIMBECK_PG_BIN:+$LIMBECK_PG_BIN:}$PATH
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do PATH=$PATH:$folder; done
  for tool in python3 psql pg_dump; do
    command -v "$tool" >/dev/null || die "$tool is not in PATH; on Debian: apt-get install python3-venv postgresql-client"
  done
}

find_limbeck() {
  if [ -z "${LIMBECK:-}" ]; then
    local target=${CARGO_TARGET_DIR:-$root/target}
    LIMBECK=$(ls -t "$target"/{release,debug}/limbeck 2>/dev/null | head -n 1 || true)
    if [ -z "$LIMBECK" ]; then
      (cd "$root" && cargo build --release -p limbeck-cli)
      LIMBECK=$target/release/limbeck
    fi
  fi
  [ -x "$LIMBECK" ] || die "$LIMBECK is not a program; build it by: cargo build --release -p limbeck-cli"
}

# The virtual environment is made anew only when its list of packages has changed.
make_venv() {
  cmp -s "$here/requirements.txt" "$venv/requirements.txt" && return
  say "installing Invenio's modules into .venv/interop (a few minutes, once)"
  rm -rf "$venv"
  python3 -m venv "$venv" || die "python3 has no venv module; on Debian: apt-get install python3-venv"
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
}

# Run a command of Invenio's; its warnings and log are shown only if it fails.
quietly() { "$@" 2> "$work/log" || { tail -n 40 "$work/log" >&2; exit 1; }; }

create_database() { sql "DROP DATABASE IF EXISTS $1 WITH (FORCE)"; sql "CREATE DATABASE $1 TEMPLATE template0"; }

# What pg_dump says of everything but Limbeck's own tables; \restrict carries a random token.
dump() { pg_dump --schema-only --exclude-table='limbeck_*' --dbname "$1" | grep -v -e '^\\restrict' -e '^\\unrestrict'; }

same_dump() {
  diff -u "$work/$1.before" "$work/$1.after" || { echo "pg_dump differs after the downgrade" >&2; exit 1; }
  echo "pg_dump is as before"
}

# Run a command of Limbeck on a database: its revisions live in a folder of their own.
limbeck() { local database=$1; shift; "$LIMBECK" --url "$(url "$database")" --revisions "$work/$database" "$@"; }

expect_no_difference() {
  limbeck "$1" check --target "$2" || { echo "limbeck check: expected no difference" >&2; exit 1; }
}

# revision, upgrade, check, downgrade; the dump before and after must agree.
there_and_back() {
  local database=$1 target=$2 message=$3
  mkdir -p "$work/$database"
  dump "$database" > "$work/$database.before"
  limbeck "$database" revision --autogenerate --target "$target" -m "$message"
  cat "$work/$database"/*.sql > "$work/$database.revision"
  limbeck "$database" upgrade head --accept-hazards
  expect_no_difference "$database" "$target"
  limbeck "$database" downgrade base --accept-hazards
  dump "$database" > "$work/$database.after"
  same_dump "$database"
}

find_tools
make_venv
find_limbeck
export INVENIO_SECRET_KEY=interop PYTHONWARNINGS=ignore
export INVENIO_SQLALCHEMY_DATABASE_URI=postgresql+psycopg2://$PGUSER@$PGHOST:$PGPORT/limbeck_interop

say "every feature of sqlalchemy_to_limbeck: created by SQLAlchemy, no difference by Limbeck"
create_database limbeck_interop_sink
(
  cd "$python_dir"
  "$python" kitchen_sink.py "postgresql+psycopg2://$PGUSER@$PGHOST:$PGPORT/limbeck_interop_sink"
  "$python" sqlalchemy_to_limbeck.py kitchen_sink --output "$work/sink.json"
  "$python" check_metadata.py "$work/sink.json"
)
expect_no_difference limbeck_interop_sink "$work/sink.json"

say "migrating an empty database by Invenio's own revisions"
create_database limbeck_interop
quietly "$venv/bin/invenio" alembic upgrade
quietly "$python" "$python_dir/invenio_models.py" compare

say "the models as Limbeck's metadata"
quietly "$python" "$python_dir/invenio_models.py" metadata "$work/metadata.json"
"$python" "$python_dir/edit_metadata.py" "$work/metadata.json" "$work/edited.json"
"$python" "$python_dir/check_metadata.py" "$work/metadata.json" "$work/edited.json"

say "limbeck check: what Alembic's compare does not see"
status=0
limbeck limbeck_interop check --target "$work/metadata.json" > "$work/found" || status=$?
cat "$work/found"
[ "$status" -le 1 ] || exit "$status"
"$python" "$python_dir/verify_differences.py" "$(url limbeck_interop)" "$work/found" "$here/expected/invenio-check.txt"

say "an edit of the models on Invenio's database, there and back"
there_and_back limbeck_interop "$work/edited.json" edit

say "the first revision on an empty database, there and back"
create_database limbeck_interop_first
there_and_back limbeck_interop_first "$work/metadata.json" first

printf '\ninterop: holds\n'
