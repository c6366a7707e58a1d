"""What holds for every test: both event loops and proof that it is both, no silent skips, no secret told.

An async test is marked ``anyio`` (most simply ``pytestmark = pytest.mark.anyio`` for a file) and runs on asyncio and
on trio. ``@pytest.mark.asyncio_only("why")`` on top of it leaves trio out; ``@pytest.mark.trio`` alone is
pytest-trio's, for what makes sense on trio only.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import sniffio
from hypothesis import HealthCheck, settings

from tests.fixtures import canaries, second_chance

BACKENDS = ("asyncio", "trio")

# A skipped test in the gate is a check that nobody misses until it is needed.
SKIPS_FORBIDDEN = bool(os.environ.get("SANSIO_HTTP_CI"))

# Hundreds of thousands of calls, none of which takes a way that the other tests do not: they are not traced.
MANY_CALLS = {"laws", "load"}

# Hypothesis switches itself to fixed examples where it sees a CI; every run is to try new ones. No deadlines: the
# machine that runs the gate is shared. HYPOTHESIS_PROFILE=long gives any run a far longer search.
_ours: dict[str, Any] = {
    "deadline": None,
    "derandomize": False,
    "suppress_health_check": [HealthCheck.too_slow],
    "print_blob": True,
}
settings.register_profile("default", max_examples=25, stateful_step_count=30, **_ours)
settings.register_profile("long", max_examples=1000, stateful_step_count=60, **_ours)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(canaries)
    config.pluginmanager.register(second_chance)


# Both event loops


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of an async test, and of every async fixture it uses."""
    return request.param


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Leaves trio out where a test says why."""
    marker = metafunc.definition.get_closest_marker("asyncio_only")
    if marker is not None:
        if not marker.args:
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: asyncio_only wants a reason")
        # As a marker, for this is what a fixture's own parameters give way to.
        only = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True, scope="module")
        metafunc.definition.add_marker(only)


def backend_name(backend: Any) -> str:
    """The name alone: a file may have an anyio_backend of its own, with options, ``("trio", {"clock": ...})``."""
    return backend if isinstance(backend, str) else backend[0]


def _expected_library(request: pytest.FixtureRequest) -> str | None:
    """Where this test is said to run; None for one that is not async, or that nobody runs (pytest says so)."""
    item = request.node
    if not isinstance(item, pytest.Function):
        return None
    # hypothesis hides the coroutine function inside its own.
    function = item.obj.hypothesis.inner_test if hasattr(item.obj, "hypothesis") else item.obj
    if not inspect.iscoroutinefunction(function):
        return None
    # First what anyio was asked for: pytest-trio's trio_mode marks every async test with `trio`.
    if "anyio_backend" in item.fixturenames:
        return backend_name(request.getfixturevalue("anyio_backend"))
    return "trio" if item.get_closest_marker("trio") else None


@pytest.fixture(autouse=True)
def library_is_the_one_named(request: pytest.FixtureRequest) -> Iterator[None]:
    """Has an async test fail if it runs on another library than its parameter says.

    The test itself is wrapped: a fixture that asked sniffio would speak for the fixtures' loop only, and pytest-trio's
    trio_mode hijacks the tests.
    """
    expected = _expected_library(request)
    if expected is None:
        yield
        return

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            running = sniffio.current_async_library()
            assert running == expected, f"this case is said to run on {expected}, but runs on {running}"
            return await function(*args, **kwargs)

        return run

    test = request.node.obj
    if hasattr(test, "hypothesis"):
        # All cases of a test share this object, so it is put back.
        inner = test.hypothesis.inner_test
        test.hypothesis.inner_test = checked(inner)
        yield
        test.hypothesis.inner_test = inner
    else:
        request.node.obj = checked(test)
        yield


# What was collected


class Collected:
    """The async tests by name, each with the backends it has cases for: before -k and the like take any away."""

    def __init__(self) -> None:
        self.backends: defaultdict[str, set[str]] = defaultdict(set)
        self.exempt: set[str] = set()

    def add(self, item: pytest.Function) -> None:
        name = f"{item.path}::{item.originalname}"
        if item.get_closest_marker("trio") or item.get_closest_marker("asyncio_only"):
            self.exempt.add(name)
        elif "anyio_backend" in item.fixturenames:
            self.backends[name].add(backend_name(item.callspec.params["anyio_backend"]))


_COLLECTED = pytest.StashKey[Collected]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    collected = config.stash.setdefault(_COLLECTED, Collected())
    for item in items:
        if MANY_CALLS.intersection(item.path.parts):
            item.add_marker(pytest.mark.no_cover)
        if isinstance(item, pytest.Function):
            collected.add(item)


@pytest.fixture
def collected(request: pytest.FixtureRequest) -> Collected:
    """Which async tests this run collected, and for which backends."""
    return request.config.stash[_COLLECTED]


# No silent skips


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if SKIPS_FORBIDDEN and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where SANSIO_HTTP_CI forbids it: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
