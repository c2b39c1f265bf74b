"""Parts of the documentation that tests run."""

from __future__ import annotations

import re

from docs.generate import ROOT


def block(page: str, mark: str) -> str:
    """The YAML block of that page after the comment `mark`."""
    text = (ROOT / page).read_text()
    found = re.search(rf"<!-- {mark} -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} has no block marked {mark}"
    return found[1]
