"""One method for each HTTP verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Unpack

from sansio_http import HTTPResponse

from .options import RequestOptions


class Verbs(ABC):
    """What :meth:`request` is called with most often, under names of its own."""

    __slots__ = ()

    @abstractmethod
    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """Make a call and read the whole answer."""

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("GET", ...)``."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("POST", ...)``."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("PUT", ...)``."""
        return await self.request("PUT", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("DELETE", ...)``."""
        return await self.request("DELETE", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("PATCH", ...)``."""
        return await self.request("PATCH", url, **options)

    async def head(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("HEAD", ...)``."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("OPTIONS", ...)``."""
        return await self.request("OPTIONS", url, **options)
