"""Retry: what is tried again, when, and why not."""

from .backoff import ExponentialBackoff, Jitter
from .policy import IDEMPOTENT, Retry, RetryPolicy, Stop, may_repeat

__all__ = ["IDEMPOTENT", "ExponentialBackoff", "Jitter", "Retry", "RetryPolicy", "Stop", "may_repeat"]
