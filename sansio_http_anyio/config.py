"""The client's settings as one validated, frozen value."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sansio_http import ConfigurationError, ExponentialBackoff, RetryPolicy

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Status = Annotated[int, Field(ge=400, le=599)]


class ClientConfig(BaseModel):
    """How a client behaves. Every field has a default that is safe in production; times are in seconds.

    Args:
        timeout: for a whole call to its last byte - queues, connecting, attempts, waits - or for a stream to its head.
            None: no limit.
        attempt_timeout: for one attempt; None: what is left of ``timeout``.
        connect_timeout: for DNS, TCP and TLS together; None: what is left.
        read_timeout: for the next bytes to arrive; None: what is left.
        write_timeout: for the server to take the next bytes; None: what is left.
        pool_timeout: to wait for one of ``max_connections``; None: what is left; 0: never wait.
        max_connections: requests in flight at once, 1 or more.
        max_keepalive_connections: idle connections that are kept, 0 or more.
        keepalive_expiry: how long an idle connection is kept.
        follow_redirects: follow redirects (at most ``max_redirects``); else they are returned.
        max_redirects: per attempt, 1 or more.
        verify_ssl: check the server's certificate. False is for tests only.
        retry_attempts: retries after the first attempt; 0 turns retrying off.
        retry_backoff_factor: before retry n = 0, 1, ... a random part of ``min(retry_max_delay, factor * 2**n)``.
        retry_max_delay: the longest backoff.
        retry_statuses: answers that are tried again, for any of ``retry_methods``.
        retry_methods: methods that are tried again at all; HEAD, OPTIONS and TRACE follow GET. After a transport
            failure only idempotent ones are, or requests that the caller vouched for.
        retry_after_max: a server that asks for a longer wait is not asked again by this call.
        on_exhausted: when a retryable answer is not tried again: ``raise`` an error that holds it, or ``return`` it.
        idempotency_key: ``"auto"`` sends an Idempotency-Key of the client's own making with each POST and PATCH: give
            it where the API honours the header.
        error_body_limit: bytes that are read of a stream's error answer.

    Raises:
        ConfigurationError: names each wrong field, its value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: Seconds | None = 30.0
    attempt_timeout: Seconds | None = None
    connect_timeout: Seconds | None = 5.0
    read_timeout: Seconds | None = None
    write_timeout: Seconds | None = None
    pool_timeout: Amount | None = None
    max_connections: int = Field(default=100, ge=1)
    max_keepalive_connections: int = Field(default=20, ge=0)
    keepalive_expiry: Amount = 30.0
    follow_redirects: bool = False
    max_redirects: int = Field(default=20, ge=1)
    verify_ssl: bool = True
    retry_attempts: int = Field(default=3, ge=0)
    retry_backoff_factor: Amount = 1.0
    retry_max_delay: Amount = 60.0
    retry_statuses: frozenset[Status] = frozenset({408, 429, 500, 502, 503, 504})
    retry_methods: frozenset[Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]] = frozenset(
        {"GET", "POST", "PUT", "DELETE", "PATCH"}
    )
    retry_after_max: Amount = 120.0
    on_exhausted: Literal["raise", "return"] = "raise"
    idempotency_key: Literal["auto"] | None = None
    error_body_limit: int = Field(default=65_536, ge=0)

    if not TYPE_CHECKING:  # pragma: no branch - type checkers keep the signature that the fields make

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                problems = "; ".join(_problem(type(self), detail) for detail in error.errors(include_url=False))
                raise ConfigurationError(problems) from None

    @field_validator("retry_methods", mode="before")
    @classmethod
    def _upper_case(cls, value: Any) -> Any:
        if isinstance(value, str):
            return value
        try:
            return frozenset(str(method).upper() for method in value)
        except TypeError:
            return value

    @model_validator(mode="after")
    def _consistent(self) -> ClientConfig:
        # Only what the caller gave is compared: a short timeout must not clash with a default.
        given = self.model_fields_set
        problems: list[str] = []
        for name in ("attempt_timeout", "connect_timeout", "read_timeout", "write_timeout", "pool_timeout"):
            value = getattr(self, name)
            if {name, "timeout"} <= given and None not in (value, self.timeout) and value > self.timeout:
                problems.append(
                    f"{name} ({value:g} s) is longer than timeout ({self.timeout:g} s) and could never pass"
                )
        idle, most = self.max_keepalive_connections, self.max_connections
        if {"max_keepalive_connections", "max_connections"} <= given and idle > most:
            problems.append(f"max_keepalive_connections ({idle}) is above max_connections ({most})")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def retry_policy(self) -> RetryPolicy | None:
        """The retry policy that the ``retry_*`` fields describe; None where retrying is off."""
        if self.retry_attempts == 0:
            return None
        return RetryPolicy(
            retries=self.retry_attempts,
            backoff=ExponentialBackoff(self.retry_backoff_factor, self.retry_max_delay),
            statuses=self.retry_statuses,
            methods=self.retry_methods,
            retry_after_max=self.retry_after_max,
            on_exhausted=self.on_exhausted,
        )


def _problem(model: type[BaseModel], detail: Any) -> str:
    """One line on one wrong field."""
    location, message = detail["loc"], detail["msg"]
    name = ".".join([model.__name__, *map(str, location)])
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the fields are {', '.join(model.model_fields)}"
        return f"{name}: there is no such field; {hint}"
    if not location:  # about several fields: the message names them
        return f"{name}: {message.removeprefix('Value error, ')}"
    return f"{name}: {detail['input']!r:.80} is not allowed: {message}"
