"""Fetch web pages with asyncio, a few at a time, count their words, and report each to raglive.

export REPORTER_TOKEN=$(raglive token --role producer --pipelines 'web-*')
python asynchronous.py URL...
"""

# ruff: noqa: D103, INP001 - a script

import asyncio
import os
import re
import sys

import httpx

from raglive_reporter import AsyncReporter


async def main(urls: list[str]) -> None:
    few = asyncio.Semaphore(4)
    async with (
        AsyncReporter(
            "web-pages",
            pipeline_type="web_crawler",
            url=os.environ.get("RAGLIVE_STATUS_URL", "http://127.0.0.1:8103"),
            token=os.environ["REPORTER_TOKEN"],
        ) as reporter,
        httpx.AsyncClient(follow_redirects=True, timeout=20) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for url in urls:
            tasks.create_task(fetch(reporter, client, few, url))


async def fetch(
    reporter: AsyncReporter, client: httpx.AsyncClient, few: asyncio.Semaphore, url: str
) -> None:
    async with few, reporter.file(url, url=url, on_error="continue") as page:
        answer = await client.get(url)
        answer.raise_for_status()
        words = re.findall(r"\w+", re.sub(r"<[^>]*>", " ", answer.text))
        page.progress(0.5, stage="chunking")
        await page.complete(chunks_created=1 + len(words) // 200)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
