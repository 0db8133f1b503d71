"""Finds the uses of private parts of the server libraries in our modules, from the source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["LIBRARIES", "ROOT", "SOURCES", "TRANSPORT", "Use", "module_name", "private_uses"]

LIBRARIES = ("uvicorn", "engineio", "socketio")
PUBLIC_MODULES = {*LIBRARIES, "socketio.exceptions", "engineio.exceptions"}
REFLECTION = {"getattr", "setattr", "hasattr", "delattr"}
ROOT = Path(__file__).parents[2]
TRANSPORT = ROOT / "src" / "raglive" / "status_server" / "transport"
SOURCES = sorted(
    path for folder in (ROOT / "src", *ROOT.glob("packages/*/src")) for path in folder.rglob("*.py")
)


@dataclass(frozen=True)
class Use:
    """A private name or module of a library, as it is used in one line of a module."""

    name: str
    line: int
    how: str


def private_uses(source: str, module: str | None = None) -> list[Use]:
    """List the uses in a module's source.

    With `module`, which must be importable, its classes that extend a library's are compared with
    the classes that they extend.
    """
    tree = ast.parse(source)
    found = [use for node in ast.walk(tree) for use in _uses_of_node(node)]
    if module is not None:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found += _uses_of_class(node, module)
    return sorted(found, key=lambda use: use.line)


def module_name(path: Path) -> str:
    """Return the name by which a source file is imported."""
    parts = path.with_suffix("").parts
    name = ".".join(parts[parts.index("src") + 1 :])
    return name.removesuffix(".__init__")


def _uses_of_node(node: ast.AST) -> Iterator[Use]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield from _uses_of_import(alias.name, [], node.lineno)
        case ast.ImportFrom(module=str(module), names=names):
            yield from _uses_of_import(module, [alias.name for alias in names], node.lineno)
        case ast.Attribute(value=value, attr=attr) if not _is_self(value):
            if attr == "__self__" or attr in _all_private_names():
                yield Use(attr, node.lineno, f"accesses {ast.unparse(node)}")
        case ast.Call(func=ast.Name(id=called), args=[_, ast.Constant(value=str(attr)), *_]):
            if called in REFLECTION and (attr == "__self__" or attr in _all_private_names()):
                yield Use(attr, node.lineno, f"calls {ast.unparse(node)}")


def _uses_of_import(module: str, names: list[str], line: int) -> Iterator[Use]:
    if module.partition(".")[0] not in LIBRARIES:
        return
    if module not in PUBLIC_MODULES:
        yield Use(module, line, f"imports the module {module}")
    for name in names:
        inner = f"{module}.{name}"
        if name.startswith("_"):
            yield Use(inner, line, f"imports the private name {inner}")
        elif inner not in PUBLIC_MODULES and module in LIBRARIES and _is_module(inner):
            yield Use(inner, line, f"imports the module {inner}")


def _uses_of_class(node: ast.ClassDef, module: str) -> Iterator[Use]:
    defined = getattr(importlib.import_module(module), node.name, None)
    if not inspect.isclass(defined):
        return
    bases = [it for it in defined.__mro__[1:] if it.__module__.partition(".")[0] in LIBRARIES]
    theirs = {name for base in bases for name in _private_names(inspect.getsource(base))}
    for inner in ast.walk(node):
        match inner:
            case ast.Attribute(value=value, attr=attr) if _is_self(value) and attr in theirs:
                yield Use(attr, inner.lineno, f"{node.name} uses self.{attr} of its base class")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name in theirs:
                yield Use(name, inner.lineno, f"{node.name} overrides {name}")


def _is_self(value: ast.expr) -> bool:
    is_super = isinstance(value, ast.Call) and ast.unparse(value.func) == "super"
    return is_super or (isinstance(value, ast.Name) and value.id in {"self", "cls"})


@cache
def _all_private_names() -> frozenset[str]:
    names: set[str] = set()
    for library in LIBRARIES:
        package = Path(str(importlib.import_module(library).__file__)).parent
        for path in package.rglob("*.py"):
            names |= _private_names(path.read_text("utf-8"))
    return frozenset(names)


def _private_names(source: str) -> set[str]:
    """Find the private names that a source defines, as functions, classes or attributes."""
    names = set()
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@cache
def _is_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
