"""From what a client was given to the :class:`~sansio_http.Policies` that its calls ask."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sansio_http import (
    Auth,
    Circuit,
    Concurrency,
    ConfigurationError,
    Keyed,
    Limiter,
    Policies,
    RedirectPolicy,
    RetryPolicy,
)

from .auth import APIKeyAuth, AuthHandler, BasicAuth, BearerAuth
from .chain import AttemptMiddleware
from .config import ClientConfig
from .middleware.base import Middleware
from .middleware.retry import RetryMiddleware
from .rate_limiter import RateLimiter, SlidingWindowRateLimiter, TokenBucketRateLimiter

if TYPE_CHECKING:
    from .client import AsyncHTTPClient

T = TypeVar("T")

AnyAuth = Auth | AuthHandler
AnyLimiter = Limiter | Keyed[Any, Limiter] | RateLimiter
AnyCircuit = Circuit | Keyed[Any, Circuit]


def bundle(
    config: ClientConfig,
    given: Policies | None,
    auth: AnyAuth | None,
    limiter: AnyLimiter | None,
    circuit: AnyCircuit | None,
    middlewares: Sequence[Middleware],
    hooks: Sequence[Middleware],
    client: AsyncHTTPClient,
    origin: str,
) -> Policies:
    """What the config describes, or the bundle that was given in its place; then every part that was given by itself.

    Raises:
        ConfigurationError: a part is not what it should be, or two parts contradict each other.
    """
    policies = completed(
        _configured(config) if given is None else given, Policies(slots=Concurrency(config.max_connections))
    )
    changes: dict[str, Any] = {"auth_origin": policies.auth_origin or origin}
    if (retry := _retry_of(middlewares, hooks)) is not None:
        changes["retry"] = retry
    if hooks:
        changes["hooks"] = (*policies.hooks, *(AttemptMiddleware(hook, client) for hook in hooks))
    if circuit is not None:
        changes["circuit"] = checked(
            "circuit_breaker", circuit, Circuit | Keyed, "a CircuitBreaker, a Circuit, or a Keyed registry of them"
        )
    if limiter is not None:
        changes |= _limiter(limiter)
    if auth is not None:
        changes |= _auth(auth)
    return replace(policies, **changes)


def completed(policies: Policies, defaults: Policies) -> Policies:
    """A bundle with the sources of chance and time, and the slots, that it was not given.

    Raises:
        ConfigurationError: it is none.
    """
    policies = checked("policies", policies, Policies, "a Policies")
    return replace(
        policies,
        slots=policies.slots or defaults.slots,
        auth_origin=policies.auth_origin or defaults.auth_origin,
        rand=policies.rand or random.random,
        entropy=policies.entropy or os.urandom,
        wall=policies.wall or time.time,
    )


def with_auth(policies: Policies, auth: AnyAuth) -> Policies:
    """The same bundle with other credentials."""
    return replace(policies, **_auth(auth))


def checked(field: str, value: T, kind: Any, allowed: str) -> T:
    """The value, if it is of a kind.

    Raises:
        ConfigurationError: it is not.
    """
    if not isinstance(value, kind):
        raise _wrong(field, value, allowed)
    return value


def chain_of(field: str, middlewares: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Several middlewares.

    Raises:
        ConfigurationError: they are not.
    """
    several = tuple(checked(field, middlewares, Iterable, "a list of middlewares"))
    return tuple(checked(field, each, Middleware, "a list of instances of Middleware subclasses") for each in several)


def _configured(config: ClientConfig) -> Policies:
    return Policies(
        retry=config.retry_policy(),
        redirects=RedirectPolicy(config.max_redirects) if config.follow_redirects else None,
        attempt_timeout=config.attempt_timeout,
        pool_timeout=config.pool_timeout,
    )


def _auth(auth: AnyAuth) -> dict[str, Any]:
    """Credentials at hand are applied by the core; what has its own ``prepare_request`` must be asked."""
    if isinstance(auth, AuthHandler):
        ours = (BearerAuth, BasicAuth, APIKeyAuth)
        if not any(type(auth).prepare_request is cls.prepare_request for cls in ours):
            return {"auth": None, "ask_auth": auth.prepare_request}
    if callable(getattr(auth, "apply", None)) and not isinstance(auth, type):
        return {"auth": auth, "ask_auth": None}
    raise _wrong("auth", auth, "BearerAuth, BasicAuth, APIKeyAuth, or an AuthHandler of your own")


def _limiter(limiter: AnyLimiter) -> dict[str, Any]:
    """A limiter of the core's is claimed with the slot; what has its own ``acquire`` must be asked, and is before."""
    if isinstance(limiter, RateLimiter):
        if not limiter.is_configured():
            return {"limiter": None, "ask_limiter": None}
        ours = (TokenBucketRateLimiter, SlidingWindowRateLimiter)
        if not any(type(limiter).acquire is cls.acquire for cls in ours):
            return {"limiter": None, "ask_limiter": limiter.acquire}
    if isinstance(limiter, Limiter | Keyed) and not isinstance(limiter, Concurrency):
        return {"limiter": limiter, "ask_limiter": None}
    raise _wrong(
        "rate_limiter", limiter, "TokenBucketRateLimiter, SlidingWindowRateLimiter, or a RateLimiter of your own"
    )


def _retry_of(middlewares: Sequence[Middleware], hooks: Sequence[Middleware]) -> RetryPolicy | None:
    """The policy that a RetryMiddleware brings."""
    if any(isinstance(middleware, RetryMiddleware) for middleware in hooks):
        raise ConfigurationError("attempt_middlewares: a RetryMiddleware belongs into middlewares")
    found = [middleware.policy for middleware in middlewares if isinstance(middleware, RetryMiddleware)]
    if len(found) > 1:
        raise ConfigurationError(f"middlewares: {len(found)} RetryMiddlewares; a client has one retry policy")
    return checked("RetryMiddleware.policy", found[0], RetryPolicy, "a RetryPolicy") if found else None


def _wrong(field: str, value: object, allowed: str) -> ConfigurationError:
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return ConfigurationError(f"{field}: {kind} is not allowed; it is {allowed}")
