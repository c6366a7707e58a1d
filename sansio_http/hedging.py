"""Hedging as the call sees it: when to put one more send of the same attempt on the wire."""

from __future__ import annotations

from typing import Protocol


class Hedging(Protocol):
    """Says when an attempt that has not been answered yet gets one more send beside it.

    The call asks only where a second send is harmless: an idempotent or vouched-for request without a body, or with
    one that may be sent twice at once. A hedge never queues: where the breaker is not CLOSED or a claim would have to
    wait, it is skipped.
    """

    def next_at(self, first: float, extra: int) -> float | None:
        """When the next send is due, on the call's clock; None for no more.

        Args:
            first: when the attempt's first send went out.
            extra: sends added (or skipped) so far.
        """
