#!/bin/sh
# Sees to it that this checkout has the programs that `make check` runs besides cargo's own: typos (a wheel from the Python
# registry) and cargo-machete (built from the Rust registry). Both go to .limbeck/tools. Does nothing when both are there.
set -eu
cd "$(dirname "$0")/.."

tools=.limbeck/tools
typos_version=1.52.0
machete_version=0.9.2

say() { printf 'tools: %s\n' "$*" >&2; }

if [ "$("$tools/venv/bin/typos" --version 2>/dev/null)" != "typos-cli $typos_version" ]; then
    say "installing typos $typos_version"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "typos==$typos_version"
fi
if [ "$("$tools/bin/cargo-machete" --version 2>/dev/null)" != "$machete_version" ]; then
    say "installing cargo-machete $machete_version"
    cargo install --quiet --locked --root "$tools" "cargo-machete@$machete_version"
fi
