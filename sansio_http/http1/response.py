"""The bytes of a connection to responses.

Theory of operation. A response has two halves that are read in different ways:

- The *head* is collected until its empty line has come, then judged by an engine (:mod:`.engines`), and read at once.
  So where the network cut the bytes makes no difference; and the head that matters, the one that comes in a single
  piece, is never copied together. What can be refused before the empty line has come is refused at once: a peer that
  does not speak HTTP seldom ends its head.
- The *body* is framed by one of three: a length, the chunked coding, or the end of the connection. The first and last
  are a count, down from the length or from infinity, and pieces that lie in the body altogether are handed on as they
  are. Which of the three it is, :mod:`.framing` says.

There are no events and no callbacks: whoever feeds looks at attributes. A response that comes in one piece costs one
:meth:`~ResponseParser.feed` and a few microseconds.

A connection is reusable when the response was complete, neither side said that it was the last, and nothing came
behind it. Bytes behind the end are not an error of that response, which was whole before they came; but they would be
taken for the next answer, so there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ..exceptions import DriverError
from .chunked import ChunkedBody
from .engines import Engine, EngineName, Malformed, find_engine
from .errors import HTTP1Error, lost, too_much
from .framing import CHUNKED, frame
from .limits import DEFAULT, HTTP1Limits

Pairs = list[tuple[str, str]]

_BEGINS = b"HTTP/1."
_SWITCHED = "the server switched to another protocol"


class ResponseParser:
    """Reads the responses of one connection, one after another.

    For each request call :meth:`expect`, then :meth:`feed` whatever comes until it is ``complete``, or :meth:`eof`
    where the connection ended. Look at the attributes after each call.

    Args:
        limits: what a response may have.
        engine: ``httptools`` or ``h11``; None for the best that is installed.

    Attributes:
        status: of the final response; 0 until its head has come.
        reason: the words behind the status; may be empty.
        version: ``HTTP/1.1`` or ``HTTP/1.0``.
        headers: (name, value) pairs in order, as :meth:`Headers.of_pairs <sansio_http.Headers.of_pairs>` takes them.
        length: of the body, where the head says it; 0 where there is none; None where its end must be awaited.
        interim: (status, headers) of each interim response so far. After ``Expect: 100-continue`` any of status 100
            says that the body may follow.
        trailers: (name, value) pairs behind a chunked body, once it is complete.
        complete: the response has come to its end; True as well before the first request.
        reusable: the response is complete, and the connection may carry another request - if this one was sent to its
            end, which is for the caller to know.

    Raises:
        ConfigurationError: the engine is not installed.
    """

    __slots__ = (
        "_chunked",
        "_engine",
        "_error",
        "_head",
        "_is_last",
        "_left",
        "_limits",
        "_method",
        "_pieces",
        "complete",
        "headers",
        "interim",
        "length",
        "reason",
        "reusable",
        "status",
        "trailers",
        "version",
    )

    def __init__(self, limits: HTTP1Limits = DEFAULT, *, engine: EngineName | None = None) -> None:
        self.status = 0
        self.reason = ""
        self.version = ""
        self.headers: Pairs = []
        self.length: int | None = None
        self.interim: Sequence[tuple[int, Pairs]] = ()
        self.trailers: Pairs = []
        self.complete = True
        self.reusable = True
        self._limits = limits
        self._engine: Engine = find_engine(engine)
        self._method = ""
        self._is_last = False
        self._head = b""  # what has come of it
        self._left: float = 0  # of the body, where it is not chunked
        self._chunked: ChunkedBody | None = None
        self._pieces: list[bytes] = []  # of the body, not taken yet
        self._error: HTTP1Error | None = None

    def expect(self, method: str, *, is_last: bool = False) -> None:
        """A request goes out; what comes next is its answer.

        Args:
            method: of the request, in capitals: an answer to HEAD has no body.
            is_last: the request said that the connection ends with it.

        Raises:
            DriverError: the connection is not ``reusable``.
        """
        if not self.reusable:
            raise DriverError("no request may follow on this connection: it is not reusable")
        self.complete = self.reusable = False
        self.status = 0
        self.interim = ()
        if self.trailers:
            self.trailers = []
        self._method = method
        self._is_last = is_last

    def feed(self, data: bytes) -> None:
        """Bytes have come from the peer.

        Raises:
            HTTP1Error: this is no response that we accept, and nothing is believed any more: to feed raises it again.
        """
        if self.complete:
            if data:
                self.reusable = False
            return
        if self._error is not None:
            raise self._error
        try:
            while not self.status:
                rest = self._feed_head(data)
                if rest is None:
                    return
                data = rest
            if not self.complete:
                if self._chunked is None:
                    self._feed_counted(data)
                else:
                    self._feed_chunked(self._chunked, data)
            elif data:
                self.reusable = False
        except HTTP1Error as error:
            self._error = error
            raise

    def take(self) -> bytes:
        """What has come of the body since the last time; empty where nothing has."""
        pieces = self._pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        return data

    def eof(self) -> None:
        """The peer has ended the connection.

        Raises:
            HTTP1Error: the response is not complete.
        """
        if self.complete:
            self.reusable = False
        elif self._error is not None:
            raise self._error
        elif self.status and self._left == inf:
            self._finish(False)
        else:
            self._error = lost(self._how_far())
            raise self._error

    # -- the head -----------------------------------------------------------------------------------------------------

    def _feed_head(self, data: bytes) -> bytes | None:
        """What is behind the head, if it has come to its end; else None."""
        seen = len(self._head)
        if seen:
            data = self._head + data
        end = data.find(b"\r\n\r\n", max(seen - 3, 0)) + 4
        limit = self._limits.head
        if end < 4:
            if not data.startswith(_BEGINS) and not _BEGINS.startswith(data):
                raise HTTP1Error("the answer does not begin like HTTP/1")
            if len(data) >= limit:
                raise too_much(f"the head has more than {limit} bytes")
            # Only what is new: the bytes may come one by one.
            if data.count(b"\n", seen) != data.count(b"\r\n", max(seen - 1, 0)):
                raise HTTP1Error("a line of the head ends without CR")
            self._head = data
            return None
        if end > limit:
            raise too_much(f"the head has more than {limit} bytes")
        self._head = b""
        if end == len(data):
            self._read_head(data)
            return b""
        self._read_head(data[:end])
        return data[end:]

    def _read_head(self, head: bytes) -> None:
        if not head.startswith(_BEGINS):  # engines would pass over empty lines
            raise HTTP1Error("the answer does not begin like HTTP/1")
        try:
            status, reason, version = self._engine(head)
        except Malformed:
            # A switch that we did not propose is malformed to them, and deserves a clearer word.
            raise HTTP1Error(_SWITCHED if head.startswith(b" 101 ", 8) else "the head is malformed") from None
        pairs = _fields(head)
        if len(pairs) > self._limits.fields:
            raise too_much(f"the head has more than {self._limits.fields} fields")
        # An interim response has no body; one that could be read in two ways is refused all the same.
        left, is_last = frame(self._method, status, version, pairs)
        if status < 200:
            self._read_interim(status, pairs)
            return
        self.status, self.reason, self.version, self.headers = status, reason, f"HTTP/{version}", pairs
        if is_last:
            self._is_last = True
        if left > 0:
            self._left = left
            self.length = None if left == inf else int(left)
        elif left == CHUNKED:
            self.length = None
            self._chunked = ChunkedBody(self._limits)
        else:
            self.length = 0
            self._finish(not self._is_last)

    def _read_interim(self, status: int, pairs: Pairs) -> None:
        if status < 100:
            raise HTTP1Error("the status is below 100")
        if status == 101:
            raise HTTP1Error(_SWITCHED)
        if len(self.interim) == self._limits.interim:
            raise too_much(f"more than {self._limits.interim} interim responses")
        self.interim = (*self.interim, (status, pairs))

    # -- the body -----------------------------------------------------------------------------------------------------

    def _feed_counted(self, data: bytes) -> None:
        if not data:
            return
        left = self._left - len(data)
        if left > 0:
            self._left = left
            self._pieces.append(data)
        elif left == 0:
            self._pieces.append(data)
            self._finish(not self._is_last)
        else:
            self._pieces.append(data[: int(left)])
            self._finish(False)

    def _feed_chunked(self, body: ChunkedBody, data: bytes) -> None:
        rest = body.feed(data, self._pieces)
        if rest is not None:
            self.trailers = body.trailers
            self._chunked = None
            self._finish(not self._is_last and not rest)

    def _finish(self, reusable: bool) -> None:
        self._left = 0
        self.complete = True
        self.reusable = reusable

    def _how_far(self) -> str:
        if not self.status:
            if self._head:
                return "the connection ended within the head of the answer"
            return "the connection ended before an answer came"
        if self._chunked is not None:
            return "the connection ended within a chunked body"
        return f"the connection ended {self._left:.0f} bytes before the end of the body"


def _fields(head: bytes) -> Pairs:
    """The header fields of a head that an engine has found to be one, in ISO-8859-1.

    Raises:
        HTTP1Error: whatever engines let pass, one line is one field: nothing is folded, and nothing hides behind a bare
            CR or LF.
    """
    pairs: Pairs = []
    lines = head.decode("latin-1").split("\r\n")
    is_clean = len(head) - len(head.translate(None, b"\r\n")) == 2 * len(lines) - 2
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon or name < "!":  # a blank, with which a folded line begins, or nothing
            is_clean = False
        pairs.append((name, value.strip(" \t")))
    if not is_clean:
        raise HTTP1Error("a line of the head is not one header field, or not ended by CR LF")
    return pairs
