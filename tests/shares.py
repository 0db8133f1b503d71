"""Which shares of crash injection, chaos, histories and generated requests a run takes.

A test that is marked `drawn(COUNT)` runs with COUNT of its parameters. A seed draws them; the
header of the run shows it, and `--seed` repeats the draw. `--all-shares` runs them all.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, Protocol

import pytest

_SEED = pytest.StashKey[int]()


class _Worker(Protocol):
    """A worker of pytest-xdist, as its hooks see it."""

    config: pytest.Config
    workerinput: dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-shares",
        action="store_true",
        help="run every share of crash injection, chaos, histories and generated requests",
    )
    parser.addoption(
        "--seed",
        type=int,
        default=None,
        help="draw the shares that the header of an earlier run shows",
    )


def pytest_configure(config: pytest.Config) -> None:
    of_controller: dict[str, Any] | None = getattr(config, "workerinput", None)
    if of_controller is None:
        given: int | None = config.option.seed
        config.stash[_SEED] = random.randrange(10**6) if given is None else given
    else:  # every worker must draw the same
        config.stash[_SEED] = of_controller["seed"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _Worker) -> None:
    node.workerinput["seed"] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    shares = "all shares" if config.option.all_shares else "drawn shares (--all-shares: all)"
    return f"--seed={config.stash[_SEED]}: {shares} of crash injection, chaos, histories, requests"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.all_shares:
        return
    shares: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("drawn"):
            shares[item.nodeid.partition("[")[0]].append(item)
    left: set[pytest.Item] = set()
    for name, found in shares.items():
        marker = found[0].get_closest_marker("drawn")
        assert marker is not None
        chooser = random.Random(f"{config.stash[_SEED]} {name}")
        left.update(chooser.sample(found, max(0, len(found) - marker.args[0])))
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run, for tests with random choices."""
    return request.config.stash[_SEED]
