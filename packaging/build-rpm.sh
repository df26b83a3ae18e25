#!/bin/sh
# SPDX-License-Identifier: MIT
# Build rpm packages: build-rpm.sh PYTHON OUTPUT-DIRECTORY ARCHITECTURE... (as Debian calls them: amd64, arm64; on any
# machine, for nothing is compiled). Dependencies are fetched here, by hash, and nowhere later. The time in the
# package is the release's.
set -eu

python=$1
mkdir -p "$2"
output=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

if ! command -v rpmbuild >/dev/null; then
    echo "rpmbuild is missing. To go on:  sudo apt install rpm" >&2
    exit 1
fi
said() { "$python" -c "import hwinfod._version as v; print(v.$1)"; }
SOURCE_DATE_EPOCH=$(date -d "$(said RELEASED)" +%s)
export SOURCE_DATE_EPOCH
version=$(said VERSION)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for architecture; do
    "$python" packaging/stage.py rpm "$architecture" "$work/$architecture"
    case $architecture in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    esac
    rpmbuild -bb --quiet --target "$machine-linux" \
        --define "hwinfod_version $version" --define "staged $work/$architecture" \
        --define "_topdir $work" --define "_rpmdir $output" --define '_build_name_fmt %%{NVRA}.rpm' \
        --define "packager $(sed -n 's/^Maintainer: //p' packaging/debian/control)" \
        --define '_buildhost localhost' --define 'use_source_date_epoch_as_buildtime 1' \
        --define 'clamp_mtime_to_source_date_epoch 1' packaging/rpm/hwinfod.spec >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
done
