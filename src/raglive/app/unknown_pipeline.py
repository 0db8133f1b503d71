"""What is said of a pipeline that somebody names and that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from raglive.contract.errors import ErrorCode, RagliveError

__all__ = ["require_known"]


def require_known(asked: Iterable[str], known: Iterable[str]) -> None:
    """Raise `not_found`, with the pipelines that there are, for one that is not among them."""
    there_are = sorted(known)
    unknown = sorted(set(asked) - set(there_are))
    if unknown:
        others = f"There are: {', '.join(there_are)}." if there_are else "There is none yet."
        raise RagliveError(
            f"There is no pipeline {', '.join(unknown)}. {others}", code=ErrorCode.NOT_FOUND
        )
