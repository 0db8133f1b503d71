"""Refuses to build a wheel or an sdist without the web app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["WebAppHook"]

WEB_APP = "src/raglive/dashboard/app/index.html"


class WebAppHook(BuildHookInterface[Any]):
    """Checks that `make setup` has built the web app. Editable installs need none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Raise `SystemExit` if the web app is missing."""
        if version != "editable" and not Path(self.root, WEB_APP).is_file():
            raise SystemExit(f"raglive: {WEB_APP} is missing. Run `make setup`, which builds it.")
