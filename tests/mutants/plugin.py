"""What pytest does otherwise for a mutant (``-p tests.mutants.plugin``): it trusts no import, and looks no further."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import Phase, settings


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """After ``tests/conftest.py`` has loaded a profile: a test that fails is enough, whichever example it was.

    The examples are the same in every run, so that no mutant is killed today and survives tomorrow.
    """
    settings.register_profile(
        "mutants", phases=(Phase.explicit, Phase.generate), derandomize=True, database=None, print_blob=False
    )
    settings.load_profile("mutants")


def pytest_collection_finish(session: pytest.Session) -> None:
    """The code under test is that beside the tests, whatever is installed."""
    root = session.config.rootpath.resolve()
    files = [
        Path(str(module.__file__)).resolve()
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ("sansio_http", "sansio_http_anyio")
    ]
    strangers = [file for file in files if root not in file.parents]
    if strangers or not files:
        raise pytest.UsageError(f"these tests are to import the copy in {root}; they import {strangers or 'nothing'}")
