"""`python run_server.py FOLDER PASSWORD` serves until its standard input ends.

It writes one line of JSON when the server is ready.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from raglive.local_stack.embedded_postgres import EmbeddedPostgres


async def main(folder: Path, password: str) -> None:
    async with EmbeddedPostgres(folder, password=password) as postgres:
        sys.stdout.write(json.dumps({"dsn": postgres.dsn, "postmaster": postgres.pid}) + "\n")
        sys.stdout.flush()
        supervision = asyncio.create_task(postgres.supervise())
        await asyncio.to_thread(sys.stdin.read)
        await postgres.close()
        await supervision


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
