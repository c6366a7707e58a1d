"""What the operating system or the TLS library said, in words that may be shown to anybody."""

from __future__ import annotations

import os
import socket
import ssl
from errno import errorcode

from sansio_http import CertificateError, HTTPRequestError, TLSError

# Alerts by which a server says that it wants a certificate of ours, or another one. In TLS 1.3 they come after the
# handshake, at the first read. Before, a server that was shown none may have no better word than "handshake failure";
# that can also mean that there is no cipher in common, and asking again is as useless then.
_ABOUT_OURS = frozenset(
    "CERTIFICATE_REQUIRED BAD_CERTIFICATE UNSUPPORTED_CERTIFICATE CERTIFICATE_REVOKED CERTIFICATE_EXPIRED"
    " CERTIFICATE_UNKNOWN UNKNOWN_CA ACCESS_DENIED HANDSHAKE_FAILURE".split()
)


def reason(error: OSError) -> str:
    """Why, in a few words."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if error.errno is not None and error.errno in errorcode and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)  # asyncio writes a text of its own
    return error.strerror or str(error) or type(error).__name__


def tls_failure(error: OSError) -> tuple[type[TLSError], str]:
    """The class and the message of ours for an error in a handshake, or for an alert afterwards."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError, f"certificate refused: {error.verify_message}"
    if refused_ours(error):
        return CertificateError, f"the server did not accept our certificate, or wants one: {reason(error)}"
    return TLSError, f"no TLS: {reason(error)}"


def refused_ours(error: BaseException) -> bool:
    """Whether an error is the server's word that it wants a certificate of ours, or another one."""
    if not isinstance(error, ssl.SSLError) or error.reason is None:
        return False
    _, found, alert = error.reason.partition("_ALERT_")
    return bool(found) and alert in _ABOUT_OURS


def more_telling(unwritten: HTTPRequestError | None, unheard: HTTPRequestError) -> HTTPRequestError:
    """Of what failed in writing a request, and then in reading its answer, what says why."""
    if unwritten is None or unheard.body_started or isinstance(unheard, CertificateError):
        return unheard  # the server has said something
    return unwritten
