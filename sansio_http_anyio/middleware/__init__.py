"""What stands around calls, and who watches them."""

from .base import Middleware
from .logging import LoggingMiddleware
from .metrics import MetricsMiddleware, MetricsSnapshot
from .retry import RetryMiddleware

__all__ = ["LoggingMiddleware", "MetricsMiddleware", "MetricsSnapshot", "Middleware", "RetryMiddleware"]
