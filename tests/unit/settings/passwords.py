"""Passwords that break an address, and the pieces of them that must not be shown."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

__all__ = ["PASSWORDS", "pieces"]

PASSWORDS = st.text("QZJ7/?[]@#:%&= ", min_size=4, max_size=20).filter(
    lambda text: set(text) & set("/?[@#")
)


def pieces(password: str) -> Iterator[str]:
    """Yield every four characters in a row."""
    return (password[start : start + 4] for start in range(len(password) - 3))
