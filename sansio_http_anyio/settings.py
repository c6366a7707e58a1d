"""A :class:`ClientConfig` read from the environment."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .config import ClientConfig


class Settings(BaseSettings, ClientConfig):  # pyright: ignore[reportIncompatibleVariableOverride]  # model_config
    """A :class:`ClientConfig` whose fields may come from ``HTTP_CLIENT_*`` variables, one per field.

    ``HTTP_CLIENT_TIMEOUT=10 HTTP_CLIENT_RETRY_STATUSES=429,503``; an empty variable counts as not set, ``none`` is
    None. What is passed to the constructor goes before the environment, and that before the defaults.

    Raises:
        ConfigurationError: names each wrong field, its value and what is allowed.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="HTTP_CLIENT_",
        env_ignore_empty=True,
        env_parse_none_str="none",
        enable_decoding=False,
    )

    @field_validator("redirect_headers", "retry_statuses", "retry_methods", "retry_hints", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("retry_jitter", mode="before")
    @classmethod
    def _a_jitter_is_called_none(cls, value: Any) -> Any:
        return "none" if value is None else value

    def config(self) -> ClientConfig:
        """The same values as a plain :class:`ClientConfig`; what was not set stays a default."""
        return ClientConfig(**{name: getattr(self, name) for name in self.model_fields_set})
