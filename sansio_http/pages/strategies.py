"""Where the next page is: one strategy for each way in which APIs tell of it, and a base for your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ..exceptions import ConfigurationError, InvalidRequestError, PaginationError
from ..fields.link import parse_links
from ..models import HTTPResponse
from ..urls import resolve
from .finding import find, number


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
        if not links and any(value.strip(" \t,") for value in values):
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
        value = find(response, self.at, optional=self.optional)
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
            check_count("Offset", "limit", self.limit, 1)
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
        if count == 0 or (self.total is not None and offset >= number(response, self.total)):
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
        check_count("PageNumber", "start", self.start, 0)
        if self.total is not None:
            _check_name("PageNumber", "total", self.total)

    def first(self) -> PageRequest:
        """See :meth:`Pages.first`."""
        return PageRequest(params={self.param: self.start})

    def following(self, asked: PageRequest, response: HTTPResponse, count: int) -> PageRequest | None:
        """See :meth:`Pages.following`."""
        following = int(asked.params[self.param]) + 1
        if count == 0 or (self.total is not None and following - self.start >= number(response, self.total)):
            return None
        return PageRequest(params={self.param: following})


def _linked(response: HTTPResponse, target: str, where: str) -> PageRequest:
    """The page that a link in a response leads to."""
    try:
        return PageRequest(target if response.request is None else resolve(response.request.url, target))
    except InvalidRequestError:
        raise PaginationError(f"{where} leads to what is not a URL", reason="outside", response=response) from None


def _check_name(owner: str, name: str, value: object) -> None:
    if not isinstance(value, str) or not all(value.split(".")):
        raise ConfigurationError(f"{owner}: {name}: {value!r:.80} is not allowed; it is a name, as in 'next'")


def check_count(owner: str, name: str, value: object, least: int) -> None:
    """Refuses what is not an int of ``least`` or more."""
    if type(value) is not int or value < least:
        raise ConfigurationError(f"{owner}: {name}: {value!r:.40} is not allowed; it is an int, {least} or more")
