"""OAuth 2: what is asked of a token endpoint (RFC 6749, RFC 7523, RFC 8693), and what is made of its answer."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, cast

from ..exceptions import ConfigurationError, TokenError
from ..models import HTTPRequest, HTTPResponse
from ..serializers import form_body
from ..urls import normalise, redact, split
from .bearer import is_bearer_token
from .client_auth import Assertion, ClientAuth, ClientProof, check_text
from .tokens import TokenSource

ANSWER_LIMIT = 65536
"""Bytes that the answer of a token endpoint may have."""

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

# Written by this module alone.
_RESERVED = frozenset(
    "grant_type client_id client_secret client_assertion client_assertion_type refresh_token subject_token".split()
)

# Of what an endpoint says in an error only these are passed on. Source: RFC 6749 5.2 and 4.1.2.1, RFC 8693 2.2.2.
_ERRORS = frozenset(
    """invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope
    invalid_target access_denied server_error temporarily_unavailable""".split()
)

Questions = Generator[tuple[Callable[[Any], Any], Any], Any, dict[str, str]]
"""The fields of a form; on the way to them, functions of the user's to be called with a value."""


class OAuth2(TokenSource, ABC):
    """What the grants share: the endpoint, and how the client proves who it is.

    Args:
        token_url: https, or http on loopback.
        client_id: of this client.
        client_secret: for the two ``client_secret_*`` methods that send one.
        scopes: asked for; names, or one str of names with blanks between.
        audience: whom the token is for, where the endpoint wants to know.
        extra: further fields of the request.
        client_auth: see :data:`ClientAuth`.
        sign: for the two ``*_jwt`` methods: makes a JWT of its claims (RFC 7523 3). It may be a coroutine function.
        assertion_audience: the ``aud`` of that JWT; None for ``token_url``.
        options: see :class:`TokenSource`.

    Raises:
        ConfigurationError: names the argument and what is allowed; the message shows no secret.
    """

    __slots__ = ("_client", "_extra", "audience", "scopes", "token_url")

    repeatable = False
    """Whether the endpoint may receive the same request twice, for nothing in it is used up."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str | None = None,
        *,
        scopes: str | Sequence[str] = (),
        audience: str | None = None,
        extra: Mapping[str, str] | None = None,
        client_auth: ClientAuth = "client_secret_basic",
        sign: Callable[[dict[str, Any]], Any] | None = None,
        assertion_audience: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        cls = type(self).__name__
        self.token_url = _endpoint(cls, token_url)
        aud = self.token_url if assertion_audience is None else assertion_audience
        self._client = ClientProof(cls, client_id, client_secret, client_auth, sign, aud)
        for name, value in (("audience", audience), ("assertion_audience", assertion_audience)):
            if value is not None:
                check_text(cls, name, value)
        self.scopes = _joined(cls, scopes)
        self.audience = audience
        if extra is not None and not isinstance(extra, Mapping):
            raise ConfigurationError(f"{cls}.extra: {type(extra).__name__} is not allowed; it maps str to str")
        self._extra = dict(extra or {})
        for name, value in self._extra.items():
            check_text(cls, f"extra[{name!r:.40}]", value)
            if name in _RESERVED:
                raise ConfigurationError(f"{cls}.extra: {name!r} is not allowed here; it is set by other arguments")

    @property
    def key(self) -> str:
        """Of this credential, for a :class:`TokenStore`: a hash, so that it tells nothing."""
        parts = (self._grant(), self.token_url, self._client.client_id, self.scopes, self.audience, self._extra)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def wanted(self) -> str:
        """What whoever waits for a token waits for, in words."""
        return f"a token of {redact(self.token_url)}"

    def request(self, fields: dict[str, str], timeout: float) -> HTTPRequest:
        """The token request. What it lacks is added to ``fields``, which are the grant's."""
        if self.scopes:
            fields["scope"] = self.scopes
        if self.audience is not None:
            fields["audience"] = self.audience
        fields |= self._extra
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        self._client.write(headers, fields)
        body, _ = form_body(fields)
        return HTTPRequest("POST", self.token_url, headers, body=body, timeout=timeout, idempotent=self.repeatable)

    def proof(
        self, fields: dict[str, str], entropy: Callable[[int], bytes] | None, wall: Callable[[], float] | None
    ) -> Assertion | None:
        """What puts a signed assertion into each token request, where there is one."""
        return self._client.assertion(fields, entropy, wall)

    @abstractmethod
    def grant(self) -> Questions:
        """The fields that say on what grounds a token is asked for."""

    @abstractmethod
    def _grant(self) -> list[str]:
        """What tells this credential from another of the same client."""

    def understand(self, response: HTTPResponse, asked_at: float) -> tuple[str, float | None, str | None]:
        """Access token, lifetime in seconds and refresh token of an answer.

        Raises:
            TokenError: it is an error, or makes no sense.
        """
        status = response.status_code
        found: Any = None
        if len(response.content) <= ANSWER_LIMIT:
            try:
                found = json.loads(response.content)
            except (ValueError, RecursionError):
                pass
        answer = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if status != 200:
            code = answer.get("error")
            code = code if isinstance(code, str) and code in _ERRORS else None
            raise self.error("refused", f"answered {status}{f' {code}' if code else ''}", response, code)
        token, kind = answer.get("access_token"), answer.get("token_type")
        kind = "Bearer" if kind is None else kind  # RFC 6749 5.1 requires it, and real endpoints leave it out
        if not isinstance(token, str) or not is_bearer_token(token):
            raise self.error("malformed", "answered 200 without an access_token that can be sent", response)
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self.error("malformed", "answered with a token_type that is not Bearer", response)
        lifetime = _lifetime(answer.get("expires_in"))
        if lifetime is not None and math.isnan(lifetime):
            raise self.error("malformed", "answered with an expires_in that is no number", response)
        if lifetime is not None and lifetime <= 0:
            raise self.error("expired", "answered with a token that is over already (expires_in)", response)
        following = answer.get("refresh_token")
        return token, lifetime, following if isinstance(following, str) and following else None

    def error(
        self, reason: str, what: str, response: HTTPResponse | None = None, code: str | None = None
    ) -> TokenError:
        """An error about the endpoint."""
        return TokenError(
            f"the token endpoint {redact(self.token_url)} {what}",
            reason=reason,
            status_code=None if response is None else response.status_code,
            error=code,
            retry_after=None if response is None else response.retry_after(),
        )


class ClientCredentials(OAuth2):
    """A token for the client itself (RFC 6749 4.4).

    Args: see :class:`OAuth2`.
    """

    __slots__ = ()

    repeatable = True

    def grant(self) -> Questions:
        """``client_credentials``."""
        yield from ()
        return {"grant_type": "client_credentials"}

    def _grant(self) -> list[str]:
        return ["client_credentials"]


class RefreshToken(OAuth2):
    """Tokens by a refresh token that somebody else has got (RFC 6749 6), with its rotation.

    Where the endpoint hands out a new refresh token the old one is forgotten; with a ``store`` the next run of the
    program begins with the new one. A request that may have reached the endpoint is not sent twice: it could look
    like the use of a stolen token.

    Args:
        token_url, client_id: see :class:`OAuth2`.
        refresh_token: to begin with.
        client_secret, options: see :class:`OAuth2`. A public client has ``client_auth="none"``.
    """

    __slots__ = ("_first",)

    def __init__(
        self, token_url: str, client_id: str, refresh_token: str, client_secret: str | None = None, **options: Any
    ) -> None:
        super().__init__(token_url, client_id, client_secret, **options)
        check_text(type(self).__name__, "refresh_token", refresh_token)
        self._first = self.refresh_token = refresh_token

    def grant(self) -> Questions:
        """``refresh_token``, with the newest."""
        yield from ()
        return {"grant_type": "refresh_token", "refresh_token": self.refresh_token or self._first}

    def _grant(self) -> list[str]:
        return ["refresh_token", hashlib.sha256(self._first.encode()).hexdigest()]


class TokenExchange(OAuth2):
    """A token in exchange for another (RFC 8693).

    Args:
        token_url, client_id: see :class:`OAuth2`.
        subject_token: of whom the new token speaks; or a function that returns it, which may be a coroutine function.
        client_secret, options: see :class:`OAuth2`.
        subject_token_type: by the names of RFC 8693 3.
        resource: where the token will be used, as a URL.
        requested_token_type: what is asked for; None for what the endpoint thinks best.
        actor_token: of who acts on the subject's behalf; or a function that returns it.
        actor_token_type: needed with it.
    """

    __slots__ = ("_actor", "_subject", "actor_token_type", "requested_token_type", "resource", "subject_token_type")

    def __init__(
        self,
        token_url: str,
        client_id: str,
        subject_token: str | Callable[[], Any],
        client_secret: str | None = None,
        *,
        subject_token_type: str = _ACCESS_TOKEN,
        resource: str | None = None,
        requested_token_type: str | None = None,
        actor_token: str | Callable[[], Any] | None = None,
        actor_token_type: str = _ACCESS_TOKEN,
        **options: Any,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, **options)
        cls = type(self).__name__
        for name, value in (("subject_token", subject_token), ("actor_token", actor_token)):
            if not callable(value) and not (value is None and name == "actor_token"):
                check_text(cls, name, value)
        for name, text in (
            ("subject_token_type", subject_token_type),
            ("actor_token_type", actor_token_type),
            ("resource", resource),
            ("requested_token_type", requested_token_type),
        ):
            if text is not None:
                check_text(cls, name, text)
        self._subject = subject_token
        self._actor = actor_token
        self.subject_token_type = subject_token_type
        self.actor_token_type = actor_token_type
        self.resource = resource
        self.requested_token_type = requested_token_type

    def grant(self) -> Questions:
        """``token-exchange``."""
        fields = {
            "grant_type": _EXCHANGE,
            "subject_token": (yield from self._resolved("subject_token", self._subject)),
            "subject_token_type": self.subject_token_type,
        }
        if self._actor is not None:
            fields["actor_token"] = yield from self._resolved("actor_token", self._actor)
            fields["actor_token_type"] = self.actor_token_type
        if self.resource is not None:
            fields["resource"] = self.resource
        if self.requested_token_type is not None:
            fields["requested_token_type"] = self.requested_token_type
        return fields

    def _resolved(
        self, name: str, token: str | Callable[[], Any]
    ) -> Generator[tuple[Callable[[Any], Any], Any], Any, str]:
        """A token, or what its function returns."""
        if isinstance(token, str):
            return token
        found = yield (lambda _: token()), None
        if not isinstance(found, str) or not found:
            kind = type(found).__name__
            raise ConfigurationError(
                f"{type(self).__name__}.{name}: its function returned {kind}; it returns a str that is not empty"
            )
        return found

    def _grant(self) -> list[str]:
        tokens = [each if isinstance(each, str) else "" for each in (self._subject, self._actor)]
        hashes = [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
        return [_EXCHANGE, *hashes, self.resource or "", self.requested_token_type or ""]


def _lifetime(value: object) -> float | None:
    """Seconds; None where nothing is said, NaN where it makes no sense."""
    if value is None:
        return None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) <= 20:  # some send it so
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(min(max(value, -1), 1e18))


def _endpoint(cls: str, token_url: object) -> str:
    """The URL in its normal form, if secrets may go there."""
    try:
        url = normalise(cast("str", token_url))
        scheme, host, _, _ = split(url)
    except ValueError as error:
        raise ConfigurationError(f"{cls}.token_url: {str(error).removeprefix('url: ')}") from None
    if "#" in cast("str", token_url):
        raise ConfigurationError(f"{cls}.token_url: a fragment (#) is not allowed (RFC 6749 section 3.2)")
    if scheme == "http" and not _loopback(host):
        raise ConfigurationError(f"{cls}.token_url: {redact(url)!r} is not allowed; it is https, or http on loopback")
    return url


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _joined(cls: str, scopes: object) -> str:
    if isinstance(scopes, str):
        return scopes
    each = cast("Sequence[object]", scopes) if isinstance(scopes, Sequence) else (None,)
    names = [scope for scope in each if isinstance(scope, str)]
    if len(names) < len(each):
        raise ConfigurationError(f"{cls}.scopes: must be a str, or a sequence of str")
    return " ".join(names)
