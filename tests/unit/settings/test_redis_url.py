"""Addresses of Redis: what cannot be used is named, and no part of a password is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive.settings import SettingsError, read_settings

from .passwords import PASSWORDS, pieces

SHAPES = st.sampled_from(
    ["redis://:{}@host", "rediss://zz:{}@host:6379/0", "redis+sentinel://:{}@a,b:26379/service"]
)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://a:7000,[::1]:7001/2",
        "rediss://me:p%40%2F@host:6379/0?ssl_ca_certs=/ca.pem",
        "redis+sentinel://:pw@a:26379,b/main/3?sentinel_password=x",
    ],
)
def test_usable(url: str) -> None:
    found = read_settings({"REDIS_URL": url}).redis_url
    assert found is not None
    assert found.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host", "redis://"),
        ("redis://host:port", "port"),
        ("redis://host/name", "number of a database"),
        ("redis+sentinel://host", "service is missing"),
        ("redis://host?db=1", "parameter db is none of"),
        ("redis://host?sentinel_password=x", "sentinel_password is none of"),
    ],
)
def test_unusable(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings({"REDIS_URL": url})
    assert "REDIS_URL" in refused.value.message


@given(PASSWORDS, SHAPES)
def test_no_part_of_a_password_is_shown(password: str, shape: str) -> None:
    with pytest.raises(SettingsError, match="percent-encoded") as refused:
        read_settings({"REDIS_URL": shape.format(password)})
    shown = [str(refused.value), repr(refused.value), str(refused.value.body())]
    shown.append(repr(read_settings({"REDIS_URL": shape.format(quote(password, safe=""))})))
    for piece in pieces(password):
        assert not any(piece in text for text in shown), (piece, shown)
