#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the source release, and the wheel out of it: build-wheel.sh PYTHON OUTPUT-DIRECTORY. PYTHON has what
# requirements-build.txt locks; nothing is fetched.
set -eu

python=$(realpath -s "$(command -v "$1")") # it is called from elsewhere
mkdir -p "$2"
output=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
umask 022
SOURCE_DATE_EPOCH=$(TZ=UTC date -d "$("$python" -c 'import hwinfod._version as v; print(v.RELEASED)')" +%s)
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# In a copy: setuptools leaves directories behind, and reads what earlier builds left.
tar -c --exclude=__pycache__ --exclude='*.egg-info' hwinfod systemd man etc completions docs packaging ./*.md ./*.txt \
    LICENSE Makefile MANIFEST.in pyproject.toml | tar -x -C "$work"
cd "$work"
build() { "$python" -c "import setuptools.build_meta as m; m.build_$1('$2')" >"$work/log" 2>&1 || (cat "$work/log" >&2 && exit 1); }
build sdist "$work/made"
tar -x -f "$work"/made/hwinfod-*.tar.gz -C "$work/made"
cd "$work"/made/hwinfod-*/
release=$(basename "$PWD")
# Packed again: setuptools writes the time of the day.
tar -C .. --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    -c "$release" | gzip -n >"$output/$release.tar.gz"
build wheel "$output"
