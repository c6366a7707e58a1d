"""Items that come in pages, one after the other."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar, Unpack, cast, overload

from anyio import ResourceGuard

from sansio_http import HTTPResponse, InvalidRequestError, PageRequest, Pages, Paginator, find_items

from .options import RequestOptions, merged
from .typed import validator
from .verbs import Verbs

T = TypeVar("T")


class PageIterator(Generic[T]):
    """The items of all pages. Iterate over it once; a page is asked for when the one before was used up.

    One task iterates: another that asks for a page meanwhile gets an ``anyio.BusyResourceError``.

    A class, for a generator that is left half-way is finalised by the event loop some time later, and trio warns of it.
    """

    def __init__(
        self,
        walk: Paginator,
        fetch: Callable[[PageRequest], Awaitable[HTTPResponse]],
        items_of: Callable[[HTTPResponse], list[T]],
    ) -> None:
        self._walk = walk
        self._fetch = fetch
        self._items_of = items_of
        self._ready: deque[T] = deque()
        self._one_at_a_time = ResourceGuard("iterating over")

    @property
    def state(self) -> dict[str, Any]:
        """Where it is: a value that JSON can say, for ``paginate(..., state=...)`` to go on behind the last item.

        It has the URL or the parameters of the page as they are: keep it as you would keep those.
        """
        return self._walk.state

    def __aiter__(self) -> PageIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            page = self._walk.request()
            if page is None:
                raise StopAsyncIteration
            with self._one_at_a_time:
                response = await self._fetch(page)
            self._ready.extend(self._walk.arrived(response, self._items_of(response)))
        self._walk.gave()
        return self._ready.popleft()


class Paging(Verbs):
    """What a client does with pages."""

    __slots__ = ()

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where the API is, normalised."""

    @overload
    def paginate(
        self,
        url: str,
        *,
        pages: Pages,
        response_type: None = None,
        items: str | None = None,
        max_pages: int = 1000,
        state: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> PageIterator[Any]: ...
    @overload
    def paginate(
        self,
        url: str,
        *,
        pages: Pages,
        response_type: type[T],
        items: str | None = None,
        max_pages: int = 1000,
        state: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> PageIterator[T]: ...
    @overload
    def paginate(
        self,
        url: str,
        *,
        pages: Pages,
        response_type: Any,
        items: str | None = None,
        max_pages: int = 1000,
        state: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> PageIterator[Any]: ...
    def paginate(
        self,
        url: str,
        *,
        pages: Pages,
        response_type: Any = None,
        items: str | None = None,
        max_pages: int = 1000,
        state: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> PageIterator[Any]:
        """Get items that come in pages: ``async for user in client.paginate("/users", pages=LinkHeader())``.

        Each page is a GET like any other, with the client's policies and a ``timeout`` of its own. No page is asked for
        outside of ``base_url``, wherever the server says that it is.

        Args:
            url: of the first page.
            pages: how the API tells of the next one.
            response_type: what each item is to be: see :meth:`request`.
            items: where they are in the answer's JSON, as in ``data.users``; None where it is a list itself.
            max_pages: to ask for at most, 1 or more; where there are more it is an error, not the end.
            state: of an earlier :class:`PageIterator`, to go on from there.
            options: see :class:`RequestOptions`.

        Raises:
            ConfigurationError, InvalidRequestError: names the argument that is wrong.
            PaginationError: while iterating: there is no way on from a page.
            HTTPResponseError: while iterating: the status is 400 or above. And whatever :meth:`request` raises; to
                iterate again is to ask for that page again.
        """
        walk = Paginator(pages, self.base_url, max_pages=max_pages, state=state)
        if items is not None and not (isinstance(items, str) and all(items.split("."))):
            raise InvalidRequestError(f"items: {items!r:.80} is not allowed; it is a name, as in 'data.users'")

        async def fetch(page: PageRequest) -> HTTPResponse:
            if page.url is None:
                asked: Any = {**options, "params": merged(options.get("params") or {}, page.params)}
                first: HTTPResponse = await self.request("GET", url, **asked)
                return first
            # The URL is complete: what it says already the client's own params do not say again.
            complete: Any = {**options, "path": None, "params": dict.fromkeys(page.names)}
            response: HTTPResponse = await self.request("GET", page.url, **complete)
            return response

        return PageIterator(walk, fetch, _items_of(response_type, items))


def _items_of(response_type: Any, items: str | None) -> Callable[[HTTPResponse], list[Any]]:
    """What takes the items out of a page."""
    if response_type is None:
        return lambda response: find_items(response.raise_for_status(), items)
    try:
        page_type, depth = _cached(response_type, items)
    except TypeError:  # it has no hash
        page_type, depth = _page_type(response_type, items)
    validate = validator(page_type)

    def take(response: HTTPResponse) -> list[Any]:
        found = validate(response)
        for _ in range(depth):
            found = found.found
        return cast("list[Any]", found)

    return take


def _page_type(response_type: Any, items: str | None) -> tuple[Any, int]:
    """A type for the whole page: so an error names the place in it, and numbers stay as exact as they came."""
    from pydantic import Field, create_model

    found: Any = list[response_type]
    names = [] if items is None else items.split(".")
    for name in reversed(names):
        found = create_model("Page", found=(found, Field(alias=name)))
    return found, len(names)


_cached = lru_cache(maxsize=256)(_page_type)
