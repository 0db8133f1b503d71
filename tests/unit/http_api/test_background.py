"""A server does not outlive a loop that it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from raglive.http_api.background import running


async def fails() -> None:
    raise ValueError("It was not expected.")


async def returns() -> None:
    return


async def lasts() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("loop", [fails, returns])
def test_a_loop_that_ends_ends_the_process(loop: Callable[[], Awaitable[None]]) -> None:
    async def serve() -> None:
        async with running(ending=loop(), lasting=lasts()):  # type: ignore[arg-type]
            await asyncio.Event().wait()

    with pytest.raises(SystemExit) as ended:
        asyncio.run(serve())
    assert ended.value.code == 1


async def test_loops_are_cancelled_at_the_end() -> None:
    async with running(lasting=lasts()):
        await asyncio.sleep(0)
    assert all(task.get_name() != "lasting" for task in asyncio.all_tasks())
