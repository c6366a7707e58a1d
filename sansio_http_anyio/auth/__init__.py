"""Authentication."""

from .base import AnyAuth, AuthHandler, Prepared, RequestSigner
from .handlers import APIKeyAuth, BasicAuth, BearerAuth, DigestAuth
from .netrc import NetrcAuth
from .oauth2 import (
    OAuth2ClientCredentials,
    OAuth2ExchangeOptions,
    OAuth2Options,
    OAuth2RefreshToken,
    OAuth2TokenExchange,
)

__all__ = [
    "APIKeyAuth",
    "AnyAuth",
    "AuthHandler",
    "BasicAuth",
    "BearerAuth",
    "DigestAuth",
    "NetrcAuth",
    "OAuth2ClientCredentials",
    "OAuth2ExchangeOptions",
    "OAuth2Options",
    "OAuth2RefreshToken",
    "OAuth2TokenExchange",
    "Prepared",
    "RequestSigner",
]
