"""User and password from a netrc file."""

from __future__ import annotations

import netrc
import os
from pathlib import Path

from sansio_http import Basic, ConfigurationError, HTTPRequest, split

from .base import Prepared


class NetrcAuth(Prepared):
    """``Authorization: Basic ...`` with the user and password that a netrc file has for the host of the request.

    The host is the one that the request goes to, as it was parsed to connect there. A ``default`` entry is not used: it
    would hand a password to hosts that nobody named. A host without an entry gets nothing.

    Args:
        path: of the file, which is read now, once; None for ``$NETRC``, else ``~/.netrc``.

    Raises:
        ConfigurationError: it cannot be read, or not understood. The message shows nothing of what is in it.
    """

    writes = "header authorization"

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        file = Path(os.environ.get("NETRC") or "~/.netrc" if path is None else path).expanduser()
        try:
            entries = netrc.netrc(str(file)).hosts
        except (OSError, UnicodeError, netrc.NetrcParseError) as error:
            kind = type(error).__name__
            raise ConfigurationError(
                f"NetrcAuth.path: {str(file)!r} is not allowed; it cannot be read: {kind}"
            ) from None
        self._entries = {
            host.lower(): Basic(login or account, password)
            for host, (login, account, password) in entries.items()
            if host != "default"
        }
        self._file = file

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header, if the file has the host."""
        entry = self._entries.get(split(request.url)[1])
        if entry is not None:
            entry.apply(request, now)

    def __repr__(self) -> str:
        return f"NetrcAuth({str(self._file)!r})"
