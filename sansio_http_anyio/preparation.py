"""From what a caller says about one request to the request, and to who decides about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sansio_http import (
    Body,
    Headers,
    HeadersLike,
    HTTPRequest,
    InvalidRequestError,
    ParamsStyle,
    PathParams,
    Policies,
    QueryParams,
    Serializer,
    expand,
    join,
    normalise,
    origin,
    portable_headers,
)

from .auth import AnyAuth
from .bundle import completed, redirects_of, with_auth
from .config import ClientConfig
from .options import cookie_header, merged, overlaid
from .uploads import Files, body_of

_VOUCHED = frozenset({"POST", "PATCH"})  # what config.idempotency_key covers: the others may be repeated anyway
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE).match


class Preparation:
    """A client's defaults, and how a request is made of them.

    Args:
        base_url: in normal form.
        config: the client's.
        policies: the client's, complete.
        headers, params: sent with every request to the origin of ``base_url``.
        serializer: writes JSON.
    """

    def __init__(
        self,
        base_url: str,
        config: ClientConfig,
        policies: Policies,
        headers: Headers,
        params: QueryParams,
        serializer: Serializer,
    ) -> None:
        self._base_url = base_url
        self._origin = origin(base_url)
        self._config = config
        self._policies = policies
        self._headers = headers
        self._params = params
        self._serializer = serializer
        self._style: ParamsStyle = config.params_style
        self._redirects = redirects_of(config)
        self._given: tuple[Policies, Policies] | None = None  # a request's own policies, and as they were completed

    def request(
        self,
        method: str,
        url: str,
        *,
        path: PathParams | None = None,
        params: QueryParams | None = None,
        params_style: ParamsStyle | None = None,
        headers: HeadersLike | None = None,
        cookies: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        files: Files | None = None,
        content_type: str | None = None,
        timeout: float | None = None,
        auth: AnyAuth | None = None,
        policies: Policies | None = None,
        follow_redirects: bool | None = None,
        idempotent: bool = False,
        idempotency_key: str | None = None,
    ) -> tuple[HTTPRequest, Policies]:
        """The request, and who decides about it.

        Raises:
            InvalidRequestError, ConfigurationError: names the option that is wrong.
        """
        chosen = self._policies if policies is None else self._completed(policies)
        if auth is not None:
            chosen = with_auth(chosen, auth)
        if follow_redirects is not None:
            chosen = self._redirecting(chosen, follow_redirects)
        if path is not None:
            url = expand(url, path)
        default_headers = self._headers
        default_params: QueryParams = self._params
        if self._config.allow_absolute_urls and isinstance(url, str) and _ABSOLUTE(url):
            url = normalise(url)
            if (elsewhere := origin(url)) != self._origin:
                # Nothing of the client's own goes there that could be a secret; what this request was given does.
                default_headers = portable_headers(default_headers)
                default_params = ()
                chosen = replace(chosen, auth_origin=elsewhere) if auth is not None else _anonymous(chosen)
        else:
            url = join(self._base_url, url)
        body, natural_type = body_of(json, data, files, self._serializer)
        fields = overlaid(default_headers, headers)
        if content_type is not None or files is not None:
            fields["Content-Type"] = _type_of_body(body, natural_type, content_type, headers, files is not None)
        elif natural_type is not None and "content-type" not in fields:
            fields["Content-Type"] = natural_type
        if cookies:
            fields["Cookie"] = "; ".join([*fields.get_list("cookie"), cookie_header(cookies)])
        request = HTTPRequest(
            method,
            url,
            fields,
            merged(default_params, params),
            body,
            self._config.timeout if timeout is None else timeout,
            idempotent=idempotent,
            idempotency_key=idempotency_key,
            params_style=self._style if params_style is None else params_style,
        )
        if request.timeout == math.inf:
            request.timeout = None
        if idempotency_key is None and request.method in _VOUCHED and "idempotency-key" not in fields:
            request.idempotency_key = self._config.idempotency_key
        return request, chosen

    def _redirecting(self, policies: Policies, follow: bool) -> Policies:
        """The same bundle, following redirects or not."""
        if not isinstance(follow, bool):
            raise InvalidRequestError(f"follow_redirects: {follow!r:.40} is not allowed; it is True, False or None")
        if follow == (policies.redirects is not None):
            return policies
        return replace(policies, redirects=self._redirects if follow else None)

    def _completed(self, policies: Policies) -> Policies:
        """A request's own policies with the client's slots; the last one is kept, as it will be asked for again."""
        if self._given is None or self._given[0] is not policies:
            self._given = policies, completed(policies, self._policies)
        return self._given[1]


def _type_of_body(
    body: Body | None, natural: str | None, content_type: str | None, headers: HeadersLike | None, form: bool
) -> str:
    """The Content-Type of a body whose caller named one, or that is a form with files.

    Raises:
        InvalidRequestError: there is no body, or the type is said twice.
    """
    said = ["content_type"] if content_type is not None else []
    if headers is not None and "content-type" in Headers(headers):
        said.append("headers['Content-Type']")
    if body is None:
        raise InvalidRequestError("content_type: there is no body")
    if form and said:
        raise InvalidRequestError(f"files, {said[0]}: a form with files says its type itself, with its boundary")
    if len(said) > 1:
        raise InvalidRequestError(f"{', '.join(said)}: give one of them")
    found = content_type if content_type is not None else natural
    assert found is not None  # one of them is why we are here
    return found


def _anonymous(policies: Policies) -> Policies:
    """The same bundle without credentials, where there are any."""
    if policies.auth is None and policies.ask_auth is None and policies.signer is None:
        return policies
    return replace(policies, auth=None, ask_auth=None, signer=None)
