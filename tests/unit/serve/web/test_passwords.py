# SPDX-License-Identifier: MIT
"""Basic authentication: who gets in, what is kept, and what the work and the time tell."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http.problems import Problem
from hwinfod.serve.web import passwords
from hwinfod.serve.web.passwords import PasswordCheck


def hash_of(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


USERS = {"alice": hash_of("wonder"), "a": hash_of("b:c"), "josé": hash_of("pässword")}


def basic(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def check() -> Iterator[PasswordCheck]:
    made = PasswordCheck()
    made.set_users(USERS)
    yield made
    made.close()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every hash that a password was compared with."""
    seen: list[bytes] = []
    checkpw = bcrypt.checkpw

    def spy(password: bytes, stored: bytes) -> bool:
        seen.append(stored)
        return checkpw(password, stored)

    monkeypatch.setattr(passwords.bcrypt, "checkpw", spy)
    return seen


async def status_of(check: PasswordCheck, authorization: str) -> int:
    try:
        pending = check.admit(authorization)
        if pending is not None:
            await pending
    except Problem as problem:
        return problem.kind.status
    return 200


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic("alice", "wonder"), 200),
        (basic("alice", "wonder", "bAsIc"), 200),
        (basic("josé", "pässword"), 200),
        (basic("a", "b:c"), 200),
        (basic("alice", "wonder "), 401),
        (basic("alice", ""), 401),
        (basic("Alice", "wonder"), 401),
        (basic("nobody", "wonder"), 401),
        (basic("", ""), 401),
        (basic("alice", "wonder", "Bearer"), 401),
        ("", 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(b"alice").decode(), 401),
        ("Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), 401),
        ("Basic \u00e9", 401),
    ],
)
def test_who_gets_in(check: PasswordCheck, authorization: str, status: int) -> None:
    async def twice() -> list[int]:
        return [await status_of(check, authorization), await status_of(check, authorization)]

    assert asyncio.run(twice()) == [status, status]


def test_a_refusal_asks_for_basic_authentication(check: PasswordCheck) -> None:
    with pytest.raises(Problem) as refused:
        check.admit("")
    assert refused.value.headers == {"www-authenticate": 'Basic realm="hwinfod", charset="UTF-8"'}


def test_a_password_is_hashed_once(check: PasswordCheck, hashed: list[bytes]) -> None:
    async def scenario() -> None:
        for _ in range(3):
            assert await status_of(check, basic("alice", "wonder")) == 200
            assert await status_of(check, basic("alice", "blunder")) == 401
        assert check.admit(basic("alice", "wonder")) is None  # at once, without a turn of the loop

    asyncio.run(scenario())
    assert len(hashed) == 2


def test_requests_that_come_together_share_one_hash(check: PasswordCheck, hashed: list[bytes]) -> None:
    async def scenario() -> list[int]:
        return await asyncio.gather(*(status_of(check, basic("alice", "wonder")) for _ in range(20)))

    assert asyncio.run(scenario()) == [200] * 20
    assert len(hashed) == 1


def test_one_that_leaves_does_not_take_the_answer_with_it(check: PasswordCheck) -> None:
    async def scenario() -> None:
        leaver, stayer = (asyncio.ensure_future(status_of(check, basic("alice", "wonder"))) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        assert await stayer == 200
        assert leaver.cancelled()

    asyncio.run(scenario())


def test_a_name_ends_at_the_first_colon(check: PasswordCheck) -> None:
    """RFC 7617: "a" with "b:c" and "a:b" with "c" are the same bytes, and mean the first. The second can be stored,
    and never be asked for; nor may one's kept success be the other's (CVE-2022-46146)."""
    assert basic("a:b", "c") == basic("a", "b:c")

    async def scenario() -> None:
        check.set_users({"a": hash_of("b:c"), "a:b": hash_of("c")})
        assert await status_of(check, basic("a", "b:c")) == 200
        assert await status_of(check, basic("a", "c")) == 401
        check.set_users({"a:b": hash_of("c")})
        assert await status_of(check, basic("a:b", "c")) == 401

    asyncio.run(scenario())


@given(st.lists(st.binary(max_size=6), min_size=3, max_size=3), st.lists(st.binary(max_size=6), min_size=3, max_size=3))
def test_no_two_triples_share_a_key(one: list[bytes], other: list[bytes]) -> None:
    check = PasswordCheck()
    assert (check._key(*one) == check._key(*other)) == (one == other)


def test_a_known_hash_does_not_open_the_door(check: PasswordCheck) -> None:
    """Whoever reads the file has the hash: sent as the password it is worth nothing, before and after a success."""

    async def scenario() -> None:
        stored = USERS["alice"]
        for password in (stored, f"{stored}wonder", f"wonder{stored}"):
            assert await status_of(check, basic("alice", password)) == 401
        assert await status_of(check, basic("alice", "wonder")) == 200
        assert await status_of(check, basic("alice", stored)) == 401
        assert await status_of(check, basic(f"alice{stored}", "wonder")) == 401

    asyncio.run(scenario())


def test_a_new_hash_is_in_force_at_once(check: PasswordCheck) -> None:
    async def scenario() -> None:
        assert await status_of(check, basic("alice", "wonder")) == 200
        check.set_users({"alice": hash_of("new")})
        assert await status_of(check, basic("alice", "wonder")) == 401
        assert await status_of(check, basic("alice", "new")) == 200
        check.set_users({"bob": hash_of("new")})
        assert await status_of(check, basic("alice", "new")) == 401

    asyncio.run(scenario())


def test_an_unknown_user_costs_what_a_known_one_costs(check: PasswordCheck, hashed: list[bytes]) -> None:
    check.set_users({"alice": hash_of("wonder", cost=5), "bob": hash_of("x", cost=4)})

    async def scenario() -> None:
        for user in ("alice", "nobody", "somebody"):
            assert await status_of(check, basic(user, "guess")) == 401

    asyncio.run(scenario())
    assert len(hashed) == 3
    assert {stored.split(b"$")[2] for stored in hashed} == {b"05"}


@pytest.mark.parametrize("password", ["x" * 73, "x" * 5000, "x" * 72 + "y", "wonder\x00", "\x00"])
def test_what_bcrypt_would_cut_off_is_wrong_and_costs_the_same(
    check: PasswordCheck, hashed: list[bytes], password: str
) -> None:
    check.set_users({"alice": hash_of("x" * 72), "bob": hash_of("wonder")})

    async def scenario() -> None:
        assert await status_of(check, basic("alice", password)) == 401
        assert await status_of(check, basic("bob", password)) == 401
        assert await status_of(check, basic("alice", "x" * 72)) == 200

    asyncio.run(scenario())
    assert len(hashed) == 3


def test_a_salt_that_is_none_lets_nobody_in_and_stops_nothing(
    check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(password: bytes, stored: bytes) -> bool:
        raise ValueError("Invalid salt")

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(passwords.bcrypt, "checkpw", refusing)
            assert await status_of(check, basic("alice", "guess")) == 401
        assert await status_of(check, basic("alice", "wonder")) == 200

    asyncio.run(scenario())


def gated(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """bcrypt that waits until the event is set: no clock decides these tests."""
    gate = threading.Event()
    checkpw = bcrypt.checkpw
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda *arguments: gate.wait(60) and checkpw(*arguments))
    return gate


def test_fifty_wrong_logins_at_once_delay_nobody_who_is_known(
    check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        assert await status_of(check, basic("alice", "wonder")) == 200
        gate = gated(monkeypatch)
        flood = [asyncio.ensure_future(status_of(check, basic("alice", f"guess {n}"))) for n in range(50)]
        for _ in range(5):
            await asyncio.sleep(0)  # the loop turns while the thread is held
            assert check.admit(basic("alice", "wonder")) is None
        assert not any(login.done() for login in flood)
        gate.set()
        assert await asyncio.gather(*flood) == [401] * 50
        assert check.admit(basic("alice", "wonder")) is None

    asyncio.run(scenario())


def test_what_waits_and_what_is_kept_is_bounded(check: PasswordCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda password, _: password == b"wonder")

    async def scenario() -> None:
        assert await status_of(check, basic("alice", "wonder")) == 200
        flood = [asyncio.ensure_future(status_of(check, basic("alice", f"guess {n}"))) for n in range(100)]
        statuses = await asyncio.gather(*flood)
        assert statuses.count(401) == passwords._PENDING
        assert statuses.count(503) == 100 - passwords._PENDING
        for n in range(1000):
            assert await status_of(check, basic(f"user {n}", "guess")) == 401
        assert len(check._failures) <= passwords._KEPT_FAILURES
        assert not check._pending
        assert check.admit(basic("alice", "wonder")) is None  # no flood of wrong ones pushes it out

    asyncio.run(scenario())


def test_there_is_one_thread_and_it_ends(check: PasswordCheck) -> None:
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "bcrypt"]

    async def scenario() -> None:
        for n in range(5):
            await status_of(check, basic("alice", str(n)))
        [thread] = threads()
        assert thread.daemon
        check.close()
        thread.join(60)
        assert not thread.is_alive()

    asyncio.run(scenario())


def test_the_thread_outlives_a_loop_that_closed(check: PasswordCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = gated(monkeypatch)

    async def leave() -> None:
        login = asyncio.ensure_future(status_of(check, basic("alice", "wonder")))
        await asyncio.sleep(0)
        login.cancel()

    asyncio.run(leave())
    [thread] = [thread for thread in threading.enumerate() if thread.name == "bcrypt"]
    gate.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_log_says_nothing(check: PasswordCheck, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    asyncio.run(status_of(check, basic("alice", "guess")))
    asyncio.run(status_of(check, basic("alice", "wonder")))
    assert "$2" not in caplog.text
    assert "wonder" not in caplog.text
