"""Client-side throttling: who is refused most of the time stops asking most of the time.

To refuse costs a server nearly as much as to serve; one that refuses a thousand a second serves nobody. So a client
that sees its requests refused refuses some of them itself, by chance, just so many that what still goes out is ``k``
times what the server accepts: enough to notice when there is room again, and not more.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import floor, inf

from .checks import allow, is_number
from .learner import Learner
from .places import Fate, TimedSlot

_BINS = 60  # that the window is counted in
_SIZE = _BINS + 1  # one more is being filled
_NONE = bytearray()  # shared, and never written to


class Throttle(Learner):
    """Rejects locally with ``p = max(0, (requests - k * accepts) / (requests + padding))``, and makes nobody wait.

    ``requests`` are those of the last ``window`` seconds, local rejections included, each counted when it begins;
    ``accepts`` are those that the server did not refuse (429, 503) or let time out. One is rejected iff ``p > rand()``.
    What ended in a way that tells nothing is taken out of the count.

    Args:
        rand: numbers in [0, 1).
        k: how many are sent for each that is accepted, above 1; less saves the server more, more notices sooner.
        padding: requests without which nothing is rejected, 0 or more.
        window: seconds that are counted, above 0; in steps of a 60th.

    Attributes:
        rejected: how many it has rejected since it was made.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: B. Beyer et al., "Site Reliability Engineering", 2016, chapter 21, "Client-Side Throttling".
    """

    __slots__ = ("_accepts", "_bin", "_counts", "_rand", "_requests", "k", "padding", "rejected", "window")

    def __init__(
        self, rand: Callable[[], float], *, k: float = 2.0, padding: float = 1.0, window: float = 120.0
    ) -> None:
        allow("rand", rand, callable(rand), "a function that gives numbers from 0 to below 1")
        allow("k", k, is_number(k) and k > 1, "a finite number above 1")
        allow("padding", padding, is_number(padding) and padding >= 0, "a finite number, 0 or more (requests)")
        allow("window", window, is_number(window) and window > 0, "finite seconds above 0")
        super().__init__(inf, None)
        self.k = k
        self.padding = padding
        self.window = float(window)
        self.rejected = 0
        self._rand = rand
        self._requests = self._accepts = 0
        # Bin n of the requests at n % 61, that of the accepts 61 further on: made when there is something to count, a
        # byte each until one is too small, for there may be 100,000 of these, one for each key.
        self._counts: bytearray | array[int] = _NONE
        self._bin = 0  # its number; bin n covers the seconds from n / 60 of the window on

    def probability(self, now: float) -> float:
        """That a request which begins now is rejected."""
        self._turn(self._own(now))
        return self._probability()

    def _probability(self) -> float:
        excess = self._requests - self.k * self._accepts
        return excess / (self._requests + self.padding) if excess > 0 else 0.0

    def _turns_away(self, time: float) -> str | None:
        self._turn(time)
        away = self._probability() > self._rand()
        self._requests += self._one_more(self._bin % _SIZE)
        if not away:
            return None
        self.rejected += 1
        return f"rejects this request: the server accepted {self._accepts} of the last {self._requests}"

    def _forget(self, time: float) -> None:
        self._turn(time)
        if self._requests:
            counts = self._counts
            counts[next(n % _SIZE for n in range(self._bin, self._bin - _SIZE, -1) if counts[n % _SIZE])] -= 1
            self._requests -= 1

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        if fate == "ignored":
            self._forget(time)
        elif fate == "ok":
            self._turn(time)
            self._accepts += self._one_more(_SIZE + self._bin % _SIZE)

    def _one_more(self, place: int) -> int:
        """Counts it; gives 1."""
        if not self._counts:
            self._counts = bytearray(2 * _SIZE)
        try:
            self._counts[place] += 1
        except ValueError:
            self._counts = array("I", list(self._counts))
            self._counts[place] += 1
        return 1

    def _turn(self, time: float) -> None:
        """Drop what is older than the window."""
        new, old = floor(time / self.window * _BINS), self._bin
        if new == old:
            return
        self._bin = new
        if self._requests or self._accepts:
            counts = self._counts
            for number in range(old + 1, min(new, old + _SIZE) + 1):
                place = number % _SIZE
                self._requests -= counts[place]
                self._accepts -= counts[_SIZE + place]
                counts[place] = counts[_SIZE + place] = 0

    # It lets everybody in whom it does not turn away.

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return time

    def _take(self, tokens: float, time: float) -> None: ...

    def _untake(self, tokens: float, time: float) -> None: ...

    def _is_full(self, time: float) -> bool:
        self._turn(time)
        return not self._requests

    def __repr__(self) -> str:
        requests, accepts = self._requests, self._accepts
        return f"<{type(self).__name__} {accepts} of {requests} accepted, {self.rejected} rejected here>"
