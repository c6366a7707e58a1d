"""The client's settings: the defaults, what is refused and in which words, and the retry policy they describe."""

from __future__ import annotations

import math
import pickle
import re
from http import HTTPMethod
from typing import Any

import pytest

from sansio_http import ConfigurationError, ExponentialBackoff, RetryPolicy
from sansio_http_anyio import ClientConfig

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
    "retry_after_max": 120.0,
    "on_exhausted": "raise",
    "idempotency_key": None,
    "error_body_limit": 65_536,
}


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
        ("on_exhausted", "return"),
        ("idempotency_key", "auto"),
        ("error_body_limit", 0),
    ],
)
def test_the_ends_of_the_ranges(field: str, value: Any) -> None:
    assert getattr(config_of(**{field: value}), field) == value


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
        ("verify_ssl", None, "Input should be a valid boolean"),
        ("retry_attempts", -1, ZERO_OR_MORE),
        ("retry_backoff_factor", -1, ZERO_OR_MORE),
        ("retry_max_delay", math.inf, FINITE),
        ("retry_statuses", 503, "Input should be a valid frozenset"),
        ("retry_methods", "GET", "Input should be a valid frozenset"),
        ("retry_methods", 7, "Input should be a valid frozenset"),
        ("retry_after_max", -1, ZERO_OR_MORE),
        ("on_exhausted", "ignore", "Input should be 'raise' or 'return'"),
        ("idempotency_key", "mine", "Input should be 'auto'"),
        ("error_body_limit", -1, ZERO_OR_MORE),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(field: str, value: Any, allowed: str) -> None:
    assert refused(**{field: value}).startswith(f"ClientConfig.{field}: {value!r} is not allowed: {allowed}")


def test_every_field_can_be_wrong() -> None:
    told = refused(**dict.fromkeys(ClientConfig.model_fields, object()))
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
