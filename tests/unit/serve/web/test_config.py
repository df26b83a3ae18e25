# SPDX-License-Identifier: MIT
"""The grammar of the web configuration file: what exporter-toolkit takes, and clear words for the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import UserError
from hwinfod.serve.web.config import RateLimit, TlsConfig, WebConfig, parse_web_config

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n"


def parse(text: str) -> WebConfig:
    return parse_web_config(text.encode(), "/etc/hwinfod")


def tls_of(text: str) -> TlsConfig:
    config = parse(text).tls
    assert config is not None
    return config


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "tls_server_config:\nbasic_auth_users:\n", "rate_limit: {}"])
def test_nothing_is_a_configuration_too(text: str) -> None:
    assert parse(text) == WebConfig()


def test_everything() -> None:
    config = parse(
        """
tls_server_config:
  cert_file: server.crt
  key_file: /etc/ssl/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example, 10.1.2.3]
  min_version: TLS12
  max_version: TLS12
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP384]
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
    X-XSS-Protection: ""
basic_auth_users:
  alice: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG
  "bob:x": $2b$12$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG
rate_limit:
  interval: 500ms
  burst: 20
"""
    )
    assert config.tls == TlsConfig(
        cert_file="/etc/hwinfod/server.crt",
        key_file="/etc/ssl/server.key",
        client_auth_type="RequireAndVerifyClientCert",
        client_ca_file="/etc/hwinfod/ca.pem",
        client_allowed_sans=("prometheus.example", "10.1.2.3"),
        min_version="TLS12",
        max_version="TLS12",
        cipher_suites=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        prefer_server_cipher_suites=False,
        curve="CurveP384",
    )
    assert config.headers == {"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "deny"}
    assert list(config.users) == ["alice", "bob:x"]
    assert config.rate_limit == RateLimit(0.5, 20)


def test_the_defaults_are_those_of_the_toolkit() -> None:
    config = tls_of(TLS)
    assert (config.min_version, config.max_version, config.client_auth_type) == ("TLS12", "TLS13", "NoClientCert")
    assert config.prefer_server_cipher_suites


def test_a_hash_is_not_shown_where_the_configuration_is() -> None:
    assert "$2y$" not in repr(parse(f"basic_auth_users: {{alice: {HASH}}}"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tls_config: {}", "unknown key tls_config", "did you mean tls_server_config?"),
        (TLS + "  certfile: x", "unknown key tls_server_config.certfile", "did you mean cert_file?"),
        ("http_server_config: {http3: true}", "unknown key http_server_config.http3", "did you mean http2?"),
        ("rate_limit: {rate: 1}", "unknown key rate_limit.rate", "known here: burst, interval"),
        ("1: 2", "unknown key 1", "known here"),
        ("- a", "the file: must be a mapping", ""),
        ("tls_server_config: yes", "tls_server_config: must be a mapping", ""),
        (TLS + "  cert: |\n    PEM", "tls_server_config.cert: is not supported", "cert_file"),
        (TLS + "  key: PEM", "tls_server_config.key: is not supported", "key_file"),
        (TLS + "  client_ca: PEM", "tls_server_config.client_ca: is not supported", "client_ca_file"),
        ("tls_server_config: {cert_file: c}", "cert_file and key_file are both needed", ""),
        ("tls_server_config: {key_file: k}", "cert_file and key_file are both needed", ""),
        ("tls_server_config: {min_version: TLS13}", "cert_file and key_file are both needed", ""),
        ("tls_server_config: {cert_file: 1, key_file: k}", "tls_server_config.cert_file: must be a string", ""),
        (TLS + "  min_version: TLS11", "tls_server_config.min_version: unknown value TLS11", "known: TLS12, TLS13"),
        (TLS + "  max_version: TLS10", "tls_server_config.max_version: unknown value TLS10", "known: TLS12, TLS13"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12", "min_version is above max_version", ""),
        (TLS + "  client_auth_type: RequireAnyClientCert", "unknown value RequireAnyClientCert", "RequireAndVerify"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert", "needs a client_ca_file", ""),
        (TLS + "  client_ca_file: ca.pem", "need client_auth_type", ""),
        (TLS + "  client_allowed_sans: [a]", "need client_auth_type", ""),
        (TLS + "  client_allowed_sans: a", "tls_server_config.client_allowed_sans: must be a list", ""),
        (
            TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]",
            "unknown value TLS_RSA_WITH_RC4_128_SHA",
            "known: TLS_AES",
        ),
        (TLS + "  cipher_suites: [1]", "tls_server_config.cipher_suites: must be a list of strings", ""),
        (TLS + "  curve_preferences: [P256]", "curve_preferences: unknown value P256", "known: CurveP256"),
        (TLS + "  curve_preferences: [CurveP256, X25519]", "only one curve", ""),
        (TLS + "  prefer_server_cipher_suites: 1", "prefer_server_cipher_suites: must be true or false", ""),
        ("http_server_config: {http2: maybe}", "http_server_config.http2: must be true or false", ""),
        ("http_server_config: {headers: {Server: x}}", "unknown key http_server_config.headers.Server", "X-Frame"),
        ("http_server_config: {headers: {X-Frame-Options: no}}", "headers.X-Frame-Options: cannot be 'no'", "deny"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nB: c"}}', "headers.X-XSS-Protection: cannot be", ""),
        ("http_server_config: {headers: {X-XSS-Protection: 1}}", "headers: must map strings to strings", "quotes"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: must be at least 1", ""),
        ("rate_limit: {interval: 1 second, burst: 1}", "rate_limit.interval: not a duration", "1m30s"),
        ("rate_limit: {interval: 5, burst: 1}", "rate_limit.interval: not a duration", ""),
        ("rate_limit: {interval: 1s, burst: true}", "rate_limit.burst: must be a whole number", ""),
        ("a: [", "not YAML at line", ""),
        ("a: 1\na: 2", "not YAML at line 2", ""),
        ("a: !!python/object:os.system x", "not YAML at line 1", ""),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, hint: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(text)
    assert message in str(refused.value)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users: {alice: hunter2}",
        "basic_auth_users: {hunter2: alice}",
        "basic_auth_users: {alice: $2y$99$hunter2}",
        "basic_auth_users: {alice: hunter2, alice: hunter2}",
        "basic_auth_users: {alice: *hunter2}",
        "basic_auth_users: {alice: [hunter2]}",
        "basic_auth_users: hunter2",
        "basic_auth_users:\n\talice: hunter2",
        "basic_auth_users: {1: hunter2}",
    ],
)
def test_what_may_be_a_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(text)
    assert "hunter2" not in str(refused.value) + refused.value.hint


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_hashes_of_every_tool(version: str) -> None:
    hashed = HASH.replace("2y", version)
    assert parse(f"basic_auth_users: {{alice: {hashed}}}").users == {"alice": hashed}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("250ms", 0.25), ("1m30s", 90.0), ("1.5h", 5400.0), (".5s", 0.5), ("10us", 1e-5), ("10µs", 1e-5)],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    limit = parse(f"rate_limit: {{interval: {text}, burst: 1}}").rate_limit
    assert limit is not None
    assert limit.interval_seconds == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["0", "0s", '"0"', '""'])
def test_no_interval_is_no_limit(text: str) -> None:
    assert parse(f"rate_limit: {{interval: {text}, burst: 5}}").rate_limit is None


def taken_or_refused_with_words(data: bytes) -> bool:
    try:
        return isinstance(parse_web_config(data, "/"), WebConfig)
    except UserError as error:
        return bool(str(error))


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_only_user_errors_fly(data: bytes) -> None:
    assert taken_or_refused_with_words(data)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit", "other"])


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_tree_is_taken_or_refused_with_words(tree: dict[str, object]) -> None:
    assert taken_or_refused_with_words(json.dumps(tree).encode())
