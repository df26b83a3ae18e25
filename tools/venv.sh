#!/bin/sh
# SPDX-License-Identifier: MIT
# Make a virtual environment, or bring it up to date: venv.sh DIRECTORY PYTHON REQUIREMENTS
# Only what the lock file names is installed, and only with the hashes it names. Costs milliseconds when
# nothing has changed since the last time.
set -eu

directory=$1 python=$2 requirements=$3
top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/requirements-build.txt
stamp=$directory/.$(basename "$requirements" .txt).sha256

say() { printf '%s\n' "$*" >&2; }

install_ensurepip() {
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    say "$python cannot make virtual environments: Debian and Ubuntu keep that in $package"
    if "$top/tools/apt-install.sh" "$package" >&2; then
        return
    fi
    say "To go on:  sudo apt install $package   (or name another interpreter: make PYTHON=python3.12 ...)"
    exit 1
}

# An interpreter that was upgraded or removed leaves an environment that does not start: it is made again.
works() { [ -x "$directory/bin/python" ] && "$directory/bin/python" -c 'import pip' 2>/dev/null; }

if ! command -v "$python" >/dev/null; then
    say "there is no $python here: install python3, or name another interpreter: make PYTHON=python3.12 ..."
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    say "hwinfod needs Python 3.10 or newer, and '$python' is $("$python" --version 2>&1)"
    say "To go on:  make PYTHON=python3.12 ...   (any newer interpreter that you have)"
    exit 1
fi
if ! works; then
    "$python" -c 'import ensurepip' 2>/dev/null || install_ensurepip
    rm -rf "$directory"
    "$python" -m venv "$directory"
fi

sums=$(cat "$build" "$requirements" | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" != "$sums" ] || exit 0
say "installing $(basename "$requirements") into $directory"
pip() { "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes "$@"; }
pip -r "$build"
pip --no-build-isolation -r "$requirements"
printf '%s\n' "$sums" >"$stamp"
