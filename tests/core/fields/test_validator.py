"""What may be sent as If-Range: only what changes with every byte."""

from __future__ import annotations

import pytest

from sansio_http.fields.validator import strong_validator
from sansio_http.headers import Headers

MODIFIED = "Tue, 15 Nov 1994 12:45:26 GMT"
SOON, LATE = "Tue, 15 Nov 1994 12:46:25 GMT", "Tue, 15 Nov 1994 12:46:26 GMT"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("ETag", '"xyzzy"')], '"xyzzy"'),
        ([("ETag", ' "" ')], '""'),
        ([("ETag", '"\xe4"')], '"\xe4"'),
        ([("ETag", 'W/"xyzzy"')], None),
        ([("ETag", "xyzzy")], None),
        ([("ETag", '"a b"')], None),
        ([("ETag", '"a"'), ("ETag", '"b"')], None),
        ([("Last-Modified", MODIFIED), ("Date", LATE)], MODIFIED),
        ([("Last-Modified", f" {MODIFIED}"), ("Date", LATE)], MODIFIED),
        ([("Last-Modified", MODIFIED), ("Date", SOON)], None),
        ([("Last-Modified", MODIFIED), ("Date", MODIFIED)], None),
        ([("Last-Modified", MODIFIED)], None),
        ([("Last-Modified", "yesterday"), ("Date", LATE)], None),
        ([("Date", LATE)], None),
        ([("ETag", '"xyzzy"'), ("Last-Modified", MODIFIED), ("Date", LATE)], '"xyzzy"'),
        ([("ETag", 'W/"xyzzy"'), ("Last-Modified", MODIFIED), ("Date", LATE)], None),
        ([], None),
    ],
)
def test_values(fields, expected):
    assert strong_validator(Headers(fields)) == expected
