"""The bar: what it shows, and what it says where it cannot."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from sansio_http_anyio import AsyncHTTPClient, ConfigurationError, ProgressBar
from tests.fixtures.mock_server import MockServer, Reply


@pytest.mark.anyio
async def test_bars_of_a_download_and_an_upload(server: MockServer, tmp_path: Path) -> None:
    server.on("GET /file", Reply(body=bytes(200_000)))
    server.on("PUT /file", Reply(204))
    output = io.StringIO()
    rows = Progress(console=Console(file=output, width=100), auto_refresh=False)
    async with AsyncHTTPClient(server.url) as client:
        with rows, ProgressBar("down", progress=rows) as down, ProgressBar("up", progress=rows) as up:
            await client.download("/file", tmp_path / "file", progress=down)
            await client.upload("/file", tmp_path / "file", progress=up)
    assert [(task.description, task.completed, task.total) for task in rows.tasks] == [
        ("down", 200_000, 200_000),
        ("up", 200_000, 200_000),
    ]
    assert rows.finished and "down" in output.getvalue()


def test_one_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("big.iso")
    with bar:
        bar(0, None)
        bar(500_000, 1_000_000)
        bar(1_000_000, 1_000_000)
    assert "big.iso" in (shown := capsys.readouterr().out) and "1.0/1.0 MB" in shown
    with pytest.raises(ZeroDivisionError), bar:
        raise ZeroDivisionError
    with pytest.raises(ConfigurationError, match="within its `with` block"):
        bar(1, 2)


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sansio-http\[progress\]'"):
        ProgressBar()


def test_rich_is_loaded_by_a_bar_only() -> None:
    code = "import sys, sansio_http_anyio; assert not {'rich', 'tqdm'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
