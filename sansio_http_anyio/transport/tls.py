"""Whom we trust, and how we identify ourselves: what TLS contexts are made of, and when.

A context costs about 40 ms, for it reads some hundred certificates; so it is made in a worker thread, when it is needed
first, and once for all clients of equal options.
"""

from __future__ import annotations

import ssl
import threading
import weakref
from dataclasses import dataclass, field

import anyio.to_thread
import truststore

from sansio_http import ConfigurationError


@dataclass(frozen=True, slots=True)
class Trust:
    """Options of TLS, as a key: equal ones trust the same servers and show them the same certificate.

    Args:
        verify: True: certificates that the operating system trusts. A path: those in this PEM file or directory, and no
            others. A context: whatever it says; it is used as it is. False: anybody.
        certificate: PEM file with our own certificate and those that lead to its issuer; None for none.
        key: PEM file with its private key; None where that is in ``certificate``.
        password: of the private key.
        alpn: protocols to offer, the best first.
    """

    verify: bool | str | ssl.SSLContext = True
    certificate: str | None = None
    key: str | None = None
    password: str | None = field(default=None, repr=False)
    alpn: tuple[str, ...] = ("http/1.1",)

    async def context(self) -> ssl.SSLContext:
        """The context for these options; made in a thread, or at hand.

        Raises:
            ConfigurationError: a file that was good when the options were checked is not any more.
        """
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        try:
            made = _made.get(self)
            return made if made is not None else await anyio.to_thread.run_sync(self._make_once, abandon_on_cancel=True)
        except OSError as error:
            raise ConfigurationError(f"no TLS context: {error}") from error

    def _make_once(self) -> ssl.SSLContext:
        with _making:  # who comes second waits, and finds what the first has made
            context = _made.get(self)
            if context is None:
                context = _made[self] = self.make()
            return context

    def make(self) -> ssl.SSLContext:
        """A new context for these options. It blocks.

        Raises:
            OSError: a file cannot be read or used.
        """
        context: ssl.SSLContext
        if self.verify is True:
            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self.verify is False:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
        return context


_made: weakref.WeakValueDictionary[Trust, ssl.SSLContext] = weakref.WeakValueDictionary()
_making = threading.Lock()
