"""Batches of events, sent one after the other over kept-alive connections, with little CPU time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from uuid6 import uuid7

from raglive_contract.model import rfc3339

__all__ = ["Publisher", "batches", "publish_for"]

TYPE = "local_files"


@dataclass(frozen=True, slots=True)
class Publisher:
    """A producer with its own connection, and its batches; each batch is sent once."""

    token: str
    bodies: Iterator[bytes]


def batches(pipeline_id: str, events: int, *, prefix: str, whole_files: bool) -> Iterator[bytes]:
    """Yield bodies of `events` events; each file occurs once, and its name begins with `prefix`.

    With `whole_files`, each file has two events, its start and its end; otherwise only its end.
    """
    number = 0
    while True:
        made: list[dict[str, Any]] = []
        while len(made) < events:
            number += 1
            made += _events(pipeline_id, f"{prefix}/{number}", whole_files=whole_files)
        yield orjson.dumps({"events": made})


async def publish_for(port: int, publishers: Sequence[Publisher], seconds: float) -> int:
    """Return the number of accepted batches; raise ValueError for any status but 200."""
    until = time.perf_counter() + seconds
    done = await asyncio.gather(*(_publish(port, one, until) for one in publishers))
    return sum(done)


async def _publish(port: int, publisher: Publisher, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {publisher.token}\r\nContent-Type: application/json\r\n"
    )
    done = 0
    try:
        for body in publisher.bodies:
            if time.perf_counter() >= until:
                break
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await _accepted(reader)
            done += 1
    finally:
        writer.close()
    return done


async def _accepted(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(length)
    if " 200 " not in head.partition("\r\n")[0]:
        raise ValueError(f"an answer was {body[:300].decode()}")


def _events(pipeline_id: str, name: str, *, whole_files: bool) -> list[dict[str, Any]]:
    now = rfc3339(datetime.now(UTC))
    common = {"pipeline_id": pipeline_id, "pipeline_type": TYPE, "attempt": 1}
    file = {"id": f"id:{name}", "name": f"{name}.pdf", "size": 12_000}
    begin = {"type": "file:processing", "processing_stage": "extraction"}
    end = {
        "type": "file:completed",
        "success": True,
        "results": {
            "chunks_created": 12,
            "embeddings_generated": 12,
            "processing_duration": 0.4,
            "content_length": 12_000,
        },
    }
    begun = common | begin | {"id": str(uuid7()), "file": file | {"started_at": now}}
    ended = common | end | {"id": str(uuid7()), "file": file | {"completed_at": now}}
    return [begun, ended] if whole_files else [ended]
