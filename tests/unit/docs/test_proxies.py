"""The proxy configurations agree with the settings, with each other and with their page."""

from __future__ import annotations

import re

import pytest

from raglive.settings import Settings, read_settings
from raglive.status_server.transport.socketio_server import heartbeat_times
from tests.unit.docs.markdown import ROOT, links

PAGE = ROOT / "docs/how-to/put-a-proxy-in-front.md"
FILES = sorted((ROOT / "deploy/proxy").iterdir())
LONG_POLL_SECONDS = 30


def test_the_page_links_to_every_file() -> None:
    linked = {(PAGE.parent / link).resolve() for link in links(PAGE) if "deploy/proxy" in link}
    assert sorted(linked) == FILES


@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_a_file_routes_to_the_default_ports(name: str) -> None:
    settings: Settings = read_settings({})
    text = (ROOT / "deploy/proxy" / name).read_text("utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", code)}
    assert ports == {settings.status_port, settings.dashboard_port}
    assert {f"{settings.socket_path}/", "/v1/"} <= set(re.findall(r"/[a-z0-9.]+/(?=[\s`*{])", code))


def test_time_outs_are_longer_than_what_they_wait_for() -> None:
    silence, _ = heartbeat_times(read_settings({}).socket_timeout)
    nginx = (ROOT / "deploy/proxy/nginx.conf").read_text("utf-8")
    found_there = map(int, re.findall(r"proxy_read_timeout (\d+)s;", nginx))
    sockets, dashboard, sockets_below_a_path, dashboard_below_a_path = found_there
    haproxy = (ROOT / "deploy/proxy/haproxy.cfg").read_text("utf-8")
    found = dict(re.findall(r"timeout (client|server|tunnel) (\d+)s", haproxy))
    assert (sockets, dashboard) == (sockets_below_a_path, dashboard_below_a_path)
    assert min(sockets, int(found["tunnel"])) > silence
    assert min(dashboard, int(found["client"]), int(found["server"])) > LONG_POLL_SECONDS
