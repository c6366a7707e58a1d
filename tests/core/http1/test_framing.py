from __future__ import annotations

from math import inf

import pytest

from sansio_http import HTTP1Error
from sansio_http.http1.framing import CHUNKED, frame


@pytest.mark.parametrize(
    ("pairs", "length"),
    [([], inf), ([("content-length", "07")], 7), ([("Transfer-Encoding", "CHUNKED")], CHUNKED)],
)
def test_how_long(pairs, length):
    assert frame("GET", 200, "1.1", pairs) == (length, length == inf)
    assert frame("GET", 200, "1.0", pairs) == (length, True)
    assert frame("HEAD", 200, "1.1", pairs) == (0, False)
    assert frame("GET", 304, "1.1", pairs) == (0, False)


@pytest.mark.parametrize("other", ["1", "2"])
def test_two_lengths_are_refused_here_too(other):
    # Both engines do so already; it must not hang on their versions.
    with pytest.raises(HTTP1Error, match="more than one Content-Length"):
        frame("GET", 200, "1.1", [("Content-Length", "1"), ("content-length", other)])
