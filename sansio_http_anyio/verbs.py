"""One method for each HTTP verb, and what type checkers know of its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar, Unpack, overload

from sansio_http import HTTPResponse

from .options import RequestOptions

T = TypeVar("T")


class Verbs(ABC):
    """What :meth:`request` is called with most often, under names of its own.

    Of unions and other forms that are no class type checkers know no more than Any.
    """

    __slots__ = ()

    @overload
    async def request(
        self, method: str, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def request(
        self, method: str, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]
    ) -> T: ...
    @overload
    async def request(self, method: str, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    @abstractmethod
    async def request(
        self, method: str, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]
    ) -> Any:
        """Make a call and read the whole answer."""

    @overload
    async def get(self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]) -> HTTPResponse: ...
    @overload
    async def get(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def get(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def get(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("GET", ...)``."""
        return await self.request("GET", url, response_type=response_type, **options)

    @overload
    async def post(
        self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def post(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def post(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def post(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("POST", ...)``."""
        return await self.request("POST", url, response_type=response_type, **options)

    @overload
    async def put(self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]) -> HTTPResponse: ...
    @overload
    async def put(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def put(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def put(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("PUT", ...)``."""
        return await self.request("PUT", url, response_type=response_type, **options)

    @overload
    async def delete(
        self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def delete(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def delete(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def delete(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("DELETE", ...)``."""
        return await self.request("DELETE", url, response_type=response_type, **options)

    @overload
    async def patch(
        self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def patch(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def patch(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def patch(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("PATCH", ...)``."""
        return await self.request("PATCH", url, response_type=response_type, **options)

    @overload
    async def head(
        self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def head(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def head(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def head(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("HEAD", ...)``."""
        return await self.request("HEAD", url, response_type=response_type, **options)

    @overload
    async def options(
        self, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def options(self, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]) -> T: ...
    @overload
    async def options(self, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def options(self, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]) -> Any:
        """``request("OPTIONS", ...)``."""
        return await self.request("OPTIONS", url, response_type=response_type, **options)
