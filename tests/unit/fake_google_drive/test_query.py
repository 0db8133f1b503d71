from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_google_drive.drive import FakeDrive
from fake_google_drive.listing import FileSearch, Listings
from fake_google_drive.mime import FOLDER
from fake_google_drive.query import QueryError, View, parse_query

ANN = "ann@example.com"


@pytest.fixture
def found() -> Callable[[str], list[str]]:
    drive = FakeDrive(now=lambda: 1_700_000_000)
    root = drive.my_drive(ANN)
    folder = drive.create_folder("inner", root)
    drive.create("plan.pdf", root, modified=1_600_000_000)
    drive.create("it's a plan.txt", folder)
    drive.trash(drive.create("old.txt", root))
    drive.create_shortcut(folder, root, "link")
    view = View(drive.tree, ANN)

    def find(text: str) -> list[str]:
        query = parse_query(text.format(folder=folder.id))
        items = [item for item in drive.tree.items.values() if item.parent]
        return [item.name for item in items if query.matches(item, view)]

    return find


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("'root' in parents", "inner, plan.pdf, old.txt, link"),
        ("'{folder}' in parents", "it's a plan.txt"),
        ("trashed = true", "old.txt"),
        ("trashed=false and 'root' in parents", "inner, plan.pdf, link"),
        ("not trashed = false", "old.txt"),
        ("trashed != false", "old.txt"),
        ("name = 'it\\'s a plan.txt'", "it's a plan.txt"),
        ("name contains 'plan'", "plan.pdf, it's a plan.txt"),
        ("name contains 'lan'", ""),
        ("name != 'plan.pdf' and trashed = false", "inner, it's a plan.txt, link"),
        (f"mimeType = '{FOLDER}'", "inner"),
        ("mimeType contains 'text/'", "it's a plan.txt, old.txt"),
        ("modifiedTime < '2020-12-31T00:00:00'", "plan.pdf"),
        ("modifiedTime >= '2023-11-14T22:13:20.000Z'", "inner, it's a plan.txt, old.txt, link"),
        ("shortcutDetails.targetId = '{folder}'", "link"),
        # `and` and `or` have the same precedence, from left to right.
        ("name='link' or name='old.txt' and trashed=false", "link"),
        ("name='link' or (name='old.txt' and trashed=true)", "old.txt, link"),
        ("trashed=true and name='x' or name='link'", "link"),
        (f"'{ANN}' in owners and starred = false and trashed=true", "old.txt"),
    ],
)
def test_queries(found: Callable[[str], list[str]], query: str, names: str) -> None:
    assert ", ".join(found(query)) == names


@pytest.mark.parametrize(
    "text",
    [
        *("", "name", "name =", "name = 'a", "name ~ 'a'", "(name = 'a'", "name = 'a')"),
        *("a = 'b'", "name = 'a' name = 'b'", "name = 'a' and", "'x' in name", "not", "and"),
        *("trashed = 'maybe'", "trashed > true", "modifiedTime > 'noon'"),
        "modifiedTime contains '2'",
    ],
)
def test_invalid_queries_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    try:
        parse_query(text)
    except QueryError:
        return


@given(
    ids=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4),
    extra=st.sampled_from(["", " and trashed=false", " and name != 'x'"]),
)
def test_a_search_in_folders_reads_only_them(ids: list[str], extra: str) -> None:
    parents = " or ".join(f"'{each}' in parents" for each in ids)
    assert parse_query(f"({parents}){extra}").folders() == set(ids)
    assert parse_query(f"not ({parents})").folders() is None


def test_listings_are_sorted() -> None:
    drive = FakeDrive(now=lambda: 1_700_000_000)
    root = drive.my_drive(ANN)
    for at, name in enumerate(["b 10", "b 9", "a"]):
        drive.create(name, root, modified=at)
    drive.create_folder("z", root)

    def names(order: str) -> list[str]:
        page = Listings(drive).page(FileSearch(ANN, None, order_by=order), 10, None)
        return [item.name for item in page.items]

    assert names("name") == ["a", "b 10", "b 9", "z"]
    assert names("name_natural desc") == ["z", "b 10", "b 9", "a"]
    assert names("folder,modifiedTime desc") == ["z", "a", "b 9", "b 10"]
