"""What is looked for in a page, and the errors that say what is not there."""

from __future__ import annotations

from typing import Any, cast

from ..exceptions import PaginationError
from ..fields.media_type import is_json
from ..models import HTTPResponse


def find_items(response: HTTPResponse, items: str | None) -> list[Any]:
    """The items of a page.

    Args:
        response: the page, complete.
        items: where they are in its JSON, as in ``data.users``; None where it is a list itself.

    Raises:
        PaginationError: there is no list, or the answer does not say that it is JSON.
        ResponseDecodeError: it says so, and is not.
    """
    found = _parsed(response) if items is None else find(response, items)
    if not isinstance(found, list):
        where = "the answer" if items is None else items
        advice = ' (name where they are, as in items="data")' if items is None else ""
        raise PaginationError(
            f"{where}: must be a list of items, and is a {type(found).__name__}{advice}",
            reason="missing",
            response=response,
        )
    return cast("list[object]", found)


def find(response: HTTPResponse, at: str, *, optional: bool = False) -> Any:
    """What stands at a place in a page's JSON.

    Args:
        response: the page.
        at: the place, as in ``meta.next``.
        optional: where nothing is there it is None; else that is an error.

    Raises:
        PaginationError: there is nothing, or the answer does not say that it is JSON.
        ResponseDecodeError: it says so, and is not.
    """
    found: Any = _parsed(response)
    for name in at.split("."):
        if not isinstance(found, dict) or name not in found:
            if optional:
                return None
            raise PaginationError(f"{at}: the answer has none", reason="missing", response=response)
        found = cast("dict[str, Any]", found)[name]
    return found


def _parsed(response: HTTPResponse) -> Any:
    """The page's JSON. What is none at all is told from what lacks a field: a login page of HTML, an empty 204."""
    content_type = response.headers.get("content-type", "")
    if response.content and is_json(content_type):
        return response.json_data
    what = f"says {content_type!r:.80}" if response.content else "is empty"
    raise PaginationError(
        f"the {response.status_code} response {what}, and a page is JSON", reason="missing", response=response
    )


def number(response: HTTPResponse, at: str) -> int:
    """The whole number that stands there.

    Raises:
        PaginationError: there is none.
    """
    found = find(response, at)
    if type(found) is not int:
        raise PaginationError(
            f"{at}: must be a whole number, and is a {type(found).__name__}", reason="missing", response=response
        )
    return found
