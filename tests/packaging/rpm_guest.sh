#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of the rpm, in a Debian that systemd booted and into whose root rpm put the older package before; leaves
# what it saw in files. No step ends the script: the test reads the files.
cd "$(dirname "$0")" || exit 1
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

see() { # see NAME COMMAND...: its output and, on the last line, its exit status
    name=$1
    shift
    "$@" >"seen/$name" 2>&1
    echo "$?" >>"seen/$name"
}
rpm() { command rpm --dbpath /var/lib/rpm "$@"; }
main_pid() { systemctl show --property=MainPID --value hwinfod.service; }
start_afresh() { systemctl reset-failed hwinfod.service hwinfod.socket; }
same_process() { [ "$1" != 0 ] && [ "$(main_pid)" = "$1" ] && hwinfoctl status --json; }
other_process() { [ "$1" != 0 ] && [ "$(main_pid)" != "$1" ] && hwinfoctl status --json; }
compiled() { find /usr/lib/hwinfod -name '*.pyc' | sed 's/.*\.\(cpython-[0-9]*\)\.pyc/\1/' | sort | uniq -c; }
mkdir -p seen

see active systemctl is-active hwinfod.service hwinfod.socket
see enabled systemctl is-enabled hwinfod.service hwinfod-metrics.socket
see user stat -c %U "/proc/$(main_pid)"
see older hwinfoctl status --json
see verify rpm -V hwinfod
see collectors hwinfoctl collectors --json
echo kept >/var/lib/hwinfod/state-of-the-test
echo '# kept' >>/etc/hwinfod/hwinfod.toml
see changed rpm -V hwinfod

before=$(main_pid)
see upgrade rpm -U new.rpm
see upgraded other_process "$before"
see configuration tail -1 /etc/hwinfod/hwinfod.toml
see beside find /etc/hwinfod -type f
see state cat /var/lib/hwinfod/state-of-the-test
see gone find /usr/lib/hwinfod -name '*gone*'
see compiled compiled

touch /usr/lib/hwinfod/hwinfod/__pycache__/__init__.cpython-39.pyc
find /usr/lib/hwinfod -name '__main__.*.pyc' -delete
see python rpm -U python.rpm
see recompiled compiled

start_afresh
before=$(main_pid)
see masked systemctl mask --runtime hwinfod.service
see downgrade rpm -U --oldpackage old.rpm
see not_restarted same_process "$before"
see unmasked systemctl unmask --runtime hwinfod.service
see restart systemctl restart hwinfod.service
see downgraded hwinfoctl status --json

see erase rpm -e hwinfod
see inactive systemctl is-active hwinfod.service hwinfod.socket
see account id -u hwinfod
see left find / -xdev -name '*hwinfod*' -not -path '/proc/*' -not -path "$PWD/*"
see journal journalctl --no-pager --output=json --output-fields=MESSAGE,PRIORITY -u hwinfod.service
touch seen/done
