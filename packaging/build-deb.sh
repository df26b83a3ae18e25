#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the Debian package: build-deb.sh PYTHON OUTPUT-DIRECTORY. Dependencies are fetched here, by hash, and nowhere
# later: what dpkg-buildpackage sees is complete. The time in the package is that of debian/changelog.
set -eu

python=$1
mkdir -p "$2"
output=$(cd "$2" && pwd)
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
tree=$work/hwinfod
mkdir "$tree"
tar -c --exclude=__pycache__ hwinfod systemd man etc completions packaging SECURITY.md LICENSE | tar -x -C "$tree"
"$python" packaging/bundle.py "$tree/vendor"

cd "$tree"
cp -r packaging/debian debian
for kind in service socket sysusers tmpfiles; do
    cp "systemd/hwinfod.$kind" "debian/hwinfod.$kind"
done
cp systemd/hwinfod-metrics.socket debian/hwinfod.hwinfod-metrics.socket
# A completion is found by its file's name.
mkdir completions/bash completions/zsh
cp completions/hwinfoctl.bash completions/bash/hwinfoctl
cp completions/hwinfoctl.zsh completions/zsh/_hwinfoctl
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
cp "$work"/hwinfod_*.deb "$work"/hwinfod_*.changes "$work"/hwinfod_*.buildinfo "$output"
