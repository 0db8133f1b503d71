"""Reporters outlive a fork: in the child each begins anew, in the parent it goes on."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["survive_forks"]


class _Forked(Protocol):
    def at_rest(self) -> AbstractContextManager[None]:
        """Hold still what a child process must not find half done."""

    def begin_anew(self) -> None:
        """Leave to the parent what is its own."""


_watched: WeakSet[_Forked] = WeakSet()
_resting: list[AbstractContextManager[Any]] = []
_forking = threading.Lock()  # one fork at a time, or two would wait for each other


def survive_forks(it: _Forked) -> None:
    """Have it told of forks, for as long as it lives."""
    _watched.add(it)


def _before() -> None:
    _forking.acquire()
    for each in list(_watched):
        rest = each.at_rest()
        rest.__enter__()
        _resting.append(rest)


def _after_in_parent() -> None:
    while _resting:
        _resting.pop().__exit__(None, None, None)
    _forking.release()


def _after_in_child() -> None:
    _after_in_parent()
    for each in list(_watched):
        each.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
