"""The addresses of the status server: what browsers are told, and what the dashboard asks."""

from __future__ import annotations

import pytest

from raglive.settings import SettingsError, read_settings

PUBLIC = "https://rag.example.com"


@pytest.mark.parametrize(
    ("environment", "public", "internal"),
    [
        ({}, "http://127.0.0.1:8103", "http://127.0.0.1:8103"),
        ({"SOCKET_IO_PORT": "8200"}, "http://127.0.0.1:8200", "http://127.0.0.1:8200"),
        ({"RAGLIVE_HOST": "0.0.0.0"}, "http://127.0.0.1:8103", "http://127.0.0.1:8103"),
        ({"RAGLIVE_HOST": "::"}, "http://[::1]:8103", "http://[::1]:8103"),
        ({"RAGLIVE_HOST": "::1"}, "http://[::1]:8103", "http://[::1]:8103"),
        ({"RAGLIVE_HOST": "10.0.0.7"}, "http://10.0.0.7:8103", "http://10.0.0.7:8103"),
        ({"RAGLIVE_STATUS_URL": f"{PUBLIC}/"}, PUBLIC, "http://127.0.0.1:8103"),
        (
            {
                "RAGLIVE_STATUS_URL": PUBLIC,
                "RAGLIVE_STATUS_INTERNAL_URL": "http://status.internal:8103",
            },
            PUBLIC,
            "http://status.internal:8103",
        ),
    ],
)
def test_the_internal_address_does_not_depend_on_the_public_one(
    environment: dict[str, str], public: str, internal: str
) -> None:
    settings = read_settings(environment)
    assert (settings.public_status_url, settings.internal_status_url) == (public, internal)


@pytest.mark.parametrize("path", ["rag", "/rag/../x", "//host", "/a b", "/?x", "https://x/rag"])
def test_a_base_path_is_an_absolute_path(path: str) -> None:
    with pytest.raises(SettingsError, match="RAGLIVE_BASE_PATH cannot be used"):
        read_settings({"RAGLIVE_BASE_PATH": path})


def test_a_base_path_has_no_slash_at_its_end() -> None:
    assert read_settings({"RAGLIVE_BASE_PATH": "/team/rag/"}).base_path == "/team/rag"


@pytest.mark.parametrize("name", ["RAGLIVE_STATUS_URL", "RAGLIVE_STATUS_INTERNAL_URL"])
def test_an_address_without_a_scheme_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: "rag.example.com"})


@pytest.mark.parametrize(
    "name",
    [
        "RAGLIVE_STATUS_URL",
        "RAGLIVE_STATUS_INTERNAL_URL",
        "RAGLIVE_JWKS_URL",
        "SUPABASE_URL",
        "SOCKET_IO_CORS_ORIGIN",
        "EMBEDDING_BASE_URL",
    ],
)
@pytest.mark.parametrize("password", ["QZJ7", "QZJ7/x", "QZJ7@x", "[QZJ7", "QZJ7?#"])
def test_an_address_with_a_password_is_refused_without_showing_it(name: str, password: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        read_settings({name: f"https://zz:{password}@host"})
    assert "QZJ7" not in repr(refused.value)
