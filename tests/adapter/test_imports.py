"""The adapter takes public names of the core only, and no name means two things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sansio_http
import sansio_http_anyio
from sansio_http import testing

ADAPTER = Path(__file__).resolve().parents[2] / "sansio_http_anyio"
PUBLIC = {"sansio_http": {*sansio_http.__all__, "testing"}, "sansio_http.testing": {*testing.__all__}}


def private_uses(source: str) -> Iterator[str]:
    """What the source takes from the core that is not public."""
    for node in ast.walk(ast.parse(source)):
        taken: list[str] = []
        match node:
            case ast.ImportFrom(module=str() as module, level=0) if module.partition(".")[0] == "sansio_http":
                taken = [f"{module}.{alias.name}" for alias in node.names]
            case ast.Import():
                names = [alias.name for alias in node.names]
                yield from (name for name in names if name.startswith("sansio_http.") and name not in PUBLIC)
            case ast.Attribute(value=ast.Name(id="sansio_http"), attr=name):
                taken = [f"sansio_http.{name}"]
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="sansio_http"), attr="testing"), attr=name):
                taken = [f"sansio_http.testing.{name}"]
            case _:
                pass
        for each in taken:
            module, _, name = each.rpartition(".")
            if name not in PUBLIC.get(module, ()):
                yield each


@pytest.mark.parametrize("file", sorted(ADAPTER.rglob("*.py")), ids=lambda file: str(file.relative_to(ADAPTER)))
def test_the_adapter_takes_public_names_only(file: Path) -> None:
    assert not list(private_uses(file.read_text("utf-8")))


@pytest.mark.parametrize(
    ("source", "private"),
    [
        ("from sansio_http.call import Call", ["sansio_http.call.Call"]),
        ("from sansio_http import _secret", ["sansio_http._secret"]),
        ("import sansio_http.call", ["sansio_http.call"]),
        ("import sansio_http\nx = sansio_http.call.Call", ["sansio_http.call"]),
        ("from sansio_http import __version__, testing", []),
        ("import sansio_http.testing", []),
        ("from sansio_http_anyio.client import anything", []),
    ],
)
def test_the_check_catches(source: str, private: list[str]) -> None:
    assert list(private_uses(source)) == private


def test_a_name_in_both_packages_is_one_object() -> None:
    both = {*sansio_http.__all__} & {*sansio_http_anyio.__all__}
    different = {name for name in both if getattr(sansio_http, name) is not getattr(sansio_http_anyio, name)}
    assert different == set()
