"""Typed results: from an answer to an instance of a type that pydantic knows, or to an error that says which field."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, overload

from sansio_http import (
    HTTPResponse,
    InvalidRequestError,
    ResponseDecodeError,
    ResponseValidationError,
    charset,
    is_json,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

Validate = Callable[[HTTPResponse], Any]

ValidateLine = Callable[[str, HTTPResponse, int], Any]
"""Of a line, the response that it is in, and its number."""

_SHOWN = 5  # problems that a message lists
_LONGEST = 80  # characters of a place, and of a reason
_UTF8 = frozenset({None, "utf-8", "utf8", "us-ascii"})

# Their text quotes what came. (That of pydantic's others says what was expected; a user's own may say anything.)
_QUOTING = frozenset({"assertion_error", "union_tag_invalid", "uuid_parsing", "value_error"})


@overload
def validated(response: HTTPResponse, response_type: type[T]) -> T: ...
@overload
def validated(response: HTTPResponse, response_type: Any) -> Any: ...
def validated(response: HTTPResponse, response_type: Any) -> Any:
    """The answer as an instance of ``response_type``: what the keyword of that name gives, beside the response itself.

    Args:
        response: complete.
        response_type: a pydantic model, a dataclass, a TypedDict, a union, ``list[User]``: whatever pydantic knows.

    Raises:
        HTTPResponseError: the status is 400 or above.
        ResponseDecodeError: the body is not JSON, or says that it is something else.
        ResponseValidationError: it is JSON, of another shape.
        InvalidRequestError: pydantic does not know such a type.
    """
    return validator(response_type)(response)


def validator(response_type: Any) -> Validate:
    """How answers become instances of a type. It is made once per type.

    Raises:
        InvalidRequestError: pydantic does not know such a type.
    """
    try:
        return _cached(response_type)
    except TypeError:  # it has no hash, as an Annotated with a list in it
        return _made(response_type)


def line_validator(response_type: Any) -> ValidateLine:
    """How the lines of answers become instances of a type, each by itself. It is made once per type.

    Raises:
        InvalidRequestError: pydantic does not know such a type.
    """
    try:
        return _cached_for_lines(response_type)
    except TypeError:
        return _made_for_lines(response_type)


def _made(response_type: Any) -> Validate:
    from pydantic import ValidationError

    adapter = _adapter(response_type)

    def validate(response: HTTPResponse) -> Any:
        response.raise_for_status()
        content, content_type = response.content, response.headers.get("content-type", "")
        try:
            if not content:
                return adapter.validate_python(response.json_data)
            if content_type and not is_json(content_type):
                raise ResponseDecodeError(
                    f"the {response.status_code} response says {content_type!r:.80}, and response_type needs JSON",
                    response,
                )
            if (charset(content_type) or "utf-8").lower() not in _UTF8:
                content = response.text.encode()
            return adapter.validate_json(content)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
        if details[0]["type"] == "json_invalid":
            raise ResponseDecodeError(
                f"the body of the {response.status_code} response, {len(content)} bytes, is not JSON", response
            )
        raise _refused(details, response_type, response)

    return validate


def _made_for_lines(response_type: Any) -> ValidateLine:
    from pydantic import ValidationError

    adapter = _adapter(response_type)

    def validate(line: str, response: HTTPResponse, number: int) -> Any:
        try:
            return adapter.validate_json(line)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
        if details[0]["type"] == "json_invalid":
            raise not_json(response, number)
        raise _refused(details, response_type, response, number)

    return validate


def not_json(response: HTTPResponse, line: int) -> ResponseDecodeError:
    """The error about a line that is not JSON."""
    return ResponseDecodeError(f"line {line} of the {response.status_code} response is not JSON", response)


def _adapter(response_type: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # with a good part of pydantic behind it
    from pydantic.errors import PydanticUserError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(response_type)
        if not adapter.pydantic_complete:
            adapter.rebuild(raise_errors=True)  # says which name it does not know
    except (PydanticUserError, TypeError, NameError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise InvalidRequestError(
            f"response_type: {response_type!r:.80} is not a type for pydantic: {reason}"
        ) from None
    return adapter


def _refused(
    details: list[Any], response_type: Any, response: HTTPResponse, line: int | None = None
) -> ResponseValidationError:
    """The error about JSON of another shape."""
    problems = tuple((_place(detail["loc"]), _reason(detail)) for detail in details)
    return ResponseValidationError(_message(response, response_type, problems, line), response, problems, line)


_cached = cast("Callable[[Any], Validate]", lru_cache(maxsize=256)(_made))
_cached_for_lines = cast("Callable[[Any], ValidateLine]", lru_cache(maxsize=256)(_made_for_lines))


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the document, as in ``[3].address.zip``."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    return place if len(place) <= _LONGEST else f"{place[: _LONGEST - 3]}..."


def _reason(detail: Any) -> str:
    """What was expected, and an excerpt of what came: its type and its size, for its value may be a secret."""
    value: Any = detail["input"]
    reason = str(detail["msg"])
    if detail["type"] not in _standard_errors() or len(reason) > _LONGEST:
        reason = f"refused ({detail['type']})"
    if detail["type"] == "missing":
        return reason
    if value is None:
        return f"{reason} (came: null)"
    name = type(value).__name__
    unit = {"str": "characters", "list": "items", "dict": "keys"}.get(name)
    return f"{reason} (came: {name}{'' if unit is None else f' of {len(value)} {unit}'})"


@cache
def _standard_errors() -> frozenset[str]:
    """The kinds of error whose text can be shown."""
    from pydantic_core.core_schema import ErrorType

    return frozenset(get_args(ErrorType)) - _QUOTING


def _message(
    response: HTTPResponse, response_type: Any, problems: tuple[tuple[str, str], ...], line: int | None
) -> str:
    name = getattr(response_type, "__name__", None) if isinstance(response_type, type) else None
    listed = "; ".join(f"{place}: {reason}" if place else reason for place, reason in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    where = "" if line is None else f"line {line} of "
    return f"{where}the {response.status_code} response is not a {name or str(response_type)[:80]}: {listed}{more}"
