#!/bin/sh
# SPDX-License-Identifier: MIT
# Build what is carried to a site without a network: build-tarball.sh PYTHON OUTPUT-DIRECTORY. One archive with the
# packages that lie in OUTPUT-DIRECTORY, wheels of everything for pip, the documents, and the checksum of each file;
# beside it its own checksum.
set -eu

python=$1
mkdir -p "$2"
output=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
umask 022
said() { "$python" -c "import hwinfod._version as v; print(v.$1)"; }
version=$(said VERSION)
name=hwinfod-$version-offline

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/$name"
cp "$output/hwinfod_$version"-*.deb "$output/hwinfod-$version"-*.rpm "$work/$name"
for machine in x86_64 aarch64; do
    "$python" packaging/bundle.py --wheels "$work/$name/wheels" "$machine"
done
packaging/build-wheel.sh "$python" "$work/$name/wheels"
rm "$work/$name"/wheels/*.tar.gz
cp -r docs ./*.md LICENSE "$work/$name"

released=$(said RELEASED)
cd "$work/$name"
find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >../SHA256SUMS
cd ..
mv SHA256SUMS "$name"
TZ=UTC tar --sort=name --format=ustar --mtime="$released" --owner=0 --group=0 --numeric-owner -c "$name" |
    gzip -n >"$output/$name.tar.gz"
cd "$output"
sha256sum "$name.tar.gz" >"$name.tar.gz.sha256"
