"""Write contract/: the JSON Schemas, and the fixtures that both languages are tested against.

`python -m tools.generate_contract` writes; with `--check` it fails when a file is not current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.contract_examples import examples
from tools.contract_schema import schema_documents
from tools.contract_vectors import cursor_vectors, digest_vectors

__all__ = ["contract_files"]

ROOT = Path(__file__).parents[1] / "contract"


def contract_files() -> dict[Path, str]:
    """Return the text of every file below contract/ by its path there."""
    fixtures = {
        "cursor": cursor_vectors(),
        "digest": digest_vectors(),
        "events": {"examples": examples()},
    }
    return {
        **{Path(f"schema/{name}.json"): _text(it) for name, it in schema_documents().items()},
        **{Path(f"fixtures/{name}.json"): _text(it) for name, it in fixtures.items()},
    }


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _differing(wanted: dict[Path, str]) -> list[Path]:
    present = {path.relative_to(ROOT) for path in ROOT.rglob("*.json")}
    return sorted(
        path
        for path in present | wanted.keys()
        if path not in present or wanted.get(path) != (ROOT / path).read_text("utf-8")
    )


def main() -> None:
    """Write the files that differ; with `--check`, name them and fail."""
    wanted = contract_files()
    differing = _differing(wanted)
    if sys.argv[1:] == ["--check"]:
        if differing:
            names = ", ".join(f"contract/{path}" for path in differing)
            sys.exit(f"Not what the models say: {names}. Run `make generate`.")
        return
    for path in differing:
        target = ROOT / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], "utf-8")
        else:
            target.unlink()
        print(f"contract/{path}")


if __name__ == "__main__":
    main()
