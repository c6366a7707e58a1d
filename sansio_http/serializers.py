"""From values to request bodies: each function returns the body and its Content-Type. And back, for JSON."""

from __future__ import annotations

from collections.abc import Callable
from json import JSONEncoder
from typing import Any, NoReturn, Protocol, runtime_checkable
from urllib.parse import quote_plus

from .bodies import Body
from .exceptions import InvalidRequestError
from .json_text import parse_json
from .query import QueryParams, urlencode


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} cannot be encoded; make it a dict, list, str, number, bool or None")


@runtime_checkable
class Serializer(Protocol):
    """Writes and reads JSON."""

    def dumps(self, value: Any) -> bytes:
        """``value`` as JSON in UTF-8.

        Raises:
            TypeError, ValueError: it holds what JSON cannot say. The message names the type and shows no value.
        """
        ...

    def loads(self, data: bytes) -> Any:
        """The value that ``data`` is.

        Raises:
            ValueError: it is not JSON.
        """
        ...


class JSONSerializer:
    """The standard library's JSON: compact, in UTF-8, without NaN and infinities. Source: RFC 8259.

    Args:
        default: makes of a value of any other type one that JSON can say, or raises TypeError.
    """

    __slots__ = ("_encode",)

    def __init__(self, default: Callable[[Any], Any] = _refuse) -> None:
        self._encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default).encode

    def dumps(self, value: Any) -> bytes:
        """See :class:`Serializer`."""
        return self._encode(value).encode()

    def loads(self, data: bytes) -> Any:
        """See :class:`Serializer`."""
        return parse_json(data)


_STANDARD = JSONSerializer()


def json_body(value: Any, serializer: Serializer = _STANDARD) -> tuple[Body, str]:
    """``value`` as JSON.

    Args:
        value: what to say.
        serializer: how to write it.

    Raises:
        InvalidRequestError: it holds what JSON cannot say: another type (which is named), NaN or an infinity, a loop, a
            lone surrogate.
    """
    try:
        data = serializer.dumps(value)
        if not isinstance(data, bytes):  # the json module itself gives text
            raise TypeError(f"the serializer gave a {type(data).__name__}; it must give bytes")
        return Body.of(data), "application/json"
    except UnicodeEncodeError:
        raise InvalidRequestError("json: a str has a lone surrogate, which UTF-8 cannot encode") from None
    except RecursionError:
        raise InvalidRequestError("json: nested too deeply") from None
    except (TypeError, ValueError) as error:  # what it says of a type, a loop or a number shows no value
        raise InvalidRequestError(f"json: {error}") from None


def form_body(fields: QueryParams) -> tuple[Body, str]:
    """``fields`` as an HTML form sends them, in UTF-8, a space as ``+``. Source: WHATWG URL 5.2.

    Raises:
        InvalidRequestError: as :func:`~sansio_http.query.add_params`, with ``data`` for ``params``.
    """
    return Body.of(urlencode(fields, "data", quote_plus).encode()), "application/x-www-form-urlencoded"


def text_body(text: str) -> tuple[Body, str]:
    """``text`` in UTF-8.

    Raises:
        InvalidRequestError: it is not a str, or has a lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidRequestError(f"text: must be a str, not {type(text).__name__}")
    try:
        return Body.of(text.encode()), "text/plain; charset=utf-8"
    except UnicodeEncodeError:
        raise InvalidRequestError("text: has a lone surrogate, which UTF-8 cannot encode") from None


def bytes_body(data: bytes | bytearray | memoryview) -> tuple[Body, str]:
    """``data`` as it is; what may change later is copied now.

    Raises:
        InvalidRequestError: it is not bytes.
    """
    if not isinstance(data, bytes | bytearray | memoryview):  # bytes(5) would be five zeros
        raise InvalidRequestError(f"data: must be bytes, not {type(data).__name__}")
    return Body.of(bytes(data)), "application/octet-stream"
