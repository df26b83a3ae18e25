#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in a Debian that systemd booted, with the packages beside it; leaves what it saw in files there. No step ends
# the script: the test reads the files.
cd "$(dirname "$0")" || exit 1
PATH=$PATH:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

see() { # see NAME COMMAND...: its output and, on the last line, its exit status
    name=$1
    shift
    "$@" >"seen/$name" 2>&1
    echo "$?" >>"seen/$name"
}
# What an operator does in an hour is done here in seconds: forget the starts that StartLimitBurst= counts.
start_afresh() { systemctl reset-failed hwinfod.service hwinfod.socket; }
main_pid() { systemctl show --property=MainPID --value hwinfod.service; }
comes_back() { # waits at most a minute
    for _ in $(seq 300); do
        if [ "$(systemctl show --property=NRestarts --value hwinfod.service)" != 0 ]; then
            systemctl is-active --quiet hwinfod.service && return
        fi
        sleep 0.2
    done
    return 1
}
mkdir -p seen

see install dpkg -i old.deb
see active systemctl is-active hwinfod.service hwinfod.socket
see enabled systemctl is-enabled hwinfod.service hwinfod-metrics.socket
see socket stat -c '%U %a' /run/hwinfod/hwinfod.sock
see capabilities grep CapEff "/proc/$(main_pid)/status"
see user stat -c %U "/proc/$(main_pid)"
see collectors hwinfoctl collectors --json
see stranger setpriv --reuid=65534 --regid=65534 --clear-groups hwinfoctl status --json
see units systemd-analyze verify --man=no hwinfod.service
see reload systemctl reload hwinfod.service
echo kept >/var/lib/hwinfod/state-of-the-test
echo '# kept' >>/etc/hwinfod/hwinfod.toml

mkdir -p /run/systemd/system/hwinfod.service.d
printf '[Service]\nWatchdogSec=5\nTimeoutStopSec=2\n' >/run/systemd/system/hwinfod.service.d/impatient.conf
systemctl daemon-reload
systemctl restart hwinfod.service
kill -STOP "$(main_pid)"
see watchdog comes_back
see restarts systemctl show --property=NRestarts --value hwinfod.service
rm -r /run/systemd/system/hwinfod.service.d
systemctl daemon-reload
start_afresh
before=$(main_pid)
see upgrade dpkg --force-confold -i new.deb
see upgraded sh -c "[ '$(main_pid)' != '$before' ] && hwinfoctl status --json"
see configuration tail -1 /etc/hwinfod/hwinfod.toml
see state cat /var/lib/hwinfod/state-of-the-test

start_afresh
see metrics sh -c 'systemctl enable hwinfod-metrics.socket && systemctl restart hwinfod.service &&
    python3 -c "import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:10049/metrics\").read().decode())"'
see stop systemctl stop hwinfod-metrics.socket hwinfod.service
see listening stat -c %a /run/hwinfod/hwinfod.sock
start_afresh
see activated hwinfoctl status --json
start_afresh
see bad_configuration sh -c 'echo nonsense >/etc/hwinfod/conf.d/bad.toml; systemctl restart hwinfod.service
    systemctl show --property=ExecMainStatus --value hwinfod.service; systemctl is-active hwinfod.service
    rm /etc/hwinfod/conf.d/bad.toml; systemctl reset-failed; systemctl start hwinfod.service'
see compiled find /usr/lib/hwinfod -name '*.pyc'
see size du -sk /usr/lib/hwinfod
start_afresh
see downgrade dpkg --force-confold -i old.deb
see downgraded hwinfoctl status --json
see remove dpkg -r hwinfod
see removed find /usr/lib/hwinfod /run/hwinfod/hwinfod.sock
see purge dpkg -P hwinfod
see left find / -xdev -name '*hwinfod*' -not -path '/proc/*' -not -path "$PWD/*"
see journal journalctl --no-pager --output=json --output-fields=MESSAGE,PRIORITY -u hwinfod.service
touch seen/done
