from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from raglive.sources.local_files.location import beneath, path_of, readable, to_location

part = st.binary(min_size=1, max_size=20).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
)
private_use = st.integers(0xEF80, 0xEFFF).map(lambda code: chr(code).encode())
parts = st.lists(
    st.one_of(part, private_use, st.builds(bytes.__add__, part, private_use)), min_size=1
)


@given(parts)
def test_any_name_survives_a_round_trip_through_the_database(names: list[bytes]) -> None:
    path = os.fsdecode(b"/".join(names))
    location = to_location(path)
    location.encode()  # can be stored
    assert path_of(Path("/w"), location) == Path("/w") / path
    readable(location).encode()  # can be shown


@given(parts, parts)
def test_two_paths_never_share_a_location(one: list[bytes], other: list[bytes]) -> None:
    first, second = (os.fsdecode(b"/".join(names)) for names in (one, other))
    assert (to_location(first) == to_location(second)) == (first == second)


def test_people_see_a_name_as_it_is() -> None:
    assert readable(to_location("Übersicht/été.md")) == "Übersicht/été.md"
    assert readable(to_location(os.fsdecode(b"caf\xe9.txt"))) == "caf\N{REPLACEMENT CHARACTER}.txt"


def test_beneath() -> None:
    assert beneath("a/b/c", {"a"})
    assert beneath("a", {""})
    assert not beneath("ab/c", {"a"})
    assert not beneath("a", {"a"})
