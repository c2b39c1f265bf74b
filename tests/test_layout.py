"""The folder is called operator, like a module of the standard library: that must never matter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_folder_operator_is_not_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_import_operator_from_the_root_is_the_standard_library() -> None:
    code = "import operator; print(operator.itemgetter(0)('a'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a\n"
