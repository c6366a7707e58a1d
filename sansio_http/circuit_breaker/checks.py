"""What may be given to a circuit and to its window."""

from __future__ import annotations

from math import inf

from ..exceptions import ConfigurationError


def allow(owner: str, field: str, value: object, fine: bool, allowed: str) -> None:
    """Nothing, if it is fine.

    Raises:
        ConfigurationError: it is not; names the field, the value and what is allowed.
    """
    if not fine:
        raise ConfigurationError(f"{owner}.{field}: {value!r:.40} is not allowed; it is {allowed}")


def is_number(value: object) -> bool:
    """Whether it is one, and finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf


def whole(owner: str, field: str, value: int) -> int:
    """The value, if it can be a count."""
    fine = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    allow(owner, field, value, fine, "a whole number, 1 or more")
    return value


def seconds(owner: str, field: str, value: float) -> float:
    """The value, if it can be a duration."""
    allow(owner, field, value, is_number(value) and value > 0, "finite seconds above 0")
    return value


def rate(owner: str, field: str, value: float) -> float:
    """The value, if it can be a part of all calls."""
    allow(owner, field, value, is_number(value) and 0 < value <= 1, "a number above 0, 1 at most")
    return value
