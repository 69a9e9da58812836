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
databases=(limbeck_interop limbeck_interop_first limbeck_interop_sink limbeck_interop_import)

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

# Import the six packages' revisions into a folder for each. Invenio has no `--sql` and one of its revisions looks for
# what it renames, so the SQL is that of the run above and of a downgrade, as record_alembic.py wrote it down. One file
# computes what it depends on from the packages that are installed, which `if present` says without Python.
import_revisions() {
  local module branch folders=()
  mkdir -p "$work/imported"
  {
    echo 'version_table = "alembic_version"'
    for module in db accounts files_rest oauthclient pidstore records; do
      branch=invenio_$module
      [ "$module" = db ] && branch=default
      printf '[[revisions]]\npath = "%s"\nbranch = "%s"\n' "$module" "$branch"
    done
  } > "$work/imported/limbeck.toml"
  for module in db accounts files_rest oauthclient pidstore records; do
    folders+=("$("$python" -c "import importlib.util as u; print(u.find_spec('invenio_$module').submodule_search_locations[0])")/alembic")
  done
  imported limbeck_interop_import import alembic "${folders[@]}" --sql "$work/upgrade.sql" --sql "$work/downgrade.sql" \
    --depends-on 'f2522cdd5fcd=37b21951084c if present, 842a62b56e60 if present'
}

# Run a command of Limbeck with the imported revisions.
imported() { local database=$1; shift; "$LIMBECK" --config "$work/imported/limbeck.toml" --url "$(url "$database")" "$@"; }

# What pg_dump says of everything but the version table, whose ids may be longer where Limbeck creates it.
import_dump() { pg_dump --schema-only --exclude-table='limbeck_*' --exclude-table=alembic_version --dbname "$1" | grep -v -e '^\\restrict' -e '^\\unrestrict'; }

expect_same() { diff -u "$1" "$2" || { echo "$3" >&2; exit 1; }; echo "$4"; }

# The revisions that a listing of either program names: Alembic's lines may end the way with the revision itself.
revisions_of() { sed -E -e 's/^.* -> ([^ ]+).*/\1/' -e 's/^([^ ]+) .*/\1/' | sort; }

# heads, current, branches and history name the same revisions on the database that Invenio's own run migrated.
same_listings() {
  local command
  for command in heads current branches history; do
    "$venv/bin/invenio" alembic "${command/history/log}" 2> "$work/log" | revisions_of > "$work/$command.alembic"
    imported limbeck_interop "$command" | revisions_of > "$work/$command.limbeck"
    expect_same "$work/$command.alembic" "$work/$command.limbeck" "$command names other revisions than Alembic" \
      "$command: $(wc -l < "$work/$command.limbeck") revisions, as Alembic"
  done
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
quietly "$python" "$python_dir/record_alembic.py" "$work/upgrade.sql" invenio alembic upgrade
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

say "Invenio's revisions, imported into six folders"
create_database limbeck_interop_import
INVENIO_SQLALCHEMY_DATABASE_URI=${INVENIO_SQLALCHEMY_DATABASE_URI%/*}/limbeck_interop_import
quietly "$venv/bin/invenio" alembic upgrade
quietly "$python" "$python_dir/record_alembic.py" "$work/downgrade.sql" invenio alembic downgrade base
INVENIO_SQLALCHEMY_DATABASE_URI=${INVENIO_SQLALCHEMY_DATABASE_URI%/*}/limbeck_interop
import_revisions
same_listings

say "upgraded from nothing by Limbeck: as Alembic leaves it"
create_database limbeck_interop_import
import_dump limbeck_interop > "$work/import.alembic"
imported limbeck_interop_import upgrade
import_dump limbeck_interop_import > "$work/import.limbeck"
expect_same "$work/import.alembic" "$work/import.limbeck" "pg_dump differs from what Alembic leaves" "pg_dump is as after Alembic"
imported limbeck_interop_import current --check-heads
quietly imported limbeck_interop_import downgrade base
imported limbeck_interop_import upgrade --quiet
import_dump limbeck_interop_import > "$work/import.limbeck"
expect_same "$work/import.alembic" "$work/import.limbeck" "pg_dump differs after the way there and back" \
  "pg_dump is the same after downgrade base and upgrade"

printf '\ninterop: holds\n'
