"""The version is a str: checked by ``mypy --strict`` against the installed wheel, as a user would."""

from sansio_http import __version__

version: str = __version__
