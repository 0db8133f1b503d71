"""The rules that are duplicated in SQL equal those of the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from asyncpg import Record
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from tools.contract_event_examples import SUBMITTED
from tools.contract_schema import schema_documents
from tools.generate_contract import ROOT, SCHEMAS

from raglive.store.pool import Database
from raglive_contract.cursor import MAX_SEQ, Position, parse_cursor
from raglive_contract.digest import roll
from raglive_contract.events import CONFLATED_TYPES, DURABLE_TYPES, submission_adapter

SUBMISSIONS = schema_documents()["submissions"]["$defs"]
WITHOUT_NUL = r"^[^\u0000]*$"  # Postgres holds no other text
ENVELOPE = {"id", "pipeline_id", "pipeline_type", "timestamp"}  # SQL fills it in

WRONG: list[Any] = [None, True, -1, 0, 7, 1.5, 10**17, "", "x", "x" * 5000, [], {}, {"code": 1}]

epochs = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32)
seqs = st.integers(0, MAX_SEQ)


async def test_fields_and_their_bounds_are_those_of_the_models(database: Database) -> None:
    rows = await database.fetch("SELECT * FROM raglive.event_fields")
    in_sql = {
        (row["type"], tuple(row["path"])): (row["kind"], row["required"], _bounds(row))
        for row in rows
        if row["path"][0] not in ENVELOPE and row["kind"] != "problem"
    }
    in_models = {
        (shape["properties"]["type"]["const"], path): rule
        for name, shape in SUBMISSIONS.items()
        if name.startswith("Submitted") and "properties" in shape
        for path, rule in _rules(shape)
        if path[0] not in {*ENVELOPE, "type"}
    }
    assert in_sql == {key: rule for key, rule in in_models.items() if key[0] in DURABLE_TYPES}


def _bounds(row: Record) -> tuple[Any, ...]:
    one_of = row["one_of"] and tuple(row["one_of"])
    return row["least"], row["most"], row["pattern"], one_of


def _rules(shape: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield the path of each value with its kind, whether it is required, and its bounds."""
    for name, field in shape["properties"].items():
        named = SUBMISSIONS[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        if "properties" in named:
            assert name in shape["required"]
            yield from _rules(named, (*above, name))
        else:
            yield (*above, name), (_kind(named), name in shape["required"], _limits(named))


def _kind(field: dict[str, Any]) -> str:
    if field.get("format") == "date-time":
        return "time"
    return "stages" if field["type"] == "array" else str(field["type"])


def _limits(field: dict[str, Any]) -> tuple[Any, ...]:
    least = field.get("minimum", field.get("minLength"))
    most = field.get("maximum", field.get("maxLength", field.get("maxItems")))
    one_of = field.get("enum") or ([field["const"]] if "const" in field else None)
    texts = one_of and tuple(it if isinstance(it, str) else json.dumps(it) for it in one_of)
    pattern = None if field.get("pattern") == WITHOUT_NUL else field.get("pattern")
    return least, most, pattern, texts


async def test_cursors_on_the_vectors(database: Database) -> None:
    for vector in _vectors("cursor")["positions"]:
        cursor = await database.fetchval(
            "SELECT raglive.cursor($1, $2)", vector["epoch"], vector["seq"]
        )
        assert cursor == vector["text"]


async def test_digests_on_the_vectors(database: Database) -> None:
    previous = b""
    for step in _vectors("digest")["log"]:
        previous = await _roll(database, previous, UUID(step["id"]), step["seq"])
        assert previous.hex() == step["digest"]
    for step in _vectors("digest")["steps"]:
        before = bytes.fromhex(step["previous"])
        rolled = await _roll(database, before, UUID(step["id"]), step["seq"])
        assert rolled.hex() == step["digest"]


async def test_cursors_and_digests_are_equal_in_sql_and_python(database: Database) -> None:
    made: list[tuple[str, int, bytes, UUID]] = []

    @settings(max_examples=300)
    @given(epochs, seqs, st.just(b"") | st.binary(min_size=32, max_size=32), st.uuids())
    def make(epoch: str, seq: int, previous: bytes, event_id: UUID) -> None:
        made.append((epoch, seq, previous, event_id))

    make()
    rows = await database.fetch(
        "SELECT raglive.cursor(epoch, seq) AS cursor,"
        " raglive.roll_digest(previous, id, seq) AS digest"
        " FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::uuid[])"
        " WITH ORDINALITY AS made (epoch, seq, previous, id, place) ORDER BY place",
        *map(list, zip(*made, strict=True)),
    )
    for (epoch, seq, previous, event_id), row in zip(made, rows, strict=True):
        assert row["cursor"] == str(Position(epoch, seq))
        assert row["digest"] == roll(previous, event_id, seq)


async def test_new_ids_and_epochs_are_in_order_and_well_formed(database: Database) -> None:
    rows = await database.fetch(
        "SELECT raglive.uuid7() AS id, raglive.new_epoch() AS epoch, pg_sleep(0.002)"
        " FROM generate_series(1, 20)"
    )
    assert {row["id"].version for row in rows} == {7}
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert [row["epoch"] for row in rows] == sorted(row["epoch"] for row in rows)
    texts = [str(Position(row["epoch"], 1)) for row in rows]
    assert [str(parse_cursor(text)) for text in texts] == texts


async def _roll(database: Database, previous: bytes, event_id: UUID, seq: int) -> bytes:
    query = "SELECT raglive.roll_digest($1, $2, $3)"
    return bytes(await database.fetchval(query, previous, event_id, seq))


def _vectors(name: str) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads(
        (ROOT / SCHEMAS / f"fixtures/{name}.json").read_text("utf-8")
    )
    return vectors


async def test_accepted_events_are_logged_as_the_models_define(database: Database) -> None:
    events = [event for whole in _published() for event in _spoiled(whole)]
    rows = await database.fetch(
        "SELECT fault, CASE WHEN fault IS NULL THEN raglive.normal_event(event) END AS kept"
        " FROM unnest($1::jsonb[]) WITH ORDINALITY AS one (event, place)"
        " CROSS JOIN LATERAL (SELECT raglive.event_fault(event) AS fault) AS checked"
        " ORDER BY place",
        events,
    )
    validator = Draft202012Validator({"$ref": "#/$defs/SubmittedEvent", "$defs": SUBMISSIONS})
    for event, row in zip(events, rows, strict=True):
        if row["fault"] is None:
            kept = submission_adapter.validate_python({"events": [row["kept"]]})
            assert kept.events[0].wire() == row["kept"]
        else:
            assert _is_refused(event) or not validator.is_valid(event), (event, row["fault"])


async def test_sql_logs_the_same_event_as_the_models(database: Database) -> None:
    for whole in _published():
        bare = json.loads(json.dumps(whole).replace(".678Z", ".678000+00:00"))
        bare = {name: value for name, value in bare.items() if name not in {"status", "success"}}
        assert await database.fetchval("SELECT raglive.normal_event($1)", bare) == whole


async def test_sql_accepts_the_conflated_events_that_the_models_accept(database: Database) -> None:
    whole = list(_published(CONFLATED_TYPES))
    events = [*whole, *(wrong for event in whole for wrong in _spoiled(event))]
    rows = await database.fetch(
        "SELECT raglive.conflated_event_fault(event) AS fault"
        " FROM unnest($1::jsonb[]) WITH ORDINALITY AS one (event, place) ORDER BY place",
        events,
    )
    validator = Draft202012Validator({"$ref": "#/$defs/SubmittedEvent", "$defs": SUBMISSIONS})
    for event, row in zip(events, rows, strict=True):
        if row["fault"] is None:
            kept = {name: value for name, value in event.items() if value is not None}
            submission_adapter.validate_python({"events": [kept]})
        else:
            assert _is_refused(event) or not validator.is_valid(event), (event, row["fault"])


def _published(types: frozenset[str] = DURABLE_TYPES) -> Iterator[dict[str, Any]]:
    for sent in SUBMITTED:
        event = sent.events[0].wire()
        if event["type"] in types:
            yield event


def _spoiled(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the event with each field missing or wrong in turn, and with an unknown field."""
    for name, value in event.items():
        if name in {"id", "pipeline_id", "pipeline_type"}:
            continue
        yield {key: it for key, it in event.items() if key != name}
        yield from (event | {name: wrong} for wrong in WRONG)
        if isinstance(value, dict) and name != "changes":
            for inner in value:
                yield event | {name: {key: it for key, it in value.items() if key != inner}}
                yield from (event | {name: value | {inner: wrong}} for wrong in WRONG)
            yield event | {name: value | {"unknown": 1}}
    yield event | {"unknown": None}


def _is_refused(event: dict[str, Any]) -> bool:
    try:
        submission_adapter.validate_python({"events": [event]})
    except ValidationError:
        return True
    return False
