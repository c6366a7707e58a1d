"""OAuth 2 as the adapter's user sees it: the core's grants, and JWTs signed by PyJWT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from sansio_http import (
    ClientAuth,
    ClientCredentials,
    ConfigurationError,
    RefreshToken,
    RetryPolicy,
    TokenExchange,
    TokenStore,
)

from .base import Prepared


class OAuth2Options(TypedDict, total=False):
    """What all of OAuth 2 can be told.

    Keys:
        scopes: asked for; names, or one str of names with blanks between.
        audience: whom the token is for, where the endpoint wants to know.
        extra: further fields of the token request.
        client_auth: how the client proves who it is: ``client_secret_basic`` (the default), ``client_secret_post``,
            ``client_secret_jwt``, ``private_key_jwt`` (the last two want the extra ``sansio-http[jwt]``, or ``sign``),
            or ``none`` for a public client.
        private_key: in PEM, for ``private_key_jwt``.
        key_id: of the key, where the endpoint knows several.
        algorithm: of the JWT; by default HS256 with a secret, and RS256 with a key.
        sign: makes the JWT of its claims, in the place of all that: for keys that are kept elsewhere. It may be a
            coroutine function.
        assertion_audience: the ``aud`` of the JWT; by default the token URL.
        margin: seconds before its end from which on a token is renewed while it is still used (30, and at most a
            quarter of its life).
        timeout: seconds that getting a token may take, retries included (30).
        attempt_timeout: seconds for one try of it (10); None for what is left.
        retry: how the token request is tried again; by default twice, with backoff.
        store: keeps tokens between runs, or shares them (see :class:`~sansio_http.TokenStore`).
    """

    scopes: str | Sequence[str]
    audience: str | None
    extra: Mapping[str, str] | None
    client_auth: ClientAuth
    private_key: str | bytes | None
    key_id: str | None
    algorithm: str | None
    sign: Callable[[dict[str, Any]], str | Awaitable[str]] | None
    assertion_audience: str | None
    margin: float
    timeout: float
    attempt_timeout: float | None
    retry: RetryPolicy | None
    store: TokenStore | None


class OAuth2ExchangeOptions(OAuth2Options, total=False):
    """What a token exchange can be told beside.

    Keys:
        subject_token_type: by the names of RFC 8693 3; by default an access token's.
        resource: where the token will be used, as a URL.
        requested_token_type: what is asked for; by default what the endpoint thinks best.
        actor_token: of who acts on the subject's behalf; or a function that returns it, which may be a coroutine
            function.
        actor_token_type: of that; by default an access token's.
    """

    subject_token_type: str
    resource: str | None
    requested_token_type: str | None
    actor_token: str | Callable[[], str | Awaitable[str]] | None
    actor_token_type: str


class OAuth2ClientCredentials(ClientCredentials, Prepared):
    """A bearer token for the program itself (RFC 6749 4.4), got when it is first needed and renewed in time.

    However many calls need it, one token request is under way at most. In a client that was entered (``async with``)
    it does not end with the call that began it.

    Args:
        token_url: https, or http on loopback.
        client_id: of this program.
        client_secret: unless ``client_auth`` needs none.
        options: see :class:`OAuth2Options`.

    Raises:
        ConfigurationError: names the argument and what is allowed; the message shows no secret.
    """

    def __init__(
        self, token_url: str, client_id: str, client_secret: str | None = None, **options: Unpack[OAuth2Options]
    ) -> None:
        secret, others = _signed(type(self).__name__, client_secret, options, OAuth2Options)
        super().__init__(token_url, client_id, secret, **others)


class OAuth2RefreshToken(RefreshToken, Prepared):
    """Bearer tokens by a refresh token (RFC 6749 6), for a user who has signed in elsewhere.

    Where the endpoint hands out a new refresh token, that is used from then on; give a ``store``, or it is lost with
    the program.

    Args:
        token_url: https, or http on loopback.
        client_id: of this program.
        refresh_token: to begin with.
        client_secret: unless ``client_auth`` needs none.
        options: see :class:`OAuth2Options`.

    Raises:
        ConfigurationError: names the argument and what is allowed; the message shows no secret.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        refresh_token: str,
        client_secret: str | None = None,
        **options: Unpack[OAuth2Options],
    ) -> None:
        secret, others = _signed(type(self).__name__, client_secret, options, OAuth2Options)
        super().__init__(token_url, client_id, refresh_token, secret, **others)


class OAuth2TokenExchange(TokenExchange, Prepared):
    """A bearer token in exchange for another (RFC 8693): to act for a user, or in another domain.

    Args:
        token_url: https, or http on loopback.
        client_id: of this program.
        subject_token: of whom the new token speaks; or a function that returns it, which may be a coroutine function.
        client_secret: unless ``client_auth`` needs none.
        options: see :class:`OAuth2ExchangeOptions` and :class:`OAuth2Options`.

    Raises:
        ConfigurationError: names the argument and what is allowed; the message shows no secret.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        subject_token: str | Callable[[], str | Awaitable[str]],
        client_secret: str | None = None,
        **options: Unpack[OAuth2ExchangeOptions],
    ) -> None:
        secret, others = _signed(type(self).__name__, client_secret, options, OAuth2ExchangeOptions)
        super().__init__(token_url, client_id, subject_token, secret, **others)


def _signed(
    cls: str, secret: str | None, options: OAuth2Options, known: type[OAuth2Options]
) -> tuple[str | None, dict[str, Any]]:
    """The secret and the options as the core takes them: with a function that signs, where a JWT is to be signed."""
    others: dict[str, Any] = dict(options)
    if unknown := others.keys() - known.__annotations__.keys():
        names = ", ".join(known.__annotations__)
        raise TypeError(f"{cls}: unexpected keyword argument {min(unknown)!r}; the options are {names}")
    key, key_id, algorithm = (others.pop(name, None) for name in ("private_key", "key_id", "algorithm"))
    method = others.get("client_auth", "client_secret_basic")
    retry = others.get("retry")
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise ConfigurationError(f"{cls}.retry: {type(retry).__name__} is not allowed; it is a RetryPolicy")
    if (key is None) != (method != "private_key_jwt" or others.get("sign") is not None):
        verb = "needs one, or sign" if key is None else "takes none, and none beside sign"
        raise ConfigurationError(f"{cls}.private_key: client_auth {method!r:.40} {verb}")
    if others.get("sign") is not None or method not in ("client_secret_jwt", "private_key_jwt"):
        return secret, others
    if method == "client_secret_jwt":
        if not isinstance(secret, str) or not secret:
            raise ConfigurationError(f"{cls}.client_secret: client_auth {method!r} needs a str that is not empty")
        key, secret = secret, None
    others["sign"] = _signer(cls, key, algorithm or ("HS256" if method == "client_secret_jwt" else "RS256"), key_id)
    return secret, others


def _signer(cls: str, key: Any, algorithm: str, key_id: str | None) -> Callable[[dict[str, Any]], str]:
    """Signs claims by PyJWT; tried once, so that a bad key shows now."""
    try:
        import jwt
    except ImportError:
        raise ConfigurationError(
            f"{cls}.client_auth: JWTs want PyJWT; pip install 'sansio-http[jwt]', or give sign"
        ) from None
    headers = None if key_id is None else {"kid": key_id}

    def sign(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, key, algorithm, headers)

    try:
        sign({})
    except Exception as error:
        raise ConfigurationError(
            f"{cls}.private_key, algorithm: nothing can be signed with them ({type(error).__name__})"
        ) from None
    return sign
