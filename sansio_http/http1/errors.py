"""The one error of the codec."""

from __future__ import annotations

from ..exceptions import ConnectionLostError, HTTPClientError, HTTPRequestError, ProtocolError, ResponseTooLargeError


class HTTP1Error(HTTPClientError):
    """What came over the connection is no response that we accept; the connection is of no more use.

    It knows nothing of the request, so whoever holds that raises what it ``becomes`` in its place. The message never
    quotes the peer.

    Args:
        message: what is wrong, in words.
        becomes: :class:`~sansio_http.ProtocolError` for what is not HTTP or contradicts itself,
            :class:`~sansio_http.ConnectionLostError` for an end that came too early, and
            :class:`~sansio_http.ResponseTooLargeError` for what passed one of :class:`~sansio_http.HTTP1Limits`.
    """

    def __init__(self, message: str, becomes: type[HTTPRequestError] = ProtocolError) -> None:
        super().__init__(message)
        self.becomes = becomes


def lost(message: str) -> HTTP1Error:
    """The connection ended before the response did."""
    return HTTP1Error(message, ConnectionLostError)


def too_much(message: str) -> HTTP1Error:
    """A limit was passed."""
    return HTTP1Error(message, ResponseTooLargeError)
