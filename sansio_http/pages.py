"""Pages: where the next one is, when the last one was had, and a place to go on from.

Theory of operation. A *strategy* (:class:`LinkHeader`, :class:`Cursor`, :class:`Offset`, :class:`PageNumber`) is a pure
function from a page to the :class:`PageRequest` after it, or to None. A :class:`Paginator` holds one walk along these:
which page is being read and how many of its items were given out. That pair is the state that can be saved: who resumes
asks for the page again and passes over what was given. What is wrong with the way on from a page is raised only after
the items of that page were given: they have come, and are good.

A walk ends by itself on any server: it never asks for the same page twice, and for no more than ``max_pages``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from .exceptions import ConfigurationError, InvalidRequestError, PaginationError
from .fields.link import parse_links
from .models import HTTPResponse
from .urls import join, resolve

T = TypeVar("T")

_VERSION = 1  # of a saved state


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How a page is asked for.

    Args:
        url: of the page, absolute and complete; None for the URL that the walk began with.
        params: beside those that the walk began with; for a ``url`` of its own there are none.
    """

    url: str | None = None
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the query of ``url``: what it says already is not to be said again."""
        query = (self.url or "").partition("?")[2]
        return tuple(name for name, _ in parse_qsl(query, keep_blank_values=True))


class Pages(ABC):
    """How an API tells of the next page. Derive your own from it."""

    __slots__ = ()

    def first(self) -> PageRequest:
        """The first page."""
        return PageRequest()

    @abstractmethod
    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """The page after ``response``; None where that was the last one.

        Args:
            asked: what the page was asked for with.
            response: the page, complete.
            count: of the items in it.

        Raises:
            PaginationError: there is nothing where the next page has to be told of.
        """


@dataclass(frozen=True, slots=True)
class LinkHeader(Pages):
    """The Link field names the next page; where none does, it was the last. Source: RFC 8288.

    Args:
        rel: of the link to follow.

    Raises:
        ConfigurationError: ``rel`` is empty or has a space.
    """

    rel: str = "next"

    def __post_init__(self) -> None:
        if not isinstance(self.rel, str) or len(self.rel.split()) != 1:
            raise ConfigurationError(f"LinkHeader: rel: {self.rel!r:.80} is not allowed; it is one word, as in 'next'")

    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """See :meth:`Pages.following`."""
        values = response.headers.get_list("link")
        links = parse_links(values)
        for link in links:
            if self.rel.lower() in link.rels:
                return _linked(response, link.target, "the Link field")
        if not links and any('"' in value or "<" in value for value in values) and not _anchored(values):
            raise PaginationError("the Link field has no link that can be read", reason="missing", response=response)
        return None


@dataclass(frozen=True, slots=True)
class Cursor(Pages):
    """The answer's JSON has what to ask with for the next page; where that is null or empty, it was the last.

    Args:
        at: where it is, as in ``meta.next``: a text or a whole number. One that begins with ``http://`` or ``https://``
            is the URL of the next page.
        param: the query parameter that takes it.
        optional: it may be missing altogether from the last page; else that is an error.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    at: str
    param: str = "cursor"
    optional: bool = False

    def __post_init__(self) -> None:
        _check_name("Cursor", "at", self.at)
        _check_name("Cursor", "param", self.param)

    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """See :meth:`Pages.following`."""
        value = _find(response, self.at, optional=self.optional)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise PaginationError(
                f"{self.at}: must be a text, a whole number or null, and is a {type(value).__name__}",
                reason="missing",
                response=response,
            )
        if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
            return _linked(response, value, self.at)
        return PageRequest(params={self.param: value})


@dataclass(frozen=True, slots=True)
class Offset(Pages):
    """Pages are asked for by how many items come before. It ends at ``total``, or else at a page without items.

    A short page is not taken for the last: servers give fewer than they are asked for.

    Args:
        limit: items to ask for at a time, 1 or more; None asks for no number.
        param, limit_param: the query parameters.
        total: where the answer's JSON has the number of all items, as in ``meta.total``; None where it has none.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    limit: int | None = 100
    param: str = "offset"
    limit_param: str = "limit"
    total: str | None = None

    def __post_init__(self) -> None:
        if self.limit is not None:
            _check_count("Offset", "limit", self.limit, 1)
        _check_name("Offset", "param", self.param)
        _check_name("Offset", "limit_param", self.limit_param)
        if self.total is not None:
            _check_name("Offset", "total", self.total)

    def first(self) -> PageRequest:
        """See :meth:`Pages.first`."""
        return self._at(0)

    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """See :meth:`Pages.following`."""
        offset = int(asked.params[self.param]) + count
        if count == 0 or (self.total is not None and offset >= _number(response, self.total)):
            return None
        return self._at(offset)

    def _at(self, offset: int) -> PageRequest:
        size = {} if self.limit is None else {self.limit_param: self.limit}
        return PageRequest(params={self.param: offset, **size})


@dataclass(frozen=True, slots=True)
class PageNumber(Pages):
    """Pages have numbers. It ends after ``total`` pages, or else at a page without items.

    Args:
        param: the query parameter.
        start: the number of the first page, 0 or more.
        total: where the answer's JSON has the number of all pages, as in ``meta.pages``; None where it has none.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    param: str = "page"
    start: int = 1
    total: str | None = None

    def __post_init__(self) -> None:
        _check_name("PageNumber", "param", self.param)
        _check_count("PageNumber", "start", self.start, 0)
        if self.total is not None:
            _check_name("PageNumber", "total", self.total)

    def first(self) -> PageRequest:
        """See :meth:`Pages.first`."""
        return PageRequest(params={self.param: self.start})

    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """See :meth:`Pages.following`."""
        number = int(asked.params[self.param]) + 1
        if count == 0 or (self.total is not None and number - self.start >= _number(response, self.total)):
            return None
        return PageRequest(params={self.param: number})


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
        _check_count("paginate", "max_pages", max_pages, 1)
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


def find_items(response: HTTPResponse, items: str | None) -> list[Any]:
    """The items of a page.

    Args:
        response: the page, complete.
        items: where they are in its JSON, as in ``data.users``; None where it is a list itself.

    Raises:
        PaginationError: there is no list.
        ResponseDecodeError: the answer is not JSON.
    """
    found = response.json_data if items is None else _find(response, items)
    if not isinstance(found, list):
        where = "the answer" if items is None else items
        advice = ' (name where they are, as in items="data")' if items is None else ""
        raise PaginationError(
            f"{where}: must be a list of items, and is a {type(found).__name__}{advice}",
            reason="missing",
            response=response,
        )
    return found


def _key(page: PageRequest) -> tuple[Any, ...]:
    return page.url, tuple(sorted(page.params.items()))


def _anchored(values: Sequence[str]) -> bool:
    return any("anchor" in value.lower() for value in values)


def _linked(response: HTTPResponse, target: str, where: str) -> PageRequest:
    """The page that a link in a response leads to."""
    try:
        return PageRequest(target if response.request is None else resolve(response.request.url, target))
    except InvalidRequestError:
        raise PaginationError(f"{where} leads to what is not a URL", reason="outside", response=response) from None


def _find(response: HTTPResponse, at: str, *, optional: bool = False) -> Any:
    found: Any = response.json_data
    for name in at.split("."):
        if not isinstance(found, dict) or name not in found:
            if optional:
                return None
            raise PaginationError(f"{at}: the answer has none", reason="missing", response=response)
        found = cast("dict[str, Any]", found)[name]
    return found


def _number(response: HTTPResponse, at: str) -> int:
    found = _find(response, at)
    if type(found) is not int:
        raise PaginationError(
            f"{at}: must be a whole number, and is a {type(found).__name__}", reason="missing", response=response
        )
    return found


def _check_name(owner: str, name: str, value: object) -> None:
    if not isinstance(value, str) or not all(value.split(".")):
        raise ConfigurationError(f"{owner}: {name}: {value!r:.80} is not allowed; it is a name, as in 'next'")


def _check_count(owner: str, name: str, value: object, least: int) -> None:
    if type(value) is not int or value < least:
        raise ConfigurationError(f"{owner}: {name}: {value!r:.40} is not allowed; it is an int, {least} or more")
