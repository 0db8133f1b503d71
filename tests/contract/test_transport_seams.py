"""Every private or undocumented part of the server libraries that `transport/` relies on.

A failure names the part that has changed and the code that relies on it. After a change, correct
that code, run `tests/integration/status_server`, and then raise the range in
`transport/tested_versions.py` and `pyproject.toml`.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from raglive.status_server.transport import tested_versions
from raglive.status_server.transport.http_server import http_server
from raglive.status_server.transport.socketio_server import SocketServer
from raglive.status_server.transport.tested_versions import TESTED, require_tested
from raglive_contract.errors import RagliveError
from tests.contract.library_privates import ROOT, TRANSPORT, module_name, private_uses

PACKAGES = {"engineio": "python-engineio", "socketio": "python-socketio", "uvicorn": "uvicorn"}


@dataclass(frozen=True)
class Seam:
    """A part of a library, named as `module:object`, and the file that relies on it.

    `signature` is that of a function; `assigns` are attributes that a class sets on itself;
    `calls` is source text that must be in the function, because it reaches an override of ours;
    `value` is that of a constant.
    """

    where: str
    used_in: str
    signature: str | None = None
    assigns: str | None = None
    calls: str | None = None
    value: Any = None

    def __str__(self) -> str:
        return f"{self.where}-{self.assigns or self.calls or 'itself'}"

    def fault(self) -> str | None:
        """Return what has changed, if anything has."""
        try:
            part = resolve_name(self.where)
        except (AttributeError, ImportError) as error:
            return f"it is gone ({error})"
        if self.signature is not None and (found := _signature(part)) != self.signature:
            return f"its signature is {found} and was {self.signature}"
        if self.assigns is not None:
            source = "".join(inspect.getsource(it) for it in part.__mro__[:-1])
            for name in self.assigns.split():
                if not any(f"self.{name}{end}" in source for end in (" = ", ": ", " |= ")):
                    return f"it no longer sets self.{name}"
        if self.calls is not None and self.calls not in _squeezed(inspect.getsource(part)):
            return f"it no longer contains `{self.calls}`"
        if self.value is not None and part != self.value:
            return f"it is {part!r} and was {self.value!r}"
        return None


def _signature(part: Any) -> str:
    parameters = inspect.signature(part).parameters.values()
    return ", ".join(str(it.replace(annotation=inspect.Parameter.empty)) for it in parameters)


def _squeezed(source: str) -> str:
    return " ".join(source.split())


ENGINE = "engineio_server.py"
SOCKET = "socketio_server.py"
HTTP = "http_server.py"
CONNECTIONS = "http_connections.py"
QUEUE = "outbound_queue.py"
PARSING = "strict_parsing.py"
FILTER = "payload_filter.py"
WRITER = "connection_writer.py"

A_SERVER = "engineio.async_server:AsyncServer"
B_SERVER = "engineio.base_server:BaseServer"
A_SOCKET = "engineio.async_socket:AsyncSocket"
ASGI = "engineio.async_drivers.asgi"
S_SERVER = "socketio.async_server:AsyncServer"
S_BASE = "socketio.base_server:BaseServer"
S_MANAGER = "socketio.base_manager:BaseManager"
H_PROTOCOL = "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"
H_CYCLE = "uvicorn.protocols.http.httptools_impl:RequestResponseCycle"
W_PROTOCOL = "uvicorn.protocols.websockets.websockets_sansio_impl:WebSocketsSansIOProtocol"

SEAMS = [
    # Engine.IO server: overridden, and how the library reaches the override.
    Seam(f"{A_SERVER}.create_queue", ENGINE, signature="self, *args, **kwargs"),
    Seam("engineio.base_socket:BaseSocket.__init__", ENGINE, signature="self, server, sid"),
    Seam(
        "engineio.base_socket:BaseSocket.__init__",
        ENGINE,
        calls="self.queue = self.server.create_queue()",
    ),
    Seam(f"{A_SERVER}.handle_request", ENGINE, signature="self, *args, **kwargs"),
    Seam(
        f"{A_SERVER}._handle_connect",
        ENGINE,
        signature="self, environ, transport, jsonp_index=None",
    ),
    Seam(
        f"{A_SERVER}.handle_request",
        ENGINE,
        calls="r = await self._handle_connect(environ, transport, jsonp_index)",
    ),
    Seam(f"{B_SERVER}._ok", ENGINE, signature="self, packets=None, headers=None, jsonp_index=None"),
    Seam(f"{A_SERVER}.handle_request", ENGINE, calls="r = self._ok(jsonp_index=jsonp_index)"),
    Seam(f"{B_SERVER}._log_error_once", ENGINE, signature="self, message, message_key"),
    Seam(f"{B_SERVER}._method_not_found", ENGINE, signature="self"),
    Seam(f"{A_SERVER}.handle_request", ENGINE, calls="r = self._method_not_found()"),
    # Engine.IO server: called and read.
    Seam(f"{A_SERVER}._trigger_event", ENGINE, signature="self, event, *args, **kwargs"),
    Seam(f"{B_SERVER}._upgrades", ENGINE, signature="self, sid, transport"),
    Seam(f"{B_SERVER}._bad_request", ENGINE, signature="self, message=None"),
    Seam(f"{B_SERVER}.generate_id", ENGINE, signature="self"),
    Seam(B_SERVER, ENGINE, assigns="_async"),
    Seam(f"{ASGI}:translate_request", ENGINE, signature="scope, receive, send"),
    Seam(f"{A_SERVER}._make_response", ENGINE, signature="self, response_dict, environ"),
    Seam(B_SERVER, ENGINE, assigns="sockets ping_interval ping_timeout max_http_buffer_size"),
    Seam(f"{B_SERVER}.reason.PING_TIMEOUT", ENGINE, value="ping timeout"),
    Seam(f"{B_SERVER}.reason.CLIENT_DISCONNECT", ENGINE, value="client disconnect"),
    Seam(f"{B_SERVER}.reason.SERVER_DISCONNECT", ENGINE, value="server disconnect"),
    Seam(f"{B_SERVER}.reason.TRANSPORT_CLOSE", ENGINE, value="transport close"),
    Seam(f"{B_SERVER}.reason.TRANSPORT_ERROR", ENGINE, value="transport error"),
    # Engine.IO session: overridden, and how the library reaches the override.
    Seam(f"{A_SOCKET}.send", ENGINE, signature="self, pkt"),
    Seam(f"{A_SERVER}.send_packet", ENGINE, calls="await socket.send(pkt)"),
    Seam(f"{A_SOCKET}.receive", ENGINE, signature="self, pkt"),
    Seam(f"{A_SOCKET}.handle_post_request", ENGINE, calls="await self.receive(pkt)"),
    Seam(f"{A_SOCKET}.handle_get_request", ENGINE, signature="self, environ"),
    Seam(f"{A_SERVER}.handle_request", ENGINE, calls="await socket.handle_get_request( environ)"),
    Seam(f"{A_SOCKET}.close", ENGINE, signature="self, wait=True, abort=False, reason=None"),
    Seam(f"{A_SERVER}.disconnect", ENGINE, calls="await socket.close(reason="),
    Seam(f"{A_SOCKET}.schedule_ping", ENGINE, signature="self"),
    Seam(f"{A_SOCKET}._upgrade_websocket", ENGINE, signature="self, environ"),
    Seam(f"{A_SOCKET}._upgrade_websocket", ENGINE, calls="self._websocket_handler, self.server)"),
    Seam(f"{A_SOCKET}._websocket_handler", ENGINE, signature="self, ws"),
    Seam(
        A_SOCKET,
        ENGINE,
        assigns="server sid queue connected upgrading upgraded closing closed",
    ),
    Seam("engineio.exceptions:EngineIOError", ENGINE),
    Seam("engineio.exceptions:SocketIsClosedError", ENGINE),
    Seam(f"{ASGI}:translate_request", ENGINE, calls="'asgi.receive': receive"),
    Seam(f"{ASGI}:translate_request", ENGINE, calls="'asgi.scope': scope"),
    Seam(f"{ASGI}:WebSocket.wait", ENGINE, signature="self"),
    Seam(f"{ASGI}:WebSocket.wait", ENGINE, calls="raise OSError()"),
    Seam(f"{ASGI}:WebSocket.send", ENGINE, signature="self, message"),
    Seam(f"{ASGI}:WebSocket.close", ENGINE, signature="self"),
    # Engine.IO packets and payloads.
    Seam(
        "engineio.packet:Packet",
        QUEUE,
        signature="packet_type=6, data=None, encoded_packet=None",
    ),
    Seam("engineio.packet:Packet", QUEUE, assigns="packet_type data"),
    Seam("engineio.packet:Packet.encode", QUEUE, signature="self, b64=False"),
    Seam(
        "engineio.packet:packet_names",
        QUEUE,
        value=["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"],
    ),
    Seam("engineio.payload:Payload.max_decode_packets", FILTER, value=2000),
    Seam(
        "engineio.payload:Payload.decode",
        FILTER,
        calls="if len(encoded_packets) > self.max_decode_packets:",
    ),
    Seam(
        "engineio.packet:Packet", ENGINE, signature="packet_type=6, data=None, encoded_packet=None"
    ),
    # Socket.IO server.
    Seam(f"{S_SERVER}._engineio_server_class", SOCKET, signature="self"),
    Seam(f"{S_BASE}.__init__", SOCKET, calls="self.eio = self._engineio_server_class()("),
    Seam(f"{S_SERVER}._handle_eio_connect", SOCKET, signature="self, eio_sid, environ"),
    Seam(f"{S_BASE}.__init__", SOCKET, calls="self.eio.on('connect', self._handle_eio_connect)"),
    Seam(f"{S_SERVER}._handle_eio_message", SOCKET, signature="self, eio_sid, data"),
    Seam(f"{S_BASE}.__init__", SOCKET, calls="self.eio.on('message', self._handle_eio_message)"),
    Seam(f"{S_SERVER}._handle_eio_disconnect", SOCKET, signature="self, eio_sid, reason"),
    Seam(
        f"{S_BASE}.__init__", SOCKET, calls="self.eio.on('disconnect', self._handle_eio_disconnect)"
    ),
    Seam(f"{S_SERVER}._handle_connect", SOCKET, signature="self, eio_sid, namespace, data"),
    Seam(
        f"{S_SERVER}._handle_eio_message",
        SOCKET,
        calls="await self._handle_connect(eio_sid, pkt.namespace, pkt.data)",
    ),
    Seam(f"{S_SERVER}._send_packet", SOCKET, signature="self, eio_sid, pkt"),
    Seam(S_SERVER, SOCKET, assigns="eio manager packet_class namespace_handlers _binary_packet"),
    Seam(f"{S_MANAGER}.eio_sid_from_sid", SOCKET, signature="self, sid, namespace"),
    Seam(f"{S_MANAGER}.sid_from_eio_sid", SOCKET, signature="self, eio_sid, namespace"),
    Seam("socketio.packet:CONNECT_ERROR", SOCKET, value=4),
    # Socket.IO packets.
    Seam("socketio.packet:Packet.decode", PARSING, signature="self, encoded_packet"),
    Seam("socketio.packet:Packet.__init__", PARSING, calls="self.decode(encoded_packet)"),
    Seam("socketio.packet:Packet.add_attachment", PARSING, signature="self, attachment"),
    Seam(f"{S_SERVER}._handle_eio_message", PARSING, calls="if pkt.add_attachment(data):"),
    Seam("socketio.packet:Packet", PARSING, assigns="packet_type data"),
    Seam(
        "socketio.packet:Packet.encode",
        PARSING,
        calls="self.json.dumps(data, separators=(',', ':'))",
    ),
    Seam("socketio.packet:Packet.decode", PARSING, calls="self.json.loads(ep)"),
    Seam(
        "socketio.packet:packet_names",
        PARSING,
        value=[
            "CONNECT",
            "DISCONNECT",
            "EVENT",
            "ACK",
            "CONNECT_ERROR",
            "BINARY_EVENT",
            "BINARY_ACK",
        ],
    ),
    # uvicorn.
    Seam("uvicorn.server:Server.capture_signals", HTTP, signature="self"),
    Seam("uvicorn.server:Server.serve", HTTP, calls="with self.capture_signals():"),
    Seam("uvicorn.server:Server.on_tick", HTTP, signature="self, counter"),
    Seam("uvicorn.server:Server.main_loop", HTTP, calls="await self.on_tick(counter)"),
    Seam(
        "uvicorn.config:Config.load",
        HTTP,
        calls="self.http_protocol_class = self.http",
    ),
    Seam(f"{H_PROTOCOL}.connection_made", CONNECTIONS, signature="self, transport"),
    Seam(f"{H_PROTOCOL}.connection_lost", CONNECTIONS, signature="self, exc"),
    Seam(f"{H_PROTOCOL}.send_400_response", CONNECTIONS, signature="self, msg"),
    Seam(f"{H_PROTOCOL}.data_received", CONNECTIONS, calls="self.send_400_response("),
    Seam(f"{H_PROTOCOL}.data_received", CONNECTIONS, calls="self.handle_websocket_upgrade()"),
    Seam(f"{H_PROTOCOL}.on_message_begin", CONNECTIONS, signature="self"),
    Seam(
        f"{H_PROTOCOL}.on_headers_complete",
        CONNECTIONS,
        calls="on_response=self.on_response_complete",
    ),
    Seam(H_PROTOCOL, CONNECTIONS, assigns="transport cycle connections loop"),
    Seam(H_CYCLE, CONNECTIONS, assigns="response_complete more_body disconnected message_event"),
    Seam("uvicorn.protocols.utils:ClientDisconnected", HTTP),
    Seam(f"{W_PROTOCOL}.run_asgi", HTTP, calls="except ClientDisconnected:"),
    Seam(f"{W_PROTOCOL}.send", HTTP, calls='message["type"] == "websocket.http.response.body"'),
    Seam(H_CYCLE, WRITER, assigns="transport"),
    Seam(f"{H_CYCLE}.run_asgi", WRITER, calls="self.scope, self.receive, self.send"),
    Seam(W_PROTOCOL, WRITER, assigns="transport"),
    Seam(f"{W_PROTOCOL}.run_asgi", WRITER, calls="self.scope, self.receive, self.send"),
]


@pytest.mark.parametrize("seam", SEAMS, ids=str)
def test_a_seam_is_as_it_was(seam: Seam) -> None:
    if fault := seam.fault():
        package = PACKAGES[seam.where.partition(".")[0]]
        pytest.fail(
            f"{seam.where} of {package} {version(package)} has changed: {fault}. "
            f"raglive/status_server/transport/{seam.used_in} relies on it.",
            pytrace=False,
        )


def test_every_private_part_that_transport_uses_is_a_seam() -> None:
    known = {
        (seam.used_in, name) for seam in SEAMS for name in _names(seam) if name.startswith("_")
    }
    known |= {(seam.used_in, seam.where.partition(":")[0]) for seam in SEAMS}
    missing = [
        f"{path.name}:{use.line} {use.how}, and no seam names it"
        for path in sorted(TRANSPORT.glob("*.py"))
        for use in private_uses(path.read_text("utf-8"), module_name(path))
        if use.name != "__self__" and (path.name, use.name) not in known
    ]
    assert not missing, "\n".join(missing)


def _names(seam: Seam) -> Iterator[str]:
    yield seam.where.rpartition(".")[2]
    yield from (seam.assigns or "").split()


def test_a_seam_that_has_changed_is_named() -> None:
    gone = Seam(f"{A_SERVER}._handle_everything", ENGINE, signature="self")
    assert "it is gone" in (gone.fault() or "")
    other = Seam(f"{A_SERVER}._handle_connect", ENGINE, signature="self, environ")
    assert "its signature is self, environ, transport" in (other.fault() or "")
    unset = Seam(S_SERVER, SOCKET, assigns="_binary_packets")
    assert unset.fault() == "it no longer sets self._binary_packets"
    uncalled = Seam(f"{A_SERVER}.handle_request", ENGINE, calls="self._reject()")
    assert uncalled.fault() == "it no longer contains `self._reject()`"
    constant = Seam(f"{B_SERVER}.reason.PING_TIMEOUT", ENGINE, value="timeout")
    assert constant.fault() == "it is 'ping timeout' and was 'timeout'"


def test_the_tested_ranges_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for package, (lowest, untested) in TESTED.items():
        wanted = f">={lowest},<{untested}"
        stated = [it for it in project["dependencies"] if it.startswith(package)]
        assert [it.rpartition("]")[2].removeprefix(package) for it in stated] == [wanted]
        require_tested(package)


@pytest.mark.parametrize("installed", ["4.15.0", "4.16.0", "4.16", "5.0.0b1", "5", "unknown"])
def test_another_version_is_refused_by_name(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested_versions, "version", lambda _package: installed)
    with pytest.raises(RagliveError) as refused:
        require_tested("python-engineio")
    assert refused.value.message.startswith(
        f"python-engineio {installed} is installed, and raglive was tested with "
        "python-engineio >=4.15.1,<4.16: "
    )


@pytest.mark.parametrize("installed", ["4.15.1", "4.15.2", "4.15.10.post1"])
def test_a_tested_version_is_accepted(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested_versions, "version", lambda _package: installed)
    require_tested("python-engineio")


async def test_servers_refuse_to_start_with_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tested_versions, "version", lambda _package: "99")
    with pytest.raises(RagliveError, match=r"uvicorn 99 is installed"):
        http_server(_no_app, "127.0.0.1", 0, max_connections=1)
    with pytest.raises(RagliveError, match=r"python-engineio 99 is installed"):
        SocketServer(
            ping_interval=25,
            ping_timeout=20,
            handshake_seconds=1,
            count_address=lambda _address, _change: None,
        )


async def _no_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request is sent")
