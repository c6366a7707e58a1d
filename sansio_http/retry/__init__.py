"""Retry: what is tried again, when, and why not."""

from .backoff import Backoff, BackoffWait, ConstantBackoff, ExponentialBackoff, Jitter, LinearBackoff, PlainJitter
from .budget import PercentBudget, QuotaBudget, RetryBudget, ThrottlingBudget
from .policy import IDEMPOTENT, Retry, RetryPolicy, Rule, Stop, may_repeat

__all__ = [
    "IDEMPOTENT",
    "Backoff",
    "BackoffWait",
    "ConstantBackoff",
    "ExponentialBackoff",
    "Jitter",
    "LinearBackoff",
    "PercentBudget",
    "PlainJitter",
    "QuotaBudget",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Rule",
    "Stop",
    "ThrottlingBudget",
    "may_repeat",
]
