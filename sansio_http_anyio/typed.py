"""Typed results: from an answer to an instance of a type that pydantic knows, or to an error that says which field."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeVar, cast, get_args, overload

from sansio_http import (
    HTTPResponse,
    InvalidRequestError,
    ResponseDecodeError,
    ResponseValidationError,
    charset,
    is_json,
)

T = TypeVar("T")

Validate = Callable[[HTTPResponse], Any]

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


def _made(response_type: Any) -> Validate:
    from pydantic import TypeAdapter, ValidationError  # with a good part of pydantic behind it
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
        problems = tuple((_place(detail["loc"]), _reason(detail)) for detail in details)
        raise ResponseValidationError(_message(response, response_type, problems), response, problems)

    return validate


_cached = cast("Callable[[Any], Validate]", lru_cache(maxsize=256)(_made))


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


def _message(response: HTTPResponse, response_type: Any, problems: tuple[tuple[str, str], ...]) -> str:
    name = getattr(response_type, "__name__", None) if isinstance(response_type, type) else None
    listed = "; ".join(f"{place}: {reason}" if place else reason for place, reason in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return f"the {response.status_code} response is not a {name or str(response_type)[:80]}: {listed}{more}"
