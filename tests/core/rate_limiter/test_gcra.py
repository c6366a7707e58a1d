"""The cell rate algorithm's own: what remains, when it resets, when to retry."""

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import GCRA

# now, tokens, remaining, reset, retry (-1: none), limited. throttled/throttled rate_test.go TestRateLimit @9e814f2,
# with rate 1/s and its max_burst 4, which is our burst 5.
THROTTLED = [
    (0, 6, 5, 0, -1, 1),
    (0, 1, 4, 1, -1, 0),
    (0, 1, 3, 2, -1, 0),
    (0, 1, 2, 3, -1, 0),
    (0, 1, 1, 4, -1, 0),
    (0, 1, 0, 5, -1, 0),
    (0, 1, 0, 5, 1, 1),
    (3.0, 1, 2, 3, -1, 0),
    (3.1, 1, 1, 3.9, -1, 0),
    (4.0, 1, 1, 4, -1, 0),
    (8.0, 1, 4, 1, -1, 0),
    (9.5, 1, 4, 1, -1, 0),
    (9.5, 0, 4, 1, -1, 0),
    (9.5, 2, 2, 3, -1, 0),
    (9.5, 5, 2, 3, 3, 1),
    (15.0, 6, 5, 0, -1, 1),
]


def test_throttleds_table():
    limiter = GCRA(rate=1, burst=5)
    for now, tokens, remaining, reset, retry, limited in THROTTLED:
        if tokens > limiter.burst:
            with pytest.raises(ConfigurationError, match="tokens: 6 is not allowed; it must be a number above 0"):
                limiter.take(now, tokens)
        elif tokens:
            assert limiter.retry_after(now, tokens) == max(0, retry)
            assert (limiter.take(now, tokens) is None) is bool(limited)
        assert (limiter.remaining(now), limiter.reset_after(now)) == (remaining, reset)


def test_so_many_can_never_be_had():
    with pytest.raises(ConfigurationError, match="tokens: 6 is not allowed"):
        GCRA(1, 5).retry_after(0.0, 6)


def test_a_token_that_is_there_but_for_rounding_remains():
    limiter = GCRA(rate=3, burst=1)
    limiter.take(0.1)
    due = 0.1 + limiter.retry_after(0.1)
    assert limiter.remaining(due) == 1 and limiter.take(due) is not None
