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

from raglive_contract import events, snapshot
from raglive_contract.model import WireModel

__all__ = ["typed_dicts"]

_HEADER = '''"""Events and snapshots as JSON objects. GENERATED from the models: `make generate`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from raglive_contract.states import {enums}

__all__ = [
{exported}]
'''
_ENVELOPE = frozenset({"pipeline_id", "pipeline_type", "seq", "cursor"})


def typed_dicts() -> str:
    """Return the text of the module."""
    received: tuple[type[WireModel], ...] = get_args(get_args(events.Event)[0])
    writer = _Writer()
    for model in received:
        writer.add(model)
    writer.add(snapshot.PipelineStatus)
    made = [writer.add_new(model) for model in received if model is not events.PipelineSummary]
    unions = {
        "WireEvent": [f"Wire{model.__name__}" for model in received],
        "NewEvent": made,
    }
    classes = "\n\n\n".join(writer.classes.values())
    aliases = "\n".join(
        f"{name} = (\n    {f'{chr(10)}    | '.join(of)}\n)" for name, of in unions.items()
    )
    names = sorted([*writer.classes, *unions])
    exported = "".join(f'    "{name}",\n' for name in names)
    header = _HEADER.format(enums=", ".join(sorted(writer.enums)), exported=exported)
    return f"{header}\n\n{classes}\n\n\n{aliases}\n"


class _Writer:
    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self.enums: set[str] = set()

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
        self.classes[name] = "\n".join([f"class {name}(TypedDict):", *_documented(model), *lines])

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
            return "dict[str, Any]"
        return self._class(annotation)

    def _union(self, members: Any) -> str:
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
            self.enums.add(annotation.__name__)
            return annotation.__name__
        if issubclass(annotation, UUID | datetime):
            return "str"
        return annotation.__name__


def _documented(model: type[WireModel]) -> list[str]:
    first = (model.__doc__ or "").splitlines()[0]
    return [f'    """{first}"""', ""]
