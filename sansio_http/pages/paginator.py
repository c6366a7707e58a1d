"""One walk along the pages of an API.

Theory of operation. A *strategy* (:class:`LinkHeader`, :class:`Cursor`, :class:`Offset`, :class:`PageNumber`) is a pure
function from a page to the :class:`PageRequest` after it, or to None. A :class:`Paginator` holds one walk along these:
which page is being read and how many of its items were given out. That pair is the state that can be saved: who resumes
asks for the page again and passes over what was given. What is wrong with the way on from a page is raised only after
the items of that page were given: they have come, and are good.

A walk ends by itself on any server: it never asks for the same page twice, and for no more than ``max_pages``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..exceptions import ConfigurationError, InvalidRequestError, PaginationError
from ..models import HTTPResponse
from ..urls import join
from .strategies import Offset, PageNumber, PageRequest, Pages, check_count

T = TypeVar("T")

_VERSION = 1  # of a saved state


class Paginator:
    """One walk along the pages: ask with :meth:`request`, tell with :meth:`arrived`, count with :meth:`gave`.

    Args:
        pages: how to find the next page.
        base: that no page may be outside of, as :func:`~sansio_http.parse_base` returns it.
        max_pages: to ask for at most, 1 or more.
        state: of an earlier walk, to go on from there.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    __slots__ = (
        "_asked",
        "_base",
        "_count",
        "_failure",
        "_fetched",
        "_following",
        "_given",
        "_pages",
        "_seen",
        "max_pages",
    )

    def __init__(
        self, pages: Pages, base: str, *, max_pages: int = 1000, state: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(pages, Pages):
            raise ConfigurationError(
                f"pages: must be LinkHeader(), Cursor(), Offset(), PageNumber() or a Pages of your"
                f" own, not {type(pages).__name__}"
            )
        check_count("paginate", "max_pages", max_pages, 1)
        self._pages = pages
        self._base = base
        self.max_pages = max_pages
        self._fetched = 0
        self._seen: set[tuple[Any, ...]] = set()
        self._asked: PageRequest | None = None  # the page that is being read
        self._count = 0  # of its items
        self._failure: PaginationError | None = None  # why there is no way on from it
        self._following: PageRequest | None = pages.first()
        self._given = 0  # items of the page that is being read, or that is to be read next
        if state is not None:
            self._following, self._given = self._restored(state)

    @property
    def state(self) -> dict[str, Any]:
        """Where the walk is, as a value that JSON can say; it has the next page's URL or parameters as they are."""
        reading = self._asked is not None and (self._given < self._count or self._failure is not None)
        at = self._asked if reading else self._following
        given = self._given if reading or self._asked is None else 0
        page = None if at is None else {"url": at.url, "params": dict(at.params)}
        return {"version": _VERSION, "pages": type(self._pages).__name__, "page": page, "given": given}

    def request(self) -> PageRequest | None:
        """The page to ask for; None after the last. Call it when all items of the page before were given.

        Raises:
            PaginationError: there is no way on: nothing was found, the page was had already, is outside of ``base``, or
                is one too many.
        """
        if self._failure is not None:
            raise self._failure
        page = self._following
        if page is None:
            return None
        if self._fetched >= self.max_pages:
            raise PaginationError(f"there are more than {self.max_pages} pages (max_pages)", reason="page_limit")
        return page

    def arrived(self, response: HTTPResponse, items: Sequence[T]) -> Sequence[T]:
        """The items of the page that was asked for, without those that were given before the walk was resumed.

        Args:
            response: the page, complete.
            items: all that are in it.
        """
        page = self._following
        assert page is not None  # it was asked for
        given = self._given if self._asked is None else 0
        self._fetched += 1
        self._seen.add(_key(page))
        if response.request is not None:  # where a link would lead back to it
            self._seen.add(_key(PageRequest(response.request.url)))
        self._asked, self._count, self._given = page, len(items), min(given, len(items))
        try:
            self._following = self._way_on(page, response, len(items))
        except PaginationError as error:
            self._failure = error
        return items[given:]

    def gave(self) -> None:
        """One more item was given out."""
        self._given += 1

    def _way_on(self, page: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        following = self._pages.following(page, response, count)
        if following is None:
            return None
        if following.url is not None:
            try:
                following = PageRequest(join(self._base, following.url), following.params)
            except InvalidRequestError:
                raise PaginationError(
                    f"the next page is outside of the base {self._base}", reason="outside", response=response
                ) from None
        if _key(following) in self._seen:
            raise PaginationError("the next page is one that was had already", reason="loop", response=response)
        return following

    def _restored(self, state: Mapping[str, Any]) -> tuple[PageRequest | None, int]:
        expected = {"version": _VERSION, "pages": type(self._pages).__name__}
        try:
            page, given = state["page"], state["given"]
            if {name: state[name] for name in expected} != expected or type(given) is not int or given < 0:
                raise ValueError
            if page is None:
                return None, 0
            url, params = page["url"], dict(page["params"])
            if any(type(name) is not str or type(value) not in (str, int) for name, value in params.items()):
                raise ValueError
            wanted = dict.fromkeys(self._pages.first().params, int)
            numbered = isinstance(self._pages, Offset | PageNumber)
            if numbered and {name: type(value) for name, value in params.items()} != wanted:
                raise ValueError
            return PageRequest(None if url is None else join(self._base, url), params), given
        except (InvalidRequestError, KeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"state: is not the state of a walk by {expected['pages']} under {self._base}"
            ) from None


def _key(page: PageRequest) -> tuple[Any, ...]:
    return page.url, tuple(sorted(page.params.items()))
