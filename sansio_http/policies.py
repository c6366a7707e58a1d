"""The bundle of policies that a call asks, and the sources of chance and absolute time they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .auth import Auth
from .circuit_breaker import Circuit
from .exceptions import ConfigurationError
from .hedging import Hedging
from .keyed import Keyed
from .models import HTTPRequest, HTTPResponse
from .rate_limiter import Concurrency, Limiter
from .redirects import RedirectPolicy
from .retry import RetryPolicy


class AttemptHook(Protocol):
    """Something of the user's that looks at, or changes, every send and every answer of an attempt.

    Both are asked through the driver, so they may be coroutine functions where the driver can await.
    """

    def process_request(self, request: HTTPRequest) -> HTTPRequest | Awaitable[HTTPRequest] | None:
        """The request to go on with; None for the one given, changed or not."""
        return None

    def process_response(
        self, response: HTTPResponse, request: HTTPRequest
    ) -> HTTPResponse | Awaitable[HTTPResponse] | None:
        """The response to go on with; None for the one given."""
        return None


_KINDS: dict[str, tuple[type, ...]] = {
    "retry": (RetryPolicy,),
    "circuit": (Circuit, Keyed),
    "limiter": (Limiter, Keyed),
    "slots": (Concurrency,),
    "redirects": (RedirectPolicy,),
}


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Policies:
    """What decides about a call. Each part is optional; nothing given means: send once, believe the answer.

    Stateful parts (circuit, limiter, slots) may be shared by any number of bundles and calls.

    Args:
        retry: which failures are tried again.
        circuit: the circuit breaker, or a registry of them by key.
        limiter: the rate limiter, or a registry of them by key.
        slots: how many sends may be in flight; claimed together with the limiter's tokens.
        auth: credentials at hand.
        ask_auth: credentials that must be asked for: called with the request, gives the request back.
        ask_limiter: a limiter of the user's own: called with the tokens wanted (1), returns when they are granted.
        auth_origin: the only origin (``https://host``, ``https://host:8443``) that gets
            credentials, in lower case; None for that of the call's own URL.
        hooks: looked through on every send and answer; the last one sees the answer first.
        redirects: follows redirects; None returns them as they are.
        hedging: puts a second send beside a slow one.
        attempt_timeout: seconds for one attempt, from when it gets its place; None for what is left of the call.
        pool_timeout: seconds to wait for a slot at most; None for what is left of the call, 0 never waits.
        rand: numbers in [0, 1); needed for jitter.
        entropy: ``n -> n random bytes``; needed for ``idempotency_key="auto"``.
        wall: seconds since the epoch; for a Retry-After date beside no Date.

    Attributes:
        plain: an attempt is one send, and nothing else can happen in it.
        keyed: which circuit and limiter is asked depends on the request.
        home: what URLs that get credentials begin with. One that is not in normal form is nobody's home.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    retry: RetryPolicy | None = None
    circuit: Circuit | Keyed[Any, Circuit] | None = None
    limiter: Limiter | Keyed[Any, Limiter] | None = None
    slots: Concurrency | None = None
    auth: Auth | None = None
    ask_auth: Callable[[HTTPRequest], Any] | None = None
    ask_limiter: Callable[[float], Any] | None = None
    auth_origin: str | None = None
    hooks: tuple[AttemptHook, ...] = ()
    redirects: RedirectPolicy | None = None
    hedging: Hedging | None = None
    attempt_timeout: float | None = None
    pool_timeout: float | None = None
    rand: Callable[[], float] | None = None
    entropy: Callable[[int], bytes] | None = None
    wall: Callable[[], float] | None = None
    plain: bool = field(init=False, repr=False, compare=False)
    keyed: bool = field(init=False, repr=False, compare=False)
    home: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kinds):
                allowed = " or ".join(kind.__name__ for kind in kinds)
                raise ConfigurationError(f"Policies.{name}: {type(value).__name__} is not allowed; it is {allowed}")
        limit, patience = self.attempt_timeout, self.pool_timeout
        if limit is not None and not (isinstance(limit, (float, int)) and limit > 0):
            raise ConfigurationError(
                f"Policies.attempt_timeout: {self.attempt_timeout!r} is not allowed; it is seconds above 0, or None"
            )
        if patience is not None and not (isinstance(patience, (float, int)) and patience >= 0):
            raise ConfigurationError(
                f"Policies.pool_timeout: {self.pool_timeout!r} is not allowed; it is seconds, 0 or more, or None"
            )
        if isinstance(self.limiter, Concurrency):
            raise ConfigurationError("Policies.limiter: a Concurrency is not allowed here; it goes into slots")
        keyed = isinstance(self.circuit, Keyed) or isinstance(self.limiter, Keyed)
        object.__setattr__(self, "plain", not (self.hooks or self.redirects or self.ask_auth or self.ask_limiter))
        object.__setattr__(self, "keyed", keyed)
        object.__setattr__(self, "home", "" if self.auth_origin is None else f"{self.auth_origin}/")
