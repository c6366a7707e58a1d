"""Servers that are not HTTP, for what happens before a request: one function plays each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

SELF_SIGNED = Path(__file__).parent / "transport" / "self_signed.pem"
"""A key and its certificate, for localhost and 127.0.0.1, signed by nobody."""


@contextlib.contextmanager
def raw_server(play: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server on loopback that has ``play`` deal with each connection, one after the other."""

    def serve() -> None:
        while True:
            sock, _ = listener.accept()
            with sock:
                if stopping:
                    return
                sock.settimeout(5)
                with contextlib.suppress(OSError):
                    play(sock)

    stopping: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            stopping.append(True)
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def answering(sock: socket.socket) -> None:
    """Answers 200 to whatever comes, until the peer goes."""
    while sock.recv(65536):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def speaking_tls(play: Callable[[socket.socket], None] = answering) -> Callable[[socket.socket], None]:
    """The same through TLS, with the certificate that nobody signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)

    def play_tls(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            play(tls)

    return play_tls
