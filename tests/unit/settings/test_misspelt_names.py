from __future__ import annotations

import pytest

from raglive.settings import SettingsError, misspelt_names, read_settings, variable_names

NAMES = sorted({name for names in variable_names().values() for name in names})


@pytest.mark.parametrize("name", [it for it in NAMES if not it.startswith("RAGLIVE_")])
def test_a_letter_too_few_is_noticed(name: str) -> None:
    assert misspelt_names({name[:3] + name[4:]: "1"}) == {name[:3] + name[4:]: name}


def test_variables_of_other_programs_are_ignored() -> None:
    others = [
        "PATH",
        "HOME",
        "DATABASE_HOST",
        "REDIS_HOST",
        "OPENAI_ORG_ID",
        "GOOGLE_CLOUD_PROJECT",
    ]
    assert misspelt_names(dict.fromkeys(others, "1")) == {}


def test_a_similar_name_is_accepted_when_the_right_one_is_set_too() -> None:
    assert misspelt_names({"SOKET_IO_PORT": "1", "SOCKET_IO_PORT": "2"}) == {}


def test_an_unknown_name_of_raglive_is_refused() -> None:
    with pytest.raises(SettingsError, match="Did you mean RAGLIVE_DASHBOARD_PORT"):
        read_settings({"RAGLIVE_DASHBORD_PORT": "3000"})
