"""The core is pure, and each of the four nets that show it catches what is planted.

Net 1 (import-linter) and half of net 3 (ruff) run in ``make lint``; here they are tried on planted violations. Each net
misses something: import-linter knows root packages only and no imports inside the standard library; the isolated
interpreter sees what is really loaded, but not what a function imports later, nor what every interpreter has at its
start (``time``); the syntax trees see names, not what they are bound to; the audit hook sees what the tests reach.
"""

from __future__ import annotations

import ast
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "sansio_http"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

FORBIDDEN = frozenset(
    """
    asyncio socket ssl time threading select selectors subprocess logging random secrets queue sched tempfile concurrent
    email http.cookiejar urllib.request importlib.metadata importlib.resources statistics anyio trio sniffio httpcore
    pydantic sansio_http_anyio
    """.split()
)


def is_forbidden(module: str) -> bool:
    """Whether it is a forbidden module or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


def run(*command: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120, check=False)


# Net 2: what an isolated interpreter loads

ISOLATED = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    __import__(name)
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def modules_of(package: Path) -> list[str]:
    """Every module of the package, by its dotted name."""
    files = (file.relative_to(package.parent) for file in package.rglob("*.py"))
    return sorted(".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files)


def loaded_by(package: Path) -> set[str]:
    """What importing every module of the package loads, in an interpreter without site packages."""
    # The modules are listed here, not there: what pkgutil loads would count as loaded before, and be missed.
    done = run(sys.executable, "-I", "-S", "-c", ISOLATED, str(package.parent), *modules_of(package), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_core_loads_nothing_forbidden() -> None:
    loaded = loaded_by(CORE)
    assert set(modules_of(CORE)) <= loaded
    assert not {module for module in loaded if is_forbidden(module)}


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import http.client", "socket"),
        ("import http.cookiejar", "threading"),
        ("from importlib import metadata", "importlib.metadata"),
        ("__import__('asyncio')", "asyncio"),
    ],
)
def test_the_isolated_import_catches(tmp_path: Path, source: str, caught: str) -> None:
    package = tmp_path / "planted"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "deep" / "__init__.py").touch()
    (package / "deep" / "module.py").write_text(source)
    assert caught in {module for module in loaded_by(package) if is_forbidden(module)}


# Net 3: what the source says

IMPURE_CALLS = frozenset({"print", "input", "open", "breakpoint", "exec", "eval", "__import__", "import_module"})
IMPURE_NAMES = frozenset({"uuid1", "uuid4", "urandom", "getrandom", "utcnow"})
ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def name_of(node: ast.expr) -> str:
    """``c`` of ``a.b.c`` as of ``c``."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def impurities(source: str) -> Iterator[str]:
    """Each thing in the source that the core must not have."""
    for node in ast.walk(ast.parse(source)):
        found: list[str] = []
        match node:
            case ast.Import():
                found = [alias.name for alias in node.names if is_forbidden(alias.name)]
            case ast.ImportFrom(module=str() as module, level=0):
                names = [f"{module}.{alias.name}" for alias in node.names]
                found = [name for name in names if is_forbidden(name) or name.rpartition(".")[2] in IMPURE_NAMES]
            case ast.Call(func=called) if name_of(called) in IMPURE_CALLS:
                found = [f"{name_of(called)}()"]
            case ast.Attribute(attr="now" | "today", value=owner) if name_of(owner) in {"datetime", "date"}:
                found = [f"{name_of(owner)}.{node.attr}"]
            case ast.Attribute() | ast.Name() if name_of(node) in IMPURE_NAMES:
                found = [name_of(node)]
            case ast.comprehension(is_async=1):
                found = ["async"]
            case _ if isinstance(node, ASYNC_NODES):
                found = ["async"]
            case _:
                pass
        for each in found:
            yield f"{each} (line {getattr(node, 'lineno', '?')})"


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda file: str(file.relative_to(CORE)))
def test_the_source_of_the_core_is_pure(file: Path) -> None:
    assert not list(impurities(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "async def f(): pass",
        "def f():\n    return (x async for x in y)",
        "import time",
        "def f():\n    from time import monotonic",
        "import random as dice",
        "from urllib import request",
        "from importlib import metadata",
        "import sansio_http_anyio.client",
        "from uuid import uuid4",
        "import uuid\nkey = uuid.uuid4()",
        "import os\nkey = os.urandom(8)",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now",
        "print('hello')",
        "open('file')",
        "import builtins\nbuiltins.open('file')",
        "import importlib\nimportlib.import_module('time')",
    ],
)
def test_the_syntax_tree_check_catches(source: str) -> None:
    assert list(impurities(source))


@pytest.mark.parametrize(
    "source",
    [
        "from urllib.parse import urlsplit",
        "from .timeline import Timeline",
        "time = now + shift",
        "def f(now): return circuit.now(now)",
    ],
)
def test_the_syntax_tree_check_lets_pass(source: str) -> None:
    assert not list(impurities(source))


def test_ruff_bans_the_whole_list() -> None:
    banned = PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert set(banned) == FORBIDDEN | {"datetime.datetime.now", "uuid.uuid4"}


@pytest.mark.parametrize(
    ("file", "source", "caught"),
    [
        ("sansio_http/planted.py", "import time\n", True),
        ("sansio_http/retry/planted.py", "from http.cookiejar import CookieJar\n", True),
        ("sansio_http/planted.py", "import datetime\n\nx = datetime.datetime.now()\n", True),
        ("sansio_http/planted.py", "import json\n", False),
        ("sansio_http_anyio/planted.py", "import time\n", False),
    ],
)
def test_ruff_bans_it_in_the_core_and_only_there(file: str, source: str, caught: bool) -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--stdin-filename", file, "-"]
    done = run(*ruff, cwd=ROOT, stdin=source)
    assert ("TID251" in done.stdout) is caught, done.stdout + done.stderr


# Net 1: the contracts of import-linter


def contract(id: str) -> dict[str, Any]:
    (found,) = (each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["id"] == id)
    return found


def test_import_linter_forbids_every_root_package_of_the_list() -> None:
    assert set(contract("pure")["forbidden_modules"]) == {name for name in FORBIDDEN if "." not in name}


def broken_contracts(tmp_path: Path, files: dict[str, str]) -> set[str]:
    """The ids of the contracts of the real pyproject.toml that these files break."""
    for name, source in {"sansio_http/__init__.py": "", "sansio_http_anyio/__init__.py": "", **files}.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(source)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # The working directory comes first on sys.path, so the planted packages hide the real ones.
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", cwd=tmp_path)
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    lines = done.stdout.splitlines()
    return {each["id"] for each in contracts if any(each["name"] in line and "BROKEN" in line for line in lines)}


@pytest.mark.parametrize(
    ("broken", "file", "source"),
    [
        ("pure", "sansio_http/step.py", "def f():\n    import asyncio"),
        ("pure", "sansio_http/step.py", "import sansio_http_anyio"),
        ("layers", "sansio_http/models.py", "from . import call"),
        ("layers", "sansio_http/retry/__init__.py", "from ..auth import base"),
        ("layers", "sansio_http/nowhere.py", ""),
        ("front-door", "sansio_http_anyio/client.py", "from sansio_http.call import Call"),
        ("no-trio", "sansio_http_anyio/client.py", "import trio"),
    ],
)
def test_import_linter_catches(tmp_path: Path, broken: str, file: str, source: str) -> None:
    innocent = {f"sansio_http/{name}": "" for name in ("step.py", "call.py", "auth/__init__.py", "auth/base.py")}
    assert broken_contracts(tmp_path, {**innocent, file: source}) == {broken}


def test_import_linter_lets_pass(tmp_path: Path) -> None:
    files = {
        "sansio_http/models.py": "from . import step",
        "sansio_http/step.py": "from .models import Headers",
        "sansio_http/retry/__init__.py": "from ..models import Headers",
        "sansio_http/testing/__init__.py": "from ..retry import RetryPolicy",
        "sansio_http_anyio/client.py": "import anyio, sansio_http\nfrom sansio_http.testing import ManualClock",
    }
    assert broken_contracts(tmp_path, files) == set()


# Net 4: the audit hook of conftest.py, armed here like for every test of the core


def test_the_audit_hook_catches(no_sockets: Any) -> None:
    with pytest.raises(pytest.fail.Exception, match="socket"):
        socket.socket()
    with pytest.raises(pytest.fail.Exception, match=r"socket\.getaddrinfo"):
        socket.getaddrinfo("127.0.0.1", 80)
    assert no_sockets.seen == ["socket.__new__", "socket.getaddrinfo"]
    no_sockets.seen.clear()


def test_the_audit_hook_fails_a_test_that_swallows_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text("utf-8"))
    pytester.makepyfile(
        """
        import socket

        def test_swallows():
            try:
                socket.socket()
            except BaseException:
                pass

        def test_is_innocent():
            pass
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=2, errors=1)
