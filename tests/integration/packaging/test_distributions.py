"""The contents of the wheels and the sdist; each package works alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from importlib.metadata import distribution, packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools.third_party_licenses import FILE, bundled_packages

ROOT = Path(__file__).parents[3]
REPORTER = ROOT / "packages" / "raglive-reporter"
FAKE_DRIVE = ROOT / "packages" / "fake-google-drive"
REPORTER_MODULES = ["raglive_contract", "raglive_reporter"]
BUILD_SECONDS = 300
MEGABYTE = 1_000_000
# Imports every module with nothing on the path but the standard library and the folder `path`.
EVERY_MODULE = """
import importlib, pkgutil, sys
standard = [it for it in sys.path if it.startswith(sys.base_prefix) and "site-packages" not in it]
sys.path[:] = [*standard, {path!r}]
for root in {roots!r}:
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        if not module.name.endswith(("__main__", {without!r})):
            importlib.import_module(module.name)
print(*sorted(name for name in ("raglive", "asyncpg") if name in sys.modules))
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each package, and the sdist of raglive."""
    folder = tmp_path_factory.mktemp("dist")
    for source, target in [(ROOT, "wheel"), (ROOT, "sdist"), (REPORTER, "wheel")]:
        _build(source, target, folder)
    _build(FAKE_DRIVE, "wheel", folder)
    return folder


def _build(source: Path, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    built = subprocess.run(
        command, cwd=source, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert built.returncode == 0, built.stderr


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _required(wheel: Path) -> list[Requirement]:
    """Return the requirements that hold here, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_string(archive.read(name).decode())
    found = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    return [it for it in found if it.marker is None or it.marker.evaluate({"extra": ""})]


def _closure(requirements: list[Requirement]) -> dict[str, Requirement]:
    """Return all packages that are installed with the requirements, by name."""
    found: dict[str, Requirement] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found[name] = requirement
        for text in distribution(name).requires or []:
            needed = Requirement(text)
            extras = {"", *requirement.extras}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(needed)
    return found


def _install(wheel: Path, names: list[str], folder: Path) -> int:
    """Unpack the wheel, and link the named packages; return their size in bytes."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    size = 0
    for name in names:
        for file in distribution(name).files or []:
            source = Path(str(file.locate()))
            if ".." in file.parts or file.suffix == ".pyc" or not source.exists():
                continue
            size += source.stat().st_size
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
    return size


def _import_every_module(folder: Path, roots: list[str], without: str) -> list[str]:
    """Import with nothing but the folder; return which of raglive and asyncpg were imported."""
    code = EVERY_MODULE.format(path=str(folder), roots=roots, without=without)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_reporter_stands_alone(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("raglive_reporter-*.whl")
    needed = _closure(_required(wheel))
    size = _install(wheel, sorted(needed), tmp_path)
    assert _import_every_module(tmp_path, REPORTER_MODULES, without=".sql") == []
    assert len(needed) <= 15, sorted(needed)
    assert size <= 20 * MEGABYTE


def test_the_fake_drive_stands_alone(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("fake_google_drive-*.whl")
    needed = _closure(_required(wheel))
    _install(wheel, sorted(needed), tmp_path)
    assert _import_every_module(tmp_path, ["fake_google_drive"], without="__main__") == []


def test_the_sql_transport_needs_asyncpg_alone(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("raglive_reporter-*.whl")
    needed = _closure([*_required(wheel), Requirement("asyncpg")])
    _install(wheel, sorted(needed), tmp_path)
    assert _import_every_module(tmp_path, REPORTER_MODULES, without="__main__") == ["asyncpg"]


def test_the_wheel_has_the_web_app_and_no_development_code(distributions: Path) -> None:
    (wheel,) = distributions.glob("raglive-*.whl")
    names = _names(wheel)
    assert "raglive/dashboard/app/index.html" in names
    assert "raglive/store/migrations/0014_heartbeat.sql" in names
    assert "raglive-0.1.0.dist-info/licenses/THIRD_PARTY_LICENSES" in names
    assert {name.split("/")[0] for name in names} == {"raglive", "raglive-0.1.0.dist-info"}
    required = {canonicalize_name(it.name) for it in _required(wheel)}
    assert "raglive-reporter" in required
    assert required.isdisjoint({"fake-google-drive", "pytest", "mypy", "ruff"})


def test_the_sdist_builds_the_same_wheel_and_none_without_the_web_app(
    distributions: Path, tmp_path: Path
) -> None:
    (sdist,) = distributions.glob("raglive-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    _build(source, "wheel", tmp_path)
    (wheel,) = distributions.glob("raglive-*.whl")
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
    (source / "src/raglive/dashboard/app/index.html").unlink()
    with pytest.raises(AssertionError, match="Run `make setup`"):
        _build(source, "wheel", tmp_path)


def test_the_sdist_has_what_its_makefile_needs(distributions: Path) -> None:
    (sdist,) = distributions.glob("raglive-*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = {it.name.partition("/")[2]: it for it in archive if it.isfile()}
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    if listed.returncode == 0:  # not in an unpacked sdist
        tracked = set(listed.stdout.decode().split("\0")) - {""}
        assert {name for name in tracked - members.keys() if (ROOT / name).exists()} == set()
    for name in (
        ".ci/run",
        ".pre-commit-config.yaml",
        "LICENSE",
        "Makefile",
        "SECURITY.md",
        "bench/peers/requirements.txt",
        "examples/reporter/script.py",
        "packages/fake-google-drive/pyproject.toml",
        "packages/raglive-reporter/pyproject.toml",
        "requirements-dev.lock",
        "tools/requirements-uv.lock",
        "tools/uv.sh",
        "web/package-lock.json",
        "src/raglive/dashboard/app/index.html",
    ):
        assert name in members
    assert members["tools/uv.sh"].mode & 0o100
    assert members[".ci/run"].mode & 0o100
    made = {".venv", ".make", "node_modules", ".next", "out", "__pycache__", ".hypothesis"}
    assert {name for name in members if made & set(name.split("/"))} == set()


@pytest.mark.parametrize("folder", [ROOT, REPORTER, FAKE_DRIVE], ids=lambda it: it.name)
def test_every_imported_package_is_declared(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    declared = {canonicalize_name(Requirement(it).name) for it in asked}
    own = {"raglive", "raglive_contract", "raglive_reporter", "fake_google_drive"}
    known = packages_distributions()
    undeclared = {
        name
        for name in _imported(folder / "src") - own - sys.stdlib_module_names
        if declared.isdisjoint(canonicalize_name(it) for it in known.get(name, []))
    }
    assert undeclared == set()


def _imported(source: Path) -> set[str]:
    found = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def test_the_licences_are_those_of_the_packages_in_the_web_app() -> None:
    found = re.findall(r"^-{80}\n(\S+) (\S+) \((.+)\)\n-{80}$", FILE.read_text("utf-8"), re.M)
    assert found == list(bundled_packages())
