"""The seam between the client and the network."""

from __future__ import annotations

from typing import Protocol

from sansio_http import Ended, Send

TOKEN_LIMIT = 65537
"""Bytes that are read of what a token endpoint answers (``send.via == "token"``): one more than are believed."""


class Transport(Protocol):
    """What puts a request on the wire. Implement it for another protocol, a mock, or a wire of your own.

    A transport that undoes content codings says so by ``default_headers``, a mapping in which a client looks for
    headers to send unless its caller says otherwise (``{"Accept-Encoding": "gzip"}``); one without it is asked for
    plain bodies.

    The driver ends a ``send`` at its deadline by cancelling it, unless the transport says by ``keeps_deadlines = True``
    that it does that by itself, and ends whatever is out when it is closed. In either case the transport keeps
    ``send.progress`` true, so that the error says how far it got.
    """

    async def send(self, send: Send) -> Ended:
        """Send a request and give back its response, complete, or with an open body.

        A transport that awaits anything after it has the response writes the :class:`~sansio_http.Ended` to
        ``send.ended`` first: a result that lives only in an await is lost where a task is cancelled natively.

        Args:
            send: the order. ``send.stream`` False: the response has its whole ``content``. True: a 2xx is given back
                at its head, with ``response.body`` open; of any other answer the content is read first.

        Returns:
            The outcome: a response, or an error of :class:`~sansio_http.HTTPRequestError`'s tree.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        ...
