"""What a bundle of policies will do, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from .circuit_breaker import Circuit
from .keyed import Keyed
from .rate_limiter import (
    AdaptiveConcurrency,
    AdaptiveRate,
    Combined,
    Concurrency,
    ServerQuota,
    SlidingCounter,
    SlidingWindow,
    Throttle,
    TokenBucket,
)
from .redirects import RedirectPolicy
from .retry import ConstantBackoff, ExponentialBackoff, LinearBackoff, QuotaBudget, RetryPolicy

Row = tuple[str, str]


def table(parts: Mapping[str, Any]) -> str:
    """Two columns: what it is about, and what will be done.

    Args:
        parts: of a :class:`~sansio_http.Policies`, by the names of its fields.
    """
    rows = list(_rows(parts))
    width = max(len(about) for about, _ in rows) + 2
    return "\n".join(f"{about:{width}}{what}" for about, what in rows)


def _rows(parts: Mapping[str, Any]) -> Iterable[Row]:
    retry: RetryPolicy | None = parts["retry"]
    if retry is None:
        yield "retry", "never: the first answer or error is the last"
    else:
        yield from _retry(retry)
    yield "circuit", "none" if parts["circuit"] is None else _line(parts["circuit"])
    yield "rate limit", "none" if parts["limiter"] is None else _line(parts["limiter"])
    yield "in flight", "as many as there are" if parts["slots"] is None else _line(parts["slots"])
    redirects: RedirectPolicy | None = parts["redirects"]
    yield "redirects", "returned as they are" if redirects is None else f"followed, {redirects.limit} at most"
    yield "hedging", "none" if parts["hedging"] is None else _line(parts["hedging"])
    if parts["retry_budget"] is not None:
        yield "budget", _line(parts["retry_budget"])
    yield "attempt", _seconds(parts["attempt_timeout"], "what is left of the call")
    yield "queue", _seconds(parts["pool_timeout"], "what is left of the call")


def _retry(retry: RetryPolicy) -> Iterable[Row]:
    yield "retry", f"up to {_plural(retry.retries, 'more attempt')}"
    yield "  statuses", f"{_sorted(retry.statuses)}, for {_sorted(retry.methods)}"
    yield "  failures", "of the transport, and timeouts: of these methods, where it is safe to send twice"
    yield "  wait", _backoff(retry.backoff, retry.retries)
    yield "  asked", f"never sooner than Retry-After says; if it says more than {retry.retry_after_max:g} s, no retry"
    yield "  in the end", "an error that holds the last answer" if retry.on_exhausted == "raise" else "the last answer"


def _backoff(backoff: Any, retries: int) -> str:
    ours = ConstantBackoff | LinearBackoff | ExponentialBackoff
    if not isinstance(backoff, ours) or backoff.jitter not in ("none", "full"):
        return repr(backoff)
    values = [f"{backoff.delay(retry):g}" for retry in range(min(retries, 3))]
    waits = ", ".join(values) + (", ..." if retries > len(values) else "")
    part = "" if backoff.jitter == "none" else "a random part of "
    return f"{part}{waits} s" + ("" if isinstance(backoff, ConstantBackoff) else f", {backoff.cap:g} at most")


def _line(policy: Any) -> str:
    """One line on any policy; its repr, if it is of a kind that has none here."""
    if isinstance(policy, Keyed):
        return f"for each key, {policy.max_keys} at most: {_line(policy.sample())}"
    if isinstance(policy, Circuit):
        return _circuit(policy)
    if isinstance(policy, Combined):
        policy = policy.limits
    if isinstance(policy, tuple):
        return "; and ".join(map(_line, cast("tuple[object, ...]", policy)))
    return _limiter(policy)


def _limiter(policy: Any) -> str:
    if isinstance(policy, TokenBucket):
        return f"{policy.rate:g} a second, {policy.burst:g} at once; the others queue"
    if isinstance(policy, SlidingWindow):
        return f"{policy.limit:g} in any {policy.window:g} s; the others queue"
    if isinstance(policy, SlidingCounter):
        return f"about {policy.limit:g} in any {policy.window:g} s; the others queue"
    if isinstance(policy, AdaptiveConcurrency):
        bounds = f"{policy.min_limit} to {policy.max_limit}"
        return f"{policy.limit:g} at most, for now: {bounds}, as {type(policy).__name__} learns; the others queue"
    if isinstance(policy, AdaptiveRate):
        return f"as often as the server lets them, {policy.min_rate:g} a second at least; the others queue"
    if isinstance(policy, Throttle):
        return f"{policy.k:g} times what the server accepts; the others are rejected, by chance"
    if isinstance(policy, ServerQuota):
        return "what the server says that it allows; the others queue"
    if isinstance(policy, QuotaBudget):
        return f"{policy.capacity:g} tokens, which all retries are paid from"
    if isinstance(policy, Concurrency):
        return f"{policy.limit:g} at most; the others queue"
    return repr(policy)


def _circuit(circuit: Circuit) -> str:
    if circuit.window is None:
        why = f"after {_plural(circuit.failure_threshold, 'failure')} in a row"
    else:
        why = f"when {circuit.window}"
    length = f"for {circuit.recovery_timeout:g} s"
    if circuit.recovery_factor > 1:
        length += f", each time {circuit.recovery_factor:g} times as long, {circuit.longest_break:g} s at most"
    if circuit.recovery_jitter:
        length += f", and up to {circuit.recovery_jitter:.0%} more by chance"
    probes = circuit.half_open_permits
    decides = "a probe decides" if probes == 1 else f"{circuit.success_threshold} of {probes} probes must succeed"
    return f"opens {why}, {length}; then {decides}"


def _seconds(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:g} s"


def _sorted(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in sorted(values))


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
