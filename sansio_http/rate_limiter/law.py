"""What differs from limiter to limiter: when tokens are there, and what is learned from how sends end.

A law is four short methods, :meth:`Law._ready_at`, :meth:`Law._take`, :meth:`Law._untake` and :meth:`Law._is_full`,
that never see the queue. Several limits at once are a law as well: ready when its last part is, taking from each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .places import Fate, Slot, TimedSlot

if TYPE_CHECKING:
    from ..step import Waiter


class Law(ABC):
    """When tokens are there. The queue before it is :class:`~.queue.Limiter`; times here are the limiter's own."""

    __slots__ = ()

    whole_tokens: bool = False
    """Whether tokens are counted in whole numbers."""

    holds: bool = False
    """Whether it wants to hear how each claim ended: it limits what is in flight, or learns."""

    steered: bool = False
    """Whether it wants to hear what the server says: by :meth:`hold_off` and :meth:`adopt`."""

    max_waiting: int | None = None
    """How many places there are in the queue; None for no limit."""

    # -- what every law says ------------------------------------------------------------------------------------------

    @abstractmethod
    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        """From when on ``tokens`` can be taken once ``ahead`` others were; exact where ``ahead`` is 0.

        Returns:
            Own time: later than ``time``, or any that is not for *now*; infinite where it cannot be known.
        """

    @abstractmethod
    def _take(self, tokens: float, time: float) -> None:
        """Take them; they are ready."""

    @abstractmethod
    def _untake(self, tokens: float, time: float) -> None:
        """Undo a :meth:`_take` of this very ``time``."""

    @abstractmethod
    def _is_full(self, time: float) -> bool:
        """Whether as much can be taken as from a new limiter."""

    # -- what only some have to say -----------------------------------------------------------------------------------

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        """What the slot was taken for has ended; it is still held."""

    def _free(self, tokens: float, time: float) -> None:
        """What a slot held is free."""

    def _turns_away(self, time: float) -> str | None:
        """Whether somebody is turned away, however many tokens there are: why, or None. He is counted either way."""
        return None

    def _forget(self, time: float) -> None:
        """Somebody who was not turned away has not gone out after all."""

    def _hold_until(self, until: float, time: float) -> None:
        """The server asks to be left alone until then."""

    def _adopt(
        self, remaining: float | None, reset: float | None, quota: float | None, window: float | None, time: float
    ) -> None:
        """The server says what is left of its quota, and for how many seconds."""

    # -- what a limiter is told ---------------------------------------------------------------------------------------

    def settle(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """What a slot was taken for has ended, but the slot stays taken: a stream whose head has come.

        Returns:
            Whom to wake.
        """
        return None

    def release(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """Give a slot back. Idempotent. Nothing to a limiter that does not hold.

        Args:
            slot: that this limiter gave.
            fate: how what held it ended, if :meth:`settle` has not said so. A fixed limit does not care.
            now: monotonic seconds.

        Returns:
            Whom to wake.
        """
        return None

    def hold_off(self, seconds: float, now: float) -> Waiter | None:
        """The server asks to be left alone for so long. Nothing to a limiter that is not :attr:`steered`.

        Returns:
            Whom to wake.
        """
        return None

    def adopt(
        self,
        remaining: float | None,
        reset: float | None,
        now: float,
        *,
        quota: float | None = None,
        window: float | None = None,
    ) -> Waiter | None:
        """The server says what is left of its quota. Nothing to a limiter that is not :attr:`steered`.

        Args:
            remaining: requests left until the reset; None if it does not say.
            reset: seconds until then; None if it does not say.
            now: monotonic seconds.
            quota: requests in a whole window.
            window: its seconds.

        Returns:
            Whom to wake.
        """
        return None
