"""What every limiter checks in what it is given."""

from __future__ import annotations

from sys import float_info

from ..exceptions import ConfigurationError


def is_number(value: object) -> bool:
    """Whether it is a finite number that a float can hold; True and False are none."""
    finite = isinstance(value, int | float) and -float_info.max <= value <= float_info.max
    return finite and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether it is a whole number, by its type; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def allow(field: str, value: object, ok: bool, allowed: str) -> None:
    """Raise the ConfigurationError that names the field, the value and what is allowed, unless all is well."""
    if not ok:
        raise ConfigurationError(f"{field}: {value!r:.40} is not allowed; it must be {allowed}")
