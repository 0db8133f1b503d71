"""A provider of embeddings that costs little: prepared vectors, served by a process of its own.

It prints its address. For each line on its standard input it prints how many texts it has received,
and how many of them more than once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from hashlib import sha256

import numpy as np
import orjson
from aiohttp import web

from tests.integration.ingest.providing import serving

NUMBERS_PER_PIECE = 48
PIECES = 256


class Provider:
    """Answers as OpenAI does; the same text always gets the same vector."""

    def __init__(self, dimensions: int) -> None:
        made = np.random.default_rng(7).standard_normal((PIECES, NUMBERS_PER_PIECE))
        self._pieces = [orjson.dumps(piece.round(5).tolist())[1:-1] for piece in made]
        self._count = dimensions // NUMBERS_PER_PIECE
        self._seen: set[bytes] = set()
        self.texts = 0

    @property
    def repeated(self) -> int:
        """The number of texts that were received before."""
        return self.texts - len(self._seen)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/embeddings`."""
        texts = orjson.loads(await request.read())["input"]
        hashes = [sha256(text.encode()).digest() for text in texts]
        self.texts += len(texts)
        self._seen.update(hashes)
        items = (
            b'{"index":%d,"embedding":[%s]}' % one for one in enumerate(map(self._made, hashes))
        )
        usage = b'{"total_tokens":%d}' % sum(len(text) // 4 for text in texts)
        body = b'{"data":[%s],"usage":%s}' % (b",".join(items), usage)
        return web.Response(body=body, content_type="application/json")

    def _made(self, content_hash: bytes) -> bytes:
        return b",".join(self._pieces[content_hash[n % 32]] for n in range(self._count))


async def main(dimensions: int) -> None:
    """Serve until standard input ends."""
    provider = Provider(dimensions)
    async with serving(provider.handle) as address:
        print(address, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"texts": provider.texts, "repeated": provider.repeated}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
