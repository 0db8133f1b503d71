"""The data folder: where one installation keeps its database, its secrets, and what runs now."""

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

from raglive_contract.errors import RagliveError

__all__ = ["Home", "HomeError", "Running", "home_of", "running_homes"]


class HomeError(RagliveError):
    """The data folder cannot be used, or nothing runs where a command looks."""

    code = "not_running"


@dataclass(frozen=True, slots=True)
class Running:
    """A running `raglive up`, for the commands that look for it."""

    pid: int
    started: float  # of the process, so that another with its number is not taken for it
    dsn: str
    folder: str
    dashboard_url: str
    status_url: str

    @property
    def alive(self) -> bool:
        """Say whether the process still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1
        except psutil.Error:
            return False

    @classmethod
    def here(cls, *, dsn: str, folder: str, dashboard_url: str, status_url: str) -> Self:
        """Describe this process."""
        process = psutil.Process()
        return cls(process.pid, process.create_time(), dsn, folder, dashboard_url, status_url)


class Home:
    """One data folder; nobody else may read what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def logs(self) -> Path:
        """Return the folder of the processes' logs."""
        return self.folder / "logs"

    def prepare(self) -> None:
        """Make the folder. Raises `HomeError` when that cannot be done."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise HomeError(
                f"The data folder {self.folder} cannot be made: {error.strerror}. "
                "Set RAGLIVE_DATA_DIR to a folder that can be written.",
                code="data_folder_unusable",
            ) from error

    def secret(self, name: str) -> str:
        """Return a secret of this folder, made when it is first asked for."""
        path = self.folder / f"{name}.secret"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            pass
        self.prepare()
        made = secrets.token_urlsafe(48)
        draft = path.with_suffix(f".{os.getpid()}.new")
        _write_private(draft, made)
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text("ascii").strip()
        finally:
            draft.unlink()
        return made

    def running(self) -> Running | None:
        """Return what runs on this folder."""
        try:
            running = Running(**orjson.loads(self._note.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            return None
        return running if running.alive else None

    def note_running(self, running: Running) -> None:
        """Say what runs here."""
        draft = self._note.with_suffix(".new")
        _write_private(draft, orjson.dumps(asdict(running)).decode())
        draft.replace(self._note)

    def note_stopped(self) -> None:
        """Say that nothing runs here any more."""
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder / "running.json"


def home_of(data_dir: Path | None, watched: Path) -> Home:
    """Return the data folder: the one that is set, else the default of a watched folder."""
    if data_dir is not None:
        return Home(data_dir.expanduser().absolute())
    resolved = watched.expanduser().resolve()
    name = "".join(c if c.isalnum() else "-" for c in resolved.name.lower())[:40]
    mark = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:8]
    return Home(_all_homes() / f"{name}-{mark}")


def running_homes(data_dir: Path | None) -> list[tuple[Home, Running]]:
    """Return what runs, in the folder that is set or in any default one."""
    if data_dir is not None:
        homes = [Home(data_dir.expanduser().absolute())]
    else:
        homes = [Home(note.parent) for note in sorted(_all_homes().glob("*/running.json"))]
    found = ((home, home.running()) for home in homes)
    return [(home, running) for home, running in found if running is not None]


def _all_homes() -> Path:
    return Path(platformdirs.user_data_dir("raglive", appauthor=False))


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
