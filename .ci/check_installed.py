"""Run with -I by the python of a fresh environment: both packages are there as installed, and complete."""

import importlib
import importlib.metadata
import sys
from importlib.resources import files
from pathlib import Path

source = Path(sys.argv[1])
for name in ("sansio_http", "sansio_http_anyio"):
    package = importlib.import_module(name)
    where = Path(str(package.__file__)).parent
    assert source not in where.parents, f"{name} comes from the source tree: {where}"
    assert files(name).joinpath("py.typed").is_file(), f"{name} has no py.typed"
    wanted = {path.relative_to(source / name) for path in (source / name).rglob("*.py")}
    missing = {path for path in wanted if not (where / path).is_file()}
    assert not missing, f"{name} lacks {sorted(map(str, missing))}"
    for public in package.__all__:
        assert hasattr(package, public), f"{name}.{public} is in __all__ and nowhere else"

version = importlib.metadata.version("sansio-http")
assert version == importlib.import_module("sansio_http").__version__, f"the wheel says {version}"
assert "trio" not in sys.modules, "trio is an extra: importing the packages must not need it"
print(f"sansio-http {version} imports from {where.parent}")
