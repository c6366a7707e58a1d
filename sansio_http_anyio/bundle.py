"""From what a client was given to the :class:`~sansio_http.Policies` that its calls ask."""

from __future__ import annotations

import inspect
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sansio_http import (
    Auth,
    AuthChain,
    Circuit,
    Concurrency,
    ConfigurationError,
    HTTPRequest,
    Keyed,
    Limiter,
    NoAuth,
    Policies,
    RedirectPolicy,
    RetryPolicy,
)

from .auth import AnyAuth, AuthHandler, Prepared
from .chain import AttemptMiddleware
from .config import ClientConfig
from .consistency import check
from .middleware.base import Middleware
from .middleware.retry import RetryMiddleware
from .rate_limiter import CoreRateLimiter, RateLimiter

if TYPE_CHECKING:
    from .client import AsyncHTTPClient

T = TypeVar("T")

AnyLimiter = Limiter | Keyed[Any, Limiter] | RateLimiter
AnyLimiters = AnyLimiter | Sequence[AnyLimiter]
AnyCircuit = Circuit | Keyed[Any, Circuit]


def bundle(
    config: ClientConfig,
    given: Policies | None,
    auth: AnyAuth | None,
    limiter: AnyLimiters | None,
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
        _configured(config) if given is None else given,
        Policies(slots=Concurrency(config.max_connections), retry_budget=config.budget()),
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
    policies = replace(policies, **changes)
    check(config, policies)
    return policies


def completed(policies: Policies, defaults: Policies) -> Policies:
    """A bundle with the sources of chance and time, the slots, the retry budget and the cookies that it was not given.

    Raises:
        ConfigurationError: it is none.
    """
    policies = checked("policies", policies, Policies, "a Policies")
    return replace(
        policies,
        slots=policies.slots or defaults.slots,
        retry_budget=policies.retry_budget or defaults.retry_budget,
        auth_origin=policies.auth_origin or defaults.auth_origin,
        background=policies.background or defaults.background,
        cookies=defaults.cookies if policies.cookies is None else policies.cookies,
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


def redirects_of(config: ClientConfig) -> RedirectPolicy:
    """How redirects are followed where they are."""
    return RedirectPolicy(config.max_redirects, config.redirect_headers)


def _configured(config: ClientConfig) -> Policies:
    return Policies(
        retry=config.retry_policy(),
        hedging=config.hedging(),
        redirects=redirects_of(config) if config.follow_redirects else None,
        attempt_timeout=config.attempt_timeout,
        pool_timeout=config.pool_timeout,
    )


def _auth(auth: AnyAuth) -> dict[str, Any]:
    """What is at hand is written by the core; what has its own ``prepare_request`` must be asked; a signer is last."""
    asked: list[AuthHandler] = []
    written: list[Auth] = []
    signers: list[Any] = []
    for part in auth if isinstance(auth, list | tuple) else (auth,):
        if isinstance(part, AuthHandler) and type(part).prepare_request is not Prepared.prepare_request:
            asked.append(part)
        elif isinstance(part, type) or not (_can(part, "apply") or _can(part, "sign")):
            raise _no_auth(auth, part)
        elif not _can(part, "apply"):
            if inspect.iscoroutinefunction(cast("Any", part).sign):
                kind = type(part).__name__
                raise ConfigurationError(
                    f"auth: {kind}.sign is a coroutine function, and nothing is awaited so late; what has to be belongs"
                    " into an AuthHandler"
                )
            signers.append(part)
        elif not isinstance(part, NoAuth):
            written.append(cast("Auth", part))
    if len(signers) > 1:
        raise ConfigurationError(f"auth: {len(signers)} signers; a request has one, which comes last")
    if not (asked or written or signers or isinstance(auth, NoAuth)):
        raise ConfigurationError("auth: nothing is in the list; NoAuth() sends no credentials")
    return {
        "auth": None if not written else written[0] if len(written) == 1 else AuthChain(written),
        "ask_auth": None if not asked else asked[0].prepare_request if len(asked) == 1 else _in_turn(asked),
        "signer": signers[0] if signers else None,
    }


def _no_auth(auth: object, part: object) -> ConfigurationError:
    """What is wrong with a part of ``auth`` that is none, and what may have been meant."""
    if isinstance(part, type):
        arguments = "" if part is NoAuth else "..."
        return _wrong("auth", part, f"an instance, {part.__name__}({arguments})")
    both = cast("tuple[object, ...]", auth) if isinstance(auth, tuple) else ()
    if len(both) == 2 and all(isinstance(each, str) for each in both):
        return ConfigurationError("auth: a tuple of two str is not allowed; give BasicAuth(user, password)")
    if isinstance(part, str):
        return _wrong("auth", part, "BearerAuth(token), APIKeyAuth(key), BasicAuth(user, password), ...")
    return _wrong("auth", part, "BearerAuth, BasicAuth, ..., an AuthHandler or a RequestSigner, or a list of them")


def _can(part: object, method: str) -> bool:
    return callable(getattr(part, method, None))


def _in_turn(handlers: Sequence[AuthHandler]) -> Any:
    """Asks each handler, with what the one before gave back."""

    async def prepare_request(request: HTTPRequest) -> HTTPRequest:
        for handler in handlers:
            found: object = handler.prepare_request(request)
            found = await found if inspect.isawaitable(found) else found
            if isinstance(found, HTTPRequest):
                request = found
            elif found is not None:
                kind = type(found).__name__
                raise ConfigurationError(
                    f"{type(handler).__name__}.prepare_request gave back a {kind}; allowed is an HTTPRequest, or None"
                )
        return request

    prepare_request.__qualname__ = ", ".join(f"{type(handler).__name__}.prepare_request" for handler in handlers)
    return prepare_request


def _limiter(given: AnyLimiters) -> dict[str, Any]:
    """Limiters of the core's are claimed with the slot; what has its own ``acquire`` must be asked, and is before."""
    claimed: list[Limiter | Keyed[Any, Limiter]] = []
    asked: list[RateLimiter] = []
    for limiter in given if isinstance(given, list | tuple) else (given,):
        if isinstance(limiter, RateLimiter):
            if not limiter.is_configured():
                continue
            if type(limiter).acquire is not CoreRateLimiter.acquire:
                asked.append(limiter)
                continue
        if not isinstance(limiter, Limiter | Keyed):
            raise _wrong(
                "rate_limiter",
                limiter,
                "TokenBucketRateLimiter or any other limiter, a Keyed registry of them, a RateLimiter of your own, or a"
                " list of these",
            )
        claimed.append(limiter)
    several = tuple(claimed) if len(claimed) > 1 else claimed[0] if claimed else None
    return {"limiter": several, "ask_limiter": _all_of(asked) if asked else None}


def _all_of(limiters: list[RateLimiter]) -> Callable[[float], Any]:
    """Asks one after the other."""
    if len(limiters) == 1:
        return limiters[0].acquire

    async def acquire(tokens: float) -> None:
        for limiter in limiters:
            await limiter.acquire(tokens)

    return acquire


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
