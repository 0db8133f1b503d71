"""Write THIRD_PARTY_LICENSES: the licences of the npm packages that the built web app contains.

Python packages are installed next to raglive, each with its own licence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FILE", "bundled_packages"]

ROOT = Path(__file__).parents[1]
FILE = ROOT / "THIRD_PARTY_LICENSES"
WEB = ROOT / "web"
HEAD = """\
The web app of raglive (raglive/dashboard/app) contains code of these packages.
`make generate` writes this file.
"""


def bundled_packages() -> Iterator[tuple[str, str, str]]:
    """Yield name, version and licence of the packages that a build may take code from."""
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    for folder, package in lock["packages"].items():
        if folder and not {"dev", "optional", "devOptional"} & package.keys():
            name = folder.rpartition("node_modules/")[2]
            yield name, package["version"], package.get("license", "see below")


def main() -> None:
    """Write the file; packages must be installed in `web/node_modules`."""
    parts = [HEAD]
    for name, version, licence in bundled_packages():
        rule = "-" * 80
        parts.append(f"{rule}\n{name} {version} ({licence})\n{rule}\n\n{_text(name)}\n")
    FILE.write_text("\n".join(parts), "utf-8")


def _text(name: str) -> str:
    folder = WEB / "node_modules" / name
    for path in sorted(folder.iterdir()):
        if path.stem.lower() in {"license", "licence", "copying"} and path.is_file():
            lines = path.read_text("utf-8").strip().splitlines()
            return "\n".join(line.rstrip() for line in lines)
    return "Its package holds no copy of its licence."


if __name__ == "__main__":
    main()
