from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from raglive.http_api.allowed_hosts import AllowedHosts, is_direct_from_this_machine

OF_PROXIES = (
    *("forwarded", "via", "x_real_ip", "x_forwarded_for", "x_forwarded_host", "x_forwarded_proto"),
    *("cf_connecting_ip", "true_client_ip", "x_client_ip", "x_original_host"),
)


async def answer(host: str, bound: str = "127.0.0.1", allowed: tuple[str, ...] = ()) -> int:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", lambda: "here")
    guarded = AllowedHosts(app, bound, allowed)
    async with AsyncClient(transport=ASGITransport(guarded), base_url="http://127.0.0.1") as http:
        response = await http.get("/", headers={"Host": host})
    if response.status_code == 421:
        error = response.json()["error"]
        assert error["code"] == "host_not_allowed"
        assert "RAGLIVE_ALLOWED_HOSTS" in error["message"]
    return response.status_code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:3000",
        "localhost",
        "LOCALHOST:3000",
        "[::1]:3000",
        "127.9.9.9",
        "raglive.localhost",
    ],
)
async def test_this_machine_is_always_allowed(host: str) -> None:
    assert await answer(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:3000",
        "192.168.1.5:3000",
        "",
        "a b",
        "localhost@evil.example",
        "evil.example:3000/localhost",
        "[::1",
        "localhost:port",
    ],
)
async def test_other_names_are_refused(host: str) -> None:
    assert await answer(host) == 421


async def test_names_can_be_allowed() -> None:
    assert await answer("docs.example:3000", allowed=("docs.example",)) == 200
    assert await answer("a.b.example", allowed=("*.example",)) == 200
    assert await answer("example", allowed=("*.example",)) == 421
    assert await answer("anything.example", allowed=("*",)) == 200


async def test_a_server_on_every_address_accepts_addresses_but_not_names() -> None:
    assert await answer("192.168.1.5:3000", bound="0.0.0.0") == 200
    assert await answer("[2001:db8::1]:3000", bound="::") == 200
    assert await answer("evil.example", bound="0.0.0.0") == 421


def scope(client: str, **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (client, 5), "headers": raw}


@pytest.mark.parametrize(
    ("seen", "direct"),
    [
        (scope("127.0.0.1", accept="*/*"), True),
        (scope("::1"), True),
        (scope("::ffff:127.0.0.1"), True),
        (scope("10.0.0.7"), False),
        ({"type": "http", "client": None, "headers": []}, False),
        *((scope("127.0.0.1", **{name: "127.0.0.1"}), False) for name in OF_PROXIES),
    ],
)
def test_requests_of_other_clients_and_through_proxies_are_not_direct(
    seen: dict[str, Any], direct: bool
) -> None:
    assert is_direct_from_this_machine(seen) is direct
