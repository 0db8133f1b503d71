"""SQL beside the modules that use it: each statement below a line `-- name: its_name`."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["load_queries"]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(place: str) -> dict[str, str]:
    """Return the statements of `store/<place>.sql` by name."""
    text = files("raglive.store").joinpath(*f"{place}.sql".split("/")).read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
