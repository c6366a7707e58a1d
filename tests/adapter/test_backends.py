"""Proof that the adapter's tests run on both event loops, and not twice on one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sniffio

HERE = Path(__file__).parent
CONFTEST = HERE.parent / "conftest.py"
BOTH = {"asyncio", "trio"}


@pytest.mark.anyio
async def test_the_library_is_the_one_named(anyio_backend: str) -> None:
    assert sniffio.current_async_library() == anyio_backend


@pytest.mark.anyio
@pytest.mark.asyncio_only("shows that the marker leaves trio out")
async def test_asyncio_only() -> None:
    assert sniffio.current_async_library() == "asyncio"


@pytest.mark.trio
async def test_trio_only() -> None:
    assert sniffio.current_async_library() == "trio"


def test_every_async_test_of_the_adapter_exists_for_both_backends(collected: Any) -> None:
    ours = {name: backends for name, backends in collected.backends.items() if name.startswith(f"{HERE}/")}
    assert ours[f"{__file__}::test_the_library_is_the_one_named"] == BOTH
    assert collected.exempt >= {f"{__file__}::test_asyncio_only", f"{__file__}::test_trio_only"}
    assert {name: backends for name, backends in ours.items() if backends != BOTH} == {}


def test_trio_mode_is_off(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("trio_mode") is False


ASYNC_TESTS = """
    import pytest
    from hypothesis import given, strategies

    @pytest.mark.anyio
    async def test_plain():
        pass

    @pytest.mark.anyio
    @given(x=strategies.integers())
    async def test_property(x):
        pass
    """


@pytest.mark.parametrize(("trio_mode", "failed"), [("false", 0), ("true", 2)])
def test_an_asyncio_case_that_runs_on_trio_fails(pytester: pytest.Pytester, trio_mode: str, failed: int) -> None:
    pytester.makeconftest(CONFTEST.read_text("utf-8"))
    pytester.makeini(f"[pytest]\ntrio_mode = {trio_mode}\nmarkers = asyncio_only")
    pytester.makepyfile(ASYNC_TESTS)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=4 - failed, failed=failed)
    if failed:
        done.stdout.fnmatch_lines(["*said to run on asyncio, but runs on trio*"])


@pytest.mark.parametrize("forbidden", [True, False])
def test_a_skip_fails_where_skips_are_forbidden(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, forbidden: bool
) -> None:
    monkeypatch.setenv("SANSIO_HTTP_CI", "1" if forbidden else "")
    pytester.makeconftest(CONFTEST.read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers = asyncio_only")
    pytester.makepyfile(
        test_one="""
        import pytest

        def test_skipped():
            pytest.skip("no server")

        @pytest.mark.xfail(strict=True)
        def test_known():
            assert False
        """,
        test_two="import pytest\npytest.importorskip('no_such_module')",
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--continue-on-collection-errors")
    done.assert_outcomes(xfailed=1, failed=int(forbidden), errors=int(forbidden), skipped=0 if forbidden else 2)
