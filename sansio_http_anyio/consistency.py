"""What a client was given, held against each other: settings that are fine alone and make no sense together.

Only what the caller gave is compared, never a default: a short ``timeout`` alone contradicts nothing. Each complaint
says what to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sansio_http import Circuit, ConfigurationError, Keyed, Policies

from .config import ClientConfig


def check(config: ClientConfig, policies: Policies) -> None:
    """Nothing, if they go together.

    Raises:
        ConfigurationError: they do not; each contradiction is named, with its remedy.
    """
    if problems := list(_problems(config, policies)):
        raise ConfigurationError("; ".join(problems))


def _problems(config: ClientConfig, policies: Policies) -> Iterator[str]:
    timeout = config.timeout if "timeout" in config.model_fields_set else None
    attempt = policies.attempt_timeout
    if timeout is not None:
        for name, value in (("attempt_timeout", attempt), ("pool_timeout", policies.pool_timeout)):
            if value is not None and value > timeout:
                yield (
                    f"policies.{name} ({value:g} s) is longer than timeout ({timeout:g} s) and could never pass; make"
                    f" it {timeout:g} s or less, or timeout longer"
                )
    # What the policies call it, and whether a value is not even of use at the limit itself.
    limits = [
        (name, limit) for name, limit in (("attempt_timeout", attempt), ("timeout", timeout)) if limit is not None
    ]
    if limits:
        name, limit = min(limits, key=lambda each: each[1])
        delay = getattr(policies.hedging, "delay", None)
        if isinstance(delay, int | float) and delay >= limit:
            yield (
                f"policies.hedging: a delay of {delay:g} s is not below {name} ({limit:g} s), so that no hedge would"
                " ever go out; make it shorter: the time that nearly all answers take"
            )
    yield from _circuit_problems(policies.circuit, attempt, limits)


def _circuit_problems(circuit: Any, attempt: float | None, limits: list[tuple[str, float]]) -> Iterator[str]:
    if isinstance(circuit, Keyed):
        circuit = cast("Keyed[object, Circuit]", circuit).sample()
        if not isinstance(circuit, Circuit):
            yield f"circuit_breaker: its factory makes a {type(circuit).__name__}; it has to make a CircuitBreaker"
    if not isinstance(circuit, Circuit) or circuit.window is None:
        return
    window = circuit.window
    if window.seconds is not None and attempt is not None and window.seconds < 2 * attempt:
        yield (
            f"circuit_breaker: a window of {window.seconds:g} s is shorter than two attempts of {attempt:g} s"
            f" (attempt_timeout), so that timeouts would never be counted together; make seconds {2 * attempt:g} or"
            f" more, or attempt_timeout {window.seconds / 2:g} or less"
        )
    for name, limit in limits:
        if window.slow_after is not None and window.slow_after >= limit:
            yield (
                f"circuit_breaker: slow_after ({window.slow_after:g} s) is not below {name} ({limit:g} s), which would"
                f" end a call before it is slow; make slow_after shorter, or {name} longer"
            )
