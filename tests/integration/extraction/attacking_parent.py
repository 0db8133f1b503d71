"""A pool whose children are hostile, in a process of an ordinary user.

Standard input is JSON: `{"folder": ..., "attacks": {name: [arguments]}}`. `PARENT` stands for the
id of this process. Standard output is JSON: `{"sandbox": ..., "results": {name: outcome}}`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from raglive.extraction import child_process
from raglive.extraction.pool import ExtractorPool
from raglive_contract.errors import RagliveError


async def main() -> None:
    given = orjson.loads(sys.stdin.buffer.read())
    child_process._MODULE = "tests.integration.extraction.hostile_child"
    async with ExtractorPool(1) as pool:
        results = {
            name: await outcome(pool, Path(given["folder"]), name, arguments)
            for name, arguments in given["attacks"].items()
        }
    sys.stdout.buffer.write(orjson.dumps({"sandbox": pool.sandbox(), "results": results}))


async def outcome(pool: ExtractorPool, folder: Path, name: str, arguments: list[Any]) -> str:
    pid = os.getpid()
    filled = [
        argument.replace("PARENT", str(pid)) if isinstance(argument, str) else argument
        for argument in arguments
    ]
    filled = [pid if argument == str(pid) else argument for argument in filled]
    document = folder / "document.json"
    document.write_bytes(orjson.dumps([name.partition(":")[0], *filled]))
    try:
        return (await pool.extract(document)).text
    except RagliveError as error:
        return f"{error.code}: {error.message}"


asyncio.run(main())
