"""Authorization: the rights of tokens, for both servers and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Grant", "Role"]


class Role(StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    PRODUCER = "producer"
    ADMIN = "admin"


_VIEWING = frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN})
_OPERATING = frozenset({Role.OPERATOR, Role.ADMIN})
_PUBLISHING = frozenset({Role.PRODUCER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of a token, for the pipelines that its globs match.

    In a glob `*` stands for any characters and `?` for one; nothing else is special. With `redact`
    it shows the state of files, but not their names or contents.
    """

    role: Role
    pipelines: tuple[str, ...]
    redact: bool = False

    @property
    def has_viewing_role(self) -> bool:
        """Whether the role may view any pipeline at all."""
        return self.role in _VIEWING

    def check_viewing_role(self) -> None:
        """Raise `forbidden` for a role that may not view any pipeline."""
        if not self.has_viewing_role:
            raise RagliveError(
                f"A token of the role {self.role} may not view pipelines. "
                "Use a token of the role viewer.",
                code=ErrorCode.FORBIDDEN,
            )

    def may_view(self, pipeline_id: str) -> bool:
        """The right to read the pipeline's status and events."""
        return self.has_viewing_role and self._names(pipeline_id)

    def may_operate(self, pipeline_id: str) -> bool:
        """The right to retry files and to approve deletions."""
        return self.role in _OPERATING and self._names(pipeline_id)

    def may_publish(self, pipeline_id: str) -> bool:
        """The right to publish events of the pipeline."""
        return self.role in _PUBLISHING and self._names(pipeline_id)

    @property
    def may_monitor(self) -> bool:
        """The right to join `admin:monitoring`."""
        return self.role is Role.ADMIN

    def _names(self, pipeline_id: str) -> bool:
        return any(_matches(pipeline_id, glob) for glob in self.pipelines)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Grant:
        """Read `app_metadata.raglive`; claims that users can edit are ignored."""
        metadata = claims.get("app_metadata")
        stated = metadata.get("raglive") if isinstance(metadata, Mapping) else None
        if not isinstance(stated, Mapping):
            raise _refused("it has no app_metadata.raglive")
        pipelines = stated.get("pipelines", [])
        globs = [pipelines] if isinstance(pipelines, str) else pipelines
        if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
            raise _refused("app_metadata.raglive.pipelines is not a list of globs")
        try:
            role = Role(str(stated.get("role")))
        except ValueError:
            raise _refused(f"app_metadata.raglive.role is none of {', '.join(Role)}") from None
        redact = stated.get("redact", False)
        if not isinstance(redact, bool):
            raise _refused("app_metadata.raglive.redact is neither true nor false")
        return cls(role, tuple(globs), redact)

    def claims(self) -> dict[str, Any]:
        """Return the claims that `from_claims` reads."""
        stated: dict[str, Any] = {"role": str(self.role), "pipelines": list(self.pipelines)}
        if self.redact:
            stated["redact"] = True
        return {"app_metadata": {"raglive": stated}}


def _matches(pipeline_id: str, glob: str) -> bool:
    return fnmatchcase(pipeline_id, glob.replace("[", "[[]"))


def _refused(why: str) -> RagliveError:
    return RagliveError(f"The token gives no rights: {why}.", code=ErrorCode.FORBIDDEN)
