"""Authentication: credentials, and how they go onto a request."""

from .api_key import APIKey
from .base import ActiveAuth, Auth, AuthChain, NoAuth, active_parts
from .basic import Basic
from .bearer import Bearer
from .client_auth import ClientAuth
from .digest import Digest
from .oauth2 import ClientCredentials, OAuth2, Questions, RefreshToken, TokenExchange
from .signer import Signer, Unsigned, signature
from .tokens import Token, TokenSource, TokenStore

__all__ = [
    "APIKey",
    "ActiveAuth",
    "Auth",
    "AuthChain",
    "Basic",
    "Bearer",
    "ClientAuth",
    "ClientCredentials",
    "Digest",
    "NoAuth",
    "OAuth2",
    "Questions",
    "RefreshToken",
    "Signer",
    "Token",
    "TokenExchange",
    "TokenSource",
    "TokenStore",
    "Unsigned",
    "active_parts",
    "signature",
]
