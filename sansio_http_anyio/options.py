"""What can be said about a single request, and how it becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from sansio_http import (
    Auth,
    Body,
    Headers,
    HeadersLike,
    InvalidRequestError,
    Policies,
    QueryParams,
    bytes_body,
    form_body,
    json_body,
    text_body,
)

from .auth import AuthHandler


class RequestOptions(TypedDict, total=False):
    """The keywords of every request method.

    Keys:
        params: added to the query, after the client's own of other names.
        headers: beside the client's own; the same name replaces.
        json: a value to send as JSON.
        data: a mapping or pairs to send as a form; or text, bytes or a :class:`~sansio_http.Body` as they are.
        timeout: seconds for this call in the place of the client's; ``math.inf`` for no limit.
        auth: credentials in the place of the client's.
        policies: decide about this call in the place of the client's; the client's slots stay.
        idempotent: True vouches that the server may receive this request twice, whatever its method.
        idempotency_key: sent as Idempotency-Key with every attempt; ``"auto"`` makes one.
    """

    params: QueryParams | None
    headers: HeadersLike | None
    json: Any
    data: QueryParams | str | bytes | bytearray | memoryview | Body | None
    timeout: float | None
    auth: Auth | AuthHandler | None
    policies: Policies | None
    idempotent: bool
    idempotency_key: str | None


def body_of(json: Any, data: Any) -> tuple[Body | None, str | None]:
    """The body, and the Content-Type it has where the caller says nothing.

    Raises:
        InvalidRequestError: both are given, or the one that is cannot be encoded.
    """
    if json is not None:
        if data is not None:
            raise InvalidRequestError("json, data: a request has one body; give one of them")
        return json_body(json)
    if data is None:
        return None, None
    if isinstance(data, Body):
        return data, None
    if isinstance(data, str):
        return text_body(data)
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes_body(cast("bytes | bytearray", data))
    if isinstance(data, Mapping | Sequence):
        return form_body(cast("QueryParams", data))
    raise InvalidRequestError(
        f"data: {type(data).__name__} is not allowed; it is a mapping, (name, value) pairs, str, bytes or a Body"
    )


def merged(defaults: QueryParams, params: QueryParams | None) -> QueryParams:
    """The client's params and the request's, for hooks to change: a name of the request's replaces the client's.

    Raises:
        InvalidRequestError: they are neither a mapping nor (name, value) pairs.
    """
    if params is None:
        params = {}
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
