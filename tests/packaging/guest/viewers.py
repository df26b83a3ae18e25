# SPDX-License-Identifier: MIT
"""Who asks decides what is seen: root, a member of the group, whose work it is, and a stranger, under each privacy,
while somebody's job holds objects of an RDMA device."""

from __future__ import annotations

import json
from typing import Any

from in_guest import sh, wait_for
from system import SERVICE, as_user, configuration, ctl, expect, output, run

_MEMBER, _HOLDER, _STRANGER = "member", "holder", "stranger"
_ACCOUNTS = f"u {_MEMBER} -\nm {_MEMBER} hwinfod\nu {_HOLDER} -\nu {_STRANGER} -\n"
JOB = "training.service"
_DENIED = 4  # hwinfod/ctl/failures.py
_WHO = ("who", "rdma", "rxe0")


def check_a_job_holds_a_device(_: object) -> None:
    sh(f"printf '{_ACCOUNTS}' | systemd-sysusers -")
    sh("modprobe -a rdma_rxe ib_uverbs dummy && ip link add dummy0 type dummy && ip addr add 10.8.0.1/24 dev dummy0")
    sh("ip link set dummy0 up && rdma link add rxe0 type rxe netdev dummy0 && udevadm settle")
    sh(f"systemd-run --quiet --uid={_HOLDER} --unit={JOB} ibv_rc_pingpong -d rxe0 -g 1")
    wait_for("it is seen", lambda: _job("root")["owner"] == JOB)


def _job(user: str) -> Any:
    """Who has memory registered with the device, as `who` tells this user; the kernel's own queue pair has none."""
    owners = ctl(*_WHO, user=user)["owners"]
    (owner,) = [owner for owner in owners if any("mrs" in device["amounts"] for device in owner["devices"])]
    return owner


def _wait_until_seen_as(name: str) -> None:
    wait_for("it is in force", lambda: _job(_STRANGER)["owner"] == name)


def _assert_sees_everything(user: str, viewer: str) -> None:
    job = _job(user)
    expect((job["owner"], job["unit"], job["uid"]), (JOB, JOB, int(output("id", "-u", _HOLDER))))
    (process,) = {process["name"] for device in job["devices"] for process in device["processes"]}
    expect(process, "ibv_rc_pingpong")
    expect(ctl("status", user=user)["viewer"], viewer)
    assert JOB in output(*as_user(user), "hwinfoctl", *_WHO)


def _assert_sees_what_is_no_ones_secret(user: str) -> None:
    """How much is held of which device, and nothing of whom."""
    job, whole = _job(user), _job("root")
    expect((job["owner"], job["uid"], job["cgroups"]), ("another user", None, []))
    expect([device["processes"] for device in job["devices"]], [[]])
    expect([device["amounts"] for device in job["devices"]], [device["amounts"] for device in whole["devices"]])
    assert job["devices"][0]["amounts"]["qps"] >= 1
    said = output(*as_user(user), "hwinfoctl", *_WHO) + json.dumps(ctl("owners", user=user))
    expect([word for word in (JOB, "pingpong", _HOLDER) if word in said], [])
    status = ctl("status", user=user)
    expect((status["viewer"], status["collectors"]), ("user", ctl("status")["collectors"]))
    assert len(ctl("devices", user=user)["devices"]) == len(ctl("devices")["devices"])


def _assert_sees_nothing(user: str) -> None:
    for command in (("status",), _WHO, ("owners",), ("devices",)):
        done = run(*as_user(user), "hwinfoctl", *command)
        expect((done.returncode, "hw_" in done.stdout, JOB in done.stdout), (_DENIED, False, False))


def check_as_shipped_others_see_that_it_is_held_and_not_by_whom(_: object) -> None:
    _assert_sees_everything("root", "administrator")
    _assert_sees_everything(_MEMBER, "member")
    _assert_sees_everything(_HOLDER, "user")
    _assert_sees_what_is_no_ones_secret(_STRANGER)


def check_open_everybody_sees_everything(_: object) -> None:
    with configuration("[api]\nprivacy = 'open'\n"):
        output("systemctl", "reload", SERVICE)
        _wait_until_seen_as(JOB)
        for user, viewer in (("root", "administrator"), (_MEMBER, "member"), (_STRANGER, "member")):
            _assert_sees_everything(user, viewer)
    output("systemctl", "reload", SERVICE)
    _wait_until_seen_as("another user")


def check_for_the_group_alone_others_see_nothing(_: object) -> None:
    with configuration("[api]\nprivacy = 'group'\n"):
        output("systemctl", "reload", SERVICE)
        wait_for("it is in force", lambda: run(*as_user(_STRANGER), "hwinfoctl", "status").returncode == _DENIED)
        _assert_sees_everything("root", "administrator")
        _assert_sees_everything(_MEMBER, "member")
        _assert_sees_nothing(_STRANGER)
        _assert_sees_nothing(_HOLDER)
    output("systemctl", "reload", SERVICE)
    _wait_until_seen_as("another user")
