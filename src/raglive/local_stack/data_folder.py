"""The data folder: database, secrets and logs of one installation, and which stack runs on it."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson
import platformdirs
import psutil

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "DataFolder",
    "DataFolderError",
    "RunningStack",
    "data_folder_of",
    "is_data_folder",
    "running_stacks",
    "write_private",
]

_MARKER = "raglive-data-folder"
_MARKER_TEXT = "raglive keeps a database, secrets and logs here. It never indexes this folder.\n"


class DataFolderError(RagliveError):
    """The data folder cannot be used, or nothing runs where a command looks."""

    code = ErrorCode.NOT_RUNNING


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running `raglive up`, as other commands find it."""

    pid: int
    started: float  # Unix time; a later process with the same pid is not taken for this one
    dsn: str
    folder: str
    dashboard_url: str

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1
        except psutil.Error:
            return False

    @classmethod
    def here(cls, *, dsn: str, folder: str, dashboard_url: str) -> Self:
        """Describe the calling process."""
        process = psutil.Process()
        return cls(process.pid, process.create_time(), dsn, folder, dashboard_url)


class DataFolder:
    """One data folder; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        """The folder of the log files of the child processes."""
        return self.path / "logs"

    @property
    def up_log(self) -> Path:
        """The log file of `raglive up` itself."""
        return self.logs / "up.log"

    def prepare(self) -> None:
        """Make the folder. Raises `DataFolderError` when that cannot be done."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            (self.path / _MARKER).write_text(_MARKER_TEXT, "ascii")
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.path} cannot be made: {error.strerror}. "
                "Set RAGLIVE_DATA_DIR to a folder that can be written.",
                code=ErrorCode.DATA_FOLDER_UNUSABLE,
            ) from error

    def secret(self, name: str) -> str:
        """Return a secret of this folder; create it (64 characters) on first use."""
        path = self.path / f"{name}.secret"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            pass
        self.prepare()
        made = secrets.token_urlsafe(48)
        draft = path.with_suffix(f".{os.getpid()}.new")
        write_private(draft, made)
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text("ascii").strip()
        finally:
            draft.unlink()
        return made

    def running(self) -> RunningStack | None:
        """Return the stack that runs on this folder."""
        try:
            running = RunningStack(**orjson.loads(self._note.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            return None
        return running if running.alive else None

    def note_running(self, running: RunningStack) -> None:
        """Write down the stack that runs on this folder."""
        draft = self._note.with_suffix(".new")
        write_private(draft, orjson.dumps(asdict(running)).decode())
        draft.replace(self._note)

    def note_stopped(self) -> None:
        """Remove the note of a running stack."""
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path / "running.json"


def is_data_folder(path: str) -> bool:
    """Check whether a folder is the data folder of any installation."""
    return os.path.lexists(os.path.join(path, _MARKER))  # noqa: PTH118 - called for each folder


def data_folder_of(data_dir: Path | None, watched: Path) -> DataFolder:
    """Return the configured data folder, or the default one of a watched folder."""
    if data_dir is not None:
        return DataFolder(data_dir.expanduser().absolute())
    resolved = watched.expanduser().resolve()
    name = "".join(c if c.isalnum() else "-" for c in resolved.name.lower())[:40]
    mark = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:8]
    return DataFolder(_default_parent() / f"{name}-{mark}")


def running_stacks(data_dir: Path | None) -> list[tuple[DataFolder, RunningStack]]:
    """Return the running stacks: of the configured data folder, or of all default ones."""
    if data_dir is not None:
        folders = [DataFolder(data_dir.expanduser().absolute())]
    else:
        folders = [
            DataFolder(note.parent) for note in sorted(_default_parent().glob("*/running.json"))
        ]
    found = ((folder, folder.running()) for folder in folders)
    return [(folder, running) for folder, running in found if running is not None]


def _default_parent() -> Path:
    return Path(platformdirs.user_data_dir("raglive", appauthor=False))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
