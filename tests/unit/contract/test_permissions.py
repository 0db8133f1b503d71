from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant, Role

pipelines = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
grants = st.builds(Grant, st.sampled_from(Role), st.lists(pipelines | st.just("*")).map(tuple))
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["raglive", "role", "pipelines", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)

MAY = {
    Role.VIEWER: (True, False, False, False),
    Role.OPERATOR: (True, True, False, False),
    Role.PRODUCER: (False, False, True, False),
    Role.ADMIN: (True, True, True, True),
}


@pytest.mark.parametrize("role", Role)
def test_what_each_role_may(role: Role) -> None:
    grant = Grant(role, ("local-*",))
    rights = (
        grant.may_view("local-files"),
        grant.may_operate("local-files"),
        grant.may_publish("local-files"),
        grant.may_monitor,
    )
    assert rights == MAY[role]
    other = "google-drive-pipeline"
    assert not any(may(other) for may in (grant.may_view, grant.may_operate, grant.may_publish))


@given(grants, pipelines)
def test_a_grant_survives_its_token(grant: Grant, pipeline_id: str) -> None:
    again = Grant.from_claims(grant.claims())
    assert again == grant
    assert again.may_view(pipeline_id) == grant.may_view(pipeline_id)


@given(pipelines, pipelines)
def test_a_glob_without_wildcards_matches_only_itself(named: str, asked: str) -> None:
    assert Grant(Role.ADMIN, (named,)).may_view(asked) == (named == asked)


def test_no_globs_is_nothing_and_case_counts() -> None:
    assert not Grant(Role.ADMIN, ()).may_view("a")
    assert not Grant(Role.ADMIN, ("A",)).may_view("a")


@given(st.dictionaries(st.sampled_from(["app_metadata", "user_metadata", "role"]), json))
def test_any_claims_are_a_grant_or_refused(claims: dict[str, Any]) -> None:
    only = {"app_metadata": claims.get("app_metadata")}
    assert _outcome(claims) == _outcome(only)


def _outcome(claims: dict[str, Any]) -> Grant | str:
    try:
        return Grant.from_claims(claims)
    except RagliveError as error:
        return error.code


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"role": "admin", "pipelines": ["*"]},
        {"user_metadata": {"raglive": {"role": "admin", "pipelines": ["*"]}}},
        {"app_metadata": {"raglive": "admin"}},
        {"app_metadata": {"raglive": {"role": "root", "pipelines": ["*"]}}},
        {"app_metadata": {"raglive": {"role": "admin", "pipelines": [1]}}},
        {"app_metadata": {"raglive": {"role": "admin", "pipelines": {"*": 1}}}},
    ],
)
def test_claims_that_users_can_edit_give_no_rights(claims: dict[str, Any]) -> None:
    assert _outcome(claims) == ErrorCode.FORBIDDEN
