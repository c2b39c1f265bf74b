"""The layout of the repository: where tests are, and that operator/ is not a Python package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Folders of tests that mirror no folder of the package.
SUBJECTS = {
    "apiserver", "chart", "docs", "e2e_cluster", "e2e_gitops", "e2e_images", "e2e_suite",
    "examples", "faults", "fleet", "replay", "scenarios", "world",
}  # fmt: skip


def imports(path: Path) -> list[tuple[str, str]]:
    """What a module imports from other modules of tests: module and name."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    return [
        (node.module, alias.name)
        for node in nodes
        if node.module and node.module.startswith("tests.")
        for alias in node.names
    ]


def test_the_folder_operator_is_not_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_import_operator_from_the_root_is_the_standard_library() -> None:
    # The folder is called operator, like a module of the standard library.
    code = "import operator; print(operator.itemgetter(0)('a'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a\n"


def test_every_test_is_in_a_folder_that_mirrors_the_package_or_is_named_here() -> None:
    package = ROOT / "operator" / "merit"
    for path in TESTS:
        folder = path.parent.relative_to(ROOT / "tests")
        if folder.parts:
            assert folder.parts[0] in SUBJECTS or (package / folder.parts[0]).is_dir(), path
        elif path.name.startswith("test_") and path != Path(__file__):
            assert (package / path.name.removeprefix("test_")).exists(), path


def test_no_test_imports_another_test_or_a_private_name() -> None:
    for path in TESTS:
        for module, name in imports(path):
            assert not module.rpartition(".")[2].startswith("test_"), (path, module)
            assert not name.startswith("_"), (path, module, name)


def test_names_of_classes_are_unique_among_the_tests() -> None:
    trees = [ast.parse(path.read_text()) for path in TESTS]
    names = Counter(n.name for tree in trees for n in tree.body if isinstance(n, ast.ClassDef))
    assert not [name for name, count in names.items() if count > 1]
