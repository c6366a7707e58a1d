"""What the codec and the pool cost: a small response by each engine, a large body, a connection taken and given back.

python benchmarks/codec.py                      # some ten seconds
python benchmarks/codec.py --rounds 50
"""

from __future__ import annotations

from _timing import Timed, best, interpreter, parser, sync

from sansio_http import Headers, HeadWriter, PooledConnection, PoolScheduler, ResponseParser, Reuse, Ticket
from sansio_http.http1.engines import EngineName

BODY = b'{"id": 1, "name": "alice", "tags": ["a", "b"], "ok": true}'
FIELDS = b"Server: nginx\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
SMALL = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%b" % (FIELDS, len(BODY), BODY)
HEADERS = Headers({"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Authorization": "Bearer abcdefgh"})

PIECE = bytes(65_536)
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
GIB = 2**30 // len(PIECE)  # pieces

FOOTNOTES = """\
Best of {rounds} rounds of {calls} calls, taking turns; CPU time of this process; no garbage collection; {python}.
(1) expect, feed and take of {size} bytes with five fields, in one piece.
(2) {pieces} pieces of 64 KiB, fed and taken; a chunk a piece where it is chunked. Each round measures {part} pieces,
    which are multiplied.
(3) acquire and release, while so many other connections of 50 keys are held.
"""


def small(engine: EngineName) -> Timed:
    responses = ResponseParser(engine=engine)

    def run() -> None:
        responses.expect("GET")
        responses.feed(SMALL)
        responses.take()

    return sync(run)


def large(framing: bytes, piece: bytes) -> Timed:
    responses = ResponseParser()
    responses.expect("GET")
    responses.feed(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)

    def run() -> None:
        responses.feed(piece)
        responses.take()

    return sync(run)


def pooled(connections: int) -> Timed:
    pool = PoolScheduler(None)
    for number in range(connections):
        pool.acquire(number % 50, Ticket(), 0.0)
    mine = pool.acquire("mine", Ticket(), 0.0)
    assert not isinstance(mine, Reuse)
    connection: PooledConnection = mine.connection  # type: ignore[union-attr]
    pool.opened(connection, 1, 0.0)
    pool.release(connection, True, 0.0)

    def run() -> None:
        pool.acquire("mine", Ticket(), 1.0)
        pool.release(connection, True, 1.0)

    return sync(run)


def main() -> None:
    options = parser(__doc__, rounds=30, calls=2_000).parse_args()
    writer = HeadWriter()
    pieces: dict[str, Timed] = {
        "a request's head": sync(lambda: HeadWriter().write("GET", "/items/1", "api.example.com", HEADERS)),
        "the next one's, with its fields": sync(lambda: writer.write("GET", "/items/1", "api.example.com", HEADERS)),
        "a small response, httptools (1)": small("httptools"),
        "a small response, h11 (1)": small("h11"),
        "pool: 1 connection (3)": pooled(1),
        "pool: 100 connections (3)": pooled(100),
        "pool: 10,000 connections (3)": pooled(10_000),
    }
    bodies: dict[str, Timed] = {
        "1 GiB with a length (2)": large(b"Content-Length: 999999999999999999", PIECE),
        "1 GiB chunked (2)": large(b"Transfer-Encoding: chunked", CHUNK),
    }
    for name, seconds in best(pieces, rounds=options.rounds, calls=options.calls).items():
        print(f"{name:<34} {seconds * 1e6:8.2f} us")
    part = min(options.calls, 256)
    for name, seconds in best(bodies, rounds=options.rounds, calls=part).items():
        print(f"{name:<34} {seconds * GIB * 1e3:8.1f} ms")
    told = {"rounds": options.rounds, "calls": options.calls, "python": interpreter(), "size": len(SMALL)}
    print(FOOTNOTES.format(**told, pieces=f"{GIB:,}", part=part))


if __name__ == "__main__":
    main()
