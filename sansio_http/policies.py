"""The bundle of policies that a call asks, and the sources of chance and absolute time they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from . import presets
from .auth import ActiveAuth, Auth, Signer, active_parts
from .circuit_breaker import Circuit
from .cookies import CookieStore
from .exceptions import ConfigurationError
from .hedging import Hedging
from .keyed import Keyed
from .models import HTTPRequest, HTTPResponse
from .rate_limiter import Concurrency, Limiter
from .redirects import RedirectPolicy
from .retry import RetryBudget, RetryPolicy
from .step import Via
from .summaries import table


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


AnyLimit = Limiter | Keyed[Any, Limiter]
"""A limiter, or a registry of them by key."""

_KINDS: dict[str, tuple[type, ...]] = {
    "retry": (RetryPolicy,),
    "retry_budget": (RetryBudget,),
    "circuit": (Circuit, Keyed),
    "limiter": (Limiter, Keyed, tuple),
    "slots": (Concurrency,),
    "redirects": (RedirectPolicy,),
    "cookies": (CookieStore,),
}


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Policies:
    """What decides about a call. Each part is optional; nothing given means: send once, believe the answer.

    Stateful parts (circuit, limiter, slots) may be shared by any number of bundles and calls. There are bundles with a
    name (:meth:`standard`, ...), which take any part in the place of their own; ``print(policies)`` says what one will
    do.

    Args:
        retry: which failures are tried again.
        retry_budget: what all retries and hedges of those who share it are paid from; None for no bound.
        circuit: the circuit breaker, or a registry of them by key.
        limiter: the limiter of any kind, or a registry of them by key; or several of either, in a tuple or a list, all
            of which a send has to pass: their queues are joined in this order, the one that holds back most first.
        slots: how many sends may be in flight; claimed together with the limiter's tokens.
        auth: credentials at hand.
        ask_auth: credentials that must be asked for: called with the request, gives the request back.
        signer: signs each send, as the last thing that happens to it; needs ``wall``.
        ask_limiter: a limiter of the user's own: called with the tokens wanted (1), returns when they are granted.
        auth_origin: the only origin (``https://host``, ``https://host:8443``) that gets
            credentials, in lower case; None for that of the call's own URL.
        hooks: looked through on every send and answer; the last one sees the answer first.
        redirects: follows redirects; None returns them as they are.
        cookies: asked for cookies for each send, and told of those that each answer sets. Needs ``wall``.
        hedging: puts a second send beside a slow one.
        attempt_timeout: seconds for one attempt, from when it gets its place; None for what is left of the call.
        pool_timeout: seconds to wait for a slot at most; None for what is left of the call, 0 never waits.
        rand: numbers in [0, 1); needed for jitter.
        entropy: ``n -> n random bytes``; needed for ``idempotency_key="auto"``.
        wall: seconds since the epoch; for a Retry-After date beside no Date.
        background: runs what it is given (a refresh, to be driven as a call) beside its callers; False where it cannot,
            and the call that needs the token drives it.
        via: what the sends are for (see :data:`~sansio_http.step.Via`).

    Attributes:
        active: the parts of ``auth`` that take part in an attempt.
        ruled: every answer is put to a rule of the user's, a good one too.
        learning: somebody learns from good answers.
        plain: an attempt is one send, and nothing else can happen in it.
        keyed: which circuit and limiter is asked depends on the request.
        home: what URLs that get credentials begin with. One that is not in normal form is nobody's home.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    retry: RetryPolicy | None = None
    retry_budget: RetryBudget | None = None
    circuit: Circuit | Keyed[Any, Circuit] | None = None
    limiter: AnyLimit | Sequence[AnyLimit] | None = None
    slots: Concurrency | None = None
    auth: Auth | None = None
    ask_auth: Callable[[HTTPRequest], Any] | None = None
    signer: Signer | None = None
    ask_limiter: Callable[[float], Any] | None = None
    auth_origin: str | None = None
    hooks: tuple[AttemptHook, ...] = ()
    redirects: RedirectPolicy | None = None
    cookies: CookieStore | None = None
    hedging: Hedging | None = None
    attempt_timeout: float | None = None
    pool_timeout: float | None = None
    rand: Callable[[], float] | None = None
    entropy: Callable[[int], bytes] | None = None
    wall: Callable[[], float] | None = None
    background: Callable[[Any], bool] | None = None
    via: Via = "api"
    active: tuple[ActiveAuth, ...] = field(init=False, repr=False, compare=False)
    ruled: bool = field(init=False, repr=False, compare=False)
    learning: bool = field(init=False, repr=False, compare=False)
    plain: bool = field(init=False, repr=False, compare=False)
    keyed: bool = field(init=False, repr=False, compare=False)
    home: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.limiter, list):
            object.__setattr__(self, "limiter", tuple(self.limiter))
        if isinstance(self.limiter, tuple):
            _check_limiters(self.limiter)
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, type) or not isinstance(value, kinds)):
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
        limiters = self.limiter if isinstance(self.limiter, tuple) else (self.limiter,)
        if self.slots is not None and any(each is self.slots for each in limiters):
            raise ConfigurationError("Policies.limiter: what is in slots cannot be in limiter as well")
        keyed = isinstance(self.circuit, Keyed) or isinstance(self.limiter, Keyed | tuple)
        if self.hedging is not None and not callable(getattr(self.hedging, "observe", None)):
            raise ConfigurationError("Policies.hedging: it has no method `observe`; derive it from Hedging")
        if self.signer is not None and self.wall is None:
            raise ConfigurationError("Policies.wall: needed for a signer; give time.time")
        active = active_parts(self.auth)
        told = self.hooks or self.redirects or self.ask_auth or self.ask_limiter or active or self.cookies is not None
        object.__setattr__(self, "active", active)
        object.__setattr__(self, "plain", not told)
        object.__setattr__(self, "keyed", keyed)
        object.__setattr__(self, "ruled", self.retry is not None and self.retry.retry_if is not None)
        object.__setattr__(self, "learning", self.retry_budget is not None or self.hedging is not None)
        object.__setattr__(self, "home", "" if self.auth_origin is None else f"{self.auth_origin}/")

    @classmethod
    def none(cls, **parts: Any) -> Policies:
        """Send once, believe the answer: no retries, no limits.

        Args:
            parts: any of this class's arguments, in the place of the preset's; so for all that follow.
        """
        return cls(**presets.none() | parts)

    @classmethod
    def standard(cls, **parts: Any) -> Policies:
        """What a client does that was told nothing else: three retries with full jitter, a budget, 100 in flight."""
        return cls(**presets.standard() | parts)

    @classmethod
    def aggressive(cls, **parts: Any) -> Policies:
        """The answer matters more than the load: five retries, soon, and attempts cut off after 10 s.

        A circuit that opens when four of five calls fail keeps it from beating a server that is down.
        """
        return cls(**presets.aggressive() | parts)

    @classmethod
    def careful(cls, **parts: Any) -> Policies:
        """The server is easily hurt: ten at once, one retry after some seconds, a circuit whose break grows."""
        return cls(**presets.careful() | parts)

    @classmethod
    def patient(cls, **parts: Any) -> Policies:
        """Nobody is waiting: ten retries, up to two minutes apart, and an hour for Retry-After.

        Give the calls a ``timeout`` to match: no wait is begun that would not end in time.
        """
        return cls(**presets.patient() | parts)

    @classmethod
    def fail_fast(cls, **parts: Any) -> Policies:
        """Somebody is waiting: two attempts of 2 s at most, half a second in a queue, a circuit that opens soon."""
        return cls(**presets.fail_fast() | parts)

    def table(self) -> str:
        """What these policies will do, a line for each matter."""
        return table({part.name: getattr(self, part.name) for part in fields(self)})

    def __str__(self) -> str:
        return self.table()


def _check_limiters(limiters: tuple[object, ...]) -> None:
    if not limiters:
        raise ConfigurationError("Policies.limiter: an empty list is not allowed; None is for no limiter")
    for each in limiters:
        if not isinstance(each, Limiter | Keyed):
            kind = type(each).__name__
            raise ConfigurationError(f"Policies.limiter: {kind} is not allowed in it; each is Limiter or Keyed")
