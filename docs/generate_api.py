"""Writes docs/api.md from the public names and their docstrings: ``make docs``. ``--check`` only says if it is stale.

The page is the same on every Python: annotations are taken as the source has them where it keeps them as text, defaults
are shown by rules of our own, and nothing is in the order of a hash.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic

HERE = Path(__file__).resolve().parent
PAGE = HERE / "api.md"
MODULES = ("sansio_http", "sansio_http.testing", "sansio_http_anyio")
OURS = ("sansio_http", "sansio_http_anyio")
HEAD = """# API

Every public name, from the docstrings; written by `make docs`, so change it there."""


def is_ours(obj: object) -> bool:
    return str(getattr(obj, "__module__", "")).partition(".")[0] in OURS


# Docstrings


def docstring(obj: Any) -> str:
    """The text that somebody wrote for a class or function, or that it inherits; not one that Python made up."""
    text = obj.__dict__.get("__doc__") if isinstance(obj, type) else inspect.getdoc(obj)
    # dataclass and NamedTuple write the signature where there is no text.
    if not text or (isinstance(obj, type) and text.startswith(f"{obj.__name__}(")):
        return ""
    return inspect.cleandoc(text)


@functools.cache
def data_docstrings(package: str) -> dict[str, str]:
    """The string below each assignment at the top of the package's modules, by the assigned name."""
    root = importlib.import_module(package).__file__
    assert root is not None
    found: dict[str, str] = {}
    for file in sorted(Path(root).parent.rglob("*.py")):
        body = ast.parse(file.read_text("utf-8")).body
        for node, following in itertools.pairwise(body):
            match node, following:
                case (
                    ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    found[name] = inspect.cleandoc(text)
                case _:
                    pass
    return found


# Signatures


def shown_type(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)  # NamedTuple wraps what is text already
    return text if isinstance(text, str) else inspect.formatannotation(text).replace("typing.", "")


def shown_value(value: Any) -> str:
    """A default as a reader would write it, without addresses and without the order of a set."""
    match value:
        case enum.Enum():
            return f"{type(value).__name__}.{value.name}"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(shown_value, value)))}}}"
        case tuple():
            return f"({', '.join(map(shown_value, value))}{',' * (len(value) == 1)})"
        case None | bool() | int() | float() | str() | bytes() | list() | dict():
            return repr(value)
        case _ if hasattr(value, "__qualname__"):
            module = getattr(value, "__module__", None)
            return (
                value.__qualname__ if module in (None, "builtins") or is_ours(value) else f"{module}.{value.__name__}"
            )
        case _ if value is ... or repr(value) == "<factory>":  # a dataclass's default_factory
            return "..."
        case _:
            return f"{type(value).__name__}()"


def shown_parameters(parameters: list[inspect.Parameter], returns: Any = inspect.Signature.empty) -> str:
    shown: list[str] = []
    kinds = [parameter.kind for parameter in parameters]
    for index, parameter in enumerate(parameters):
        kind = parameter.kind
        if kind is parameter.KEYWORD_ONLY and not any(k in (k.VAR_POSITIONAL, k.KEYWORD_ONLY) for k in kinds[:index]):
            shown.append("*")
        stars = "*" * (kind is parameter.VAR_POSITIONAL) + "**" * (kind is parameter.VAR_KEYWORD)
        text = stars + parameter.name
        typed = parameter.annotation is not parameter.empty
        if typed:
            text += f": {shown_type(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += (" = " if typed else "=") + shown_value(parameter.default)
        shown.append(text)
        if kind is parameter.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [kind]:
            shown.append("/")
    arrow = "" if returns is inspect.Signature.empty else f" -> {shown_type(returns)}"
    return f"({', '.join(shown)}){arrow}"


def model_parameters(cls: Any) -> list[inspect.Parameter]:
    """The fields of a pydantic model, as its constructor takes them."""
    annotations: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations.update(inspect.get_annotations(base))
    found: list[inspect.Parameter] = []
    for name, field in cls.model_fields.items():
        default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
        kind = inspect.Parameter.KEYWORD_ONLY
        found.append(inspect.Parameter(name, kind, default=default, annotation=annotations[name]))
    return found


def signature(obj: Any, *, bound: bool = False) -> str:
    """Its parameters; "" for a class that is not made by calling it, or that leaves this to a base of Python's."""
    if isinstance(obj, type):
        if hasattr(obj, "model_fields"):
            return shown_parameters(model_parameters(obj))
        maker = obj.__new__ if issubclass(obj, tuple) else obj.__init__
        # Most errors are made like their base, which is told there.
        makers = [obj] if issubclass(obj, BaseException) else obj.__mro__
        mine = issubclass(obj, tuple) or any("__init__" in base.__dict__ and is_ours(base) for base in makers)
        if issubclass(obj, enum.Enum) or not mine or getattr(obj, "_is_protocol", False):
            return ""
        found, bound = inspect.signature(maker), True
        found = found.replace(return_annotation=inspect.Signature.empty)
    else:
        found = inspect.signature(obj)
    parameters = list(found.parameters.values())
    return shown_parameters(parameters[1:] if bound else parameters, found.return_annotation)


# The page


def markdown(text: str) -> str:
    """A docstring as Markdown: roles and double backticks become code, the entries of a section become a list."""
    text = re.sub(r":[a-z]+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    lines: list[str] = []
    section = False
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            section = True
            lines += [f"*{line}*", ""]
        elif section and line.startswith("    "):
            entry = re.fullmatch(r"    ([\w.*]+(?:, [\w.*]+)*): (.*)", line)
            lines.append(f"- `{entry[1]}`: {entry[2]}" if entry else f"  {line.strip()}")
        else:
            section = section and not line
            lines.append(line)
    return "\n".join(lines)


def members(cls: type) -> Iterator[tuple[str, str, str]]:
    """Name, signature and docstring of what is public in the class itself and in bases of ours that are not."""
    seen: set[str] = set()
    told = {name for module in MODULES for name in importlib.import_module(module).__all__}
    for base in cls.__mro__:
        if not is_ours(base) or (base is not cls and base.__name__ in told):
            continue
        for name, raw in base.__dict__.items():
            if name.startswith(("_", "model_")) or name in seen:
                continue
            seen.add(name)
            value = getattr(cls, name)
            match raw:
                case property() | functools.cached_property():
                    getter = raw.fget if isinstance(raw, property) else raw.func
                    annotation = getattr(getter, "__annotations__", {}).get("return", "Any")
                    yield name, f"{name}: {shown_type(annotation)}", docstring(raw)
                case staticmethod() | classmethod():
                    yield name, f"{type(raw).__name__} {name}{signature(value)}", docstring(value)
                case _ if inspect.isfunction(raw):
                    prefix = "async " if inspect.iscoroutinefunction(raw) else ""
                    yield name, f"{prefix}{name}{signature(raw, bound=True)}", docstring(value)
                case _:
                    pass  # fields and slots are the class docstring's


def public(module: str) -> Iterator[tuple[str, Any]]:
    """The names of the module's ``__all__`` that are not the core's, which are told about once."""
    namespace = importlib.import_module(module)
    told = set() if module == MODULES[0] else {*importlib.import_module(MODULES[0]).__all__}
    for name in sorted({*namespace.__all__} - told - {"__version__"}, key=lambda name: (name.lower(), name)):
        yield name, getattr(namespace, name)


def is_alias(name: str, obj: Any) -> bool:
    """Whether it is a class or function under a second name; ``Literal[...]`` has a ``__name__`` too, and is data."""
    return (isinstance(obj, type) or inspect.isroutine(obj)) and obj.__name__ != name


def own_text(module: str, name: str, obj: Any) -> str:
    """What is written about a public name, "" for nothing."""
    if isinstance(obj, type) or inspect.isroutine(obj):
        if is_alias(name, obj):
            return f"Another name of `{obj.__name__}`."
        return docstring(obj) if is_ours(obj) else f"`{obj.__module__}.{obj.__qualname__}`, as it is."
    return data_docstrings(module.partition(".")[0]).get(name, "")


def undocumented() -> list[str]:
    """Public names, and public members of public classes, without a docstring."""
    found: list[str] = []
    for module in MODULES:
        for name, obj in public(module):
            if not own_text(module, name, obj):
                found.append(f"{module}.{name}")
            if isinstance(obj, type) and is_ours(obj):
                found += [f"{module}.{name}.{member}" for member, _, text in members(obj) if not text]
    return found


def paragraphs(module: str, name: str, obj: Any) -> Iterator[str]:
    """All there is to say about one public name."""
    yield f"### {name}"
    if is_alias(name, obj):
        yield own_text(module, name, obj)
        return
    if isinstance(obj, type) and is_ours(obj):
        yield f"```python\nclass {name}{signature(obj)}\n```"
        bases = [base.__name__ for base in obj.__bases__ if base not in (object, Generic)]
        if bases:
            yield f"Bases: {', '.join(f'`{base}`' for base in bases)}."
        if issubclass(obj, enum.Enum):
            yield f"Members: {', '.join(f'`{member.name}`' for member in obj)}."
    elif inspect.isroutine(obj) and is_ours(obj):
        prefix = "async " if inspect.iscoroutinefunction(obj) else ""
        yield f"```python\n{prefix}def {name}{signature(obj)}\n```"
    yield markdown(own_text(module, name, obj))
    if isinstance(obj, type) and is_ours(obj):
        described = [(key, field.description) for key, field in getattr(obj, "model_fields", {}).items()]
        yield "\n".join(f"- `{key}`: {text}" for key, text in described if text)
        for member, shown, text in members(obj):
            yield f"#### {name}.{member}"
            yield f"```python\n{shown}\n```"
            yield markdown(text)


def page() -> str:
    """The text of docs/api.md."""
    parts = [HEAD]
    for module in MODULES:
        namespace = importlib.import_module(module)
        parts += [f"## {module}", markdown(inspect.cleandoc(namespace.__doc__ or ""))]
        told = {name for name, _ in public(module)}
        again = sorted({*namespace.__all__} - told - {"__version__"})
        if again:
            parts.append(f"Also here, and the same as in `{MODULES[0]}`: {', '.join(f'`{name}`' for name in again)}.")
        for name, obj in public(module):
            parts += paragraphs(module, name, obj)
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> int:
    new = page()
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(new, "utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text("utf-8") != new:
        print("docs/api.md is stale: run `make docs`", file=sys.stderr)
        return 1
    print("docs/api.md is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
