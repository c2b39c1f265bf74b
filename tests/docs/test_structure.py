"""The map in CONTRIBUTING.md and the pages about concepts name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.structure import circles, folder_imports

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "operator/merit"
PAGES = ("CONTRIBUTING.md", "docs/concepts/lifecycle.md")
MODULES = re.compile(
    r"(?<![\w/.])((?:policy|prometheus|reconciler|stats|kube|rollout|outcomes)/\w+)"
)


def test_every_package_is_on_the_map() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    packages = {p.parent.name for p in PACKAGE.rglob("__init__.py") if p.parent != PACKAGE}
    missing = sorted(name for name in packages if f"{name}/" not in page)
    assert missing == [], "the map in CONTRIBUTING.md lacks these"


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {m.group(1) for m in MODULES.finditer(text)}
    places = (PACKAGE, PACKAGE / "policy")
    missing = sorted(
        name
        for name in named
        if not any((p / name).is_dir() or (p / f"{name}.py").exists() for p in places)
    )
    assert named and missing == []


def test_the_folders_of_policy_import_each_other_in_no_circle() -> None:
    _, arrows = folder_imports(PACKAGE / "policy")
    assert circles(arrows) == []
