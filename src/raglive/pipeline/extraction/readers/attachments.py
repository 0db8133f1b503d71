"""What is attached to a mail, of whatever kind the mail is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from raglive.pipeline.extraction.model import Draft, Refusal, Table

__all__ = ["Attached", "add_attachments"]

Attached = tuple[str, Callable[[], Draft]]
"""A name, "" for text that is no file, and how to read what goes by it."""

_MOST = 100


def add_attachments(draft: Draft, attached: Iterable[Attached]) -> None:
    """Add text and tables of what is attached; what cannot be read costs itself alone."""
    tables: list[Table] = [*draft.tables]
    rest = iter(attached)
    for name, read in islice(rest, _MOST):
        try:
            inner = read()
        except Refusal as refusal:
            draft.parts.append(f"Attachment: {name} ({refusal.code.replace('_', ' ')})")
            continue
        draft.parts += [f"Attachment: {name}"] if name else []
        draft.parts += inner.parts
        tables += inner.tables
    draft.parts += [f"Attachment: {name or 'text'} (not read)" for name, _ in rest]
    draft.tables = tuple(tables)
