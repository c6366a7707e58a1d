"""What can be said about a single request, and how it becomes one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from sansio_http import (
    Headers,
    HeadersLike,
    InvalidRequestError,
    ParamsStyle,
    PathParams,
    Policies,
    QueryParams,
)

from .auth import AnyAuth
from .uploads import Data, Files

_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*|\"[!#-+\--:<-\[\]-~]*\"").fullmatch


class RequestOptions(TypedDict, total=False):
    """The keywords of every request method.

    Keys:
        path: what goes into the ``{names}`` of the URL, percent-encoded: ``client.get("/users/{id}", path={"id": 1})``.
        params: added to the query, after the client's own of other names; None is left out.
        params_style: how a list in ``params`` is written (see :data:`~sansio_http.ParamsStyle`).
        headers: beside the client's own; the same name replaces.
        cookies: for this request alone, by name, before those of a jar.
        json: a value to send as JSON: also dataclasses, pydantic models, dates, enumerations, UUIDs.
        data: a mapping or pairs to send as a form; or content as it is: text, bytes, a file that was opened in binary
            mode, an iterator of bytes (asynchronous or not), a function that makes one, a :class:`~sansio_http.Body`.
            What can be sent once only is never retried: a file that can be wound back, and a function, can be again.
        files: files to send as a form, by field name, beside the fields in ``data``: content as for ``data``, or
            ``(filename, content, media type, headers)`` as far as they are given.
        content_type: of the body, in the place of the one it has by itself.
        timeout: seconds for this call in the place of the client's; ``math.inf`` for no limit.
        auth: credentials in the place of the client's; :class:`NoAuth` for none. They go to the origin of ``base_url``;
            or, where ``allow_absolute_urls`` lets the URL name another, to that.
        follow_redirects: in the place of the client's.
        policies: decide about this call in the place of the client's; the client's slots stay.
        idempotent: True vouches that the server may receive this request twice, whatever its method.
        idempotency_key: sent as Idempotency-Key with every attempt; ``"auto"`` makes one.
    """

    path: PathParams | None
    params: QueryParams | None
    params_style: ParamsStyle | None
    headers: HeadersLike | None
    cookies: Mapping[str, str] | None
    json: Any
    data: Data | None
    files: Files | None
    content_type: str | None
    timeout: float | None
    auth: AnyAuth | None
    policies: Policies | None
    follow_redirects: bool | None
    idempotent: bool
    idempotency_key: str | None


_NAMES = RequestOptions.__annotations__.keys()


def check_names(options: RequestOptions) -> None:
    """Refuse keywords that are no options of a request, by the names that callers know.

    Raises:
        TypeError: names one.
    """
    if not options.keys() <= _NAMES:
        unknown = min(options.keys() - _NAMES)
        raise TypeError(f"unexpected keyword argument {unknown!r}; the options of a request are {', '.join(_NAMES)}")


def cookie_header(cookies: Mapping[str, str]) -> str:
    """Cookies of one request as they go into its header. Source: RFC 6265 4.1.1.

    Raises:
        InvalidRequestError: names the cookie that is not one. The message does not show its value.
    """
    if not isinstance(cookies, Mapping):
        raise InvalidRequestError(f"cookies: must be a mapping of names to values, not {type(cookies).__name__}")
    for name, value in cookies.items():
        if not isinstance(name, str) or not _COOKIE_NAME(name):
            raise InvalidRequestError(f"cookies: {name!r:.80} is not a cookie's name")
        if not isinstance(value, str) or not _COOKIE_VALUE(value):
            raise InvalidRequestError(
                f"cookies[{name!r:.80}]: must be a str without space, comma, semicolon, backslash, quotes inside, and"
                " without other characters than ASCII's (percent-encode or base64 what is)"
            )
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def merged(defaults: QueryParams, params: QueryParams | None) -> QueryParams:
    """The client's params and the request's, for hooks to change: a name of the request's replaces the client's.

    Raises:
        InvalidRequestError: they are neither a mapping nor (name, value) pairs.
    """
    if params is None:
        params = {}
        if type(defaults) is dict:  # nearly always, and at a tenth of the price
            return cast("dict[str, Any]", defaults).copy()
    if isinstance(defaults, Mapping) and isinstance(params, Mapping):
        return {**defaults, **params}
    own = _pairs(params)
    names = [name for name, _ in own]
    return [pair for pair in _pairs(defaults) if pair[0] not in names] + own


def overlaid(defaults: Headers, headers: HeadersLike | None) -> Headers:
    """The client's headers and the request's: a name of the request's replaces the client's.

    Raises:
        InvalidRequestError: names the header that is not one.
    """
    if headers is None:
        return defaults.copy()
    own = Headers(headers)
    return Headers.of_pairs([pair for pair in defaults.pairs() if pair[0] not in own] + own.pairs())


def _pairs(params: Any) -> list[Any]:
    try:
        pairs = cast("Iterable[Any]", params.items() if isinstance(params, Mapping) else params)
        return [(name, value) for name, value in pairs]
    except (TypeError, ValueError):
        raise InvalidRequestError(
            f"params: must be a mapping or (name, value) pairs, not {type(cast('object', params)).__name__}"
        ) from None
