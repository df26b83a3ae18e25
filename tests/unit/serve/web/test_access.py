# SPDX-License-Identifier: MIT
"""The file in force: TLS by real handshakes, rotation without a restart, and what a broken file cannot do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import h11
import pytest
import trustme

from hwinfod.errors import UserError
from hwinfod.serve.http import Limits, Response, Router, web_policy
from hwinfod.serve.tcp_sockets import open_tcp_sockets
from hwinfod.serve.web.access import WebConfigFile
from tests.support.http_service import FakeClock, Service, get, serving, settle

HASH = bcrypt.hashpw(b"wonder", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"


class Files:
    """A web configuration file with its certificates, and clients that trust them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "web.yml"
        self.clock = FakeClock()
        self.authority = trustme.CA()
        self.certify(self.authority)

    def certify(self, authority: trustme.CA) -> None:
        """A certificate for the server, put in place as certificate managers do it."""
        self.replace(
            "server.crt", (issued := authority.issue_cert("localhost", "127.0.0.1")).cert_chain_pems[0].bytes()
        )
        self.replace("server.key", issued.private_key_pem.bytes())

    def replace(self, name: str, data: bytes) -> None:
        temporary = self.directory / f"{name}.new"
        temporary.write_bytes(data)
        os.replace(temporary, self.directory / name)

    def write(self, text: str) -> None:
        self.replace("web.yml", text.encode())

    def write_tls(self, more: str = "", rest: str = "") -> None:
        self.write(f"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}{rest}")

    def open(self) -> WebConfigFile:
        return WebConfigFile(str(self.path), self.clock)

    def trusting(self, authority: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        (authority or self.authority).configure_trust(context)
        return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def _asyncio_is_quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio" and r.levelno > logging.DEBUG] == []


@contextlib.asynccontextmanager
async def served(files: Files, **options: Any) -> AsyncIterator[Service]:
    router = Router()
    router.add("GET", "/", lambda request: Response(200, b"secure" if request.secure else b"plain"))
    router.add("GET", "/big", lambda request: Response(200, b"y" * 3_000_000))
    access = files.open()
    sockets = open_tcp_sockets("127.0.0.1:0")
    async with serving(router, sockets, policy=web_policy, access=access, clock=files.clock, **options) as service:
        yield service
    access.close()


async def body_over(service: Service, context: ssl.SSLContext | None) -> bytes:
    service.tls = context
    return (await service.ask(get("/", "Connection: close"))).body


async def is_refused(service: Service, context: ssl.SSLContext) -> bool:
    """Whether a handshake fails, or the connection ends before the first reply (TLS 1.3 tells a client late)."""
    try:
        return await body_over(service, context) == b""
    except (OSError, h11.RemoteProtocolError):
        return True


def basic(password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"alice:{password}".encode()).decode()


# TLS


def test_without_tls_it_is_plain_http(files: Files) -> None:
    async def scenario() -> None:
        files.write("{}")
        async with served(files) as service:
            assert await body_over(service, None) == b"plain"

    asyncio.run(scenario())


def test_tls(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            assert await body_over(service, files.trusting()) == b"secure"
            client = await service.connect()
            tls = client.writer.get_extra_info("ssl_object")
            assert tls.version() == "TLSv1.3"
            for _ in range(3):
                assert len((await client.ask(get("/big"))).body) == 3_000_000

    asyncio.run(scenario())


def test_what_comes_right_behind_the_handshake_is_not_lost(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            service.tls = files.trusting()
            clients = await asyncio.gather(*(service.connect() for _ in range(20)))
            replies = await asyncio.gather(*(client.ask(get("/")) for client in clients))
            assert [reply.body for reply in replies] == [b"secure"] * 20

    asyncio.run(scenario())


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """The version that two contexts agree on, in memory. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
    ]
    for side in (1, 0, 1, 0, 1):
        with contextlib.suppress(ssl.SSLWantReadError):
            sides[side].do_handshake()
    return sides[0].version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(files: Files, version: ssl.TLSVersion) -> None:
    files.write_tls()
    client = files.trusting()
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files.authority.issue_cert("localhost").configure_cert(lenient)
    for context in (client, lenient):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
    client.maximum_version = version
    assert handshake(client, lenient) in ("TLSv1", "TLSv1.1")  # this client can, if the server lets it
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        handshake(client, files.open().tls_context())

    async def scenario() -> None:
        async with served(files) as service:
            assert await is_refused(service, client)

    asyncio.run(scenario())


def test_a_tls_client_that_takes_nothing_is_held_in_bounds_and_cut(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            service.tls = files.trusting()
            client = await service.connect(limit=1024)
            client.writer.transport.pause_reading()
            await client.send(get("/big") * 3)
            await settle(200)
            [connection] = service.server._connections
            assert connection.outbox.is_full
            assert connection.outbox.unsent_bytes <= service.server.limits.unsent_bytes
            await service.pass_time(1.0)
            await service.pass_time(8.0)
            assert service.server.connection_count == 1
            await service.pass_time(3.0)
            assert service.server.connection_count == 0
            client.writer.transport.abort()  # on Python 3.10 a paused TLS transport waits for the peer for ever

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("setting", "version", "takes_1_2"),
    [
        ("", "TLSv1.3", True),
        ("min_version: TLS13", "TLSv1.3", False),
        ("max_version: TLS12", "TLSv1.2", True),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", "TLSv1.3", False),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", "TLSv1.3", True),
        ("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]", "TLSv1.3", False),  # our key is ECDSA
    ],
)
def test_versions(files: Files, setting: str, version: str, takes_1_2: bool) -> None:
    async def scenario() -> None:
        files.write_tls(f"  {setting}\n")
        async with served(files) as service:
            service.tls = files.trusting()
            client = await service.connect()
            assert client.writer.get_extra_info("ssl_object").version() == version
            old = files.trusting()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            assert await is_refused(service, old) != takes_1_2

    asyncio.run(scenario())


@pytest.mark.parametrize(("prefers", "chosen"), [("true", "AES256"), ("false", "AES128")])
def test_who_chooses_the_cipher(files: Files, prefers: str, chosen: str) -> None:
    async def scenario() -> None:
        suites = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        files.write_tls(f"  cipher_suites: [{suites}]\n  prefer_server_cipher_suites: {prefers}\n")
        async with served(files) as service:
            service.tls = files.trusting()
            service.tls.maximum_version = ssl.TLSVersion.TLSv1_2
            service.tls.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
            client = await service.connect()
            assert chosen in client.writer.get_extra_info("cipher")[0]

    asyncio.run(scenario())


def test_the_curve(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls("  curve_preferences: [CurveP521]\n")
        async with served(files) as service:
            for curve, passes in (("secp521r1", True), ("prime256v1", False)):
                context = files.trusting()
                context.set_ecdh_curve(curve)
                assert await is_refused(service, context) != passes

    asyncio.run(scenario())


def test_ciphers_for_1_2_that_are_all_for_1_3_are_refused(files: Files) -> None:
    files.write_tls("  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n")
    with pytest.raises(UserError, match=r"none of them is for TLS 1\.2"):
        files.open()


def test_plain_http_on_the_tls_port_and_garbage_are_quiet(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            for raw in (get("/"), b"\x16\x03\x01\x00\x05hello", b"\x00" * 100):
                client = await service.connect()
                await client.send(raw)
                await client.rest()
            (await service.connect()).writer.transport.abort()
            await service.emptied()
            assert await body_over(service, files.trusting()) == b"secure"

    asyncio.run(scenario())


def test_a_client_in_its_handshake_holds_a_place_and_closing_ends_it(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files, limits=Limits(connections=2)) as service:
            silent = [await service.connect() for _ in range(2)]
            await settle()
            assert service.server.connection_count == 2
            assert await is_refused(service, files.trusting())
            await service.server.close()
            for client in silent:
                assert await client.rest() == b""

    asyncio.run(scenario())


# Client certificates


@pytest.mark.parametrize(
    ("settings", "without", "with_good", "with_foreign"),
    [
        ("client_auth_type: NoClientCert", True, True, True),
        ("client_auth_type: RequestClientCert", True, True, True),
        ("client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem", True, True, False),
        ("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem", False, True, False),
    ],
)
def test_client_certificates(files: Files, settings: str, without: bool, with_good: bool, with_foreign: bool) -> None:
    async def scenario() -> None:
        files.authority.cert_pem.write_to_path(files.directory / "ca.pem")
        files.write_tls(f"  {settings}\n")
        async with served(files) as service:
            assert await is_refused(service, files.trusting()) != without
            for authority, passes in ((files.authority, with_good), (trustme.CA(), with_foreign)):
                context = files.trusting()
                authority.issue_cert("prometheus.example").configure_cert(context)
                assert await is_refused(service, context) != passes

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("identities", "passes"),
    [
        (["prometheus.example"], True),
        (["other.example", "prometheus.example"], True),
        (["10.1.2.3"], True),
        (["fd00::1"], True),
        (["ops@example.com"], True),
        (["other.example"], False),
        (["sub.prometheus.example"], False),
        (["10.1.2.4"], False),
    ],
)
def test_allowed_names(files: Files, identities: list[str], passes: bool) -> None:
    async def scenario() -> None:
        files.authority.cert_pem.write_to_path(files.directory / "ca.pem")
        files.write_tls(
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
            '  client_allowed_sans: [prometheus.example, 10.1.2.3, "fd00::1", ops@example.com]\n'
        )
        async with served(files) as service:
            context = files.trusting()
            files.authority.issue_cert(*identities).configure_cert(context)
            assert await is_refused(service, context) != passes

    asyncio.run(scenario())


# Rotation


def test_a_new_certificate_is_served_without_a_restart(files: Files) -> None:
    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            assert await body_over(service, files.trusting()) == b"secure"
            kept = await service.connect()
            successor = trustme.CA()
            files.certify(successor)
            files.clock.advance(1.1)
            assert await body_over(service, files.trusting(successor)) == b"secure"
            assert await is_refused(service, files.trusting())
            assert (await kept.ask(get("/"))).body == b"secure"  # who is here stays

    asyncio.run(scenario())


def test_a_certificate_without_its_key_waits_for_it(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        files.write_tls()
        async with served(files) as service:
            successor = trustme.CA()
            issued = successor.issue_cert("localhost", "127.0.0.1")
            files.replace("server.crt", issued.cert_chain_pems[0].bytes())
            for _ in range(3):
                files.clock.advance(1.1)
                assert await body_over(service, files.trusting()) == b"secure"
            files.replace("server.key", issued.private_key_pem.bytes())
            files.clock.advance(1.1)
            assert await body_over(service, files.trusting(successor)) == b"secure"

    asyncio.run(scenario())
    said = [record.getMessage() for record in caplog.records if record.name.startswith("hwinfod")]
    assert len(said) == 2
    assert "stays in force" in said[0]
    assert "key values mismatch" in said[0]
    assert "taken over" in said[1]


def test_a_certificate_that_is_not_there_yet_is_waited_for(files: Files) -> None:
    files.write_tls()
    access = files.open()
    before = access.tls_context()
    files.write("tls_server_config: {cert_file: later.crt, key_file: later.key}")
    files.clock.advance(1.1)
    assert access.tls_context() is before
    os.rename(files.directory / "server.crt", files.directory / "later.crt")
    os.rename(files.directory / "server.key", files.directory / "later.key")
    files.clock.advance(1.1)
    assert access.tls_context() is not before


def test_a_file_is_looked_at_once_a_second_at_most(files: Files) -> None:
    files.write_tls()
    access = files.open()
    before = access.tls_context()
    files.certify(trustme.CA())
    files.clock.advance(0.9)
    assert access.tls_context() is before
    files.clock.advance(0.2)
    assert access.tls_context() is not before
    after = access.tls_context()
    files.clock.advance(10.0)
    assert access.tls_context() is after  # unchanged files are not read again


def test_a_symlink_switched_to_another_directory_is_seen(files: Files) -> None:
    """As Kubernetes mounts secrets."""
    files.write_tls()
    for version in ("1", "2"):
        (files.directory / version).mkdir()
        issued = files.authority.issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(files.directory / version / "c.pem")
        issued.private_key_pem.write_to_path(files.directory / version / "k.pem")
    (files.directory / "now").symlink_to("1")
    files.write("tls_server_config: {cert_file: now/c.pem, key_file: now/k.pem}")
    access = files.open()
    before = access.tls_context()
    (files.directory / "next").symlink_to("2")
    os.replace(files.directory / "next", files.directory / "now")
    files.clock.advance(1.1)
    assert access.tls_context() is not before


# Users, headers, rate


def test_users_and_headers_follow_the_file(files: Files) -> None:
    async def scenario() -> None:
        files.write(USERS + "http_server_config: {headers: {X-Frame-Options: deny}}")
        async with served(files) as service:
            client = await service.connect()
            assert (await client.ask(get("/"))).status == 401
            assert (await client.ask(get("/", basic("wrong")))).status == 401
            reply = await client.ask(get("/", basic("wonder")))
            assert (reply.status, reply.headers["x-frame-options"]) == (200, "deny")
            assert reply.headers["x-content-type-options"] == "nosniff"
            changed = bcrypt.hashpw(b"changed", bcrypt.gensalt(4)).decode()
            files.write(f"basic_auth_users: {{alice: {changed}}}")
            await service.pass_time(1.1)
            assert (await client.ask(get("/", basic("wonder")))).status == 401
            reply = await client.ask(get("/", basic("changed")))
            assert reply.status == 200
            assert "x-frame-options" not in reply.headers

    asyncio.run(scenario())


def test_a_refusal_carries_the_challenge(files: Files) -> None:
    async def scenario() -> None:
        files.write(USERS)
        async with served(files) as service:
            reply = await service.ask(get("/nowhere"))
            assert (reply.status, reply.headers["www-authenticate"][:5]) == (401, "Basic")

    asyncio.run(scenario())


def test_the_rate_limit_is_kept_over_reloads_and_changed_by_them(files: Files) -> None:
    async def scenario() -> None:
        files.write("rate_limit: {interval: 1m, burst: 2}")
        async with served(files) as service:
            client = await service.connect()
            assert [(await client.ask(get("/"))).status for _ in range(3)] == [200, 200, 429]
            files.write("# the same\nrate_limit: {interval: 60s, burst: 2}")
            await service.pass_time(1.1)
            assert (await client.ask(get("/"))).status == 429
            files.write("{}")
            await service.pass_time(1.1)
            assert (await client.ask(get("/"))).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "TLS is turned on or off by a restart only"),
        (USERS, "TLS is turned on or off by a restart only"),
        ("tls_server_config: {cert_file: server.crt, key_file: server.key}", "the last user is removed by a restart"),
        ("tls_server_config: {cert_file: server.crt", "not YAML at line 1"),
        ("tls_server_config: {cert_file: server.crt, key_file: missing.key}\n" + USERS, "missing.key"),
        ("basic_auth_users: {alice: hunter2}", "user 1 has no bcrypt hash"),
        (None, "cannot read"),
    ],
)
def test_a_broken_file_leaves_the_old_one_in_force(
    files: Files, caplog: pytest.LogCaptureFixture, text: str | None, reason: str
) -> None:
    async def scenario() -> None:
        files.write_tls(rest=USERS)
        async with served(files) as service:
            service.tls = files.trusting()
            if text is None:
                files.path.unlink()
            else:
                files.write(text)
            for _ in range(3):
                await service.pass_time(1.1)
                assert (await service.ask(get("/"))).status == 401
                assert (await service.ask(get("/", basic("wonder")))).status == 200

    asyncio.run(scenario())
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("hwinfod")]
    assert str(files.path) in said
    assert reason in said
    assert "$2" not in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda files: None, "cannot read .*web.yml: No such file"),
        (lambda files: files.path.mkdir(), "cannot read .*web.yml"),
        (lambda files: os.mkfifo(files.path), "cannot read .*web.yml"),
        (lambda files: files.write("unknown: 1"), "web.yml: unknown key unknown"),
        (
            lambda files: files.write_tls("  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: no.pem"),
            "no.pem",
        ),
        (lambda files: (files.write_tls(), files.replace("server.key", b"no key")), "server.key"),
        (lambda files: (files.write_tls(), files.replace("server.crt", b"")), "server.crt"),
    ],
)
def test_a_broken_file_at_the_start_is_named(files: Files, prepare: Any, message: str) -> None:
    prepare(files)
    with pytest.raises(UserError, match=message):
        files.open()


def test_an_encrypted_key_asks_no_terminal(files: Files) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((files.directory / "server.key").read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    files.replace("server.key", encrypted)
    files.write_tls()
    with pytest.raises(UserError, match="the key is encrypted"):
        files.open()
