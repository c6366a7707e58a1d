"""Validators: what tells one version of a resource from another."""

from __future__ import annotations

import re

from ..headers import Headers
from .http_date import parse_http_date

CLOCKS_APART = 60.0
"""Seconds by which a Last-Modified has to be before its response's Date.

RFC 9110 asks for one second where both come from the same clock, and for enough to make clocks that differ unlikely to
matter where they may not: this is what RFC 7232 2.2.2 took for that.
"""

_ENTITY_TAG = re.compile(r'"[!#-~\x80-\xff]*"').fullmatch


def strong_validator(headers: Headers) -> str | None:
    """What can be sent as If-Range; None where the response has nothing of that strength.

    A strong entity tag; or where there is no entity tag, a Last-Modified that is at least :data:`CLOCKS_APART` older
    than the response. A weak tag means that the server does not vouch for the bytes, so no date is believed beside it.

    Args:
        headers: of a complete answer.

    Source: RFC 9110 8.8.2.2, 8.8.3 and 13.1.5.
    """
    tags = headers.get_list("etag")
    if tags:
        tag = tags[0].strip(" \t")
        return tag if len(tags) == 1 and _ENTITY_TAG(tag) else None
    modified = headers.get("last-modified", "").strip(" \t")
    then, now = parse_http_date(modified), parse_http_date(headers.get("date", ""))
    return modified if then is not None and now is not None and now - then >= CLOCKS_APART else None
