"""A server that answers every GET with the same bytes, in a process of its own: it is the client that is measured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

BODY = b'{"id": 1, "name": "alice", "tags": ["a", "b"], "ok": true}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: canned\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class _Canned(asyncio.Protocol):
    _transport: asyncio.Transport
    _pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._pending = (self._pending + data).split(b"\r\n\r\n")
        self._transport.write(ANSWER * len(requests))


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Start one; its URL. Where the machine has several processors, the server gets the first and we the others."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        process = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno())], pass_fds=[listener.fileno()], stdout=subprocess.PIPE
        )
        port = listener.getsockname()[1]
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        if hasattr(os, "sched_setaffinity") and len(free := os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(process.pid, {min(free)})
            os.sched_setaffinity(0, free - {min(free)})
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


async def _serve(number: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Canned, sock=socket.socket(fileno=number))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
