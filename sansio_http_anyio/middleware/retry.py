"""The retry policy, given as a middleware."""

from __future__ import annotations

from sansio_http import RetryPolicy

from .base import Middleware


class RetryMiddleware(Middleware):
    """Gives the client a retry policy in the place of the one its config describes. It wraps nothing.

    Args:
        policy: which failures are tried again, and when.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
