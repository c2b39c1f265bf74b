"""The lock files: every file that pip may install is named by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALL, OPERATOR = "requirements.lock", "requirements-operator.lock"


def entries(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """By project, its version and the hashes of its files."""
    found = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text().partition("\n")[2]):
        pin = re.match(r"([a-z0-9-]+)==(\S+)", entry)
        assert pin is not None, entry[:80]
        found[pin[1]] = (pin[2], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)))
    return found


def pins(*extras: str) -> set[tuple[str, str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"]]
    for extra in extras:
        listed += project["optional-dependencies"][extra]
    return {(name.lower(), version) for name, version in (pin.split("==") for pin in listed)}


@pytest.mark.parametrize("name", [ALL, OPERATOR])
def test_every_project_has_the_hashes_of_its_files(name: str) -> None:
    bare = [project for project, (_, hashes) in entries(name).items() if not hashes]
    assert not bare


@pytest.mark.parametrize(("name", "extras"), [(ALL, ("dev",)), (OPERATOR, ())])
def test_the_locks_hold_what_pyproject_pins(name: str, extras: tuple[str, ...]) -> None:
    locked = {(project, version) for project, (version, _) in entries(name).items()}
    assert pins(*extras) <= locked, "stale: make lock"


def test_the_operators_image_holds_what_was_tested() -> None:
    assert entries(OPERATOR).items() <= entries(ALL).items()


def test_compiled_projects_have_files_for_other_platforms_than_this_one() -> None:
    for project in ("aiohttp", "pydantic-core", "yarl"):
        assert len(entries(OPERATOR)[project][1]) > 50
