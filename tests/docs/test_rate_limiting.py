"""The page on rate limiting: its programs run, and its defaults are the code's."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sansio_http_anyio
from sansio_http import AIMD, AdaptiveRate, Gradient2, Keyed, Limiter, ServerQuota, Vegas
from sansio_http_anyio import ClientThrottle
from tests.fixtures.mock_server import MockServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/rate-limiting.md").read_text("utf-8")
PROGRAMS = re.findall(r"<!-- run -->\n```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    ("program", "says"),
    list(zip(PROGRAMS, [r"(200\n){2}", r"(waited \d.\d\d s\n){3}limit 20\nwaited 0.00 s\n"], strict=True)),
)
def test_its_programs_run(program: str, says: str) -> None:
    with MockServer() as server:
        here = re.sub(r"https://api\.example\.com", server.url, program)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", here], capture_output=True, text=True, timeout=300, cwd=ROOT
        )
    assert done.stderr == "" and done.returncode == 0
    assert re.fullmatch(says, done.stdout)


def default(made: type, name: str) -> object:
    return inspect.signature(made).parameters[name].default


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("`max_keys` (10,000)", default(Keyed, "max_keys") == 10_000),
        ("`longest=3600`", default(ServerQuota, "longest") == 3600),
        ("`timeout=5`, 20 to 200", (AIMD().timeout, AIMD().min_limit, AIMD().max_limit) == (5, 20, 200)),
        ("0.9 * limit", AIMD().backoff == 0.9),
        ("1.5 * usual / rtt", Gradient2().tolerance == 1.5),
        ("gradient * limit + 4", Gradient2().queue == 4),
        ("0.8 * limit + 0.2", Gradient2().smoothing == 0.2),
        ("1 to 1,000, from 20", (Vegas().min_limit, Vegas().max_limit, Vegas().limit) == (1, 1000, 20)),
        ("`0.7 * w_max`", AdaptiveRate().cubic.beta == 0.7),
        ("`0.4 * (t - K)^3 + w_max`", AdaptiveRate().cubic.scale == 0.4),
        ("`min_rate=0.5`", AdaptiveRate().min_rate == 0.5),
        ("`window=120` seconds", ClientThrottle().window == 120),
        ("With `k=2`", ClientThrottle().k == 2),
        ("`padding=1` keeps", ClientThrottle().padding == 1),
    ],
)
def test_the_defaults_are_the_codes(said: str, value: bool) -> None:
    assert said in PAGE and value


def test_every_limiter_is_on_it() -> None:
    public = [getattr(sansio_http_anyio, name) for name in sansio_http_anyio.__all__ if name != "Settings"]
    limiters = [each for each in public if isinstance(each, type) and issubclass(each, Limiter) and each is not Limiter]
    assert len(limiters) > 15
    assert not [each.__name__ for each in limiters if each.__name__.removesuffix("RateLimiter") not in PAGE]
