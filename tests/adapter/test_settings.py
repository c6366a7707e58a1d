"""The client's settings from the environment: each field, in what order of precedence, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from sansio_http import ConfigurationError
from sansio_http_anyio import AsyncHTTPClient, ClientConfig, Settings, UnverifiedTLSWarning
from tests.adapter.raw_server import SELF_SIGNED

FROM_TEXT: dict[str, tuple[str, Any]] = {
    "timeout": ("12.5", 12.5),
    "attempt_timeout": ("4", 4.0),
    "connect_timeout": ("3", 3.0),
    "read_timeout": ("2", 2.0),
    "write_timeout": ("2", 2.0),
    "pool_timeout": ("0", 0.0),
    "max_connections": ("7", 7),
    "max_keepalive_connections": ("5", 5),
    "keepalive_expiry": ("9", 9.0),
    "follow_redirects": ("true", True),
    "max_redirects": ("3", 3),
    "verify_ssl": (str(SELF_SIGNED), str(SELF_SIGNED)),
    "client_certificate": (str(SELF_SIGNED), str(SELF_SIGNED)),
    "server_name": ("api.example.com", "api.example.com"),
    "allow_address": ("public", "public"),
    "local_address": ("127.0.0.1", "127.0.0.1"),
    "unix_socket": ("/run/api.sock", "/run/api.sock"),
    "redirect_headers": ("X-A, x-b", {"x-a", "x-b"}),
    "retry_attempts": ("1", 1),
    "retry_backoff_factor": ("0.25", 0.25),
    "retry_max_delay": ("5", 5.0),
    "retry_statuses": ("429, 503,", {429, 503}),
    "retry_methods": ("get,PUT", {"GET", "PUT"}),
    "retry_after_max": ("6", 6.0),
    "retry_backoff": ("linear", "linear"),
    "retry_jitter": ("none", "none"),
    "retry_budget": ("none", None),
    "retry_after_clamp": ("5", 5.0),
    "retry_hints": ("retry-after-ms, X-RateLimit-Reset", ("retry-after-ms", "X-RateLimit-Reset")),
    "hedge_delay": ("0.5", 0.5),
    "hedge_quantile": ("0.95", 0.95),
    "hedge_extra": ("2", 2),
    "on_exhausted": ("return", "return"),
    "idempotency_key": ("auto", "auto"),
    "error_body_limit": ("1024", 1024),
    "max_response_size": ("4096", 4096),
    "allow_absolute_urls": ("true", True),
    "params_style": ("comma", "comma"),
}
NOT_ALONE = {"client_key", "client_key_password"}  # without client_certificate they are refused
ANY_TEXT = {"client_key_password", "unix_socket"}
WRONG_TEXT = {
    "server_name": "b\u00fccher",
    "redirect_headers": "X-A,a b",
    "verify_ssl": "perhaps",
    "follow_redirects": "2",
    "retry_statuses": "429,abc",
    "retry_methods": "GET,FETCH",
    "retry_hints": "retry-after-ms,b c",
    "on_exhausted": "ignore",
    "idempotency_key": "mine",
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("HTTP_CLIENT_"):
            monkeypatch.delenv(name)


def config_of(**values: Any) -> ClientConfig:
    return ClientConfig(**values)


def setting(field: str) -> str:
    return f"HTTP_CLIENT_{field.upper()}"


@pytest.mark.parametrize("field", [field for field in ClientConfig.model_fields if field not in NOT_ALONE])
def test_every_field_has_its_variable(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = FROM_TEXT[field]
    monkeypatch.setenv(setting(field), text)
    assert value != getattr(ClientConfig(), field)
    assert Settings().model_dump() == ClientConfig().model_dump() | {field: value}
    assert Settings().config() == config_of(**{field: value})


def test_a_client_certificate_in_two_files_and_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_CLIENT_CERTIFICATE", str(SELF_SIGNED))
    monkeypatch.setenv("HTTP_CLIENT_CLIENT_KEY", str(SELF_SIGNED))
    monkeypatch.setenv("HTTP_CLIENT_CLIENT_KEY_PASSWORD", "canary")
    config = Settings().config()
    assert (config.client_key, config.trust().password) == (str(SELF_SIGNED), "canary")
    assert "canary" not in repr(config) + str(config.model_dump())


def test_certificates_that_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_VERIFY_SSL", "0")
    with pytest.warns(UnverifiedTLSWarning):
        assert Settings().verify_ssl is False


@pytest.mark.parametrize("field", [field for field in ClientConfig.model_fields if field not in ANY_TEXT])
def test_a_wrong_variable_is_named_with_its_value(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = WRONG_TEXT.get(field, "-1")
    monkeypatch.setenv(setting(field), text)
    with pytest.raises(
        ConfigurationError, match=rf"^Settings\.{field}[.\d]*: '{text.split(',')[-1]}' is not allowed: "
    ):
        Settings()


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_TIMEOUT", "soon")
    monkeypatch.setenv("HTTP_CLIENT_RETRY_ATTEMPTS", "-1")
    with pytest.raises(ConfigurationError, match=r"Settings\.timeout: 'soon' .*; Settings\.retry_attempts: '-1' "):
        Settings()


@pytest.mark.parametrize("field", [field for field in ClientConfig.model_fields if "timeout" in field])
def test_none(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting(field), "none")
    assert getattr(Settings(), field) is None


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_TIMEOUT", "")
    assert Settings().model_fields_set == set()
    assert Settings().timeout == ClientConfig().timeout


def test_arguments_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_TIMEOUT", "10")
    monkeypatch.setenv("HTTP_CLIENT_MAX_CONNECTIONS", "11")
    settings = Settings(timeout=5, retry_statuses=frozenset({503}))
    assert (settings.timeout, settings.max_connections) == (5.0, 11)
    assert settings.retry_statuses == {503}


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^Settings\.time_out: there is no such field; did you mean 'timeout'\?"
    ):
        Settings(time_out=5)  # type: ignore[call-arg]


def test_what_the_environment_says_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_TIMEOUT", "2")
    assert Settings().connect_timeout == 5.0  # a default: not compared
    monkeypatch.setenv("HTTP_CLIENT_CONNECT_TIMEOUT", "3")
    with pytest.raises(ConfigurationError, match=r"^Settings: connect_timeout \(3 s\) is longer than timeout \(2 s\)"):
        Settings()


def test_the_config_keeps_defaults_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_TIMEOUT", "2")
    config = Settings(retry_attempts=0).config()
    assert type(config) is ClientConfig
    assert config.model_fields_set == {"timeout", "retry_attempts"}
    assert config == ClientConfig(timeout=2, retry_attempts=0)


def test_settings_are_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_CLIENT_RETRY_ATTEMPTS", "7")
    settings = Settings()
    client = AsyncHTTPClient("http://127.0.0.1", settings)
    assert client.config is settings
    assert client.policies.retry is not None
    assert client.policies.retry.retries == 7


def test_they_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings(), "timeout", 5)  # noqa: B010 - type checkers know that it is frozen


def test_pydantic_settings_is_imported_by_who_wants_it() -> None:
    look = "import sys, sansio_http_anyio as a; before = 'pydantic_settings' in sys.modules; a.Settings; print(before)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
