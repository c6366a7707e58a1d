"""A token that many calls share: how long it lives, who is getting the next one, and who waits for it.

Theory of operation. One *refresh* is under way at most (single flight). Whoever finds that there is no living token
and no refresh begins one and is its leader; the others wait, each with its own deadline. A leader that goes away hands
over: the refresh is abandoned, and the waiter that has waited longest is woken, finds no refresh, and begins one. The
time that a refresh may take counts from the first leader, so a hung endpoint holds nobody for longer by being asked by
many.

A token is *due* a margin before it ends: from then on one call refreshes while the others use the old one. A failed
refresh is told to everybody who waited for it, and to whoever asks before its backoff is over. All times are on the
calls' clock, and count from when the token was asked for: no later than the server counts from.
"""

from __future__ import annotations

import copy
import math
from typing import Any, Protocol

from ..exceptions import ConfigurationError, TokenError
from ..fields.retry_after import LONGEST
from ..models import HTTPRequest, HTTPResponse
from .base import ActiveAuth, Secret

_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0
"""Seconds until a failed refresh is tried again: doubled with each failure in a row, up to the second."""

_SHARE = 4
"""The margin is at most one part in so many of a token's life."""

_CLOCK_STEP = 1.0
"""Seconds back by which one knows another clock."""


class Token(Secret):
    """What a token endpoint gave, as a store keeps it.

    Args:
        access_token: as it is sent.
        expires_at: seconds since the epoch; None where the endpoint did not say.
        refresh_token: for the next one; None where there is none.
    """

    __slots__ = ("access_token", "expires_at", "refresh_token")

    def __init__(self, access_token: str, expires_at: float | None = None, refresh_token: str | None = None) -> None:
        self.access_token = access_token
        self.expires_at = expires_at
        self.refresh_token = refresh_token

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, expires_at={self.expires_at!r})"


class TokenStore(Protocol):
    """Keeps tokens between runs of a program, or shares them between processes. Both may be coroutine functions.

    It is asked before the endpoint is: a living token that it has is used. What it is given must be kept secret.
    """

    def get(self, key: str) -> Any:
        """The :class:`Token` of a credential, or None.

        Args:
            key: of the credential, the same in every run: hexadecimal, and tells nothing of it.
        """

    def set(self, key: str, token: Token) -> Any:
        """Keep ``token``, in the place of the one before."""


class TokenSource(ActiveAuth):
    """``Authorization: Bearer TOKEN`` with a token that is got when it is needed, once for all who need it.

    Args:
        margin: seconds before its end from which on a token is renewed, while it is still used; at most a quarter of
            its life.
        timeout: seconds that getting a token may take, retries included.
        attempt_timeout: seconds for one try of it; None for what is left.
        retry: the :class:`~sansio_http.RetryPolicy` of the token request; None for two retries.
        store: keeps tokens; None for memory alone.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    __slots__ = (
        "_expires_at",
        "_failure",
        "_failures",
        "_last",
        "_renew_at",
        "_retry_at",
        "_value",
        "_waiting",
        "attempt_timeout",
        "deadline",
        "margin",
        "refresh_token",
        "refreshing",
        "rejected",
        "retry",
        "rounds",
        "store",
        "timeout",
    )

    writes = "header authorization"

    def __init__(
        self,
        *,
        margin: float = 30.0,
        timeout: float = 30.0,
        attempt_timeout: float | None = 10.0,
        retry: Any = None,
        store: TokenStore | None = None,
    ) -> None:
        cls = type(self).__name__
        none = attempt_timeout is None
        for name, value, allowed, fine in (
            ("margin", margin, "seconds, 0 or more", margin == 0 or _positive(margin)),
            ("timeout", timeout, "seconds above 0", _positive(timeout)),
            ("attempt_timeout", attempt_timeout, "seconds above 0, or None", none or _positive(attempt_timeout)),
        ):
            if not fine:
                raise ConfigurationError(f"{cls}.{name}: {value!r:.40} is not allowed; it is {allowed}")
        for method in ("get", "set"):
            if store is not None and not callable(getattr(store, method, None)):
                raise ConfigurationError(f"{cls}.store: {type(store).__name__} is not allowed; it has get and set")
        self.margin = margin
        self.timeout = timeout
        self.attempt_timeout = attempt_timeout
        self.retry = retry
        self.store = store
        self.refresh_token: str | None = None
        self.rejected: str | None = None  # the access token that an API has refused last
        self.refreshing: object | None = None  # the refresh that is under way
        self.deadline: float | None = None  # of all that the first leader began
        self.rounds = 0  # refreshes that came to an end
        self._waiting: dict[Any, None] = {}  # in the order in which they came
        self._value: str | None = None
        self._renew_at = self._expires_at = math.inf
        self._failure: BaseException | None = None
        self._failures = 0  # in a row
        self._retry_at = self._last = -math.inf

    @property
    def source(self) -> TokenSource:  # type: ignore[override]
        """Itself."""
        return self

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header.

        Raises:
            TokenError: there is no token yet.
        """
        if self._value is None:
            raise TokenError("there is no token yet; a call through a client gets one", reason="missing")
        request.headers.put("Authorization", self._value)

    def heard(self, request: HTTPRequest, response: HTTPResponse, answers: int, now: float) -> bool:
        """A token that the API refuses is given up, if it is still the one that is used here."""
        if response.status_code != 401 or answers:
            return False
        if self._value is not None and request.headers.get("authorization") == self._value:
            self.rejected, self._value = self._value.removeprefix("Bearer "), None
        return True

    # --- the token -------------------------------------------------------------------------------------------------

    def live(self, now: float) -> bool:
        """Whether there is a token that is not known to be over."""
        if now < self._last - _CLOCK_STEP:
            self._rebase(now - self._last)
        self._last = now
        return self._value is not None and now < self._expires_at

    def due(self, now: float) -> bool:
        """Whether a living token is to be renewed now, and nobody does."""
        return now >= self._renew_at and now >= self._retry_at and self.refreshing is None

    def failed(self, now: float, seen: int | None) -> BaseException | None:
        """Why there is no token: an error of the caller's own; None where it is worth trying.

        Args:
            seen: :attr:`rounds` when the caller began to wait; None if it did not.
        """
        failure = self._failure
        if failure is None or (now >= self._retry_at and (seen is None or seen == self.rounds)):
            return None
        wait = max(0.0, self._retry_at - now)
        if isinstance(failure, TokenError):
            error = copy.copy(failure)
            error.retry_after = wait
            error.__cause__ = failure.__cause__
        else:
            error = TokenError(
                f"a token could not be had: {type(failure).__name__} was raised", reason="callable", retry_after=wait
            )
            error.__cause__ = failure
        return error

    def take(self, access_token: str, lifetime: float | None, asked_at: float) -> None:
        """Use a new token.

        Args:
            access_token: is one.
            lifetime: seconds from ``asked_at`` to its end; None where it is not known.
            asked_at: when the token was asked for.
        """
        self._value = f"Bearer {access_token}"
        if lifetime is None:
            self._renew_at = self._expires_at = math.inf
        else:
            lifetime = min(lifetime, LONGEST)
            self._expires_at = asked_at + lifetime
            self._renew_at = self._expires_at - min(self.margin, lifetime / _SHARE)

    # --- the refresh -----------------------------------------------------------------------------------------------

    def begin(self, refresh: object, now: float) -> float:
        """``refresh`` is under way from now on; returns its deadline."""
        self.refreshing = refresh
        if self.deadline is None:
            self.deadline = now + self.timeout
        return self.deadline

    def settle(self, error: BaseException | None, now: float) -> tuple[Any, ...]:
        """The refresh came to its end; returns whom to wake.

        Args:
            error: why there is no token; None where there is.
        """
        self.refreshing = self.deadline = None
        self.rounds += 1
        self._failure = error
        if error is None:
            self._failures = 0
            self._retry_at = -math.inf
        else:
            backoff = min(_LONGEST_BACKOFF, _BACKOFF * 2.0 ** min(self._failures, 10))
            asked = error.retry_after if isinstance(error, TokenError) else None
            self._failures += 1
            self._retry_at = now + max(backoff, min(asked or 0.0, _LONGEST_BACKOFF))
        waiting = tuple(self._waiting)
        self._waiting.clear()
        return waiting

    def abandon(self) -> Any:
        """The leader went away; returns who is to take over, if anybody waits."""
        self.refreshing = None
        if not self._waiting:
            self.deadline = None
        return next(iter(self._waiting), None)

    def wait(self, waiter: Any) -> None:
        """``waiter`` wants to be woken when the refresh ends, or its leader goes away."""
        self._waiting.setdefault(waiter)

    def leave(self, waiter: Any) -> Any:
        """``waiter`` waits no longer; returns who is to take over in its place, if it may have been woken for that."""
        self._waiting.pop(waiter, None)
        if self.refreshing is not None:
            return None
        return self.abandon()

    def _rebase(self, step: float) -> None:
        """Another clock: everything that was ahead is as far ahead by that one."""
        self._expires_at += step
        self._renew_at += step
        self._retry_at += step
        if self.deadline is not None:
            self.deadline += step

    def __repr__(self) -> str:
        state = "a token" if self._value is not None else "no token"
        return f"<{type(self).__name__}: {state}{', refreshing' if self.refreshing is not None else ''}>"


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
