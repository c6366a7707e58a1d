"""Retry: what is tried again, when, and why not."""

from .backoff import Backoff, ConstantBackoff, ExponentialBackoff, Jitter, LinearBackoff, PlainJitter, Wait
from .budget import PercentBudget, QuotaBudget, RetryBudget, ThrottlingBudget
from .policy import IDEMPOTENT, Retry, RetryPolicy, Rule, Stop, may_repeat

__all__ = [
    "IDEMPOTENT",
    "Backoff",
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
    "Wait",
    "may_repeat",
]
