"""From what a caller says about one request to the request, and to who decides about it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from sansio_http import (
    Headers,
    HeadersLike,
    HTTPRequest,
    ParamsStyle,
    PathParams,
    Policies,
    QueryParams,
    expand,
    join,
    normalise,
    origin,
    portable_headers,
)

from .auth import AnyAuth
from .bundle import completed, with_auth
from .config import ClientConfig
from .options import body_of, merged, overlaid

_VOUCHED = frozenset({"POST", "PATCH"})  # what config.idempotency_key covers: the others may be repeated anyway
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE).match


class Preparation:
    """A client's defaults, and how a request is made of them.

    Args:
        base_url: in normal form.
        config: the client's.
        policies: the client's, complete.
        headers, params: sent with every request to the origin of ``base_url``.
    """

    def __init__(
        self, base_url: str, config: ClientConfig, policies: Policies, headers: Headers, params: QueryParams
    ) -> None:
        self._base_url = base_url
        self._origin = origin(base_url)
        self._config = config
        self._policies = policies
        self._headers = headers
        self._params = params
        self._style: ParamsStyle = config.params_style
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
        json: Any = None,
        data: Any = None,
        timeout: float | None = None,
        auth: AnyAuth | None = None,
        policies: Policies | None = None,
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
        body, content_type = body_of(json, data)
        fields = overlaid(default_headers, headers)
        if content_type is not None and "content-type" not in fields:
            fields["Content-Type"] = content_type
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

    def _completed(self, policies: Policies) -> Policies:
        """A request's own policies with the client's slots; the last one is kept, as it will be asked for again."""
        if self._given is None or self._given[0] is not policies:
            self._given = policies, completed(policies, self._policies)
        return self._given[1]


def _anonymous(policies: Policies) -> Policies:
    """The same bundle without credentials, where there are any."""
    if policies.auth is None and policies.ask_auth is None and policies.signer is None:
        return policies
    return replace(policies, auth=None, ask_auth=None, signer=None)
