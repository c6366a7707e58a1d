"""From a host name to a connected socket: the resolver, a look at what it says, and Happy Eyeballs (RFC 8305).

Of the addresses that a name has, some may lead nowhere: IPv6 where it is broken is the usual case. So they are tried
in the resolver's order, the two families in turns, each 250 ms after the one before or as soon as that has failed; the
first that connects wins, and what the others have opened is closed. anyio's own ``connect_tcp`` does the same, but it
shows nobody the addresses, and gives a stream of its own in the place of the socket.

Every socket is closed by whoever opened it, until it is in ``winner``; a winner that nobody takes, because the task was
cancelled in that very turn, is closed by :func:`dial`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any

import anyio
import anyio.lowlevel

from sansio_http import AddressRefusedError

from .addresses import IPAddress, plain

_STAGGER = 0.25  # seconds; RFC 8305 section 5
_UNIX_AGAIN = 0.005  # seconds; a full queue of a Unix socket cannot be waited for


async def addresses_of(host: str, port: int, allow: Callable[[IPAddress], object] | None) -> list[tuple[int, Any]]:
    """Where ``host`` is, in the order to try: socket families and socket addresses.

    Args:
        host: a name, or an IP address in any spelling that the resolver knows (``127.1`` and ``0x7f000001`` too).
        port: 1 to 65535.
        allow: asked of each address as the number that it is; what it denies is left out.

    Raises:
        OSError: the name does not resolve.
        AddressRefusedError: no address is left.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kept: list[tuple[int, Any]] = []
    for family, _, _, _, address in found:
        if allow is None or allow(plain(str(address[0]))):
            kept.append((family, address))
    if found and not kept:
        raise AddressRefusedError(f"no address of {host} is allowed by allow_address", phase="connect")
    first = [entry for entry in kept if entry[0] == kept[0][0]]
    second = [entry for entry in kept if entry[0] != kept[0][0]]
    return [entry for pair in zip_longest(first, second) for entry in pair if entry is not None]


async def dial(addresses: Sequence[tuple[int, Any]], local_address: str | None = None) -> socket.socket:
    """Connect to one of them.

    Args:
        addresses: from :func:`addresses_of`.
        local_address: where to connect from; None leaves it to the system.

    Returns:
        The socket, in non-blocking mode; TCP_NODELAY is set, for requests are written at once.

    Raises:
        OSError: of the address that failed first, where all of them failed.
    """
    if len(addresses) == 1:
        return await _open(*addresses[0], local_address)
    winner: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(family: int, address: Any, failed: anyio.Event) -> None:
        try:
            sock = await _open(family, address, local_address)
        except OSError as error:
            errors.append(error)
            failed.set()
        else:
            if winner:  # both in one turn of the loop
                sock.close()
            else:
                winner.append(sock)
            tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            for family, address in addresses:
                failed = anyio.Event()
                tasks.start_soon(attempt, family, address, failed)
                with anyio.move_on_after(_STAGGER):
                    await failed.wait()
        await anyio.lowlevel.checkpoint_if_cancelled()
    except BaseException:
        for sock in winner:
            sock.close()
        raise
    if not winner:
        raise errors[0]
    return winner[0]


async def dial_unix(path: str) -> socket.socket:
    """Connect to the Unix socket at ``path``.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
                return sock
            except BlockingIOError:
                await anyio.sleep(_UNIX_AGAIN)
    except BaseException:
        sock.close()
        raise


async def _open(family: int, address: Any, local_address: str | None) -> socket.socket:
    sock = socket.socket(family)
    try:
        sock.setblocking(False)
        with suppress(OSError):  # the socket works without
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if local_address is not None:
            sock.bind((local_address, 0))
        with suppress(BlockingIOError):
            sock.connect(address)
        await anyio.wait_writable(sock)  # a turn for the others, even if it is connected already
        await anyio.lowlevel.checkpoint_if_cancelled()
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
    except BaseException:
        sock.close()
        raise
    return sock
