"""Write JSON Schemas, the fixtures that both languages are tested against, and TypedDicts.

`python -m tools.generate_contract` writes; with `--check` it fails when a file is not current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.contract_examples import examples
from tools.contract_schema import schema_documents
from tools.contract_typed_dicts import typed_dicts
from tools.contract_vectors import cursor_vectors, digest_vectors

__all__ = ["contract_files"]

ROOT = Path(__file__).parents[1]
SCHEMAS = Path("contract")
TYPED_DICTS = Path("packages/raglive-reporter/src/raglive_contract/wire.py")


def contract_files() -> dict[Path, str]:
    """Return the text of every generated file by its path in the repository."""
    fixtures = {
        "cursor": cursor_vectors(),
        "digest": digest_vectors(),
        "events": {"examples": examples()},
    }
    return {
        **{SCHEMAS / f"schema/{name}.json": _text(it) for name, it in schema_documents().items()},
        **{SCHEMAS / f"fixtures/{name}.json": _text(it) for name, it in fixtures.items()},
        TYPED_DICTS: typed_dicts(),
    }


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _differing(wanted: dict[Path, str]) -> list[Path]:
    present = {
        TYPED_DICTS,
        *(path.relative_to(ROOT) for path in (ROOT / SCHEMAS).rglob("*.json")),
    }
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
            names = ", ".join(str(path) for path in differing)
            sys.exit(f"Not what the models say: {names}. Run `make generate`.")
        return
    for path in differing:
        target = ROOT / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], "utf-8")
        else:
            target.unlink()
        print(path)


if __name__ == "__main__":
    main()
