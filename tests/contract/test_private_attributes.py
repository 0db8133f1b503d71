"""Private parts of uvicorn, python-engineio and python-socketio stay inside `transport/`."""

from __future__ import annotations

import sys
import textwrap
import types
from pathlib import Path

import pytest

from tests.contract.library_privates import (
    LIBRARIES,
    SOURCES,
    TRANSPORT,
    Use,
    module_name,
    private_uses,
)

OUTSIDE = [path for path in SOURCES if TRANSPORT not in path.parents]


def test_no_module_outside_transport_uses_them() -> None:
    assert len(OUTSIDE) > 200
    found = [
        f"{path}:{use.line} {use.how}. Move it to raglive/status_server/transport/."
        for path in OUTSIDE
        for use in _uses(path)
    ]
    assert not found, "\n".join(found)


def _uses(path: Path) -> list[Use]:
    source = path.read_text("utf-8")
    may_extend = any(name in source for name in (*LIBRARIES, "status_server.transport"))
    return private_uses(source, module_name(path) if may_extend else None)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import uvicorn.protocols.utils", "uvicorn.protocols.utils"),
        ("from uvicorn.protocols.utils import ClientDisconnected", "uvicorn.protocols.utils"),
        ("from uvicorn.lifespan.on import X", "uvicorn.lifespan.on"),
        ("from engineio import async_socket", "engineio.async_socket"),
        ("from socketio import _private", "socketio._private"),
        ("server._trigger_event('x')", "_trigger_event"),
        ("sockets.eio._get_socket('x')", "_get_socket"),
        ("getattr(server, '_binary_packet')", "_binary_packet"),
        ("receive.__self__.transport", "__self__"),
    ],
)
def test_a_use_is_found(source: str, name: str) -> None:
    assert [use.name for use in private_uses(source)] == [name]


def test_an_override_and_an_inherited_attribute_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    source = textwrap.dedent("""
        import socketio

        class Extended(socketio.AsyncServer):
            async def _handle_connect(self, *args):
                self._binary_packet.clear()
                self._own = 1
        """)
    module = types.ModuleType("extended")
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "extended", module)
    found = [use.name for use in private_uses(source, "extended")]
    assert found == ["_handle_connect", "_binary_packet"]


@pytest.mark.parametrize(
    "source",
    [
        "import socketio\nsocketio.exceptions.ConnectionRefusedError",
        "from socketio.exceptions import ConnectionError",
        "import uvicorn\nuvicorn.Config",
        "self._trigger_event('x')",
        "row._replace(x=1)",
    ],
)
def test_public_names_and_own_attributes_are_allowed(source: str) -> None:
    assert private_uses(source) == []
