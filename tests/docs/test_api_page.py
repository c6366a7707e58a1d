"""docs/api.md says what the docstrings say, and there is one for every public name."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "generate_api.py"


@pytest.fixture(scope="module")
def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_api", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: Any) -> None:
    assert generator.PAGE.read_text("utf-8") == generator.page(), "docs/api.md is stale: run `make docs`"


def test_every_public_name_has_a_docstring(generator: Any) -> None:
    assert generator.undocumented() == []


def test_every_name_in_all_exists(generator: Any) -> None:
    for name in generator.MODULES:
        module = importlib.import_module(name)
        assert [each for each in module.__all__ if not hasattr(module, each)] == []
        assert len(module.__all__) == len(set(module.__all__))


def test_the_order_of_hashes_does_not_show() -> None:
    code = f"import runpy; print(runpy.run_path({str(SCRIPT)!r})['page']())"
    pages = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(pages) == 1
