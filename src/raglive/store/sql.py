"""SQL in files: each module's statements stand in the `.sql` file next to it, named like it."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["load_queries"]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(module: str) -> dict[str, str]:
    """Return the statements of a module by name; call it with `__name__`.

    A statement begins below a line `-- name: its_name`. Raises `FileNotFoundError` for a module
    without a `.sql` file.
    """
    package, _, stem = module.rpartition(".")
    text = files(package).joinpath(f"{stem}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
