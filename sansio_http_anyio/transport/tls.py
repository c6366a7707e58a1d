"""Whom we trust, and how we identify ourselves: what TLS contexts are made of, and when.

To make a context takes some 40 ms, for it reads more than a hundred certificates. So it is made in a worker thread,
when it is needed first, and once for all clients of equal options; the event loop does not wait for it.

Where the system keeps its trusted certificates is truststore's to know. Its own context reads them anew for each
connection, in the event loop's way; so where the checking itself is OpenSSL's (not on macOS and Windows, whose own
verifiers are asked) only the context behind it is kept, which has them by then.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

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
        alpn: protocols to offer, the best first; a context that was given offers its own.
    """

    verify: bool | str | ssl.SSLContext = True
    certificate: str | None = None
    key: str | None = None
    password: str | None = field(default=None, repr=False)
    alpn: tuple[str, ...] = ("http/1.1",)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = self.verify, self.certificate, self.key, self.password, self.alpn
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self) -> int:
        return self._hash  # every request looks its connection up by this

    async def context(self) -> ssl.SSLContext:
        """The context for these options; made in a thread, or at hand.

        Raises:
            ConfigurationError: a file that was good when the options were checked is not any more.
        """
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        made = _made.get(self)
        if made is not None:
            return made
        return await anyio.to_thread.run_sync(self._make_once, abandon_on_cancel=True)

    def check(self) -> None:
        """Read the files that are named, now.

        Raises:
            ConfigurationError: names the field of :class:`~sansio_http_anyio.ClientConfig` and what is wrong with it.
        """
        scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if isinstance(self.verify, str):
            self._load_trusted(scratch)
        self._load_ours(scratch)

    def _make_once(self) -> ssl.SSLContext:
        with _making:  # who comes second waits, and finds what the first has made
            context = _made.get(self)
            if context is None:
                context = _made[self] = self._make()
            return context

    def _make(self) -> ssl.SSLContext:
        if self.verify is True:
            context = _of_the_system()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if isinstance(self.verify, str):
                self._load_trusted(context)
            else:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(list(self.alpn))
        self._load_ours(context)
        return context

    def _load_trusted(self, context: ssl.SSLContext) -> None:
        path = str(self.verify)
        try:
            if os.path.isdir(path):
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except OSError as error:
            raise ConfigurationError(
                f"verify_ssl: {path!r} is not allowed: {_why(error, 'it holds no PEM certificate')}"
            ) from None

    def _load_ours(self, context: ssl.SSLContext) -> None:
        if self.certificate is None:
            return
        password = self.password or ""
        try:
            # A function, for without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                problem = "client_key: the key is not that of the certificate"
            elif b"ENCRYPTED" in Path(self.key or self.certificate).read_bytes():  # OpenSSL's reasons tell no more
                problem = f"client_key_password: {'it does not open the key' if password else 'the key needs one'}"
            else:
                problem = "client_certificate, client_key: no PEM certificate, or no PEM key, is in them"
            raise ConfigurationError(problem) from None
        except OSError as error:
            name = self.certificate if self.key is None else f"{self.certificate}, {self.key}"
            raise ConfigurationError(f"client_certificate, client_key: {name}: {_why(error, 'not readable')}") from None


def _of_the_system() -> ssl.SSLContext:
    import truststore  # for who uses TLS; importing it costs some milliseconds

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.platform in ("darwin", "win32"):
        return context
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost").context


def _why(error: OSError, otherwise: str) -> str:
    return otherwise if isinstance(error, ssl.SSLError) or not error.strerror else error.strerror


_made: weakref.WeakValueDictionary[Trust, ssl.SSLContext] = weakref.WeakValueDictionary()
_making = threading.Lock()
