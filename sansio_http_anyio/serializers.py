"""JSON by other libraries than the standard one, and what JSON makes of models and dataclasses."""

from __future__ import annotations

from typing import Any

from sansio_http import ConfigurationError, JSONSerializer, Serializer


def jsonable(value: Any) -> Any:
    """What JSON says for a value that it does not know: a pydantic model, a dataclass, a date, an enumeration, a UUID.

    Models and dataclasses are written by field, under their aliases; of the rest pydantic's JSON mode decides.

    Raises:
        TypeError: there is nothing that it could say. The message names the type and shows no value.
    """
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value, by_alias=True)
    except (PydanticSerializationError, ValueError, RecursionError):
        raise TypeError(
            f"{type(value).__name__} cannot be encoded, or something in it; make it a dict, list, str, number, bool,"
            " None, dataclass or pydantic model"
        ) from None


STANDARD = JSONSerializer(jsonable)
"""The standard library's JSON, with models and dataclasses: what a client uses unless it is told otherwise."""


class OrjsonSerializer:
    """JSON by orjson (the extra ``orjson``), several times faster; see :class:`~sansio_http.Serializer`.

    It writes NaN and infinities as null, and refuses integers beyond 64 bits. Keys that are no str are written as the
    standard library writes them.

    Raises:
        ConfigurationError: orjson is not installed.
    """

    __slots__ = ("_orjson",)

    def __init__(self) -> None:
        try:
            import orjson
        except ImportError:
            raise _missing("orjson") from None
        self._orjson = orjson

    def dumps(self, value: Any) -> bytes:
        """See :class:`~sansio_http.Serializer`."""
        try:
            return self._orjson.dumps(value, jsonable, self._orjson.OPT_NON_STR_KEYS)
        except self._orjson.JSONEncodeError as error:
            raise TypeError(str(error.__cause__ or error)) from None

    def loads(self, data: bytes) -> Any:
        """See :class:`~sansio_http.Serializer`."""
        return self._orjson.loads(data)


class MsgspecSerializer:
    """JSON by msgspec (the extra ``msgspec``), which also writes its own Structs; see :class:`~sansio_http.Serializer`.

    It writes NaN and infinities as null.

    Raises:
        ConfigurationError: msgspec is not installed.
    """

    __slots__ = ("_decoder", "_encoder", "_error")

    def __init__(self) -> None:
        try:
            import msgspec
        except ImportError:
            raise _missing("msgspec") from None
        self._encoder = msgspec.json.Encoder(enc_hook=jsonable)
        self._decoder = msgspec.json.Decoder()
        self._error = msgspec.DecodeError

    def dumps(self, value: Any) -> bytes:
        """See :class:`~sansio_http.Serializer`."""
        return self._encoder.encode(value)

    def loads(self, data: bytes) -> Any:
        """See :class:`~sansio_http.Serializer`."""
        try:
            return self._decoder.decode(data)
        except self._error:
            raise ValueError("not JSON") from None


def serializer_of(given: Serializer | None) -> Serializer:
    """The one that was given, or the standard library's.

    Raises:
        ConfigurationError: it is none.
    """
    if given is None:
        return STANDARD
    if isinstance(given, type) or not isinstance(given, Serializer):
        kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise ConfigurationError(f"serializer: {kind} is not allowed; it has dumps(value) and loads(data)")
    return given


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(f"serializer: {name} is not installed; pip install 'sansio-http[{name}]'")
