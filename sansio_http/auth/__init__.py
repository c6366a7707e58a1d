"""Authentication: credentials, and how they go onto a request."""

from .api_key import APIKey
from .base import Auth
from .basic import Basic
from .bearer import Bearer

__all__ = ["APIKey", "Auth", "Basic", "Bearer"]
