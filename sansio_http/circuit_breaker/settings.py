"""What a circuit was told, checked when it is made."""

from __future__ import annotations

from collections.abc import Callable

from ..models import Outcome
from .checks import allow, is_number, seconds, whole
from .failures import is_failure as failure_by_default
from .window import CallWindow

USUAL_THRESHOLD = 5
"""Failures in a row that open a circuit where nothing else was said."""

LONGEST = 10
"""Times ``recovery_timeout`` that a break grows to at most, where nothing else was said."""


class Settings:
    """The settings of a :class:`Circuit`, which says what each means."""

    __slots__ = (
        "_is_failure",
        "_rand",
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
        rand: Callable[[], float] | None,
        is_failure: Callable[[Outcome], bool | None] | None,
    ) -> None:
        self.failure_threshold = whole(self, "failure_threshold", failure_threshold)
        self.recovery_timeout = seconds(self, "recovery_timeout", recovery_timeout)
        self.half_open_permits = whole(self, "half_open_permits", half_open_permits)
        self.lease = seconds(self, "lease", lease)
        self.window = window
        if window is not None:
            allow(self, "window", window, isinstance(window, CallWindow), "a CallWindow, or None")
            alone = failure_threshold == USUAL_THRESHOLD
            allow(self, "failure_threshold", failure_threshold, alone, "not given with a window: its rates decide")
        if success_threshold is None:
            success_threshold = half_open_permits
        self.success_threshold = whole(self, "success_threshold", success_threshold)
        fine = success_threshold <= half_open_permits
        allow(self, "success_threshold", success_threshold, fine, "half_open_permits at most, or None for as many")

        fine = is_number(recovery_factor) and recovery_factor >= 1
        allow(self, "recovery_factor", recovery_factor, fine, "a finite number, 1 or more")
        fine = recovery_max is None or (is_number(recovery_max) and recovery_max >= recovery_timeout)
        allow(self, "recovery_max", recovery_max, fine, "finite seconds, recovery_timeout or more, or None")
        fine = is_number(recovery_jitter) and 0 <= recovery_jitter <= 1
        allow(self, "recovery_jitter", recovery_jitter, fine, "a number, 0 to 1")
        allow(self, "rand", rand, rand is None or callable(rand), "callable, or None")
        needed = "needed for recovery_jitter: random.random, or a fixed number in a test"
        allow(self, "rand", rand, rand is not None or recovery_jitter == 0, needed)
        self.recovery_factor = recovery_factor
        self.recovery_max = recovery_max
        self.recovery_jitter = recovery_jitter
        self._rand = rand if recovery_jitter else None

        allow(self, "is_failure", is_failure, is_failure is None or callable(is_failure), "callable, or None")
        self._is_failure = failure_by_default if is_failure is None else is_failure

    @property
    def longest_break(self) -> float:
        """Seconds that the break grows to at most, without its jitter."""
        return LONGEST * self.recovery_timeout if self.recovery_max is None else self.recovery_max
