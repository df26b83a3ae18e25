#!/bin/sh
# SPDX-License-Identifier: MIT
# Install Debian packages where that needs no question (root, or sudo without a password): apt-install.sh PACKAGE...
# Services that they bring are neither started nor enabled: a machine that runs our tests did not ask for a
# Prometheus on all its addresses. Exit 77: may not, or there is no apt.
set -eu

command -v apt-get >/dev/null || exit 77
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || exit 77
    exec sudo -n -- "$0" "$@"
fi

# invoke-rc.d(8) and deb-systemd-invoke(1p) ask this file before they start a service; 101 is "not allowed".
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    said=$(apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" 2>&1) && return
    printf '%s\n' "$said" >&2
    return 1
}

apt-get update -qq || true
status=0
# One by one when they cannot all be had: a package that this release lacks must not cost the others.
install "$@" || for package; do install "$package" || status=1; done

command -v systemctl >/dev/null || exit "$status"
for package; do
    dpkg -L "$package" 2>/dev/null | sed -n 's,.*/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$,\1,p'
done | while read -r unit; do
    systemctl disable --quiet "$unit" >/dev/null 2>&1 || true
done
exit "$status"
