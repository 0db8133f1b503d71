"""The page about the code names files, folders and layers that exist."""

from __future__ import annotations

import re
import tomllib

from tests.unit.docs.markdown import ROOT, blocks, code_spans

PAGE = ROOT / "docs" / "explanation" / "the-code.md"
BASES = (
    ROOT,
    ROOT / "src" / "raglive",
    ROOT / "packages" / "raglive-reporter" / "src",
    ROOT / "packages" / "fake-google-drive" / "src",
    ROOT / "web" / "src",
)
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|ts|tsx|sql|toml|mjs))|[\w.-]+(?:/[\w.-]+)+")


def test_every_path_on_the_page_exists() -> None:
    named = {span for span in code_spans(PAGE) if _PATH.fullmatch(span)}
    assert len(named) > 50, "the paths were not found"
    assert {path for path in named if not any((base / path).exists() for base in BASES)} == set()


def test_the_page_shows_the_layers_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    enforced = next(one["layers"] for one in contracts if one["type"] == "layers")
    shown = blocks(PAGE, "text")[0].splitlines()
    assert shown == [layer.replace("raglive.", "") for layer in enforced]


def test_the_page_names_every_package_of_the_product() -> None:
    packages = {folder.parent.name for folder in (ROOT / "src" / "raglive").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in PAGE.read_text("utf-8")} == set()
