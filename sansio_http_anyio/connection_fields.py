"""What fields of the configuration that are about connections may hold."""

from __future__ import annotations

import os
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import SecretStr

_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}


class UnverifiedTLSWarning(UserWarning):
    """Certificates are not checked: whoever is on the way can read and change everything."""


def verification(value: Any) -> Any:
    """``verify_ssl``: a bool, or one of its words; a path that exists; a context."""
    if isinstance(value, bool | ssl.SSLContext):
        return value
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if not isinstance(value, str | Path):
        raise ValueError("it is True, False, the path of a PEM file or directory, or an ssl.SSLContext")
    return _existing(value, os.path.exists, "it is True, False, or the path of a PEM file or directory that exists")


def file(value: Any) -> str | None:
    """The path of a file that exists."""
    return None if value is None else _existing(value, os.path.isfile, "it is the path of a file that exists")


def path(value: Any) -> str | None:
    """The path of something that may exist later."""
    return None if value is None else _existing(value, bool, "it is a path")


def address(value: Any) -> str | None:
    """An IP address."""
    if value is None:
        return None
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError("it is an IP address") from None


def server_name(value: Any) -> str | None:
    """A host name, as it stands in a certificate."""
    if value is None or (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        return value
    raise ValueError("it is a host name in ASCII")


def password(value: Any) -> SecretStr | None:
    """A text that is not shown."""
    if value is None or isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        return SecretStr(value)
    raise ValueError("it is text")


def address_check(value: Any) -> Any:
    """``allow_address``: a word or a function."""
    if value in ("any", "public") or callable(value):
        return value
    raise ValueError("it is 'any', 'public', or a function of an IP address")


def _existing(value: Any, exists: Any, allowed: str) -> str:
    if not isinstance(value, str | Path) or not str(value) or not exists(value):
        raise ValueError(allowed)
    return str(value)
