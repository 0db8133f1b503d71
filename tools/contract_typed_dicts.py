"""`raglive_contract/wire.py`: the JSON objects of events as TypedDicts, written from the models.

A model checks what comes from outside. Inside, events are made and passed on as plain objects in
their wire form, and these types let mypy check them at no cost at run time.
"""

from __future__ import annotations

import types
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from raglive_contract import events, http, socket, states
from raglive_contract.model import WireModel

__all__ = ["typed_dicts"]

_HEADER = '''"""Events and snapshots as JSON objects. GENERATED from the models: `make generate`."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, final

from raglive_contract.states import {enums}

__all__ = [
{exported}]
'''
_LINE_CHARACTERS = 100
_RECEIVED: tuple[type[WireModel], ...] = get_args(get_args(events.Event)[0])
_ENVELOPE = frozenset({"pipeline_id", "pipeline_type", "seq", "cursor"})


def typed_dicts() -> str:
    """Return the text of the module."""
    submitted: tuple[type[WireModel], ...] = get_args(get_args(events.SubmittedEvent)[0])
    durable = [model for model in _RECEIVED if _type_of(model) in events.DURABLE_TYPES]
    live = [it for it in _RECEIVED if it not in {*durable, events.PipelineSummary}]
    writer = _Writer()
    unions = {
        "WireDurableEvent": [writer.add(model) for model in durable],
        "WireLiveEvent": [writer.add(model) for model in live],
        "WireEvent": [writer.add(model) for model in _RECEIVED],  # mypy narrows only a flat union
        "NewEvent": [writer.add_new(model) for model in durable],
        "WireSubmittedEvent": [writer.add(model) for model in submitted],
    }
    for model in (socket.SubscribedPipeline, http.RagStatus, http.FileDetail, http.ChunkPage):
        writer.add(model)
    classes = "\n\n\n".join(writer.classes.values())
    aliases = "\n".join(_alias(name, members) for name, members in unions.items())
    names = sorted([*writer.classes, *unions])
    exported = "".join(f'    "{name}",\n' for name in names)
    header = _HEADER.format(enums=", ".join(sorted(writer.states)), exported=exported)
    return f"{header}\n\n{classes}\n\n\n{aliases}\n"


def _type_of(model: type[WireModel]) -> str:
    return str(model.model_fields["type"].default)


def _alias(name: str, members: list[str]) -> str:
    line = f"{name} = {' | '.join(members)}"
    if len(line) <= _LINE_CHARACTERS:
        return line
    return f"{name} = (\n    {f'{chr(10)}    | '.join(members)}\n)"


class _Writer:
    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self.states: set[str] = set()

    def add(self, model: type[WireModel]) -> str:
        """Write the object of a model, and of every model in it; return its name."""
        name = f"Wire{model.__name__}"
        if name not in self.classes:
            self.classes[name] = ""
            self._write(name, model, frozenset())
        return name

    def add_new(self, model: type[WireModel]) -> str:
        """Write the object as the pipeline makes it: the log adds the rest of the envelope."""
        name = f"New{model.__name__}"
        self._write(name, model, _ENVELOPE | {"current_status"})
        return name

    def _write(self, name: str, model: type[WireModel], without: frozenset[str]) -> None:
        lines = [
            f"    {field}: {self._field(info)}"
            for field, info in model.model_fields.items()
            if field not in without
        ]
        self.classes.pop(name, None)  # behind the objects that it holds
        head = ["@final", f"class {name}(TypedDict):", *_documented(model)]  # for narrowing by `in`
        self.classes[name] = "\n".join([*head, *lines])

    def _field(self, info: FieldInfo) -> str:
        if info.exclude_if is None:
            return self._type(info.annotation)
        present = [it for it in get_args(info.annotation) if it is not types.NoneType]
        return f"NotRequired[{self._union(present)}]"

    def _type(self, annotation: Any) -> str:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._type(arguments[0])
        if origin in {Union, types.UnionType}:
            return self._union(arguments)
        if origin is Literal:
            return f"Literal[{', '.join(f'{value!r}' for value in arguments)}]".replace("'", '"')
        if origin is list:
            return f"list[{self._type(arguments[0])}]"
        if origin is dict:
            return "dict[str, object]"
        return self._class(annotation)

    def _union(self, members: Any) -> str:
        if members == _RECEIVED:
            return "WireEvent"
        if members == get_args(states.Standing):
            self.states.add("Standing")
            return "Standing"
        return " | ".join(self._type(it) for it in members)

    def _class(self, annotation: Any) -> str:
        if annotation is types.NoneType:
            return "None"
        if annotation is AwareDatetime:
            return "str"
        if not isinstance(annotation, type):
            raise TypeError(f"{annotation} has no wire form")
        if issubclass(annotation, WireModel):
            return self.add(annotation)
        if issubclass(annotation, Enum):
            self.states.add(annotation.__name__)
            return annotation.__name__
        if issubclass(annotation, UUID | datetime):
            return "str"
        return annotation.__name__


def _documented(model: type[WireModel]) -> list[str]:
    first = (model.__doc__ or "").splitlines()[0]
    return [f'    """{first}"""', ""]
