#!/bin/sh
# SPDX-License-Identifier: MIT
# Build Debian packages: build-deb.sh PYTHON OUTPUT-DIRECTORY [ARCHITECTURE...] (amd64, arm64, on any machine, for
# nothing is compiled; else this machine's). Dependencies are fetched here, by hash, and nowhere later: what
# dpkg-buildpackage sees is complete. The time in the package is that of debian/changelog.
set -eu

python=$1
mkdir -p "$2"
output=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

for tool in dh dpkg-buildpackage; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing. To go on:  sudo apt install debhelper dpkg-dev" >&2
        exit 1
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- "$(dpkg --print-architecture)"
for architecture; do
    tree=$work/$architecture/hwinfod
    mkdir -p "$tree"
    cp -r packaging/debian "$tree/debian"
    "$python" packaging/stage.py deb "$architecture" "$tree"
    # -d: what a cross build asks for besides, a compiler, is not needed.
    (cd "$tree" && dpkg-buildpackage --host-arch "$architecture" --build=binary --no-sign -d) >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    cp "$work/$architecture"/hwinfod_* "$output"
done
