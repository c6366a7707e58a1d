"""What a circuit was told, checked when it is made, and held once by all circuits that were told the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..models import Outcome
from ..timeline import OwnTime
from .checks import allow, is_number, seconds, whole
from .failures import is_failure as failure_by_default
from .window import CallWindow

USUAL_THRESHOLD = 5
"""Failures in a row that open a circuit where nothing else was said."""

LONGEST = 10
"""Times ``recovery_timeout`` that a break grows to at most, where nothing else was said."""


class Settings:
    """Numbers, and a window that is a value: :class:`Circuit` says what each means."""

    __slots__ = (
        "failure_threshold",
        "half_open_permits",
        "lease",
        "recovery_factor",
        "recovery_jitter",
        "recovery_max",
        "recovery_timeout",
        "success_threshold",
        "window",
    )

    def __init__(
        self,
        failure_threshold: int,
        recovery_timeout: float,
        window: CallWindow | None,
        half_open_permits: int,
        success_threshold: int | None,
        lease: float,
        recovery_factor: float,
        recovery_max: float | None,
        recovery_jitter: float,
        *,
        owner: str,
    ) -> None:
        self.failure_threshold = whole(owner, "failure_threshold", failure_threshold)
        self.recovery_timeout = seconds(owner, "recovery_timeout", recovery_timeout)
        self.half_open_permits = whole(owner, "half_open_permits", half_open_permits)
        self.lease = seconds(owner, "lease", lease)
        self.window = window
        if window is not None:
            allow(owner, "window", window, isinstance(window, CallWindow), "a CallWindow, or None")
            alone = failure_threshold == USUAL_THRESHOLD
            allow(owner, "failure_threshold", failure_threshold, alone, "not given with a window: its rates decide")
        if success_threshold is None:
            success_threshold = half_open_permits
        self.success_threshold = whole(owner, "success_threshold", success_threshold)
        fine = success_threshold <= half_open_permits
        allow(owner, "success_threshold", success_threshold, fine, "half_open_permits at most, or None for as many")

        fine = is_number(recovery_factor) and recovery_factor >= 1
        allow(owner, "recovery_factor", recovery_factor, fine, "a finite number, 1 or more")
        fine = recovery_max is None or (is_number(recovery_max) and recovery_max >= recovery_timeout)
        allow(owner, "recovery_max", recovery_max, fine, "finite seconds, recovery_timeout or more, or None")
        fine = is_number(recovery_jitter) and 0 <= recovery_jitter <= 1
        allow(owner, "recovery_jitter", recovery_jitter, fine, "a number, 0 to 1")
        self.recovery_factor = recovery_factor
        self.recovery_max = recovery_max
        self.recovery_jitter = recovery_jitter


# A registry makes 100,000 circuits of one kind. Functions are not among the settings, for what is kept here outlives
# its circuits. `typed`: True is no 1.
_shared = lru_cache(maxsize=64, typed=True)(Settings)


class Configured(OwnTime):
    """What a :class:`Circuit` was told, to be read. It has a time of its own."""

    __slots__ = ("_is_failure", "_rand", "_settings")

    def __init__(
        self,
        numbers: tuple[int, float, CallWindow | None, int, int | None, float, float, float | None, float],
        rand: Callable[[], float] | None,
        is_failure: Callable[[Outcome], bool | None] | None,
    ) -> None:
        super().__init__()
        owner = type(self).__name__
        try:
            self._settings = _shared(*numbers, owner=owner)
        except TypeError:  # something that is not even hashable; what it is, is said here
            self._settings = Settings(*numbers, owner=owner)
        jitter = self.recovery_jitter
        allow(owner, "rand", rand, rand is None or callable(rand), "callable, or None")
        needed = "needed for recovery_jitter: random.random, or a fixed number in a test"
        allow(owner, "rand", rand, rand is not None or jitter == 0, needed)
        self._rand = rand if jitter else None
        allow(owner, "is_failure", is_failure, is_failure is None or callable(is_failure), "callable, or None")
        self._is_failure = failure_by_default if is_failure is None else is_failure

    @property
    def failure_threshold(self) -> int:
        """Failures in a row that open it; without meaning where there is a window."""
        return self._settings.failure_threshold

    @property
    def recovery_timeout(self) -> float:
        """Seconds that it stays open the first time."""
        return self._settings.recovery_timeout

    @property
    def window(self) -> CallWindow | None:
        """By whose rates it opens; None where failures in a row do it."""
        return self._settings.window

    @property
    def half_open_permits(self) -> int:
        """Probes that may be out at once."""
        return self._settings.half_open_permits

    @property
    def success_threshold(self) -> int:
        """How many of them must succeed."""
        return self._settings.success_threshold

    @property
    def lease(self) -> float:
        """Seconds after which a probe without a result has failed, where ``admit`` was not told."""
        return self._settings.lease

    @property
    def recovery_factor(self) -> float:
        """By which the break grows."""
        return self._settings.recovery_factor

    @property
    def recovery_max(self) -> float | None:
        """What was said of how long it may grow."""
        return self._settings.recovery_max

    @property
    def recovery_jitter(self) -> float:
        """The part of the break that is added to it by chance, at most."""
        return self._settings.recovery_jitter

    @property
    def longest_break(self) -> float:
        """Seconds that the break grows to at most, without its jitter."""
        settings = self._settings
        return LONGEST * settings.recovery_timeout if settings.recovery_max is None else settings.recovery_max
