"""The page about the statistics and the modules that implement them name each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from docs.generate import ROOT

PAGE = ROOT / "docs" / "concepts" / "statistics.md"
MODULES = sorted((ROOT / "operator" / "merit" / "stats").glob("[a-z]*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_page_and_module_name_each_other(module: Path) -> None:
    page, source = PAGE.read_text(), module.read_text()
    assert f"`{module.stem}`" in page
    assert source.count("docs/concepts/statistics.md") == 1
    docstring = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    cited = re.search(r'statistics\.md, "([^"]+)"', docstring)
    assert cited and re.search(rf"^##+ {re.escape(cited[1])}$", page, re.MULTILINE)


def test_every_source_that_the_page_cites_is_among_its_references() -> None:
    text, _, references = PAGE.read_text().partition("## References")
    known = set(re.findall(r"^- \*\*(.+?)\*\*", references, re.MULTILINE))
    cited = {
        " ".join(one.split()) for one in re.findall(r"\[([A-Z][^\]]+? \d{4}(?:, \d{4})*)\]", text)
    }
    cited = cited - {"Pollak 1985, 1987"} | {"Pollak 1985", "Pollak 1987"}
    assert cited == known
