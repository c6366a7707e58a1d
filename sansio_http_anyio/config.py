"""The client's settings as one validated, frozen value."""

from __future__ import annotations

import difflib
import ssl
import warnings
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from sansio_http import (
    Backoff,
    ConfigurationError,
    ConstantBackoff,
    ExponentialBackoff,
    FixedHedging,
    Hedging,
    LinearBackoff,
    QuantileHedging,
    QuotaBudget,
    RedirectPolicy,
    RetryBudget,
    RetryPolicy,
)

from . import connection_fields as fields

if TYPE_CHECKING:
    from .transport.tls import Trust

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Status = Annotated[int, Field(ge=400, le=599)]
FieldName = Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")]
Verification = Annotated[bool | str | Path | ssl.SSLContext, PlainValidator(fields.verification)]
File = Annotated[str | Path | None, PlainValidator(fields.file)]
SocketPath = Annotated[str | Path | None, PlainValidator(fields.path)]
Address = Annotated[str | None, PlainValidator(fields.address)]
ServerName = Annotated[str | None, PlainValidator(fields.server_name)]
Password = Annotated[SecretStr | str | None, PlainValidator(fields.password)]
AddressCheck = Annotated[
    Literal["any", "public"] | Callable[[IPv4Address | IPv6Address], object], PlainValidator(fields.address_check)
]


def _header_name(name: str) -> str:
    """The name in lower case; ConfigurationError, which is a ValueError, where no redirect may take it along."""
    return next(iter(RedirectPolicy(headers=frozenset({name})).headers))


HeaderName = Annotated[str, AfterValidator(_header_name)]


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
        verify_ssl: whom to trust. True: the certificates that the operating system trusts. A path: those in this PEM
            file or directory, and no others. An ``ssl.SSLContext``: what it says; it is used as it is. False: anybody,
            which is for tests only, and warned of.
        client_certificate: PEM file with the certificate that we show to servers that ask for one.
        client_key: PEM file with its private key; None where that is in ``client_certificate``.
        client_key_password: of the private key.
        server_name: the name that the server's certificate has to be for, also sent as SNI; None: the URL's host.
        allow_address: asked of the IP address whenever a connection is opened, a redirect's included. ``public``
            refuses private, loopback, link-local and reserved ones, and with them the clouds' metadata services;
            a function takes an ``ipaddress`` object, and what it denies is refused.
        local_address: an IP address of this machine's to connect from.
        unix_socket: the path of a Unix socket to connect to, whatever the URL's host.
        redirect_headers: names of headers that go along to another origin too; those of secrets should not.
        retry_attempts: retries after the first attempt; 0 turns retrying off.
        retry_backoff: how the wait before retry n = 0, 1, ... grows: ``exponential`` is ``factor * 2**n``, ``linear``
            is ``factor * (n + 1)``, ``constant`` is ``factor``.
        retry_backoff_factor: the first wait, before jitter.
        retry_max_delay: the longest backoff.
        retry_jitter: what chance makes of the wait: ``full`` takes a random part of it; ``none``, ``equal``,
            ``proportional``; for exponential backoff also ``decorrelated`` and ``smooth``. See ``docs/retry.md``.
        retry_budget: tokens that all retries of this client are paid from (see :class:`~sansio_http.QuotaBudget`), so
            that an outage is not made worse; None: no bound.
        retry_statuses: answers that are tried again, for any of ``retry_methods``.
        retry_methods: methods that are tried again at all; HEAD, OPTIONS and TRACE follow GET. After a transport
            failure only idempotent ones are, or requests that the caller vouched for.
        retry_after_max: a server that asks for a longer wait is not asked again by this call.
        retry_after_clamp: what the server asks for counts up to so many seconds more than the backoff, in the place of
            ``retry_after_max``; None: never sooner than asked.
        retry_hints: fields that are listened to beside Retry-After, such as ``retry-after-ms``, ``x-ratelimit-reset``.
        hedge_delay: when an answer takes longer, one more request goes out beside it, if it may happen twice; the first
            answer counts. None: no hedging.
        hedge_quantile: the same, when it takes longer than this part of the last answers (0.95: the slowest twentieth).
        hedge_extra: requests beside the first, at most; 1 to 7.
        on_exhausted: when a retryable answer is not tried again: ``raise`` an error that holds it, or ``return`` it.
        idempotency_key: ``"auto"`` sends an Idempotency-Key of the client's own making with each POST and PATCH: give
            it where the API honours the header.
        params_style: how a list in ``params`` is written: ``repeat`` (``n=1&n=2``), ``comma`` (``n=1,2``) or
            ``brackets`` (``n[]=1&n[]=2``).
        allow_absolute_urls: a request's URL may be any http or https URL. To another origin than that of the client's
            ``base_url`` go neither the client's credentials and params, nor those of its headers that could be a key.
        error_body_limit: bytes that are read of a stream's error answer.
        max_response_size: bytes that a body may have, decompressed; None for any number. The default guards what is
            kept in memory, a stream's ``aread()`` too; a stream that is read in pieces, whose reader decides what to
            keep, is bounded only by a number given here.

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
    verify_ssl: Verification = True
    client_certificate: File = None
    client_key: File = None
    client_key_password: Password = None
    server_name: ServerName = None
    allow_address: AddressCheck = "any"
    local_address: Address = None
    unix_socket: SocketPath = None
    redirect_headers: frozenset[HeaderName] = frozenset()
    retry_attempts: int = Field(default=3, ge=0)
    retry_backoff: Literal["exponential", "linear", "constant"] = "exponential"
    retry_backoff_factor: Amount = 1.0
    retry_max_delay: Amount = 60.0
    retry_jitter: Literal["none", "full", "equal", "proportional", "decorrelated", "smooth"] = "full"
    retry_budget: Amount | None = 500.0
    retry_statuses: frozenset[Status] = frozenset({408, 429, 500, 502, 503, 504})
    retry_methods: frozenset[Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]] = frozenset(
        {"GET", "POST", "PUT", "DELETE", "PATCH"}
    )
    retry_after_max: Amount = 120.0
    retry_after_clamp: Amount | None = None
    retry_hints: tuple[FieldName, ...] = ()
    hedge_delay: Seconds | None = None
    hedge_quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    hedge_extra: int = Field(default=1, ge=1, le=7)
    on_exhausted: Literal["raise", "return"] = "raise"
    idempotency_key: Literal["auto"] | None = None
    params_style: Literal["repeat", "comma", "brackets"] = "repeat"
    allow_absolute_urls: bool = False
    error_body_limit: int = Field(default=65_536, ge=0)
    max_response_size: int | None = Field(default=104_857_600, ge=0)

    if not TYPE_CHECKING:  # pragma: no branch - type checkers keep the signature that the fields make

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                problems = "; ".join(_problem(type(self), detail) for detail in error.errors(include_url=False))
                raise ConfigurationError(problems) from None
            if self.verify_ssl is False:
                message = "verify_ssl=False: certificates are not checked, anybody can pass for the server"
                warnings.warn(message, fields.UnverifiedTLSWarning, stacklevel=2)

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
        if self.retry_jitter in ("decorrelated", "smooth") and self.retry_backoff != "exponential":
            problems.append(
                f"retry_jitter {self.retry_jitter!r} belongs to exponential backoff, and retry_backoff is"
                f" {self.retry_backoff!r}"
            )
        if self.hedge_delay is not None and self.hedge_quantile is not None:
            problems.append("hedge_delay and hedge_quantile are two ways to say when; give one of them")
        delay, timeout = self.hedge_delay, self.timeout
        if {"hedge_delay", "timeout"} <= given and delay is not None and timeout is not None and delay >= timeout:
            problems.append(f"hedge_delay ({delay:g} s) is not below timeout ({timeout:g} s) and could never pass")
        problems += self._tls_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _tls_problems(self) -> list[str]:
        if self.client_certificate is None:
            alone = [name for name in ("client_key", "client_key_password") if getattr(self, name) is not None]
            if alone:
                return [f"{', '.join(alone)}: without client_certificate"]
        elif isinstance(self.verify_ssl, ssl.SSLContext):
            return ["client_certificate: the context that is verify_ssl has its own; load it there"]
        if self.client_certificate is not None or isinstance(self.verify_ssl, str):
            try:
                self.trust().check()
            except ConfigurationError as error:
                return [str(error)]
        return []

    def trust(self) -> Trust:
        """Whom to trust and how to identify ourselves, as a key: connections are shared between equal ones only."""
        from .transport.tls import Trust  # transports know this module

        password: Any = self.client_key_password
        certificate: Any = self.client_certificate
        key: Any = self.client_key
        verify: Any = self.verify_ssl
        return Trust(verify, certificate, key, None if password is None else password.get_secret_value())

    def retry_policy(self) -> RetryPolicy | None:
        """The retry policy that the ``retry_*`` fields describe; None where retrying is off."""
        if self.retry_attempts == 0:
            return None
        return RetryPolicy(
            retries=self.retry_attempts,
            backoff=self._backoff(),
            statuses=self.retry_statuses,
            methods=self.retry_methods,
            retry_after_max=self.retry_after_max,
            on_exhausted=self.on_exhausted,
            retry_after_clamp=self.retry_after_clamp,
            hints=self.retry_hints,
        )

    def budget(self) -> RetryBudget | None:
        """A new retry budget, as ``retry_budget`` says."""
        return None if self.retry_budget is None else QuotaBudget(self.retry_budget)

    def hedging(self) -> Hedging | None:
        """A new hedging policy, as the ``hedge_*`` fields say; None where hedging is off."""
        if self.hedge_delay is not None:
            return FixedHedging(self.hedge_delay, self.hedge_extra)
        return None if self.hedge_quantile is None else QuantileHedging(self.hedge_quantile, extra=self.hedge_extra)

    def _backoff(self) -> Backoff:
        factor, longest, jitter = self.retry_backoff_factor, self.retry_max_delay, self.retry_jitter
        if jitter == "decorrelated" or jitter == "smooth" or self.retry_backoff == "exponential":
            return ExponentialBackoff(factor, longest, jitter)
        if self.retry_backoff == "linear":
            return LinearBackoff(factor, longest, jitter)
        return ConstantBackoff(min(factor, longest), jitter)


def _problem(model: type[BaseModel], detail: Any) -> str:
    """One line on one wrong field."""
    location, message = detail["loc"], detail["msg"]
    name = ".".join([model.__name__, *map(str, location)])
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the fields are {', '.join(model.model_fields)}"
        return f"{name}: there is no such field; {hint}"
    if "password" in name:
        return f"{name}: what was given is not allowed: {message.removeprefix('Value error, ')}"
    if not location:  # about several fields: the message names them
        return f"{name}: {message.removeprefix('Value error, ')}"
    return f"{name}: {detail['input']!r:.80} is not allowed: {message.removeprefix('Value error, ')}"
