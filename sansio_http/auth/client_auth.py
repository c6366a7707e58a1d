"""How a client proves to a token endpoint who it is (RFC 6749 2.3, RFC 7523)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote_plus

from ..exceptions import ConfigurationError
from ..models import HTTPRequest
from ..serializers import form_body
from .base import ActiveAuth, Secret

ClientAuth = Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]
"""How a client proves to a token endpoint who it is, by the names of OpenID Connect Core 9."""

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME = 60  # seconds

_SIGNED = frozenset({"client_secret_jwt", "private_key_jwt"})
_WITH_SECRET = frozenset({"client_secret_basic", "client_secret_post"})
_METHODS = (*sorted(_SIGNED | _WITH_SECRET), "none")


class ClientProof(Secret):
    """A client of a token endpoint, and how it proves that.

    Args:
        cls: whose arguments these are, for messages.
        client_id, client_secret, client_auth, sign: see :class:`~.oauth2.OAuth2`.
        audience: the ``aud`` of a JWT.

    Raises:
        ConfigurationError: names the argument and what is allowed; the message shows no secret.
    """

    __slots__ = ("_audience", "_method", "_secret", "_sign", "client_id")

    def __init__(
        self,
        cls: str,
        client_id: str,
        client_secret: str | None,
        client_auth: ClientAuth,
        sign: Callable[[dict[str, Any]], Any] | None,
        audience: str,
    ) -> None:
        if client_auth not in _METHODS:
            raise ConfigurationError(
                f"{cls}.client_auth: {client_auth!r:.40} is not allowed; it is one of {', '.join(_METHODS)}"
            )
        if (client_secret is not None) != (client_auth in _WITH_SECRET):
            verb = "needs a" if client_auth in _WITH_SECRET else "sends no"
            raise ConfigurationError(f"{cls}.client_secret: client_auth {client_auth!r} {verb} secret")
        if sign is not None and not callable(sign):
            raise ConfigurationError(
                f"{cls}.sign: {type(sign).__name__} is not allowed; it is a function of claims that returns a JWT"
            )
        if (sign is not None) != (client_auth in _SIGNED):
            verb = "needs a function of claims" if client_auth in _SIGNED else "signs nothing"
            raise ConfigurationError(f"{cls}.sign: client_auth {client_auth!r} {verb}")
        check_text(cls, "client_id", client_id)
        if client_secret is not None:
            check_text(cls, "client_secret", client_secret)
        self.client_id = client_id
        self._secret = client_secret or ""
        self._method = client_auth
        self._sign = sign
        self._audience = audience

    def write(self, headers: dict[str, str], fields: dict[str, str]) -> None:
        """Put what is at hand into the headers and fields of a token request."""
        if self._method == "client_secret_basic":
            headers["Authorization"] = basic_credentials(self.client_id, self._secret)
            return
        fields["client_id"] = self.client_id
        if self._method == "client_secret_post":
            fields["client_secret"] = self._secret

    def assertion(
        self, fields: dict[str, str], entropy: Callable[[int], bytes] | None, wall: Callable[[], float] | None
    ) -> Assertion | None:
        """What puts a signed assertion into each token request with these ``fields``, where there is one."""
        if self._sign is None:
            return None
        if entropy is None or wall is None:
            raise ConfigurationError("Policies: an assertion needs entropy and wall; give os.urandom and time.time")
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self._audience}
        return Assertion(self._sign, claims, fields, entropy, wall)


class Assertion(ActiveAuth):
    """Puts a JWT into each try of a token request: one that was used may be refused (RFC 7523 3).

    Args:
        sign: makes a JWT of its claims.
        claims: that are always the same.
        fields: of the request.
        entropy, wall: for the other claims.
    """

    __slots__ = ("_claims", "_entropy", "_fields", "_sign", "_wall")

    def __init__(
        self,
        sign: Callable[[dict[str, Any]], Any],
        claims: dict[str, Any],
        fields: dict[str, str],
        entropy: Callable[[int], bytes],
        wall: Callable[[], float],
    ) -> None:
        self._sign = sign
        self._claims = claims
        self._fields = fields
        self._entropy = entropy
        self._wall = wall

    @property
    def asked(self) -> str:
        """What is called for it."""
        return "the function that signs"

    def question(self) -> tuple[Callable[[Any], Any], Any]:
        """The signature, over claims of its own."""
        at = int(self._wall())
        own = {"jti": self._entropy(16).hex(), "iat": at, "exp": at + _ASSERTION_LIFETIME}
        return self._sign, {**self._claims, **own}

    def told(self, request: HTTPRequest, answer: Any) -> None:
        """It goes into the body."""
        if not isinstance(answer, str) or not answer:
            raise ConfigurationError(
                f"sign: returned {type(answer).__name__}; it returns a JWT, a str that is not empty"
            )
        fields = {**self._fields, "client_assertion": answer, "client_assertion_type": _ASSERTION}
        request.body, _ = form_body(fields)

    def apply(self, request: HTTPRequest, now: float) -> None:
        """All was done when it was told."""


def basic_credentials(client_id: str, client_secret: str) -> str:
    """An Authorization header of a client: both halves are form-encoded first. Source: RFC 6749 2.3.1."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def check_text(cls: str, name: str, value: object) -> None:
    """Refuses what is no text, or empty.

    Raises:
        ConfigurationError: does not show it.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{cls}.{name}: must be a str that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{cls}.{name}: is not text in UTF-8") from None
