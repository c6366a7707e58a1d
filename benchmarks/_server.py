"""Servers in a process of their own, for it is the client that is measured.

``canned`` answers every GET with the same bytes. ``bulk`` sends and receives bodies of any size as fast as blocking
sockets can, in a thread for each connection. Both also speak TLS, under a certificate that is made for the occasion.
A server goes when its input ends, so that none is left behind whatever becomes of us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

BODY = b'{"id": 1, "name": "alice", "tags": ["a", "b"], "ok": true}'


def _answer(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nServer: canned\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


ANSWER = _answer(BODY)
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PIECE = memoryview(bytes(2**20))
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Server(NamedTuple):
    """Where one listens.

    Attributes:
        url: its origin.
        bundle: a file with the authority that has signed its certificate; None without TLS.
    """

    url: str
    bundle: str | None


@contextlib.contextmanager
def serving(kind: Literal["canned", "bulk"] = "canned", *, tls: bool = False) -> Iterator[Server]:
    """Start one. Where the machine has several processors, the server gets the first and we the others.

    Args:
        kind: ``canned`` or ``bulk``.
        tls: whether it speaks TLS, for which ``trustme`` has to be installed.
    """
    with contextlib.ExitStack() as stack:
        bundle = certificate = ""
        if tls:
            bundle, certificate = _certificates(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
            number, port = listener.fileno(), listener.getsockname()[1]
            process = subprocess.Popen(
                [sys.executable, __file__, kind, str(number), certificate],
                pass_fds=[number],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            if hasattr(os, "sched_setaffinity") and len(free := os.sched_getaffinity(0)) > 1:
                stack.callback(os.sched_setaffinity, 0, free)
                os.sched_setaffinity(process.pid, {min(free)})
                os.sched_setaffinity(0, free - {min(free)})
            yield Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}", bundle or None)
        finally:
            process.terminate()
            process.communicate()


def _certificates(directory: Path) -> tuple[str, str]:
    import trustme

    authority = trustme.CA()
    bundle, certificate = directory / "authority.pem", directory / "server.pem"
    authority.cert_pem.write_to_path(bundle)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    return str(bundle), str(certificate)


# --- in the server's process -----------------------------------------------------------------------------------------


class _Canned(asyncio.Protocol):
    """``/together/N`` is answered when N wait for it, ``/opened`` with the connections so far, all else with BODY."""

    opened = 0
    together: list[asyncio.Transport]  # of all connections
    _transport: asyncio.Transport
    _pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _Canned.opened += 1

    def data_received(self, data: bytes) -> None:
        *requests, self._pending = (self._pending + data).split(b"\r\n\r\n")
        for request in requests:
            if request.startswith(b"GET /json "):
                self._transport.write(ANSWER)
            elif request.startswith(b"GET /opened "):
                self._transport.write(_answer(b"%d" % _Canned.opened))
            else:
                self._wait_for_others(int(request.split(b" ")[1].removeprefix(b"/together/")))

    def _wait_for_others(self, number: int) -> None:
        self.together.append(self._transport)
        if len(self.together) == number:
            for transport in self.together:
                transport.write(ANSWER)
            self.together.clear()


async def _serve_canned(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    _Canned.together = []
    server = await asyncio.get_running_loop().create_server(_Canned, sock=listener, backlog=4096, ssl=context)
    print("ready", flush=True)
    await server.serve_forever()


def _serve_bulk(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    print("ready", flush=True)
    while True:
        threading.Thread(target=_bulk, args=(listener.accept()[0], context), daemon=True).start()


def _bulk(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    """``GET /bytes/N``, and any upload with the chunked coding."""
    room = bytearray(2**20)
    with contextlib.suppress(OSError), sock:
        connection = sock if context is None else context.wrap_socket(sock, server_side=True)
        head = b""
        while data := connection.recv(65_536):
            head += data
            if b"\r\n\r\n" not in head:
                continue
            head, _, body = head.partition(b"\r\n\r\n")
            if head.startswith(b"GET "):
                left = int(head.split(b" ", 2)[1].removeprefix(b"/bytes/"))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
                while left:
                    connection.sendall(PIECE[:left])
                    left -= min(left, len(PIECE))
            else:
                end = body[-len(LAST_CHUNK) :]
                while end != LAST_CHUNK and (size := connection.recv_into(room)):
                    end = (end + room[max(size - len(LAST_CHUNK), 0) : size])[-len(LAST_CHUNK) :]
                connection.sendall(ANSWERED)
            head = b""


def _go_with_the_client() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _main(kind: str, number: str, certificate: str) -> None:
    threading.Thread(target=_go_with_the_client, daemon=True).start()
    listener = socket.socket(fileno=int(number))
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    if kind == "bulk":
        _serve_bulk(listener, context)
    else:
        asyncio.run(_serve_canned(listener, context))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _main(*sys.argv[1:])
