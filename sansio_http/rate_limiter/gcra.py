"""The generic cell rate algorithm: the token bucket's law, told in times."""

from __future__ import annotations

from .token_bucket import TokenBucket


class GCRA(TokenBucket):
    """Each token moves the theoretical arrival time (TAT) on by ``1 / rate``, to at most ``burst / rate`` after now.

    That is: with ``T = 1 / rate`` and ``tau = T * burst``, a claim of ``q`` makes it ``new = max(now, TAT) + q * T``,
    and is granted iff ``now >= new - tau``. It admits exactly what a token bucket does, and answers like one that a
    server runs: what remains, when all of it is there again, when to come back.

    (The TAT is not kept but derived, as :class:`TokenBucket` derives its level: one that is rewritten at each claim
    would gather a rounding at each.)

    Args:
        rate: tokens a second, above 0.
        burst: how many at once, 1 or more. Others count the burst beyond the first: their ``max_burst`` is one less.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: ITU-T I.371 (2004), annex A.
    """

    __slots__ = ()

    def remaining(self, now: float) -> int:
        """How many tokens could be had at once, whoever waits for them."""
        return int(self.available(now) + self._slack)

    def reset_after(self, now: float) -> float:
        """Seconds until all of them can be had, if nobody takes any: TAT - now."""
        time = self._own(now)
        return max(0.0, self._since + self._taken / self.rate - time) if self._taken else 0.0

    def retry_after(self, now: float, tokens: float = 1) -> float:
        """Seconds until so many can be had, if nobody takes any: ``(new - tau) - now``; 0 where they can be now.

        Raises:
            ConfigurationError: so many tokens can never be had.
        """
        self._check(tokens)
        time = self._own(now)
        return max(0.0, self._ready_at(0, tokens, time) - time)
