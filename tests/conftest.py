"""Fixtures for every test: its own database; and the handling of skips and examples."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import hypothesis
import pytest

from raglive.store.index.vector_space import VectorSpace, choose_vector_space
from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.database_server import DatabaseServer, ask_for_template, at_database
from tests.http_clients import share_work_of_clients

pytest_plugins = ["tests.shares"]

VECTOR_SPACE = VectorSpace("builtin", "builtin", 256)

_SERVER = pytest.StashKey[DatabaseServer]()
_ADDRESS = pytest.StashKey[str]()
_numbers = itertools.count(1)

hypothesis.settings.register_profile(
    "raglive",
    deadline=None,
    print_blob=True,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("raglive")
share_work_of_clients()


class _Worker(Protocol):
    """A worker of pytest-xdist, as its hooks see it."""

    config: pytest.Config
    workerinput: dict[str, Any]


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        server = DatabaseServer()
        server.start()
        config.stash[_SERVER] = server
        config.stash[_ADDRESS] = server.address
    else:
        config.stash[_ADDRESS] = given["database_server"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _Worker) -> None:
    node.workerinput["database_server"] = node.config.stash[_ADDRESS]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run tests marked `long` first, so that the run does not wait for them at its end.

    pytest-xdist gives each of its workers an equal part of the list to begin with.
    """
    given: dict[str, Any] = getattr(config, "workerinput", {"workercount": 1})
    workers = int(given["workercount"])
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    size = -(-len(short) // workers)
    items[:] = [
        item
        for worker in range(workers)
        for item in [*long[worker::workers], *short[worker * size : (worker + 1) * size]]
    ]


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_SERVER, None)
    if server is not None:
        server.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `CI=true`, a skipped test fails unless it is marked `optional`."""
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and os.environ.get("CI") == "true"
        and item.get_closest_marker("optional") is None
    ):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI=true does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def template_dsn(request: pytest.FixtureRequest) -> str:
    """Address of a migrated template database, which tests copy."""
    return ask_for_template(request.config.stash[_ADDRESS])


@pytest.fixture(scope="session")
def server_dsn(template_dsn: str) -> str:
    """Address of the server's database `postgres`, to make and drop others from."""
    return at_database(template_dsn, "postgres")


@asynccontextmanager
async def _fresh_database(server_dsn: str, of: str = "") -> AsyncIterator[str]:
    name = f"raglive_test_{os.getpid()}_{next(_numbers)}"
    connection = await asyncpg.connect(server_dsn, timeout=10)
    try:
        await connection.execute(f"CREATE DATABASE {name} {of}")
        yield at_database(server_dsn, name)
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.close(timeout=5)


@pytest.fixture
async def dsn(
    request: pytest.FixtureRequest, template_dsn: str, server_dsn: str
) -> AsyncIterator[str]:
    """Address of this test's own migrated database.

    When the test is done, registry, index and log must agree in it, unless it is marked
    `disagrees` because it inserts inconsistent rows.
    """
    template = template_dsn.rpartition("/")[2]
    async with _fresh_database(server_dsn, f"TEMPLATE {template} STRATEGY file_copy") as dsn:
        yield dsn
        if request.node.get_closest_marker("disagrees") is None:
            await _expect_agreement(dsn)


async def _expect_agreement(dsn: str) -> None:
    database = await Database.connect(dsn, name="verify", max_size=1)
    try:
        assert await find_disagreements(database) == []
    finally:
        await database.close()


@pytest.fixture
async def empty_dsn(server_dsn: str) -> AsyncIterator[str]:
    """Address of this test's own database, without raglive's schema."""
    async with _fresh_database(server_dsn) as dsn:
        yield dsn


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A pool on this test's database."""
    database = await Database.connect(dsn, name="test")
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def pipeline(database: Database) -> PipelineRecord:
    """The registered pipeline of local files, its vector space chosen."""
    await choose_vector_space(database, VECTOR_SPACE)
    return await PipelineRecord.register(database, "local-files-pipeline", "local_files")
