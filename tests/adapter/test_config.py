"""The client's settings: the defaults, what is refused and in which words, and the retry policy they describe."""

from __future__ import annotations

import math
import pickle
import re
import ssl
from http import HTTPMethod
from typing import Any

import pytest

from sansio_http import (
    ConfigurationError,
    ConstantBackoff,
    ExponentialBackoff,
    FixedHedging,
    LinearBackoff,
    QuantileHedging,
    QuotaBudget,
    RetryPolicy,
)
from sansio_http_anyio import ClientConfig, UnverifiedTLSWarning
from tests.adapter.raw_server import SELF_SIGNED

DEFAULTS: dict[str, Any] = {
    # The user's own.
    "timeout": 30.0,
    "max_connections": 100,
    "max_keepalive_connections": 20,
    "keepalive_expiry": 30.0,
    "follow_redirects": False,
    "verify_ssl": True,
    "retry_attempts": 3,
    "retry_backoff_factor": 1.0,
    "retry_max_delay": 60.0,
    "retry_statuses": {408, 429, 500, 502, 503, 504},
    "retry_methods": {"GET", "POST", "PUT", "DELETE", "PATCH"},
    # Ours.
    "attempt_timeout": None,
    "connect_timeout": 5.0,
    "read_timeout": None,
    "write_timeout": None,
    "pool_timeout": None,
    "max_redirects": 20,
    "retry_backoff": "exponential",
    "retry_jitter": "full",
    "retry_budget": 500.0,
    "client_certificate": None,
    "client_key": None,
    "client_key_password": None,
    "server_name": None,
    "allow_address": "any",
    "local_address": None,
    "unix_socket": None,
    "redirect_headers": frozenset(),
    "params_style": "repeat",
    "allow_absolute_urls": False,
    "retry_after_max": 120.0,
    "retry_after_clamp": None,
    "retry_hints": (),
    "hedge_delay": None,
    "hedge_quantile": None,
    "hedge_extra": 1,
    "on_exhausted": "raise",
    "idempotency_key": None,
    "error_body_limit": 65_536,
    "max_response_size": 104_857_600,
}


CERTIFICATE = str(SELF_SIGNED)


def config_of(**values: Any) -> ClientConfig:
    """A config of values that no type checker would let pass."""
    return ClientConfig(**values)


def refused(**values: Any) -> str:
    """The message that the values are refused with."""
    with pytest.raises(ConfigurationError) as raised:
        config_of(**values)
    return str(raised.value)


def test_the_defaults() -> None:
    assert ClientConfig().model_dump() == DEFAULTS


def test_every_field_is_documented() -> None:
    arguments = (ClientConfig.__doc__ or "").partition("Args:")[2].partition("Raises:")[0]
    assert re.findall(r"^ {8}(\w+): ", arguments, re.MULTILINE) == [*ClientConfig.model_fields]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", None),
        ("timeout", 0.001),
        ("verify_ssl", CERTIFICATE),
        ("server_name", "example.com"),
        ("allow_address", "public"),
        ("allow_address", bool),
        ("local_address", "::1"),
        ("unix_socket", "/run/api.sock"),
        ("pool_timeout", 0),
        ("max_connections", 1),
        ("max_keepalive_connections", 0),
        ("keepalive_expiry", 0),
        ("retry_attempts", 0),
        ("retry_backoff_factor", 0),
        ("retry_statuses", {400, 599}),
        ("retry_statuses", set()),
        ("retry_methods", {"TRACE", "OPTIONS", "HEAD"}),
        ("retry_methods", set()),
        ("retry_budget", 0),
        ("retry_budget", None),
        ("retry_after_clamp", 0),
        ("retry_hints", ("X-RateLimit-Reset", "retry-after-ms")),
        ("hedge_quantile", 0.99),
        ("hedge_extra", 7),
        ("on_exhausted", "return"),
        ("idempotency_key", "auto"),
        ("error_body_limit", 0),
        ("max_response_size", 0),
        ("max_response_size", None),
    ],
)
def test_the_ends_of_the_ranges(field: str, value: Any) -> None:
    assert getattr(config_of(**{field: value}), field) == value


@pytest.mark.parametrize("word", [False, "false", "No", "0", "off"])
def test_whoever_checks_no_certificates_is_warned(word: Any) -> None:
    with pytest.warns(UnverifiedTLSWarning) as warned:
        assert config_of(verify_ssl=word).verify_ssl is False
    assert len(warned) == 1


def test_the_words_for_checking_certificates() -> None:
    assert config_of(verify_ssl="yes").verify_ssl is True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert config_of(verify_ssl=context).verify_ssl is context


def test_methods_in_any_case_and_from_the_standard_library() -> None:
    assert config_of(retry_methods=["get", HTTPMethod.PUT]).retry_methods == {"GET", "PUT"}


ABOVE_0 = "Input should be greater than 0"
ZERO_OR_MORE = "Input should be greater than or equal to 0"
FINITE = "Input should be a finite number"


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("timeout", 0, ABOVE_0),
        ("timeout", -1.5, ABOVE_0),
        ("timeout", math.nan, FINITE),
        ("timeout", math.inf, FINITE),
        ("timeout", "soon", "Input should be a valid number"),
        ("attempt_timeout", 0, ABOVE_0),
        ("connect_timeout", -1, ABOVE_0),
        ("read_timeout", 0, ABOVE_0),
        ("write_timeout", 0, ABOVE_0),
        ("pool_timeout", -0.1, ZERO_OR_MORE),
        ("max_connections", 0, "Input should be greater than or equal to 1"),
        ("max_connections", 1.5, "Input should be a valid integer"),
        ("max_keepalive_connections", -1, ZERO_OR_MORE),
        ("keepalive_expiry", -1, ZERO_OR_MORE),
        ("follow_redirects", "perhaps", "Input should be a valid boolean"),
        ("max_redirects", 0, "Input should be greater than or equal to 1"),
        ("verify_ssl", None, "it is True, False, the path of a PEM file or directory, or an ssl.SSLContext"),
        ("verify_ssl", "/no/such", "it is True, False, or the path of a PEM file or directory that exists"),
        ("client_certificate", "/no/such", "it is the path of a file that exists"),
        ("client_key", "", "it is the path of a file that exists"),
        ("server_name", "", "it is a host name in ASCII"),
        ("server_name", "b\u00fccher.example", "it is a host name in ASCII"),
        ("allow_address", "private", "it is 'any', 'public', or a function of an IP address"),
        ("local_address", "localhost", "it is an IP address"),
        ("unix_socket", "", "it is a path"),
        ("retry_attempts", -1, ZERO_OR_MORE),
        ("retry_backoff_factor", -1, ZERO_OR_MORE),
        ("retry_max_delay", math.inf, FINITE),
        ("retry_statuses", 503, "Input should be a valid frozenset"),
        ("retry_methods", "GET", "Input should be a valid frozenset"),
        ("retry_methods", 7, "Input should be a valid frozenset"),
        ("retry_after_max", -1, ZERO_OR_MORE),
        ("retry_backoff", "quadratic", "Input should be 'exponential', 'linear' or 'constant'"),
        ("retry_jitter", "half", "Input should be 'none', 'full', 'equal', 'proportional', 'decorrelated' or 'smooth'"),
        ("retry_budget", -1, ZERO_OR_MORE),
        ("retry_after_clamp", -1, ZERO_OR_MORE),
        ("hedge_delay", 0, ABOVE_0),
        ("hedge_quantile", 1, "Input should be less than 1"),
        ("hedge_quantile", 0, ABOVE_0),
        ("hedge_extra", 0, "Input should be greater than or equal to 1"),
        ("hedge_extra", 8, "Input should be less than or equal to 7"),
        ("on_exhausted", "ignore", "Input should be 'raise' or 'return'"),
        ("idempotency_key", "mine", "Input should be 'auto'"),
        ("redirect_headers", "X-A", "Input should be a valid frozenset"),
        ("params_style", "pipes", "Input should be 'repeat', 'comma' or 'brackets'"),
        ("allow_absolute_urls", "perhaps", "Input should be a valid boolean"),
        ("error_body_limit", -1, ZERO_OR_MORE),
        ("max_response_size", -1, ZERO_OR_MORE),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(field: str, value: Any, allowed: str) -> None:
    assert refused(**{field: value}).startswith(f"ClientConfig.{field}: {value!r} is not allowed: {allowed}")


def test_every_field_can_be_wrong() -> None:
    told = refused(**dict.fromkeys(ClientConfig.model_fields, object()))
    told = told.replace("client_key_password: what was given", "client_key_password: <object object")  # never shown
    assert re.findall(r"ClientConfig\.(\w+): <object object", told) == [*ClientConfig.model_fields]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("retry_statuses", {503, 200}, "200 is not allowed: Input should be greater than or equal to 400"),
        ("retry_statuses", {503, 600}, "600 is not allowed: Input should be less than or equal to 599"),
        ("retry_methods", {"GET", "fetch"}, "'FETCH' is not allowed: Input should be 'GET', 'HEAD', 'POST', "),
        ("retry_methods", {"CONNECT"}, "'CONNECT' is not allowed: Input should be 'GET', 'HEAD', 'POST', "),
    ],
)
def test_a_wrong_member_is_named(field: str, value: Any, message: str) -> None:
    assert re.match(rf"ClientConfig\.{field}\.\d: {re.escape(message)}", refused(**{field: value}))


def test_all_that_is_wrong_is_said_at_once() -> None:
    told = refused(timeout=-1, retry_attempts=-2, on_exhausted="ignore", retry_atempts=1).split("; ")
    assert [problem.partition(": ")[0] for problem in told[:3]] == [
        "ClientConfig.timeout",
        "ClientConfig.retry_attempts",
        "ClientConfig.on_exhausted",
    ]
    assert told[3:] == ["ClientConfig.retry_atempts: there is no such field", "did you mean 'retry_attempts'?"]


def test_a_long_value_is_cut() -> None:
    assert len(refused(timeout="x" * 10_000)) < 200


def test_an_unknown_field_is_told_without_its_value() -> None:
    told = refused(password="canary")
    assert told.startswith("ClientConfig.password: there is no such field; the fields are timeout, attempt_timeout, ")
    assert "canary" not in told


TIMEOUTS = ["attempt_timeout", "connect_timeout", "read_timeout", "write_timeout", "pool_timeout"]


@pytest.mark.parametrize("name", TIMEOUTS)
def test_a_timeout_within_another_cannot_be_longer(name: str) -> None:
    told = refused(timeout=2, **{name: 2.5})
    assert told == f"ClientConfig: {name} (2.5 s) is longer than timeout (2 s) and could never pass"
    for values in ({"timeout": 2}, {"timeout": 2, name: 2}, {name: 2.5}, {"timeout": None, name: 99}):
        config_of(**values)
    config_of(timeout=2, **{name: None})


def test_only_limits_that_were_both_given_are_compared() -> None:
    told = refused(max_connections=5, max_keepalive_connections=6)
    assert told == "ClientConfig: max_keepalive_connections (6) is above max_connections (5)"
    for values in ({"max_connections": 5}, {"max_keepalive_connections": 200}):
        config_of(**values)
    ClientConfig(max_connections=5, max_keepalive_connections=5)


def test_all_contradictions_are_said_at_once() -> None:
    told = refused(timeout=1, read_timeout=2, write_timeout=3, max_connections=1, max_keepalive_connections=2)
    for name in ("read_timeout (2 s)", "write_timeout (3 s)", "max_keepalive_connections (2)"):
        assert name in told


def test_it_is_a_value() -> None:
    config = ClientConfig(timeout=10)
    assert config == ClientConfig(timeout=10.0) != ClientConfig()
    assert hash(config) == hash(ClientConfig(timeout=10.0))
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(ValueError, match="frozen"):
        setattr(config, "timeout", 5)  # noqa: B010 - type checkers know that it is frozen


def test_the_retry_policy() -> None:
    config = ClientConfig(
        retry_attempts=5,
        retry_backoff_factor=0.5,
        retry_max_delay=8.0,
        retry_statuses=frozenset({503}),
        retry_methods=frozenset({"GET"}),
        retry_after_max=20.0,
        on_exhausted="return",
    )
    policy = config.retry_policy()
    assert policy == RetryPolicy(
        retries=5,
        backoff=ExponentialBackoff(0.5, 8.0),
        statuses={503},
        methods={"GET"},
        retry_after_max=20.0,
        on_exhausted="return",
    )
    assert policy is not None
    assert policy.methods == {"GET", "HEAD", "OPTIONS", "TRACE"}


def test_the_default_retry_policy_is_the_cores() -> None:
    assert ClientConfig().retry_policy() == RetryPolicy()


def test_retrying_can_be_off() -> None:
    assert ClientConfig(retry_attempts=0).retry_policy() is None


@pytest.mark.parametrize(
    ("values", "backoff"),
    [
        ({"retry_backoff": "linear", "retry_jitter": "equal"}, LinearBackoff(0.5, 8.0, "equal")),
        ({"retry_backoff": "constant", "retry_jitter": "proportional"}, ConstantBackoff(0.5, "proportional")),
        ({"retry_backoff": "constant", "retry_max_delay": 0.25}, ConstantBackoff(0.25)),
        ({"retry_jitter": "smooth"}, ExponentialBackoff(0.5, 8.0, "smooth")),
        ({"retry_jitter": "none"}, ExponentialBackoff(0.5, 8.0, "none")),
    ],
)
def test_every_backoff_and_jitter(values: dict[str, Any], backoff: Any) -> None:
    policy = config_of(**{"retry_backoff_factor": 0.5, "retry_max_delay": 8.0} | values).retry_policy()
    assert policy is not None and policy.backoff == backoff


@pytest.mark.parametrize("jitter", ["decorrelated", "smooth"])
def test_jitters_that_are_exponential(jitter: str) -> None:
    assert f"retry_jitter '{jitter}' belongs to exponential backoff" in refused(
        retry_jitter=jitter, retry_backoff="linear"
    )


def test_what_a_server_says_beside_retry_after() -> None:
    policy = ClientConfig(retry_after_clamp=5, retry_hints=("Retry-After-Ms",)).retry_policy()
    assert policy == RetryPolicy(retry_after_clamp=5.0, hints=["retry-after-ms"])
    assert refused(retry_hints=["retry after"]).startswith("ClientConfig.retry_hints.0: 'retry after' is not allowed: ")


def test_the_budget() -> None:
    budget = ClientConfig(retry_budget=100).budget()
    assert isinstance(budget, QuotaBudget) and budget.capacity == 100
    assert ClientConfig().budget() is not ClientConfig().budget(), "each client has its own"
    assert ClientConfig(retry_budget=None).budget() is None


def test_hedging() -> None:
    assert ClientConfig().hedging() is None
    assert ClientConfig(hedge_delay=0.5, hedge_extra=2).hedging() == FixedHedging(0.5, 2)
    hedging = ClientConfig(hedge_quantile=0.9).hedging()
    assert isinstance(hedging, QuantileHedging) and (hedging.quantile, hedging.extra) == (0.9, 1)
    assert "hedge_delay and hedge_quantile are two ways" in refused(hedge_delay=1, hedge_quantile=0.9)
    assert "hedge_delay (5 s) is not below timeout (5 s)" in refused(hedge_delay=5, timeout=5)
    assert ClientConfig(hedge_delay=50).hedge_delay == 50, "only what was given is compared"
