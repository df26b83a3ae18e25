#!/bin/sh
# SPDX-License-Identifier: MIT
# Install what tests/apt-packages.txt names and this machine lacks; say what could not be had. Never fails: the
# tests report a tier whose tools are missing as not run.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

found() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing_packages() {
    grep -v '^#' tests/apt-packages.txt | while read -r _ package brings; do
        for thing in $brings; do
            found "$thing" || printf '%s\n' "$package"
        done
    done | sort -u
}

packages=$(missing_packages)
[ -n "$packages" ] || exit 0
printf 'installing Debian packages that tests need: %s\n' "$(printf '%s' "$packages" | tr '\n' ' ')"
# shellcheck disable=SC2086 # one word a package
tools/apt-install.sh $packages || true

packages=$(missing_packages | tr '\n' ' ')
[ -z "$packages" ] || printf 'not installed: %s\nTo go on:  sudo apt install %s\n' "$packages" "$packages"
